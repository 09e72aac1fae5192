# METADATA
# title: No tenant reaches objects of another
# description: >-
#   Where one service serves several organisations, a caller of one must not reach what belongs to another. The
#   gateway binds the tenant of the proved caller to the place in the call that names a tenant or its object.
# related_resources:
# - https://cwe.mitre.org/data/definitions/668.html
# - https://csrc.nist.gov/glossary/term/multi_tenancy
# custom:
#   id: tenant-isolation
#   severity: critical
#   kind: automatic
#   subjects: [operation]
#   needs: [gateway.authorization, gateway.enforced, operation.security, specification.inputs, traffic.decisions]
#   passes_on:
#   - a rule of the gateway that refuses calls outside the caller's tenant, with the binding that it goes by
#   remediation: >-
#     Put the tenant into the credential, bind it in the gateway, and let every query of the service name it.
#   params:
#     tenant_attributes: [tenant]
#   rules:
#   - id: PRB-ten-let-through
#     meaning: a caller of one tenant reached what belongs to another
#     sources: [gateway, traffic]
package probity.checks.tenant_isolation

import rego.v1

blocked if {
	some entry in input.facts["gateway.enforced"]
	some enforced in entry.value
	enforced.check == "tenant-isolation"
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
	"rule": "PRB-ten-let-through",
	"place": decision.rule,
	"message": "a call reached beyond the tenant of its caller",
	"source": entry.source,
} if {
	not blocked
	some entry in input.facts["traffic.decisions"]
	some decision in entry.value
	decision.check == "tenant-isolation"
	decision.action == "flag"
}

pass contains {
	"message": sprintf("the gateway refuses calls whose %s is not of the caller's tenant", [binding.field]),
	"source": entry.source,
} if {
	blocked
	some entry in input.facts["gateway.authorization"]
	some binding in entry.value.objects
	binding.attribute in input.params.tenant_attributes
}

not_applicable contains {
	"message": "the specification states that the operation is public",
	"source": entry.source,
} if {
	public
	some entry in input.facts["operation.security"]
}

not_applicable contains {
	"message": "the specification names nothing by which a caller could choose a tenant",
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
	enforced.check == "tenant-isolation"
	enforced.mode == "observe"
}
