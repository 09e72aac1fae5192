# METADATA
# title: Security codes and track data are never returned or logged
# description: >-
#   Card verification codes and track data may come in with a payment and go no further: not into an answer, not into an
#   address (which logs keep), not into a record. Whether a service stores them cannot be seen from traffic.
# related_resources:
# - https://cwe.mitre.org/data/definitions/359.html
# - https://cwe.mitre.org/data/definitions/532.html
# custom:
#   id: sad-block
#   severity: critical
#   kind: automatic
#   subjects: [operation, log]
#   needs:
#   - gateway.enforced
#   - log.sensitive
#   - specification.response_fields
#   - traffic.classes
#   - traffic.inspected
#   - traffic.statuses
#   passes_on:
#   - an operation that took such data in a request body, and whose inspected answers did not return it
#   - a rule of the gateway that takes such data out of answers or stops them, and none that left since it is in force
#   - a scan of the recorded fields that found none
#   remediation: >-
#     Pass the data on to the payment processor and forget it: no column, no log field, no answer. What was kept must be
#     destroyed.
#   rules:
#   - id: PRB-sad-returned
#     meaning: an answer carries a card verification code or track data
#     sources: [traffic]
#   - id: PRB-sad-in-url
#     meaning: an address carries a card verification code or track data
#     sources: [traffic]
#   - id: PRB-sad-logged
#     meaning: recorded fields hold card verification codes or track data
#     sources: [gateway]
package probity.checks.sad_block

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

kept_from_log := {"card-verification-code", "card-track"}

enforced if {
	some entry in input.facts["gateway.enforced"]
	some rule in entry.value
	rule.check == "sad-block"
	rule.mode == "block"
}

superseded(hit) if {
	enforced
	hit.superseded
}

inspected if {
	some entry in input.facts["traffic.inspected"]
	entry.value
}

hits := [{"hit": hit, "source": entry.source} |
	some entry in input.facts["traffic.classes"]
	some hit in entry.value
	hit.group == "card-authentication"
]

fail contains {
	"rule": "PRB-sad-returned",
	"place": concat(":", [hit.place, hit.field]),
	"message": sprintf("%s stands in %s of the %s", [hit.class, hit.field, replace(hit.place, "-", " ")]),
	"source": source,
} if {
	some {"hit": hit, "source": source} in hits
	startswith(hit.place, "response-")
	not hit.masked
	not superseded(hit)
}

fail contains {
	"rule": "PRB-sad-in-url",
	"place": concat(":", [hit.place, hit.field]),
	"message": sprintf("%s stands in the address, which logs keep", [hit.class]),
	"source": source,
} if {
	some {"hit": hit, "source": source} in hits
	hit.place in {"request-path", "request-query"}
}

fail contains {
	"rule": "PRB-sad-logged",
	"place": class,
	"message": sprintf("recorded fields hold %s in clear", [class]),
	"source": entry.source,
} if {
	some entry in input.facts["log.sensitive"]
	some class in entry.value
	class in kept_from_log
}

looked_into if inspected

looked_into if bodiless

pass contains {
	"message": "the gateway takes such data out of answers or stops them, and none left since it does",
	"source": entry.source,
} if {
	enforced
	some entry in input.facts["gateway.enforced"]
}

pass contains {
	"message": "the operation takes such data in its request, and its answers do not return it",
	"source": source,
} if {
	looked_into
	some {"hit": hit, "source": source} in hits
	hit.place == "request-body"
}

pass contains {
	"message": "a scan of the recorded fields found none",
	"source": entry.source,
} if {
	some entry in input.facts["log.sensitive"]
}

not_applicable contains {
	"message": "the specification gives every field of the answers a class, none of this kind, and none was seen",
	"source": entry.source,
} if {
	inspected
	count(hits) == 0
	some entry in input.facts["specification.response_fields"]
	count(entry.value) > 0
	every field in entry.value {
		is_string(field.class)
		not field.class in kept_from_log
	}
}

not_applicable contains {"message": "no field is documented, and successful answers have no body"} if {
	bodiless
	count(hits) == 0
}
