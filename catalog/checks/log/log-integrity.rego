# METADATA
# title: The record cannot be changed unnoticed
# description: >-
#   The tamper-evident log verifies, and agrees with a checkpoint that is kept elsewhere. Without such a checkpoint it
#   shows only that it is consistent with itself, which whoever holds the key could also make of a rewritten one.
# related_resources:
# - https://www.rfc-editor.org/rfc/rfc9162
# - https://c2sp.org/tlog-tiles
# custom:
#   id: log-integrity
#   severity: high
#   kind: automatic
#   subjects: [log]
#   needs: [log.ledger]
#   passes_on:
#   - a log whose proofs verify and which agrees with a checkpoint kept elsewhere
#   remediation: >-
#     Stop, keep a copy of the data folder, and run `probity verify` to learn what was changed. Keep checkpoints
#     elsewhere from now on (`probity ledger checkpoint`).
#   params:
#     anchored: true
#   rules:
#   - id: PRB-log-ledger-broken
#     meaning: the tamper-evident log does not verify
#     sources: [gateway]
#     severity: critical
package probity.checks.log_integrity

import rego.v1

fail contains {
	"rule": "PRB-log-ledger-broken",
	"place": "",
	"message": "the tamper-evident log does not verify",
	"source": entry.source,
} if {
	some entry in input.facts["log.ledger"]
	not entry.value.verified
}

anchored_enough(ledger) if ledger.anchored

anchored_enough(_) if not input.params.anchored

pass contains {
	"message": "the log verifies",
	"source": entry.source,
} if {
	some entry in input.facts["log.ledger"]
	entry.value.verified
	entry.value.evidence_size > 0
	anchored_enough(entry.value)
}

no_evidence contains {
	"message": "the log verifies against itself only; no checkpoint of it is kept elsewhere",
	"source": entry.source,
} if {
	some entry in input.facts["log.ledger"]
	entry.value.verified
	not anchored_enough(entry.value)
}
