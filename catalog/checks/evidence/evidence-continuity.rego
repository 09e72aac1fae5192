# METADATA
# title: Verdicts exist for every hour
# description: >-
#   For each hour of the period a verdict was written; the hours without are listed. A process that does not run writes
#   none, and nothing fills the hour afterwards.
# custom:
#   id: evidence-continuity
#   severity: medium
#   kind: automatic
#   subjects: [organisation]
#   needs: [evidence.slots]
#   passes_on:
#   - hours with verdicts that make up at least the asked share of all hours
#   remediation: >-
#     Keep Probity running as a service that starts again by itself, and find out what stopped it in the hours listed.
#   params:
#     present_permille: 999
#   rules:
#   - id: PRB-evidence-gap
#     meaning: an hour has no verdicts, and too many hours have none
#     sources: [gateway]
package probity.checks.evidence_continuity

import rego.v1

enough(slots) if slots.present * 1000 >= slots.expected * input.params.present_permille

fail contains {
	"rule": "PRB-evidence-gap",
	"place": hour,
	"message": sprintf("the hour from %s has no verdicts", [hour]),
	"source": entry.source,
} if {
	some entry in input.facts["evidence.slots"]
	not enough(entry.value)
	some hour in entry.value.gaps
}

# Too few, and the list of hours does not say which.
fail contains {
	"rule": "PRB-evidence-gap",
	"place": "",
	"message": sprintf("%d of %d hours have verdicts", [entry.value.present, entry.value.expected]),
	"source": entry.source,
} if {
	some entry in input.facts["evidence.slots"]
	not enough(entry.value)
	count(entry.value.gaps) == 0
}

pass contains {
	"message": sprintf("%d of %d hours have verdicts", [entry.value.present, entry.value.expected]),
	"source": entry.source,
} if {
	some entry in input.facts["evidence.slots"]
	entry.value.present > 0
	enough(entry.value)
}
