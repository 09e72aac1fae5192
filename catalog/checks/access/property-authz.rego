# METADATA
# title: Callers read and write permitted fields only
# description: >-
#   Who may see an object may not see every field of it, and who may change it may not change every field. The gateway
#   takes fields that a caller's role may not read out of answers, and refuses or strips those that it may not write.
# related_resources:
# - https://cwe.mitre.org/data/definitions/915.html
# - https://cwe.mitre.org/data/definitions/213.html
# custom:
#   id: property-authz
#   severity: high
#   kind: automatic
#   subjects: [operation]
#   needs:
#   - gateway.authorization
#   - gateway.enforced
#   - specification.inputs
#   - specification.response_fields
#   - traffic.decisions
#   passes_on:
#   - a rule of the gateway that refuses or strips fields beyond what a role may read and write, in each direction that has fields
#   remediation: >-
#     State the readable and the writable fields of each role, enforce them in the gateway, and map request bodies
#     onto objects field by field in the service.
#   rules:
#   - id: PRB-prop-let-through
#     meaning: a field that the caller may not read or write went through
#     sources: [gateway, traffic]
package probity.checks.property_authz

import rego.v1

blocked if {
	some entry in input.facts["gateway.enforced"]
	some enforced in entry.value
	enforced.check == "property-authz"
	enforced.mode == "block"
}

# A direction that no document describes has to be covered.
writes_nothing if {
	some entry in input.facts["specification.inputs"]
	not entry.value.body
}

reads_nothing if {
	some entry in input.facts["specification.response_fields"]
	count(entry.value) == 0
}

covers(properties) if {
	properties.read
	properties.write
}

covers(properties) if {
	properties.read
	writes_nothing
}

covers(properties) if {
	properties.write
	reads_nothing
}

fail contains {
	"rule": "PRB-prop-let-through",
	"place": decision.rule,
	"message": "a field that the caller may not read or write went through",
	"source": entry.source,
} if {
	not blocked
	some entry in input.facts["traffic.decisions"]
	some decision in entry.value
	decision.check == "property-authz"
	decision.action == "flag"
}

pass contains {
	"message": "the gateway keeps callers to the fields of their roles",
	"source": entry.source,
} if {
	blocked
	some entry in input.facts["gateway.authorization"]
	covers(entry.value.properties)
}

not_applicable contains {
	"message": "the specification describes neither a request body nor a field of the answer",
	"source": entry.source,
} if {
	writes_nothing
	reads_nothing
	some entry in input.facts["specification.response_fields"]
}

no_evidence contains {
	"message": "fields are limited in one direction alone",
	"source": entry.source,
} if {
	blocked
	some entry in input.facts["gateway.authorization"]
	not covers(entry.value.properties)
}

no_evidence contains {
	"message": "the gateway only observes: it tells what it would refuse, and refuses nothing",
	"source": entry.source,
} if {
	not blocked
	some entry in input.facts["gateway.enforced"]
	some enforced in entry.value
	enforced.check == "property-authz"
	enforced.mode == "observe"
}
