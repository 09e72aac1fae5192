# METADATA
# title: Tokens count only from who holds their key
# description: >-
#   A token that is bound to a key or client certificate is worth nothing to who steals it. The gateway demands the
#   binding and verifies that the caller holds the key.
# related_resources:
# - https://www.rfc-editor.org/rfc/rfc8705
# - https://www.rfc-editor.org/rfc/rfc9449
# custom:
#   id: sender-constrained
#   severity: medium
#   kind: automatic
#   subjects: [operation]
#   needs: [gateway.enforced, gateway.identity, operation.audience, operation.security, traffic.decisions]
#   passes_on:
#   - a rule of the gateway that refuses tokens whose key the caller does not prove to hold
#   remediation: >-
#     Issue tokens that are bound to a client certificate or a DPoP key, and let the gateway refuse others.
#   params:
#     audiences: [partner]
#   rules:
#   - id: PRB-bind-let-through
#     meaning: a token that is not bound to its caller was accepted
#     sources: [gateway, traffic]
package probity.checks.sender_constrained

import rego.v1

blocked if {
	some entry in input.facts["gateway.enforced"]
	some enforced in entry.value
	enforced.check == "sender-constrained"
	enforced.mode == "block"
}

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

bound(identity) if identity.sender_constrained

# A client certificate is nothing but a key that the caller holds.
bound(identity) if {
	identity.required
	identity.accepted == ["client-certificate"]
}

demanded if {
	some entry in input.facts["gateway.identity"]
	bound(entry.value)
}

elsewhere if {
	some entry in input.facts["operation.audience"]
	not entry.value in input.params.audiences
	not demanded
}

fail contains {
	"rule": "PRB-bind-let-through",
	"place": decision.rule,
	"message": "a token that is not bound to its caller went through",
	"source": entry.source,
} if {
	not blocked
	some entry in input.facts["traffic.decisions"]
	some decision in entry.value
	decision.check == "sender-constrained"
	decision.action == "flag"
}

pass contains {
	"message": "the gateway refuses tokens whose key the caller does not prove to hold",
	"source": entry.source,
} if {
	blocked
	some entry in input.facts["gateway.identity"]
	bound(entry.value)
}

not_applicable contains {
	"message": "the specification states that the operation is public",
	"source": entry.source,
} if {
	public
	some entry in input.facts["operation.security"]
}

not_applicable contains {
	"message": "the operation is for an audience of which no bound token is asked",
	"source": entry.source,
} if {
	elsewhere
	some entry in input.facts["operation.audience"]
}

no_evidence contains {
	"message": "the gateway only observes: it tells what it would refuse, and refuses nothing",
	"source": entry.source,
} if {
	not blocked
	some entry in input.facts["gateway.enforced"]
	some enforced in entry.value
	enforced.check == "sender-constrained"
	enforced.mode == "observe"
}
