# METADATA
# title: Operations are for the roles that may call them
# description: >-
#   An operation that asks only who calls, and not whether this caller may, is open to every caller. The gateway asks
#   for a role, a scope or an attribute before the call goes on.
# related_resources:
# - https://cwe.mitre.org/data/definitions/285.html
# - https://cwe.mitre.org/data/definitions/862.html
# custom:
#   id: function-authz
#   severity: high
#   kind: automatic
#   subjects: [operation]
#   needs: [gateway.authorization, gateway.enforced, operation.security, traffic.decisions]
#   passes_on:
#   - a rule of the gateway that refuses callers without the role, scope or attribute that the operation asks for
#   remediation: >-
#     Name the roles or scopes of each operation, enforce them in the gateway, and refuse operations that name none.
#   rules:
#   - id: PRB-fn-let-through
#     meaning: a caller without the right to it had an operation done
#     sources: [gateway, traffic]
package probity.checks.function_authz

import rego.v1

blocked if {
	some entry in input.facts["gateway.enforced"]
	some enforced in entry.value
	enforced.check == "function-authz"
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

asked(authorization) if count(authorization.roles) > 0

asked(authorization) if count(authorization.scopes) > 0

asked(authorization) if authorization.attribute_rules > 0

fail contains {
	"rule": "PRB-fn-let-through",
	"place": decision.rule,
	"message": "a call without the role, scope or attribute went through",
	"source": entry.source,
} if {
	not blocked
	some entry in input.facts["traffic.decisions"]
	some decision in entry.value
	decision.check == "function-authz"
	decision.action == "flag"
}

pass contains {
	"message": "the gateway refuses callers without the role, scope or attribute that the operation asks for",
	"source": entry.source,
} if {
	blocked
	some entry in input.facts["gateway.authorization"]
	asked(entry.value)
}

not_applicable contains {
	"message": "the specification states that the operation is public",
	"source": entry.source,
} if {
	public
	some entry in input.facts["operation.security"]
}

no_evidence contains {
	"message": "the gateway enforces rights, and the operation asks for none",
	"source": entry.source,
} if {
	some entry in input.facts["gateway.authorization"]
	entry.value.mode == "block"
	not asked(entry.value)
}

no_evidence contains {
	"message": "the gateway only observes: it tells what it would refuse, and refuses nothing",
	"source": entry.source,
} if {
	not blocked
	some entry in input.facts["gateway.enforced"]
	some enforced in entry.value
	enforced.check == "function-authz"
	enforced.mode == "observe"
}
