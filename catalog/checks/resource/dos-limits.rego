# METADATA
# title: One call cannot take more than its share
# description: >-
#   A call has a largest head and body, a deepest nesting and a longest time, and there are only so many at once. Each
#   bound is set in front of the service; one that is missing leaves the service to find its own.
# related_resources:
# - https://cwe.mitre.org/data/definitions/400.html
# - https://cwe.mitre.org/data/definitions/1333.html
# custom:
#   id: dos-limits
#   severity: medium
#   kind: automatic
#   subjects: [operation]
#   needs: [gateway.bounds, gateway.enforced, traffic.decisions]
#   passes_on:
#   - a gateway that refuses calls beyond bounds of head, body, depth, time and number at once
#   remediation: >-
#     Set body size, depth and concurrency of the service in block mode; head, time and connections are bounded from
#     the start.
#   rules:
#   - id: PRB-bound-let-through
#     meaning: a call beyond a bound was told and went through
#     sources: [gateway, traffic]
package probity.checks.dos_limits

import rego.v1

blocked if {
	some entry in input.facts["gateway.enforced"]
	some enforced in entry.value
	enforced.check == "dos-limits"
	enforced.mode == "block"
}

missing(bounds) := [name |
	some name in ["head_bytes", "head_ms", "idle_ms", "upstream_ms", "connections", "streams", "body_bytes", "json_depth", "concurrency"]
	not is_number(bounds[name])
]

fail contains {
	"rule": "PRB-bound-let-through",
	"place": decision.rule,
	"message": "a call beyond a bound went through",
	"source": entry.source,
} if {
	not blocked
	some entry in input.facts["traffic.decisions"]
	some decision in entry.value
	decision.check == "dos-limits"
	decision.action == "flag"
}

pass contains {
	"message": "the gateway bounds head, body, depth, time and number of calls",
	"source": entry.source,
} if {
	blocked
	some entry in input.facts["gateway.bounds"]
	entry.value.mode == "block"
	count(missing(entry.value)) == 0
}

no_evidence contains {
	"message": sprintf("without a bound: %s", [concat(", ", missing(entry.value))]),
	"source": entry.source,
} if {
	some entry in input.facts["gateway.bounds"]
	count(missing(entry.value)) > 0
}

no_evidence contains {
	"message": "the gateway only observes: it tells what it would refuse, and refuses nothing",
	"source": entry.source,
} if {
	not blocked
	some entry in input.facts["gateway.enforced"]
	some enforced in entry.value
	enforced.check == "dos-limits"
	enforced.mode == "observe"
}
