# METADATA
# title: Enforcement points are up and current
# description: >-
#   What a gateway enforces counts only while it runs what was published last, keeps it for a start without the
#   server, and has lost neither a stage nor a record.
# related_resources:
# - https://csrc.nist.gov/pubs/sp/800/137/final
# - https://cwe.mitre.org/data/definitions/693.html
# custom:
#   id: control-health
#   severity: high
#   kind: automatic
#   subjects: [gateway]
#   needs: [gateway.health]
#   passes_on:
#   - a gateway that has the bundle in force which was published last, keeps it on disk, and whose stages and recorder work
#   remediation: >-
#     Look at the gateway's log for the refused bundle, the stage that panicked or the disk that is full.
#   rules:
#   - id: PRB-gate-behind
#     meaning: the gateway enforces an older bundle than the one published last
#     sources: [gateway]
#   - id: PRB-gate-panic
#     meaning: a stage of the gateway panicked
#     sources: [gateway]
#   - id: PRB-gate-unrecorded
#     meaning: calls could not be recorded
#     sources: [gateway]
package probity.checks.control_health

import rego.v1

fail contains {
	"rule": "PRB-gate-behind",
	"place": "",
	"message": sprintf("revision %d is in force, and %d was published last", [entry.value.in_force, entry.value.newest]),
	"source": entry.source,
} if {
	some entry in input.facts["gateway.health"]
	entry.value.in_force < entry.value.newest
}

fail contains {
	"rule": "PRB-gate-panic",
	"place": "",
	"message": "a stage of the pipeline panicked since the gateway was started",
	"source": entry.source,
} if {
	some entry in input.facts["gateway.health"]
	entry.value.stage_panics
}

fail contains {
	"rule": "PRB-gate-unrecorded",
	"place": "",
	"message": "calls could not be recorded since the gateway was started",
	"source": entry.source,
} if {
	some entry in input.facts["gateway.health"]
	entry.value.records_refused
}

pass contains {
	"message": "the bundle that was published last is in force and kept, and every stage works",
	"source": entry.source,
} if {
	some entry in input.facts["gateway.health"]
	entry.value.in_force > 0
	entry.value.kept
}

no_evidence contains {
	"message": "the gateway does not keep its bundle: after a start without the server it would refuse every call",
	"source": entry.source,
} if {
	some entry in input.facts["gateway.health"]
	not entry.value.kept
}
