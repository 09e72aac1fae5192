# METADATA
# title: Answers carry no field that nobody declared
# description: >-
#   Compares the fields that answers were seen to carry with those that the specification declares. A field beyond them is
#   excess; one with sensitive data weighs heavily. Whether each declared field is needed is for people to judge.
# related_resources:
# - https://cwe.mitre.org/data/definitions/213.html
# custom:
#   id: data-min
#   severity: low
#   kind: automatic
#   subjects: [operation]
#   needs: [specification.response_fields, traffic.classes, traffic.inspected, traffic.response_fields, traffic.statuses]
#   passes_on:
#   - inspected answers whose every field the specification declares
#   remediation: >-
#     Build answers from a list of fields, not from the stored object. Remove what is not needed; declare what is.
#   rules:
#   - id: PRB-data-excess-sensitive
#     meaning: an answer carries sensitive data in a field that the specification does not declare
#     sources: [traffic]
#     severity: high
#   - id: PRB-data-excess-field
#     meaning: an answer carries a field that the specification does not declare
#     sources: [traffic]
package probity.checks.data_min

import rego.v1

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

declared := {field.pointer |
	some entry in input.facts["specification.response_fields"]
	some field in entry.value
}

returned := {field |
	some entry in input.facts["traffic.response_fields"]
	some field in entry.value
}

fail contains {
	"rule": "PRB-data-excess-sensitive",
	"place": concat(":", [hit.place, hit.field]),
	"message": sprintf("answers carry %s in %s, which the specification does not declare", [hit.class, hit.field]),
	"source": entry.source,
} if {
	some entry in input.facts["traffic.classes"]
	some hit in entry.value
	excess_hit(hit)
}

excess_hit(hit) if {
	hit.place == "response-body"
	hit.on_ok
	hit.declared == false
	hit.class != "ip-address"
}

sensitive_fields := {hit.field |
	some entry in input.facts["traffic.classes"]
	some hit in entry.value
	excess_hit(hit)
}

# Fields that are not declared as such, and neither hold a declared field nor lie below one whose members are open.
excess := {field |
	count(declared) > 0
	some field in returned - declared
	not holds_declared(field)
	not below_open(field)
}

holds_declared(field) if {
	some pointer in declared
	startswith(pointer, concat("", [field, "/"]))
}

below_open(field) if {
	some pointer in declared
	startswith(field, concat("", [pointer, "/"]))
	not holds_declared(pointer)
}

parent(field) := concat("/", array.slice(parts, 0, count(parts) - 1)) if parts := split(field, "/")

fail contains {
	"rule": "PRB-data-excess-field",
	"place": concat(":", ["response-body", field]),
	"message": sprintf("answers carry %s, which the specification does not declare", [field]),
	"source": entry.source,
} if {
	some field in excess - sensitive_fields
	# Of a whole undeclared object, its top says it all.
	not parent(field) in excess
	some entry in input.facts["traffic.response_fields"]
	field in entry.value
}

pass contains {
	"message": sprintf("the specification declares each of the %d fields that answers were seen to carry", [count(entry.value)]),
	"source": entry.source,
} if {
	count(declared) > 0
	some inspected in input.facts["traffic.inspected"]
	inspected.value
	some entry in input.facts["traffic.response_fields"]
	count(entry.value) > 0
}

not_applicable contains {"message": "no field is documented, and successful answers have no body"} if bodiless
