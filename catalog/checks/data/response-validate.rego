# METADATA
# title: Answers that do not fit their schema are stopped
# description: >-
#   The gateway compares answers with the specification: what is of another type or in no schema does not leave.
#   Sensitive data in an undeclared field shows that answers are not held to their schema.
# related_resources:
# - https://cwe.mitre.org/data/definitions/213.html
# - https://spec.openapis.org/oas/v3.1.0
# custom:
#   id: response-validate
#   severity: medium
#   kind: automatic
#   subjects: [operation]
#   needs:
#   - gateway.contract
#   - gateway.enforced
#   - specification.response_fields
#   - traffic.classes
#   - traffic.decisions
#   - traffic.statuses
#   passes_on:
#   - a rule of the gateway that stops or strips answers which do not fit the declared schema
#   remediation: >-
#     Describe the answers, close their objects, and let the gateway strip what they do not declare.
#   rules:
#   - id: PRB-answer-undeclared
#     meaning: sensitive data left in a field that no schema declares
#     sources: [traffic]
#   - id: PRB-answer-let-through
#     meaning: an answer that does not fit its schema went out
#     sources: [gateway, traffic]
package probity.checks.response_validate

import rego.v1

blocked if {
	some entry in input.facts["gateway.enforced"]
	some enforced in entry.value
	enforced.check == "response-validate"
	enforced.mode == "block"
}

# The specification documents no field, and every success that was seen is one that cannot have a body (RFC 9110, 15.3).
bodiless if {
	some documented in input.facts["specification.response_fields"]
	count(documented.value) == 0
	some entry in input.facts["traffic.statuses"]
	successes := [status | some status in entry.value; startswith(status, "2")]
	count(successes) > 0
	every status in successes {
		status in {"204", "205"}
	}
}

fail contains {
	"rule": "PRB-answer-undeclared",
	"place": concat(":", [hit.place, hit.field]),
	"message": sprintf("%s left in %s, which no schema declares", [hit.class, hit.field]),
	"source": entry.source,
} if {
	some entry in input.facts["traffic.classes"]
	some hit in entry.value
	startswith(hit.place, "response-")
	hit.on_ok
	hit.declared == false
	not hit.masked
	not superseded(hit)
	hit.class != "ip-address"
}

superseded(hit) if {
	blocked
	hit.superseded
}

fail contains {
	"rule": "PRB-answer-let-through",
	"place": decision.rule,
	"message": "an answer that does not fit its schema went out",
	"source": entry.source,
} if {
	not blocked
	some entry in input.facts["traffic.decisions"]
	some decision in entry.value
	decision.check == "response-validate"
	decision.action == "flag"
}

pass contains {
	"message": "the gateway stops answers that do not fit the declared schema",
	"source": entry.source,
} if {
	blocked
	some entry in input.facts["gateway.contract"]
	entry.value.responses == "block"
	entry.value.response_schema
}

not_applicable contains {"message": "no field is documented, and successful answers have no body"} if bodiless

no_evidence contains {
	"message": "no schema of the answer is declared",
	"source": entry.source,
} if {
	some entry in input.facts["gateway.contract"]
	not entry.value.response_schema
}

no_evidence contains {
	"message": "the gateway only observes: it tells what it would refuse, and refuses nothing",
	"source": entry.source,
} if {
	not blocked
	some entry in input.facts["gateway.enforced"]
	some enforced in entry.value
	enforced.check == "response-validate"
	enforced.mode == "observe"
}
