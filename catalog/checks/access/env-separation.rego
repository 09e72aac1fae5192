# METADATA
# title: Credentials of one environment do nothing in another
# description: >-
#   A key for tests opens nothing in production, and the other way round. The gateway knows for which environment a
#   credential is, and refuses it elsewhere.
# related_resources:
# - https://cwe.mitre.org/data/definitions/1188.html
# - https://csrc.nist.gov/pubs/sp/800/218/final
# custom:
#   id: env-separation
#   severity: medium
#   kind: automatic
#   subjects: [operation, credential]
#   needs:
#   - credential.environments
#   - credential.use
#   - gateway.enforced
#   - gateway.identity
#   - operation.security
#   - traffic.decisions
#   passes_on:
#   - a rule of the gateway that refuses credentials of other environments
#   - a credential for one environment that was answered in no other
#   remediation: >-
#     Say of each service and each credential which environment it is for, and refuse what does not agree.
#   rules:
#   - id: PRB-env-two
#     meaning: a credential is for several environments
#     sources: [gateway, account]
#   - id: PRB-env-crossed
#     meaning: a credential was answered in an environment that it is not for
#     sources: [traffic]
#     severity: high
#   - id: PRB-env-let-through
#     meaning: a credential of another environment was told and went through
#     sources: [gateway, traffic]
package probity.checks.env_separation

import rego.v1

blocked if {
	some entry in input.facts["gateway.enforced"]
	some enforced in entry.value
	enforced.check == "env-separation"
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

fail contains {
	"rule": "PRB-env-two",
	"place": "",
	"message": "the credential is for several environments",
	"source": entry.source,
} if {
	some entry in input.facts["credential.environments"]
	count(entry.value) > 1
}

strays := {{"place": name, "source": entry.source} |
	some entry in input.facts["credential.use"]
	some name in entry.value.environments
	some meant in input.facts["credential.environments"]
	not name in meant.value
}

fail contains {
	"rule": "PRB-env-crossed",
	"place": stray.place,
	"message": sprintf("a call with the credential was answered in the environment %s", [stray.place]),
	"source": stray.source,
} if {
	some stray in strays
}

fail contains {
	"rule": "PRB-env-let-through",
	"place": decision.rule,
	"message": "a credential of another environment went through",
	"source": entry.source,
} if {
	not blocked
	some entry in input.facts["traffic.decisions"]
	some decision in entry.value
	decision.check == "env-separation"
	decision.action == "flag"
}

pass contains {
	"message": "the gateway refuses credentials of other environments",
	"source": entry.source,
} if {
	blocked
	some entry in input.facts["gateway.identity"]
	is_string(entry.value.environment)
}

pass contains {
	"message": "the credential is for one environment, and was answered in no other",
	"source": entry.source,
} if {
	count(strays) == 0
	some entry in input.facts["credential.use"]
	count(entry.value.environments) > 0
	some meant in input.facts["credential.environments"]
	count(meant.value) == 1
}

not_applicable contains {
	"message": "the specification states that the operation is public",
	"source": entry.source,
} if {
	public
	some entry in input.facts["operation.security"]
}

no_evidence contains {
	"message": "the gateway only observes: it tells what it would refuse, and refuses nothing",
	"source": entry.source,
} if {
	not blocked
	some entry in input.facts["gateway.enforced"]
	some enforced in entry.value
	enforced.check == "env-separation"
	enforced.mode == "observe"
}
