# METADATA
# title: Every call has its record
# description: >-
#   The gateway counts each call that it accepts apart from the records that it keeps. The two agree but for the calls of
#   the last moment, which are on their way to the disk; every difference beyond is a signed gap.
# related_resources:
# - https://cwe.mitre.org/data/definitions/778.html
# custom:
#   id: audit-log
#   severity: high
#   kind: automatic
#   subjects: [log]
#   needs: [log.counts, log.gaps]
#   passes_on:
#   - accepted calls that are all recorded, without a gap
#   remediation: >-
#     Give the records more room or a faster disk, and let operations that matter wait for their record
#     (`record: durable`). A gap cannot be closed; keep its reason.
#   params:
#     in_flight: 1000
#   rules:
#   - id: PRB-log-gap
#     meaning: the record has a gap
#     sources: [gateway]
#   - id: PRB-log-lost
#     meaning: calls were accepted and their records lost
#     sources: [gateway]
#   - id: PRB-log-unaccounted
#     meaning: more calls were accepted than recorded, lost or on their way
#     sources: [gateway]
package probity.checks.audit_log

import rego.v1

fail contains {
	"rule": "PRB-log-gap",
	"place": concat("/", [gap.from, gap.to]),
	"message": sprintf("%d calls between %s and %s have no record (%s)", [gap.count, gap.from, gap.to, gap.reason]),
	"source": entry.source,
} if {
	some entry in input.facts["log.gaps"]
	some gap in entry.value
}

fail contains {
	"rule": "PRB-log-lost",
	"place": "",
	"message": "records of accepted calls were lost",
	"source": entry.source,
} if {
	some entry in input.facts["log.counts"]
	entry.value.lost > 0
}

missing(counts) := (counts.accepted - counts.recorded) - counts.lost

fail contains {
	"rule": "PRB-log-unaccounted",
	"place": "",
	"message": sprintf("more than %d accepted calls are neither recorded nor counted as lost", [input.params.in_flight]),
	"source": entry.source,
} if {
	some entry in input.facts["log.counts"]
	missing(entry.value) > input.params.in_flight
}

pass contains {
	"message": "every accepted call is recorded, without a gap",
	"source": entry.source,
} if {
	some gaps in input.facts["log.gaps"]
	some entry in input.facts["log.counts"]
	entry.value.recorded > 0
	entry.value.lost == 0
	missing(entry.value) <= input.params.in_flight
}
