# METADATA
# title: Guessing a credential is stopped
# description: >-
#   Whoever tries passwords one after the other, or one password on many accounts, is slowed, then refused. Attempts
#   in a row that nothing stopped show that it is not so.
# related_resources:
# - https://cwe.mitre.org/data/definitions/307.html
# - https://csrc.nist.gov/pubs/sp/800/63/b/4/final
# custom:
#   id: authn-bruteforce
#   severity: medium
#   kind: automatic
#   subjects: [operation]
#   needs:
#   - gateway.enforced
#   - gateway.limits
#   - specification.inputs
#   - traffic.burst_per_minute
#   - traffic.classes
#   - traffic.decisions
#   - traffic.limited
#   - traffic.schemes
#   passes_on:
#   - a rule of the gateway that blocks after repeated failures
#   - attempts with a password of which some were answered 429
#   remediation: >-
#     Count failures by account and by address in the gateway, slow after a few and refuse after ten, for half an
#     hour.
#   params:
#     tries: 10
#     lock_minutes: 30
#   rules:
#   - id: PRB-guess-unthrottled
#     meaning: a caller tried many passwords in a minute, and nothing stopped it
#     sources: [traffic]
#     severity: high
#   - id: PRB-guess-let-through
#     meaning: repeated failures were told and went on
#     sources: [gateway, traffic]
package probity.checks.authn_bruteforce

import rego.v1

blocked if {
	some entry in input.facts["gateway.enforced"]
	some enforced in entry.value
	enforced.check == "authn-bruteforce"
	enforced.mode == "block"
}

# A password in the body, or in the header with each call.
takes_password if {
	some entry in input.facts["traffic.classes"]
	some hit in entry.value
	hit.class == "password"
	hit.place == "request-body"
}

takes_password if {
	some entry in input.facts["traffic.schemes"]
	"basic" in entry.value
}

limited if {
	some entry in input.facts["traffic.limited"]
	entry.value
}

stopped if limited

stopped if blocked

fail contains {
	"rule": "PRB-guess-unthrottled",
	"place": "",
	"message": sprintf("one caller made more than %d attempts in a minute, and none was refused for it", [input.params.tries]),
	"source": entry.source,
} if {
	not stopped
	some sent in input.facts["traffic.classes"]
	some hit in sent.value
	hit.class == "password"
	hit.place == "request-body"
	some entry in input.facts["traffic.burst_per_minute"]
	entry.value > input.params.tries
}

fail contains {
	"rule": "PRB-guess-let-through",
	"place": decision.rule,
	"message": "repeated failures went on",
	"source": entry.source,
} if {
	not blocked
	some entry in input.facts["traffic.decisions"]
	some decision in entry.value
	decision.check == "authn-bruteforce"
	decision.action == "flag"
}

pass contains {
	"message": sprintf("the gateway blocks after repeated failures (%s)", [limit.name]),
	"source": entry.source,
} if {
	blocked
	some entry in input.facts["gateway.limits"]
	some limit in entry.value
	limit.kind == "failures"
	limit.mode == "block"
	limit.after <= input.params.tries
	limit.block_seconds >= input.params.lock_minutes * 60
}

pass contains {
	"message": "attempts with a password were answered 429",
	"source": entry.source,
} if {
	takes_password
	some entry in input.facts["traffic.limited"]
	entry.value
}

not_applicable contains {
	"message": "the operation takes no body, and no password came with a call",
	"source": entry.source,
} if {
	not takes_password
	some entry in input.facts["specification.inputs"]
	not entry.value.body
	some seen in input.facts["traffic.schemes"]
	is_array(seen.value)
}

no_evidence contains {
	"message": "the gateway only observes: it tells what it would refuse, and refuses nothing",
	"source": entry.source,
} if {
	not blocked
	some entry in input.facts["gateway.enforced"]
	some enforced in entry.value
	enforced.check == "authn-bruteforce"
	enforced.mode == "observe"
}
