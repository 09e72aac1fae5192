# METADATA
# title: Sensitive data leaves only masked, or is stopped
# description: >-
#   Sensitive data in an answer is a leak when anyone gets it, when an error carries it, or when it stands in a field that
#   nobody declared. It is protected when it is masked, or when the gateway blocks such answers. Sensitive data that is
#   declared and goes to a caller with a credential is neither: what the caller may see is another check's question.
# related_resources:
# - https://cwe.mitre.org/data/definitions/200.html
# - https://cwe.mitre.org/data/definitions/209.html
# custom:
#   id: response-dlp
#   severity: high
#   kind: automatic
#   subjects: [operation]
#   needs:
#   - gateway.enforced
#   - gateway.leaks
#   - specification.response_fields
#   - traffic.classes
#   - traffic.inspected
#   - traffic.statuses
#   passes_on:
#   - a rule of the gateway that blocks or masks sensitive data in answers, and none that left since it is in force
#   - inspected answers in which all sensitive data was masked
#   remediation: >-
#     Ask for a credential, take sensitive data out of errors and undeclared fields, and mask what callers need not see
#     whole.
#   params:
#     identity_numbers: [ssn, iban, passport, national-id]
#   rules:
#   - id: PRB-dlp-unauthenticated
#     meaning: sensitive data is given to callers without a credential
#     sources: [traffic]
#     severity: critical
#   - id: PRB-dlp-error
#     meaning: an error answer carries sensitive data
#     sources: [traffic]
#   - id: PRB-dlp-undeclared
#     meaning: sensitive data leaves in a field that the specification does not declare
#     sources: [traffic]
package probity.checks.response_dlp

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

enforced if {
	some entry in input.facts["gateway.enforced"]
	some rule in entry.value
	rule.check == "response-dlp"
	rule.mode == "block"
}

# Kept back by now: the gateway does something about this class, and it did not leave since.
superseded(hit) if {
	enforced
	hit.superseded
	some entry in input.facts["gateway.leaks"]
	entry.value.classes[hit.class] != "pass"
}

sensitive(hit) if {
	startswith(hit.place, "response-")
	hit.class != "ip-address"
}

# A sign-in or token operation takes the credential in the body, and its answer is for that caller.
takes_secret if {
	some entry in input.facts["traffic.classes"]
	some hit in entry.value
	hit.group == "secret"
	hit.place == "request-body"
}

# What leaves unmasked, with its source.
leaving := [{"hit": hit, "source": entry.source} |
	some entry in input.facts["traffic.classes"]
	some hit in entry.value
	not hit.masked
	not superseded(hit)
	sensitive(hit)
]

grave(hit) if hit.group in {"card", "card-authentication", "health", "secret"}

grave(hit) if hit.class in input.params.identity_numbers

place(hit) := concat(":", [hit.place, hit.field])

fail contains {
	"rule": "PRB-dlp-unauthenticated",
	"place": place(hit),
	"message": sprintf("anyone is given %s in %s of the %s", [hit.class, hit.field, replace(hit.place, "-", " ")]),
	"source": source,
} if {
	not takes_secret
	some {"hit": hit, "source": source} in leaving
	hit.unauthenticated
	hit.on_ok
}

fail contains {
	"rule": "PRB-dlp-error",
	"place": place(hit),
	"message": sprintf("an error carries %s in %s of the %s", [hit.class, hit.field, replace(hit.place, "-", " ")]),
	"source": source,
} if {
	some {"hit": hit, "source": source} in leaving
	hit.on_error
	grave(hit)
}

fail contains {
	"rule": "PRB-dlp-undeclared",
	"place": place(hit),
	"message": sprintf("%s leaves in %s, which the specification does not declare", [hit.class, hit.field]),
	"source": source,
} if {
	some {"hit": hit, "source": source} in leaving
	hit.on_ok
	hit.declared == false
}

pass contains {
	"message": "the gateway blocks or masks sensitive data in answers of the operation",
	"source": entry.source,
} if {
	enforced
	some entry in input.facts["gateway.enforced"]
}

pass contains {
	"message": "all sensitive data in the answers that were inspected was masked",
	"source": entry.source,
} if {
	some inspected in input.facts["traffic.inspected"]
	inspected.value
	some entry in input.facts["traffic.classes"]
	hits := [hit | some hit in entry.value; sensitive(hit)]
	count(hits) > 0
	count(leaving) == 0
}

not_applicable contains {"message": "no field is documented, and successful answers have no body"} if bodiless

no_evidence contains {
	"message": "sensitive data goes unmasked to callers with a credential, and nothing is enforced that would stop more of it",
	"source": entry.source,
} if {
	count(leaving) > 0
	some entry in input.facts["traffic.classes"]
}
