# METADATA
# title: Every field that carries sensitive data has a class in the specification
# description: >-
#   A field of an answer has a class when the specification declares one (`x-data-class`) or its format and name leave no
#   doubt. Traffic shows which fields carry sensitive data; such a field without a declared class, or declared harmless,
#   fails. A specification that gives every field a class passes.
# custom:
#   id: data-class
#   severity: low
#   kind: automatic
#   subjects: [operation]
#   needs: [specification.response_fields, specification.schema, traffic.classes, traffic.statuses]
#   passes_on:
#   - a specification that gives each field of its answers a class
#   remediation: >-
#     Add `x-data-class` to the fields of the specification's answers; begin with those that traffic shows to be
#     sensitive.
#   params:
#     harmless: [public, none, internal]
#   rules:
#   - id: PRB-data-class-none
#     meaning: answers carry sensitive data and the specification annotates no class at all
#     sources: [traffic]
#   - id: PRB-data-class-field
#     meaning: a documented field carries sensitive data and has no class
#     sources: [traffic]
#   - id: PRB-data-class-understated
#     meaning: a field that is declared harmless carries sensitive data
#     sources: [traffic]
#     severity: medium
package probity.checks.data_class

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

# Documented fields, each as its pointer and the class that the specification gives it.
declared := {[field.pointer, object.get(field, "class", null)] |
	some entry in input.facts["specification.response_fields"]
	some field in entry.value
}

unclassed := {pointer | some [pointer, null] in declared} - {pointer | some [pointer, class] in declared; class != null}

annotated if {
	some entry in input.facts["specification.schema"]
	entry.value.classes_declared
}

found := [{"field": hit.field, "class": hit.class, "source": entry.source} |
	some entry in input.facts["traffic.classes"]
	some hit in entry.value
	hit.place == "response-body"
	hit.on_ok
	hit.class != "ip-address"
]

seen_classes := {hit.class | some hit in found}

fail contains {
	"rule": "PRB-data-class-none",
	"place": "",
	"message": sprintf("answers carry %s, and the specification annotates no class", [concat(", ", seen_classes)]),
	"source": hit.source,
} if {
	count(declared) > 0
	not annotated
	some hit in found
}

fail contains {
	"rule": "PRB-data-class-field",
	"place": concat(":", ["response-body", hit.field]),
	"message": sprintf("%s carries %s and has no class in the specification", [hit.field, hit.class]),
	"source": hit.source,
} if {
	annotated
	some hit in found
	hit.field in unclassed
}

fail contains {
	"rule": "PRB-data-class-understated",
	"place": concat(":", ["response-body", hit.field]),
	"message": sprintf("%s is declared %s and carries %s", [hit.field, class, hit.class]),
	"source": hit.source,
} if {
	some hit in found
	some class in input.params.harmless
	[hit.field, class] in declared
}

pass contains {
	"message": sprintf("each of the %d documented fields has a class", [count(entry.value)]),
	"source": entry.source,
} if {
	some entry in input.facts["specification.response_fields"]
	count(entry.value) > 0
	every field in entry.value {
		object.get(field, "class", null) != null
	}
}

not_applicable contains {"message": "no field is documented, and successful answers have no body"} if bodiless

no_evidence contains {
	"message": sprintf("%d of %d documented fields have no class; none of them was seen to carry sensitive data", [count(bare), count(entry.value)]),
	"source": entry.source,
} if {
	some entry in input.facts["specification.response_fields"]
	bare := [field | some field in entry.value; object.get(field, "class", null) == null]
	count(bare) > 0
}
