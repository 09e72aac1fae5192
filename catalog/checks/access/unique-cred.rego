# METADATA
# title: A credential belongs to one caller
# description: >-
#   What several programs or people share cannot be taken from one of them, and its calls are nobody's. A credential
#   that comes from many networks and with many kinds of program at once is shared, whoever it was issued to.
# related_resources:
# - https://cwe.mitre.org/data/definitions/522.html
# - https://csrc.nist.gov/pubs/sp/800/63/4/final
# custom:
#   id: unique-cred
#   severity: medium
#   kind: automatic
#   subjects: [credential]
#   needs: [credential.owners, credential.use]
#   passes_on:
#   - a credential that was issued to one consumer, and whose calls came from few networks or with few kinds of program
#   remediation: >-
#     Issue each program a credential of its own, then revoke the shared one.
#   params:
#     networks: 4
#     agents: 3
#   rules:
#   - id: PRB-uniq-owners
#     meaning: a credential was issued to several consumers
#     sources: [gateway, account, vault]
#   - id: PRB-uniq-shared
#     meaning: a credential is used from many networks and by many kinds of program
#     sources: [traffic]
package probity.checks.unique_cred

import rego.v1

shared(use) if {
	use.networks >= input.params.networks
	count(use.agents) >= input.params.agents
}

used_alone if {
	some entry in input.facts["credential.use"]
	entry.value.networks > 0
	not shared(entry.value)
}

fail contains {
	"rule": "PRB-uniq-owners",
	"place": "",
	"message": "the credential was issued to several consumers",
	"source": entry.source,
} if {
	some entry in input.facts["credential.owners"]
	count(entry.value) > 1
}

fail contains {
	"rule": "PRB-uniq-shared",
	"place": "",
	"message": sprintf("calls with the credential came from at least %d networks, by at least %d kinds of program", [input.params.networks, input.params.agents]),
	"source": entry.source,
} if {
	some entry in input.facts["credential.use"]
	shared(entry.value)
}

pass contains {
	"message": "the credential was issued to one consumer, and its calls look like those of one",
	"source": entry.source,
} if {
	used_alone
	some entry in input.facts["credential.owners"]
	count(entry.value) == 1
}

no_evidence contains {
	"message": "to whom the credential was issued is not known",
	"source": entry.source,
} if {
	not input.facts["credential.owners"]
	some entry in input.facts["credential.use"]
}
