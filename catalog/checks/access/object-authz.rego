# METADATA
# title: Callers reach their own objects only
# description: >-
#   A caller who names an object must own it or be entitled to it. The gateway binds an attribute of the proved caller
#   to the place in the call that names the object, and refuses where they differ. A call that differed and went
#   through shows that nothing else refuses it either.
# related_resources:
# - https://cwe.mitre.org/data/definitions/639.html
# - https://csrc.nist.gov/pubs/sp/800/162/upd2/final
# custom:
#   id: object-authz
#   severity: high
#   kind: automatic
#   subjects: [operation]
#   needs: [gateway.authorization, gateway.enforced, operation.security, specification.inputs, traffic.decisions]
#   passes_on:
#   - a rule of the gateway that refuses objects of others, with the binding that it goes by
#   remediation: >-
#     Bind the path, query or body field that names the object to the caller's attribute, first in observe mode, then
#     in block mode; and check ownership where the object is read.
#   rules:
#   - id: PRB-obj-let-through
#     meaning: a caller reached an object that is bound to somebody else
#     sources: [gateway, traffic]
package probity.checks.object_authz

import rego.v1

blocked if {
	some entry in input.facts["gateway.enforced"]
	some enforced in entry.value
	enforced.check == "object-authz"
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

# What a specification leaves out may still be sent; what it names is what the operation means to read.
takes_nothing if {
	some entry in input.facts["specification.inputs"]
	not entry.value.body
	count(entry.value.path) + count(entry.value.query) == 0
}

fail contains {
	"rule": "PRB-obj-let-through",
	"place": decision.rule,
	"message": "a call named an object of somebody else and went through",
	"source": entry.source,
} if {
	not blocked
	some entry in input.facts["traffic.decisions"]
	some decision in entry.value
	decision.check == "object-authz"
	decision.action == "flag"
}

pass contains {
	"message": sprintf("the gateway refuses calls whose %s is not the caller's %s", [binding.field, binding.attribute]),
	"source": entry.source,
} if {
	blocked
	some entry in input.facts["gateway.authorization"]
	some binding in entry.value.objects
}

not_applicable contains {
	"message": "the specification states that the operation is public",
	"source": entry.source,
} if {
	public
	some entry in input.facts["operation.security"]
}

not_applicable contains {
	"message": "the specification names nothing by which a caller could choose an object",
	"source": entry.source,
} if {
	takes_nothing
	some entry in input.facts["specification.inputs"]
}

no_evidence contains {
	"message": "the gateway only observes: it tells what it would refuse, and refuses nothing",
	"source": entry.source,
} if {
	not blocked
	some entry in input.facts["gateway.enforced"]
	some enforced in entry.value
	enforced.check == "object-authz"
	enforced.mode == "observe"
}
