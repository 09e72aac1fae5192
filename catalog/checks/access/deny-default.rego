# METADATA
# title: What nobody described is refused
# description: >-
#   A call that fits no operation that the gateway knows is refused before a service sees it. Operations that were
#   answered though no specification has them show that this is not so.
# related_resources:
# - https://cwe.mitre.org/data/definitions/1220.html
# - https://csrc.nist.gov/glossary/term/default_deny
# custom:
#   id: deny-default
#   severity: medium
#   kind: automatic
#   subjects: [service]
#   needs: [gateway.enforced, service.default, service.unknown, traffic.decisions]
#   passes_on:
#   - a gateway that refuses every operation that its bundle does not have
#   remediation: >-
#     Describe every operation that is meant to be called, then let the gateway refuse the others.
#   rules:
#   - id: PRB-deny-unknown-answered
#     meaning: operations that no specification has were answered, and nothing refuses them
#     sources: [gateway, traffic]
#   - id: PRB-deny-let-through
#     meaning: a call of an unknown operation was told and went through
#     sources: [gateway, traffic]
package probity.checks.deny_default

import rego.v1

blocked if {
	some entry in input.facts["service.default"]
	entry.value.unknown_operations == "block"
}

enforced_elsewhere if {
	some entry in input.facts["gateway.enforced"]
	some enforced in entry.value
	enforced.check == "deny-default"
}

fail contains {
	"rule": "PRB-deny-unknown-answered",
	"place": operation,
	"message": "an operation that no specification has was answered",
	"source": entry.source,
} if {
	not blocked
	some entry in input.facts["service.unknown"]
	some operation in entry.value
}

fail contains {
	"rule": "PRB-deny-let-through",
	"place": decision.rule,
	"message": "a call of an unknown operation went through",
	"source": entry.source,
} if {
	not blocked
	some entry in input.facts["traffic.decisions"]
	some decision in entry.value
	decision.check == "deny-default"
	decision.action == "flag"
}

pass contains {
	"message": "the gateway refuses operations that its bundle does not have",
	"source": entry.source,
} if {
	blocked
	some entry in input.facts["service.default"]
}

no_evidence contains {
	"message": "the gateway only observes: it tells what it would refuse, and refuses nothing",
	"source": entry.source,
} if {
	not blocked
	enforced_elsewhere
	some entry in input.facts["gateway.enforced"]
}
