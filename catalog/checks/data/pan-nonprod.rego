# METADATA
# title: No card number outside production
# description: >-
#   An environment for tests has no card numbers of people in it. A number that passes for a card number there is
#   taken for one, whoever says that it is made up; the gateway refuses calls that bring one. Numbers of test cards
#   can be declared as a class of their own.
# related_resources:
# - https://cwe.mitre.org/data/definitions/359.html
# - https://cwe.mitre.org/data/definitions/540.html
# custom:
#   id: pan-nonprod
#   severity: medium
#   kind: automatic
#   subjects: [operation]
#   needs: [gateway.enforced, operation.audience, operation.environment, traffic.classes, traffic.decisions]
#   passes_on:
#   - a rule of the gateway that refuses calls with card numbers outside production
#   remediation: >-
#     Fill test environments with generated data, and refuse card numbers at their gateway.
#   params:
#     production: [production]
#   rules:
#   - id: PRB-test-card-number
#     meaning: a card number stood in a call outside production
#     sources: [traffic]
#   - id: PRB-test-card-let-through
#     meaning: a call with a card number outside production was told and went through
#     sources: [gateway, traffic]
package probity.checks.pan_nonprod

import rego.v1

blocked if {
	some entry in input.facts["gateway.enforced"]
	some enforced in entry.value
	enforced.check == "pan-nonprod"
	enforced.mode == "block"
}

test if {
	some entry in input.facts["operation.environment"]
	not entry.value in input.params.production
}

test if {
	not input.facts["operation.environment"]
	some entry in input.facts["operation.audience"]
	entry.value == "sandbox"
}

fail contains {
	"rule": "PRB-test-card-number",
	"place": concat(":", [hit.place, hit.field]),
	"message": sprintf("a card number stands in %s of the %s", [hit.field, replace(hit.place, "-", " ")]),
	"source": entry.source,
} if {
	test
	some entry in input.facts["traffic.classes"]
	some hit in entry.value
	hit.class == "card-number"
	not hit.masked
	not superseded(hit)
}

superseded(hit) if {
	blocked
	hit.superseded
}

fail contains {
	"rule": "PRB-test-card-let-through",
	"place": decision.rule,
	"message": "a call with a card number outside production went through",
	"source": entry.source,
} if {
	not blocked
	some entry in input.facts["traffic.decisions"]
	some decision in entry.value
	decision.check == "pan-nonprod"
	decision.action == "flag"
}

pass contains {
	"message": "the gateway refuses calls with card numbers outside production",
	"source": entry.source,
} if {
	blocked
	some entry in input.facts["gateway.enforced"]
}

not_applicable contains {
	"message": "the operation is part of production",
	"source": entry.source,
} if {
	not test
	some entry in input.facts["operation.environment"]
}

no_evidence contains {
	"message": "of which environment the operation is part is not known",
	"source": entry.source,
} if {
	not input.facts["operation.environment"]
	not test
	some entry in input.facts["gateway.enforced"]
}

no_evidence contains {
	"message": "the gateway only observes: it tells what it would refuse, and refuses nothing",
	"source": entry.source,
} if {
	not blocked
	some entry in input.facts["gateway.enforced"]
	some enforced in entry.value
	enforced.check == "pan-nonprod"
	enforced.mode == "observe"
}
