# METADATA
# title: Ended versions are announced and then really gone
# description: >-
#   A deprecated operation says when it ends; a removed one, or one past its sunset, no longer answers.
# related_resources:
# - https://www.rfc-editor.org/rfc/rfc9745
# - https://www.rfc-editor.org/rfc/rfc8594
# custom:
#   id: version-deprecation
#   severity: medium
#   kind: automatic
#   subjects: [operation]
#   needs: [operation.deprecated, operation.documented, operation.removed, operation.states, operation.sunset, traffic.statuses]
#   passes_on:
#   - calls to an ended operation that were answered 410
#   - a deprecated operation whose sunset is declared and lies ahead
#   remediation: >-
#     Give a deprecated operation a sunset and announce it with the Deprecation and Sunset header fields. When the day
#     has come, answer 410 and take the operation out of the specification.
#   rules:
#   - id: PRB-ver-answers-after-end
#     meaning: an operation answers although it was removed or its sunset has passed
#     sources: [traffic]
#   - id: PRB-ver-no-sunset
#     meaning: a deprecated operation does not say when it ends
#     sources: [specification]
#     severity: low
#   - id: PRB-ver-past-sunset
#     meaning: the specification still offers an operation whose sunset has passed
#     sources: [specification]
#     severity: low
package probity.checks.version_deprecation

import rego.v1

import data.probity.moment

now := moment.seconds(input.at)

zombie if {
	some entry in input.facts["operation.states"]
	"zombie" in entry.value
}

removed if {
	some entry in input.facts["operation.removed"]
	entry.value
}

past_sunset if {
	some entry in input.facts["operation.sunset"]
	moment.seconds(entry.value) <= now
}

ended if removed

ended if past_sunset

fail contains {
	"rule": "PRB-ver-answers-after-end",
	"place": "",
	"message": "the operation has ended, and calls to it are still answered",
	"source": entry.source,
} if {
	some entry in input.facts["operation.states"]
	"zombie" in entry.value
}

fail contains {
	"rule": "PRB-ver-no-sunset",
	"place": "",
	"message": "the operation is deprecated, and no sunset is declared",
	"source": entry.source,
} if {
	not removed
	count(object.get(input.facts, "operation.sunset", [])) == 0
	some entry in input.facts["operation.deprecated"]
	entry.value
}

fail contains {
	"rule": "PRB-ver-past-sunset",
	"place": "",
	"message": sprintf("the sunset was %s, and the specification still offers the operation", [sunset.value]),
	"source": entry.source,
} if {
	some sunset in input.facts["operation.sunset"]
	moment.seconds(sunset.value) <= now
	some entry in input.facts["operation.documented"]
	entry.value
}

pass contains {
	"message": "the operation has ended, and calls to it are answered 410",
	"source": entry.source,
} if {
	ended
	not zombie
	some entry in input.facts["traffic.statuses"]
	"410" in entry.value
}

pass contains {
	"message": sprintf("the operation is deprecated and ends at %s", [entry.value]),
	"source": entry.source,
} if {
	not ended
	some deprecated in input.facts["operation.deprecated"]
	deprecated.value
	some entry in input.facts["operation.sunset"]
}

not_applicable contains {
	"message": "the specification has the operation as a current one",
	"source": entry.source,
} if {
	not ended
	not zombie
	count(object.get(input.facts, "operation.sunset", [])) == 0
	some entry in input.facts["operation.deprecated"]
	entry.value == false
	some current in input.facts["operation.documented"]
	current.value
}
