# METADATA
# title: No shadow, zombie or orphan operation stays open
# description: >-
#   A shadow operation is in use and in no source; a zombie is past its end and still answers; an orphan is documented and
#   nobody ever calls it. Each may be tolerated for a number of days, by default for none.
# related_resources:
# - https://cwe.mitre.org/data/definitions/1059.html
# custom:
#   id: shadow-zombie
#   severity: medium
#   kind: automatic
#   subjects: [operation]
#   needs: [operation.states, operation.state_since, operation.seen, operation.removed, traffic.statuses]
#   passes_on:
#   - an operation that is documented and in use
#   - a removed operation whose calls were answered 404 or 410 only
#   remediation: >-
#     Shadow: find its team, then document or stop it. Zombie: stop it, or answer 410 in front of it. Orphan: take it
#     out of the service and its specification.
#   params:
#     shadow_days: 0
#     zombie_days: 0
#     orphan_days: 0
#   rules:
#   - id: PRB-inv-shadow
#     meaning: an operation is in use that no source has
#     sources: [traffic]
#   - id: PRB-inv-zombie
#     meaning: an operation still answers past its sunset or removal
#     sources: [traffic]
#     severity: high
#   - id: PRB-inv-orphan
#     meaning: a documented operation is never called
#     sources: [traffic]
#     severity: low
package probity.checks.shadow_zombie

import rego.v1

import data.probity.moment

open_states := {
	"shadow": {
		"rule": "PRB-inv-shadow",
		"days": input.params.shadow_days,
		"message": "the operation is in use, and no specification, code or person lists it",
	},
	"zombie": {
		"rule": "PRB-inv-zombie",
		"days": input.params.zombie_days,
		"message": "the operation should be gone, and still answers",
	},
	"orphan": {
		"rule": "PRB-inv-orphan",
		"days": input.params.orphan_days,
		"message": "the operation is documented, and nobody calls it",
	},
}

# In this state for less than the tolerated days; a state of unknown age is not, nor is any where none is tolerated.
tolerated(state) if {
	open_states[state].days > 0
	some entry in input.facts["operation.state_since"]
	since := moment.seconds(entry.value[state])
	since + (open_states[state].days * 86400) > moment.seconds(input.at)
}

fail contains {
	"rule": open_states[state].rule,
	"place": "",
	"message": open_states[state].message,
	"source": entry.source,
} if {
	some entry in input.facts["operation.states"]
	some state in entry.value
	open_states[state]
	not tolerated(state)
}

open_state if {
	some entry in input.facts["operation.states"]
	some state in entry.value
	open_states[state]
}

pass contains {
	"message": "the operation is documented and in use",
	"source": entry.source,
} if {
	not open_state
	some entry in input.facts["operation.states"]
	"documented" in entry.value
	some seen in input.facts["operation.seen"]
	seen.value
}

pass contains {
	"message": "the operation was removed, and calls to it are turned away",
	"source": entry.source,
} if {
	not open_state
	some removed in input.facts["operation.removed"]
	removed.value
	some entry in input.facts["traffic.statuses"]
	count(entry.value) > 0
	every status in entry.value {
		status in {"404", "410"}
	}
}

no_evidence contains {
	"message": sprintf("the operation is %s, still inside the days allowed", [state]),
	"source": entry.source,
} if {
	some entry in input.facts["operation.states"]
	some state in entry.value
	open_states[state]
}

no_evidence contains {
	"message": "the operation is documented and was not called yet",
	"source": entry.source,
} if {
	some entry in input.facts["operation.states"]
	"not-yet-seen" in entry.value
}
