# METADATA
# title: Every operation is described by a specification with schemas
# description: >-
#   An operation that answers must stand in a machine-readable specification, and its parameters, its request and its
#   successful answers must have schemas there. A schema of a request that names members and says that it takes any
#   other is half a schema. Whether schemas are enforced is another check.
# related_resources:
# - https://spec.openapis.org/oas/v3.1.0
# - https://cwe.mitre.org/data/definitions/1059.html
# custom:
#   id: schema-defined
#   severity: medium
#   kind: automatic
#   subjects: [operation]
#   needs: [operation.documented, operation.removed, operation.seen, specification.schema]
#   passes_on:
#   - a specification that describes the operation, with a schema for each parameter, the request and each successful answer
#   remediation: >-
#     Add the operation to the service's specification, or the missing schemas to the operation; traffic that was seen
#     is a good draft of both.
#   params:
#     closed_objects: false
#   rules:
#   - id: PRB-x-traffic-undocumented
#     meaning: an operation answers that no specification describes
#     sources: [traffic]
#   - id: PRB-par-schema
#     meaning: a parameter has no schema
#     sources: [specification]
#     severity: low
#   - id: PRB-op-request-schema
#     meaning: a request body has no schema
#     sources: [specification]
#     severity: low
#   - id: PRB-op-resp-schema
#     meaning: a successful answer has no schema
#     sources: [specification]
#     severity: low
#   - id: PRB-extra-props
#     meaning: >-
#       a request says that it takes members that its schema does not declare (with `closed_objects`, any object that does
#       not refuse them)
#     sources: [specification]
#     severity: low
package probity.checks.schema_defined

import rego.v1

# An operation that was removed on purpose belongs to shadow-zombie and version-deprecation.
removed if {
	some entry in input.facts["operation.removed"]
	entry.value
}

documented if {
	some entry in input.facts["operation.documented"]
	entry.value
}

seen if {
	some entry in input.facts["operation.seen"]
	entry.value
}

fail contains {
	"rule": "PRB-x-traffic-undocumented",
	"place": "",
	"message": "the operation answers, and no specification describes it",
	"source": entry.source,
} if {
	seen
	not documented
	not removed
	some entry in input.facts["operation.documented"]
}

fail contains {
	"rule": "PRB-par-schema",
	"place": concat(" ", ["parameter", name]),
	"message": sprintf("the parameter %s has no schema", [name]),
	"source": entry.source,
} if {
	documented
	some entry in input.facts["specification.schema"]
	some name in entry.value.parameters_without_schema
}

fail contains {
	"rule": "PRB-op-request-schema",
	"place": "request",
	"message": "the request body has no schema",
	"source": entry.source,
} if {
	documented
	some entry in input.facts["specification.schema"]
	entry.value.request_without_schema
}

fail contains {
	"rule": "PRB-op-resp-schema",
	"place": concat(" ", ["response", status]),
	"message": sprintf("the answer %s has no schema", [status]),
	"source": entry.source,
} if {
	documented
	some entry in input.facts["specification.schema"]
	some status in entry.value.responses_without_schema
}

fail contains {
	"rule": "PRB-extra-props",
	"place": "",
	"message": "objects accept members that the schema does not declare",
	"source": entry.source,
} if {
	documented
	input.params.closed_objects
	some entry in input.facts["specification.schema"]
	entry.value.open_objects
}

fail contains {
	"rule": "PRB-extra-props",
	"place": "request",
	"message": "the schema of the request says that it takes members which it does not declare",
	"source": object.union(entry.source, {"locator": entry.value.request_open_at}),
} if {
	documented
	some entry in input.facts["specification.schema"]
	is_string(entry.value.request_open_at)
}

pass contains {
	"message": "the specification describes the operation, with schemas throughout",
	"source": entry.source,
} if {
	documented
	some entry in input.facts["specification.schema"]
	count(entry.value.parameters_without_schema) == 0
	entry.value.request_without_schema == false
	count(entry.value.responses_without_schema) == 0
}

not_applicable contains {
	"message": "the newest specification no longer has the operation",
	"source": entry.source,
} if {
	not documented
	some entry in input.facts["operation.removed"]
	entry.value
}

no_evidence contains {
	"message": "nothing but calls to an address that does not exist was seen",
	"source": entry.source,
} if {
	not documented
	some entry in input.facts["operation.seen"]
	entry.value == false
}
