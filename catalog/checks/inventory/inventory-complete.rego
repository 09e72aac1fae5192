# METADATA
# title: No operation is in use that nobody listed
# description: >-
#   Compares what traffic shows with what specifications, code and people listed. An unknown operation has a while to be
#   listed or stopped; until then the inventory is not known to be complete, and afterwards it is known not to be.
# related_resources:
# - https://cwe.mitre.org/data/definitions/1059.html
# custom:
#   id: inventory-complete
#   severity: medium
#   kind: automatic
#   subjects: [organisation]
#   needs: [inventory.counts, inventory.unknown, inventory.reviewed_at]
#   passes_on:
#   - traffic that was compared with the inventory and showed no unknown operation
#   remediation: >-
#     For each unknown operation, find the team that runs it: add it to the service's specification, or stop it.
#     Record the review of the whole with `probity inventory review`.
#   params:
#     unknown_hours: 24
#     review_days: 365
#   rules:
#   - id: PRB-inv-unknown
#     meaning: an operation is in use and stayed unknown for longer than allowed
#     sources: [traffic]
#   - id: PRB-inv-review-old
#     meaning: the last review of the inventory is older than allowed
#     sources: [attestation]
#     severity: low
package probity.checks.inventory_complete

import rego.v1

import data.probity.moment

now := moment.seconds(input.at)

fail contains {
	"rule": "PRB-inv-unknown",
	"place": unknown.operation,
	"message": sprintf("%s is in use and in no source for more than %d hours", [unknown.operation, input.params.unknown_hours]),
	"source": entry.source,
} if {
	some entry in input.facts["inventory.unknown"]
	some unknown in entry.value
	not young(unknown)
}

# An operation of unknown age is not young.
young(unknown) if moment.seconds(unknown.since) + (input.params.unknown_hours * 3600) > now

fail contains {
	"rule": "PRB-inv-review-old",
	"place": "",
	"message": sprintf("the inventory was last reviewed at %s, more than %d days ago", [entry.value, input.params.review_days]),
	"source": entry.source,
} if {
	some entry in input.facts["inventory.reviewed_at"]
	moment.seconds(entry.value) + (input.params.review_days * 86400) < now
}

unknown_left if {
	some entry in input.facts["inventory.unknown"]
	count(entry.value) > 0
}

pass contains {
	"message": "every operation that was seen is in the inventory",
	"source": entry.source,
} if {
	not unknown_left
	some entry in input.facts["inventory.unknown"]
	some counts in input.facts["inventory.counts"]
	counts.value.operations > 0
}

no_evidence contains {
	"message": sprintf("%d unknown operations are still inside the %d hours allowed", [count(entry.value), input.params.unknown_hours]),
	"source": entry.source,
} if {
	some entry in input.facts["inventory.unknown"]
	count(entry.value) > 0
}
