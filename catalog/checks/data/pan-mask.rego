# METADATA
# title: Card numbers in answers are masked
# description: >-
#   A card number in an answer shows at most its first six to eight and last four digits. That no card number was seen in
#   inspected answers is no proof that none can come; it is enough only beside a specification that gives every field of
#   the answers a class, none of them a card number. A gateway that masks or stops card numbers is judged by what leaves it
#   since it does.
# related_resources:
# - https://www.iso.org/standard/70484.html
# - https://cwe.mitre.org/data/definitions/359.html
# custom:
#   id: pan-mask
#   severity: high
#   kind: automatic
#   subjects: [operation]
#   needs: [gateway.enforced, specification.response_fields, traffic.classes, traffic.inspected, traffic.statuses]
#   passes_on:
#   - inspected answers in which every card number was masked, and at least one was there
#   - a rule of the gateway that masks or stops card numbers, and no whole one that left since it is in force
#   remediation: >-
#     Show the last four digits alone. Callers who need the whole number get it from an operation of its own, with a
#     right of its own.
#   rules:
#   - id: PRB-pan-clear
#     meaning: an answer shows a card number in clear
#     sources: [traffic]
package probity.checks.pan_mask

import rego.v1

# The specification documents no field, and every success that was seen is one that cannot have a body (RFC 9110, 15.3).
bodiless if {
	some documented in input.facts["specification.response_fields"]
	count(documented.value) == 0
	some entry in input.facts["traffic.statuses"]
	successes := [status | some status in entry.value; startswith(status, "2")]
	count(successes) > 0
	every status in successes {
		status in {"204", "205"}
	}
}

inspected if {
	some entry in input.facts["traffic.inspected"]
	entry.value
}

enforced if {
	some entry in input.facts["gateway.enforced"]
	some rule in entry.value
	rule.check == "pan-mask"
	rule.mode == "block"
}

superseded(hit) if {
	enforced
	hit.superseded
}

shown := [{"hit": hit, "source": entry.source} |
	some entry in input.facts["traffic.classes"]
	some hit in entry.value
	hit.class == "card-number"
	startswith(hit.place, "response-")
]

fail contains {
	"rule": "PRB-pan-clear",
	"place": concat(":", [hit.place, hit.field]),
	"message": sprintf("a full card number stands in %s of the %s", [hit.field, replace(hit.place, "-", " ")]),
	"source": source,
} if {
	some {"hit": hit, "source": source} in shown
	not hit.masked
	not superseded(hit)
}

pass contains {
	"message": "the gateway masks or stops card numbers in answers, and none left whole since it does",
	"source": entry.source,
} if {
	enforced
	some entry in input.facts["gateway.enforced"]
}

pass contains {
	"message": "every card number in the answers that were inspected was masked",
	"source": source,
} if {
	inspected
	some {"hit": _, "source": source} in shown
}

not_applicable contains {
	"message": "the specification gives every field of the answers a class, none a card number, and none was seen",
	"source": entry.source,
} if {
	inspected
	count(shown) == 0
	some entry in input.facts["specification.response_fields"]
	count(entry.value) > 0
	every field in entry.value {
		is_string(field.class)
		field.class != "card-number"
	}
}

not_applicable contains {"message": "no field is documented, and successful answers have no body"} if {
	bodiless
	count(shown) == 0
}

no_evidence contains {
	"message": "no card number was seen in inspected answers, which does not prove that none can come",
	"source": entry.source,
} if {
	inspected
	count(shown) == 0
	some entry in input.facts["traffic.inspected"]
}
