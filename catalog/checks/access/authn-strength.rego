# METADATA
# title: Credentials are of a kind that holds
# description: >-
#   What proves a caller must not be easy to forge, to replay elsewhere or to use forever: tokens are signed with a
#   public-key algorithm of the list, by a known issuer, for this audience, and end soon; no credential stands in an
#   address.
# related_resources:
# - https://www.rfc-editor.org/rfc/rfc8725
# - https://www.rfc-editor.org/rfc/rfc9068
# - https://cwe.mitre.org/data/definitions/347.html
# custom:
#   id: authn-strength
#   severity: medium
#   kind: automatic
#   subjects: [operation]
#   needs: [gateway.enforced, gateway.identity, operation.security, traffic.decisions, traffic.schemes]
#   passes_on:
#   - a gateway that refuses callers without proof, and for tokens checks algorithm, issuer, audience and age
#   remediation: >-
#     Verify tokens in the gateway with a list of algorithms, an issuer, an audience and a longest life; move keys out
#     of addresses.
#   params:
#     algorithms: [RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA]
#     lifetime_seconds: 3600
#   rules:
#   - id: PRB-strength-in-url
#     meaning: a credential in the address was accepted
#     sources: [traffic]
#   - id: PRB-strength-algorithm
#     meaning: the gateway accepts a signature algorithm that is not on the list
#     sources: [gateway]
#     severity: high
#   - id: PRB-strength-long-lived
#     meaning: the gateway accepts tokens that live too long
#     sources: [gateway]
#   - id: PRB-strength-let-through
#     meaning: a credential that does not hold was told and went through
#     sources: [gateway, traffic]
package probity.checks.authn_strength

import rego.v1

blocked if {
	some entry in input.facts["gateway.enforced"]
	some enforced in entry.value
	enforced.check == "authn-strength"
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

tokens := {"jwt", "encrypted-jwt", "opaque-token"}

signed := {"jwt", "encrypted-jwt"}

takes(identity, kinds) if {
	some way in identity.accepted
	way in kinds
}

sound(identity) if {
	identity.issuers_checked
	identity.audiences_checked
	is_number(identity.lifetime_seconds)
	count(identity.algorithms) > 0
}

sound(identity) if not takes(identity, tokens)

sound(identity) if {
	not takes(identity, signed)
	is_number(identity.lifetime_seconds)
}

fail contains {
	"rule": "PRB-strength-in-url",
	"place": "request-query",
	"message": "calls with a credential in the address were answered",
	"source": entry.source,
} if {
	not public
	some entry in input.facts["traffic.schemes"]
	"api-key-query" in entry.value
}

fail contains {
	"rule": "PRB-strength-algorithm",
	"place": algorithm,
	"message": sprintf("the gateway accepts tokens signed with %s", [algorithm]),
	"source": entry.source,
} if {
	some entry in input.facts["gateway.identity"]
	some algorithm in entry.value.algorithms
	not algorithm in input.params.algorithms
}

fail contains {
	"rule": "PRB-strength-long-lived",
	"place": "",
	"message": sprintf("the gateway accepts tokens that live longer than %d seconds", [input.params.lifetime_seconds]),
	"source": entry.source,
} if {
	some entry in input.facts["gateway.identity"]
	takes(entry.value, tokens)
	is_number(entry.value.lifetime_seconds)
	entry.value.lifetime_seconds > input.params.lifetime_seconds
}

fail contains {
	"rule": "PRB-strength-let-through",
	"place": decision.rule,
	"message": "a credential that does not hold went through",
	"source": entry.source,
} if {
	not blocked
	some entry in input.facts["traffic.decisions"]
	some decision in entry.value
	decision.check == "authn-strength"
	decision.action == "flag"
}

pass contains {
	"message": "the gateway refuses callers whose proof is missing, forged, for others or too old",
	"source": entry.source,
} if {
	blocked
	some entry in input.facts["gateway.identity"]
	entry.value.required
	count(entry.value.accepted) > 0
	sound(entry.value)
}

not_applicable contains {
	"message": "the specification states that the operation is public",
	"source": entry.source,
} if {
	public
	some entry in input.facts["operation.security"]
}

no_evidence contains {
	"message": "tokens are accepted without a check of issuer, audience or age",
	"source": entry.source,
} if {
	some entry in input.facts["gateway.identity"]
	takes(entry.value, tokens)
	not sound(entry.value)
}

no_evidence contains {
	"message": "the gateway only observes: it tells what it would refuse, and refuses nothing",
	"source": entry.source,
} if {
	not blocked
	some entry in input.facts["gateway.enforced"]
	some enforced in entry.value
	enforced.check == "authn-strength"
	enforced.mode == "observe"
}
