# METADATA
# title: Sensitive operations ask for strong authentication
# description: >-
#   Whoever has a password is not yet the person. The gateway asks for how the caller was authenticated, and how long
#   ago, and sends callers back to do it again where that is not enough.
# related_resources:
# - https://www.rfc-editor.org/rfc/rfc9470
# - https://www.rfc-editor.org/rfc/rfc8176
# custom:
#   id: mfa-user
#   severity: medium
#   kind: automatic
#   subjects: [operation]
#   needs: [gateway.enforced, gateway.identity, operation.audience, operation.security, traffic.decisions]
#   passes_on:
#   - a rule of the gateway that refuses callers who were not authenticated strongly or recently enough
#   remediation: >-
#     Demand the authentication context or methods on the operation; the challenge tells clients what to ask of the
#     identity provider.
#   params:
#     audiences: [public]
#   rules:
#   - id: PRB-mfa-let-through
#     meaning: a caller without strong authentication had the operation done
#     sources: [gateway, traffic]
package probity.checks.mfa_user

import rego.v1

blocked if {
	some entry in input.facts["gateway.enforced"]
	some enforced in entry.value
	enforced.check == "mfa-user"
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

# Only programs can prove themselves here, and programs have neither second factor nor session.
programs_only if {
	some entry in input.facts["gateway.identity"]
	entry.value.mode == "block"
	entry.value.required
	count(entry.value.accepted) > 0
	every way in entry.value.accepted {
		way in {"api-key", "client-certificate"}
	}
}

for_others if {
	some entry in input.facts["operation.audience"]
	not entry.value in input.params.audiences
}

fail contains {
	"rule": "PRB-mfa-let-through",
	"place": decision.rule,
	"message": "a caller without strong authentication went through",
	"source": entry.source,
} if {
	not blocked
	some entry in input.facts["traffic.decisions"]
	some decision in entry.value
	decision.check == "mfa-user"
	decision.action == "flag"
}

pass contains {
	"message": "the gateway refuses callers who were not authenticated strongly or recently enough",
	"source": entry.source,
} if {
	blocked
	some entry in input.facts["gateway.identity"]
	entry.value.step_up
}

not_applicable contains {
	"message": "the specification states that the operation is public",
	"source": entry.source,
} if {
	public
	some entry in input.facts["operation.security"]
}

not_applicable contains {
	"message": "the gateway accepts programs alone, by key or certificate",
	"source": entry.source,
} if {
	programs_only
	some entry in input.facts["gateway.identity"]
}

not_applicable contains {
	"message": "the operation is not for customers",
	"source": entry.source,
} if {
	for_others
	some entry in input.facts["operation.audience"]
}

no_evidence contains {
	"message": "the gateway only observes: it tells what it would refuse, and refuses nothing",
	"source": entry.source,
} if {
	not blocked
	some entry in input.facts["gateway.enforced"]
	some enforced in entry.value
	enforced.check == "mfa-user"
	enforced.mode == "observe"
}
