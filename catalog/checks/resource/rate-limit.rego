# METADATA
# title: Callers are limited per operation
# description: >-
#   A limit exists when it was seen to act: a call was answered 429, or the gateway blocks above a limit. A caller who got
#   through more calls in a minute than any caller should, without ever being answered 429, shows that there is none
#   below that number. An operation that takes a password is held to a much smaller number, and its specification must
#   tell callers of the limit.
# related_resources:
# - https://www.rfc-editor.org/rfc/rfc6585#section-4
# - https://cwe.mitre.org/data/definitions/770.html
# - https://cwe.mitre.org/data/definitions/307.html
# custom:
#   id: rate-limit
#   severity: medium
#   kind: automatic
#   subjects: [operation]
#   needs:
#   - gateway.enforced
#   - specification.request_classes
#   - specification.statuses
#   - traffic.burst_per_minute
#   - traffic.classes
#   - traffic.decisions
#   - traffic.limited
#   passes_on:
#   - a call that was answered 429
#   - a rule of the gateway that blocks above a limit
#   remediation: >-
#     Limit each caller, by identity where there is one, and answer 429 with Retry-After above it. Limit operations that
#     take a password much lower, per account and per address.
#   params:
#     burst_per_minute: 120
#     password_burst_per_minute: 10
#   rules:
#   - id: PRB-rl-burst
#     meaning: a caller got through more calls in a minute than the largest limit allowed
#     sources: [traffic]
#   - id: PRB-rl-password-burst
#     meaning: a caller got through many attempts in a minute at an operation that takes a password
#     sources: [traffic]
#     severity: high
#   - id: PRB-rl-let-through
#     meaning: a call above a limit was told and went through
#     sources: [gateway, traffic]
#   - id: PRB-rl-429
#     meaning: an operation that takes a password documents no limit
#     sources: [specification]
#     severity: low
package probity.checks.rate_limit

import rego.v1

takes_password if {
	some entry in input.facts["traffic.classes"]
	some hit in entry.value
	hit.class == "password"
	hit.place == "request-body"
}

limited if {
	some entry in input.facts["traffic.limited"]
	entry.value
}

enforced if {
	some entry in input.facts["gateway.enforced"]
	some rule in entry.value
	rule.check == "rate-limit"
	rule.mode == "block"
}

stopped if limited

stopped if enforced

fail contains {
	"rule": "PRB-rl-burst",
	"place": "",
	"message": sprintf("one caller made more than %d calls in a minute, and none was answered 429", [input.params.burst_per_minute]),
	"source": entry.source,
} if {
	not stopped
	some entry in input.facts["traffic.burst_per_minute"]
	entry.value > input.params.burst_per_minute
}

fail contains {
	"rule": "PRB-rl-password-burst",
	"place": "",
	"message": sprintf("one caller made more than %d attempts in a minute with a password, and none was answered 429", [input.params.password_burst_per_minute]),
	"source": entry.source,
} if {
	not stopped
	takes_password
	some entry in input.facts["traffic.burst_per_minute"]
	entry.value > input.params.password_burst_per_minute
}

fail contains {
	"rule": "PRB-rl-429",
	"place": "responses",
	"message": "the operation takes a password, and its specification documents no answer 429",
	"source": entry.source,
} if {
	not stopped
	some classes in input.facts["specification.request_classes"]
	"password" in classes.value
	some entry in input.facts["specification.statuses"]
	every status in entry.value {
		not status in {"429", "4XX", "4xx", "default"}
	}
}

fail contains {
	"rule": "PRB-rl-let-through",
	"place": decision.rule,
	"message": "a call above a limit went through",
	"source": entry.source,
} if {
	not enforced
	some entry in input.facts["traffic.decisions"]
	some decision in entry.value
	decision.check == "rate-limit"
	decision.action == "flag"
}

pass contains {
	"message": "a call was answered 429",
	"source": entry.source,
} if {
	some entry in input.facts["traffic.limited"]
	entry.value
}

pass contains {
	"message": "the gateway blocks above a limit",
	"source": entry.source,
} if {
	enforced
	some entry in input.facts["gateway.enforced"]
}

no_evidence contains {
	"message": "nobody came near a limit, so whether there is one is not known",
	"source": entry.source,
} if {
	not stopped
	some entry in input.facts["traffic.burst_per_minute"]
}
