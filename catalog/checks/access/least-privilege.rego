# METADATA
# title: Consumers hold no right that they do not use
# description: >-
#   A scope or role that a consumer was granted and did not use in months is a right that only somebody else would
#   use. Usage is told from calls of operations that ask for the right.
# related_resources:
# - https://csrc.nist.gov/glossary/term/least_privilege
# - https://cwe.mitre.org/data/definitions/250.html
# custom:
#   id: least-privilege
#   severity: medium
#   kind: automatic
#   subjects: [consumer]
#   needs: [consumer.roles, consumer.scopes]
#   passes_on:
#   - a consumer that used every scope or role that it was granted
#   remediation: >-
#     Take the right away; grant it anew, with an end, when it is asked for.
#   params:
#     unused_days: 90
#   rules:
#   - id: PRB-priv-unused-scope
#     meaning: a consumer holds a scope that it does not use
#     sources: [gateway, account, traffic]
#   - id: PRB-priv-unused-role
#     meaning: a consumer holds a role that it does not use
#     sources: [gateway, account, traffic]
package probity.checks.least_privilege

import rego.v1

import data.probity.moment

long_enough(rights) if {
	moment.seconds(rights.since) + input.params.unused_days * 86400 <= moment.seconds(input.at)
}

nothing_granted(entries) if {
	count(entries) > 0
	every entry in entries {
		count(entry.value.granted) == 0
	}
}

fail contains {
	"rule": "PRB-priv-unused-scope",
	"place": granted,
	"message": sprintf("the scope was granted and not used in %d days", [input.params.unused_days]),
	"source": entry.source,
} if {
	some entry in input.facts["consumer.scopes"]
	long_enough(entry.value)
	some granted in entry.value.granted
	not granted in entry.value.used
}

pass contains {
	"message": "every scope that was granted was used",
	"source": entry.source,
} if {
	some entry in input.facts["consumer.scopes"]
	count(entry.value.granted) > 0
	every granted in entry.value.granted {
		granted in entry.value.used
	}
}

no_evidence contains {
	"message": "calls have not been looked at for long enough to say that a scope is unused",
	"source": entry.source,
} if {
	some entry in input.facts["consumer.scopes"]
	not long_enough(entry.value)
}

fail contains {
	"rule": "PRB-priv-unused-role",
	"place": granted,
	"message": sprintf("the role was granted and not used in %d days", [input.params.unused_days]),
	"source": entry.source,
} if {
	some entry in input.facts["consumer.roles"]
	long_enough(entry.value)
	some granted in entry.value.granted
	not granted in entry.value.used
}

pass contains {
	"message": "every role that was granted was used",
	"source": entry.source,
} if {
	some entry in input.facts["consumer.roles"]
	count(entry.value.granted) > 0
	every granted in entry.value.granted {
		granted in entry.value.used
	}
}

no_evidence contains {
	"message": "calls have not been looked at for long enough to say that a role is unused",
	"source": entry.source,
} if {
	some entry in input.facts["consumer.roles"]
	not long_enough(entry.value)
}

not_applicable contains {"message": "nothing is granted to the consumer"} if {
	nothing_granted(input.facts["consumer.scopes"])
	nothing_granted(input.facts["consumer.roles"])
}
