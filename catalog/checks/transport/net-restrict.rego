# METADATA
# title: Operations are reached from their networks only
# description: >-
#   What is not meant for the whole internet is refused from there. The gateway lists the networks or countries from
#   which an operation may be called; answered calls to an internal operation from a public address show that there is
#   no such list.
# related_resources:
# - https://cwe.mitre.org/data/definitions/923.html
# - https://www.rfc-editor.org/rfc/rfc1918
# custom:
#   id: net-restrict
#   severity: medium
#   kind: automatic
#   subjects: [operation]
#   needs: [gateway.enforced, gateway.network, operation.audience, traffic.decisions, traffic.origins]
#   passes_on:
#   - a rule of the gateway that refuses calls from outside listed networks or countries
#   remediation: >-
#     List the networks of internal and partner operations in the gateway, in block mode; say of public operations
#     that they are public.
#   rules:
#   - id: PRB-net-outside
#     meaning: an internal operation was answered to a public address
#     sources: [traffic]
#   - id: PRB-net-let-through
#     meaning: a call from outside the listed networks was told and went through
#     sources: [gateway, traffic]
package probity.checks.net_restrict

import rego.v1

blocked if {
	some entry in input.facts["gateway.enforced"]
	some enforced in entry.value
	enforced.check == "net-restrict"
	enforced.mode == "block"
}

listed(network) if network.sources

listed(network) if network.countries

for_everyone if {
	some entry in input.facts["operation.audience"]
	entry.value == "public"
	not for_some
}

for_some if {
	some entry in input.facts["operation.audience"]
	entry.value != "public"
}

fail contains {
	"rule": "PRB-net-outside",
	"place": "",
	"message": "the operation is internal, and calls from public addresses were answered",
	"source": entry.source,
} if {
	not blocked
	some audience in input.facts["operation.audience"]
	audience.value == "internal"
	some entry in input.facts["traffic.origins"]
	"public" in entry.value
}

fail contains {
	"rule": "PRB-net-let-through",
	"place": decision.rule,
	"message": "a call from outside the listed networks went through",
	"source": entry.source,
} if {
	not blocked
	some entry in input.facts["traffic.decisions"]
	some decision in entry.value
	decision.check == "net-restrict"
	decision.action == "flag"
}

pass contains {
	"message": "the gateway refuses calls from outside the listed networks or countries",
	"source": entry.source,
} if {
	blocked
	some entry in input.facts["gateway.network"]
	listed(entry.value)
}

not_applicable contains {
	"message": "the operation is stated to be for everyone",
	"source": entry.source,
} if {
	for_everyone
	some entry in input.facts["operation.audience"]
}

no_evidence contains {
	"message": "the gateway only observes: it tells what it would refuse, and refuses nothing",
	"source": entry.source,
} if {
	not blocked
	some entry in input.facts["gateway.enforced"]
	some enforced in entry.value
	enforced.check == "net-restrict"
	enforced.mode == "observe"
}
