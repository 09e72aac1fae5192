# METADATA
# title: Every operation asks for a credential
# description: >-
#   A call without a credential must be refused, unless the specification says that the operation is public. The best
#   witness is traffic: what became of calls that came without one. A public operation stays allowed as long as it gives
#   no personal, health or card data to anyone who asks.
# related_resources:
# - https://www.rfc-editor.org/rfc/rfc9110#section-11
# - https://cwe.mitre.org/data/definitions/306.html
# custom:
#   id: authn-required
#   severity: high
#   kind: automatic
#   subjects: [operation]
#   needs: [gateway.enforced, operation.security, traffic.authentication, traffic.classes]
#   passes_on:
#   - calls without a credential that were refused (401 or 403), and none that was answered
#   - a rule of the gateway that refuses calls without a credential, and none that was answered
#   remediation: >-
#     Ask for a credential before the operation does anything, in the service or in the gateway. Where the operation is
#     meant for everyone, say so in the specification with an empty security requirement, and keep personal data out of
#     its answers.
#   rules:
#   - id: PRB-auth-open-answer
#     meaning: a call without a credential was answered
#     sources: [traffic]
#   - id: PRB-auth-open-sensitive
#     meaning: a public operation gives personal, health or card data to callers without a credential
#     sources: [traffic]
#     severity: critical
#   - id: PRB-auth-none-anywhere
#     meaning: the specification asks for no credential and does not say that the operation is public
#     sources: [specification]
#     severity: medium
package probity.checks.authn_required

import rego.v1

# Stated by every specification that has the operation; one that is silent or asks for a credential outweighs.
public if {
	some entry in input.facts["operation.security"]
	entry.value.public == true
	not guarded
}

guarded if {
	some entry in input.facts["operation.security"]
	not entry.value.public
}

# A browser sends a preflight without credentials, whatever the operation behind it asks for.
preflight if split(input.subject.id, " ")[1] == "OPTIONS"

answered if {
	some entry in input.facts["traffic.authentication"]
	"none:answered" in entry.value
}

refused if {
	some entry in input.facts["traffic.authentication"]
	"none:refused" in entry.value
}

# A sign-in or token operation takes the credential in the body: its caller is known though the call carried none.
takes_secret if {
	some entry in input.facts["traffic.classes"]
	some hit in entry.value
	hit.group == "secret"
	hit.place == "request-body"
}

protected_groups := {"personal", "health", "card", "card-authentication"}

fail contains {
	"rule": "PRB-auth-open-answer",
	"place": "",
	"message": "calls that carried no credential were answered",
	"source": entry.source,
} if {
	not public
	not preflight
	some entry in input.facts["traffic.authentication"]
	"none:answered" in entry.value
}

fail contains {
	"rule": "PRB-auth-open-sensitive",
	"place": concat(":", [hit.place, hit.field]),
	"message": sprintf("anyone is given %s data (%s) in %s of the %s", [hit.group, hit.class, hit.field, replace(hit.place, "-", " ")]),
	"source": entry.source,
} if {
	public
	not takes_secret
	some entry in input.facts["traffic.classes"]
	some hit in entry.value
	hit.unauthenticated
	hit.on_ok
	not hit.masked
	startswith(hit.place, "response-")
	hit.group in protected_groups
	hit.class != "ip-address"
}

fail contains {
	"rule": "PRB-auth-none-anywhere",
	"place": "",
	"message": "the specification says nothing about credentials, and no refusal of a call without one was seen",
	"source": entry.source,
} if {
	not preflight
	not refused
	some entry in input.facts["operation.security"]
	not entry.value.stated
}

pass contains {
	"message": "calls without a credential were refused, and none was answered",
	"source": entry.source,
} if {
	not answered
	some entry in input.facts["traffic.authentication"]
	"none:refused" in entry.value
}

pass contains {
	"message": "the gateway refuses calls without a credential, and none was answered",
	"source": entry.source,
} if {
	not answered
	some entry in input.facts["gateway.enforced"]
	some enforced in entry.value
	enforced.check == "authn-required"
	enforced.mode == "block"
}

not_applicable contains {
	"message": "the specification states that the operation is public",
	"source": entry.source,
} if {
	public
	some entry in input.facts["operation.security"]
}

not_applicable contains {"message": "a preflight request carries no credential by design"} if preflight

no_evidence contains {
	"message": "every call that was seen carried a credential; what becomes of one without is not known",
	"source": entry.source,
} if {
	some entry in input.facts["traffic.authentication"]
	count(entry.value) > 0
	every word in entry.value {
		not startswith(word, "none:")
	}
}
