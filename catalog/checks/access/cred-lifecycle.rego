# METADATA
# title: Credentials end, and what has ended is refused
# description: >-
#   A credential is issued with an end, is taken away when nobody uses it, and is never accepted after it ended. Ages
#   are told from when it was issued and when it last came with a call.
# related_resources:
# - https://cwe.mitre.org/data/definitions/613.html
# - https://cwe.mitre.org/data/definitions/324.html
# custom:
#   id: cred-lifecycle
#   severity: medium
#   kind: automatic
#   subjects: [credential]
#   needs: [credential.lifecycle]
#   passes_on:
#   - a credential that has an end, was used of late, and was not accepted beyond its end
#   - a credential that has ended and was not accepted since
#   remediation: >-
#     Give every credential an end, revoke those that nobody uses, and let every node know of it within minutes.
#   params:
#     dormant_days: 90
#   rules:
#   - id: PRB-life-accepted-after-end
#     meaning: a credential was accepted after it had ended
#     sources: [gateway, traffic]
#     severity: high
#   - id: PRB-life-dormant
#     meaning: a credential that nobody uses is still valid
#     sources: [gateway]
#   - id: PRB-life-endless
#     meaning: a credential never ends
#     sources: [gateway]
#     severity: low
package probity.checks.cred_lifecycle

import rego.v1

import data.probity.moment

since(text) := moment.seconds(input.at) - moment.seconds(text) if is_string(text)

ended(life) if life.revoked

ended(life) if since(life.expires_at) >= 0

dormant(life) if since(life.last_used_on) > input.params.dormant_days * 86400

dormant(life) if {
	life.last_used_on == null
	since(life.issued_at) > input.params.dormant_days * 86400
}

fail contains {
	"rule": "PRB-life-accepted-after-end",
	"place": "",
	"message": "a call with the credential was accepted after it had ended",
	"source": entry.source,
} if {
	some entry in input.facts["credential.lifecycle"]
	entry.value.accepted_after_end == true
}

fail contains {
	"rule": "PRB-life-dormant",
	"place": "",
	"message": sprintf("the credential was not used in %d days and is still valid", [input.params.dormant_days]),
	"source": entry.source,
} if {
	some entry in input.facts["credential.lifecycle"]
	not ended(entry.value)
	dormant(entry.value)
}

fail contains {
	"rule": "PRB-life-endless",
	"place": "",
	"message": "the credential has no end",
	"source": entry.source,
} if {
	some entry in input.facts["credential.lifecycle"]
	not ended(entry.value)
	entry.value.expires_at == null
}

pass contains {
	"message": "the credential has an end, and was used of late",
	"source": entry.source,
} if {
	some entry in input.facts["credential.lifecycle"]
	not ended(entry.value)
	is_string(entry.value.expires_at)
	is_string(entry.value.last_used_on)
}

pass contains {
	"message": "the credential has ended, and was not accepted since",
	"source": entry.source,
} if {
	some entry in input.facts["credential.lifecycle"]
	ended(entry.value)
	entry.value.accepted_after_end == false
}

no_evidence contains {
	"message": "the credential has not been used yet",
	"source": entry.source,
} if {
	some entry in input.facts["credential.lifecycle"]
	entry.value.last_used_on == null
}
