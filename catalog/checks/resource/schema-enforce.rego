# METADATA
# title: Requests that do not fit their schema are refused
# description: >-
#   The gateway compares each request with the specification before the service sees it: parameters, content type,
#   types, bounds, and fields that nobody declared. A request that did not fit and went through shows that the service
#   alone is left to notice.
# related_resources:
# - https://cwe.mitre.org/data/definitions/20.html
# - https://spec.openapis.org/oas/v3.1.0
# custom:
#   id: schema-enforce
#   severity: medium
#   kind: automatic
#   subjects: [operation]
#   needs: [gateway.contract, gateway.enforced, traffic.decisions]
#   passes_on:
#   - a rule of the gateway that refuses requests which do not fit the declared schema, undeclared fields included
#   remediation: >-
#     Describe the request, close its objects, let the gateway observe for a while, then block.
#   rules:
#   - id: PRB-schema-let-through
#     meaning: a request that does not fit its schema went through
#     sources: [gateway, traffic]
package probity.checks.schema_enforce

import rego.v1

blocked if {
	some entry in input.facts["gateway.enforced"]
	some enforced in entry.value
	enforced.check == "schema-enforce"
	enforced.mode == "block"
}

fail contains {
	"rule": "PRB-schema-let-through",
	"place": decision.rule,
	"message": "a request that does not fit its schema went through",
	"source": entry.source,
} if {
	not blocked
	some entry in input.facts["traffic.decisions"]
	some decision in entry.value
	decision.check == "schema-enforce"
	decision.action == "flag"
}

pass contains {
	"message": "the gateway refuses requests that do not fit the declared schema",
	"source": entry.source,
} if {
	blocked
	some entry in input.facts["gateway.contract"]
	entry.value.requests == "block"
	entry.value.request_schema
	entry.value.unknown_fields in {"refuse", "strip"}
}

no_evidence contains {
	"message": "no schema of the request is declared, so general bounds alone are enforced",
	"source": entry.source,
} if {
	some entry in input.facts["gateway.contract"]
	not entry.value.request_schema
}

no_evidence contains {
	"message": "fields that the schema does not declare may pass",
	"source": entry.source,
} if {
	some entry in input.facts["gateway.contract"]
	entry.value.request_schema
	entry.value.unknown_fields == "pass"
}

no_evidence contains {
	"message": "the gateway only observes: it tells what it would refuse, and refuses nothing",
	"source": entry.source,
} if {
	not blocked
	some entry in input.facts["gateway.enforced"]
	some enforced in entry.value
	enforced.check == "schema-enforce"
	enforced.mode == "observe"
}
