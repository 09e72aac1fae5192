# METADATA
# title: Someone answers for every operation
# description: >-
#   An operation has an owner when the specification, a code owners file, the configuration or a person names one. Whether
#   the owner still exists is not judged.
# custom:
#   id: owner-assigned
#   severity: low
#   kind: automatic
#   subjects: [operation]
#   needs: [operation.owner, operation.states]
#   passes_on:
#   - a source that names the operation's owner
#   remediation: >-
#     Name the owning team: `x-owner` in the specification, a code owners file, `owner` of the service in the
#     configuration, or `probity inventory set`.
#   rules:
#   - id: PRB-inv-owner
#     meaning: nobody answers for an operation
#     sources: [traffic]
package probity.checks.owner_assigned

import rego.v1

owned if {
	some entry in input.facts["operation.owner"]
	trim_space(entry.value) != ""
}

fail contains {
	"rule": "PRB-inv-owner",
	"place": "",
	"message": "no source names an owner of the operation",
	"source": entry.source,
} if {
	not owned
	some entry in input.facts["operation.states"]
	"unowned" in entry.value
}

pass contains {
	"message": "a source names the owner",
	"source": entry.source,
} if {
	some entry in input.facts["operation.owner"]
	trim_space(entry.value) != ""
}
