# METADATA
# title: Certificates are valid, named and not about to end
# description: >-
#   Judges the dates, the names and the issuer of each certificate that a listener presents. Whether a client trusts the
#   chain, and whether a certificate was revoked, is not judged here.
# related_resources:
# - https://www.rfc-editor.org/rfc/rfc5280#section-4.1.2.5
# - https://www.rfc-editor.org/rfc/rfc9525
# custom:
#   id: cert-expiry
#   severity: medium
#   kind: automatic
#   subjects: [listener]
#   needs: [listener.certificates]
#   passes_on:
#   - a presented certificate that is inside its dates for at least the asked number of days, has a name, and was issued by another key
#   remediation: >-
#     Renew the certificate in time, best by a job that does so by itself, from an issuer that the callers trust and for
#     the names by which they call.
#   params:
#     days_left: 30
#   rules:
#   - id: PRB-cert-expired
#     meaning: a certificate is past its end
#     sources: [gateway, probe]
#     severity: high
#   - id: PRB-cert-expires-soon
#     meaning: a certificate ends within the asked number of days
#     sources: [gateway, probe]
#   - id: PRB-cert-not-yet-valid
#     meaning: a certificate is not valid yet
#     sources: [gateway, probe]
#     severity: high
#   - id: PRB-cert-self-signed
#     meaning: a certificate is signed by its own key
#     sources: [gateway, probe]
#   - id: PRB-cert-no-name
#     meaning: a certificate has no subject alternative name
#     sources: [gateway, probe]
package probity.checks.cert_expiry

import rego.v1

import data.probity.moment

now := moment.seconds(input.at)

enough := now + (input.params.days_left * 86400)

place(certificate) := concat(" ", ["certificate", object.get(certificate, "subject", "")])

fail contains {
	"rule": "PRB-cert-expired",
	"place": place(certificate),
	"message": sprintf("the certificate ended at %s", [certificate.not_after]),
	"source": entry.source,
} if {
	some entry in input.facts["listener.certificates"]
	some certificate in entry.value
	moment.seconds(certificate.not_after) <= now
}

fail contains {
	"rule": "PRB-cert-expires-soon",
	"place": place(certificate),
	"message": sprintf("the certificate ends at %s, within %d days", [certificate.not_after, input.params.days_left]),
	"source": entry.source,
} if {
	some entry in input.facts["listener.certificates"]
	some certificate in entry.value
	end := moment.seconds(certificate.not_after)
	end > now
	end < enough
}

fail contains {
	"rule": "PRB-cert-not-yet-valid",
	"place": place(certificate),
	"message": sprintf("the certificate begins at %s", [certificate.not_before]),
	"source": entry.source,
} if {
	some entry in input.facts["listener.certificates"]
	some certificate in entry.value
	moment.seconds(certificate.not_before) > now
}

fail contains {
	"rule": "PRB-cert-self-signed",
	"place": place(certificate),
	"message": "the certificate is signed by its own key, so no caller can tell it from another",
	"source": entry.source,
} if {
	some entry in input.facts["listener.certificates"]
	some certificate in entry.value
	certificate.self_signed
}

fail contains {
	"rule": "PRB-cert-no-name",
	"place": place(certificate),
	"message": "the certificate has no subject alternative name",
	"source": entry.source,
} if {
	some entry in input.facts["listener.certificates"]
	some certificate in entry.value
	count(certificate.names) == 0
}

pass contains {
	"message": sprintf("every certificate is good for at least %d days", [input.params.days_left]),
	"source": entry.source,
} if {
	some entry in input.facts["listener.certificates"]
	count(entry.value) > 0
	every certificate in entry.value {
		moment.seconds(certificate.not_before) <= now
		moment.seconds(certificate.not_after) >= enough
		certificate.self_signed == false
		count(certificate.names) > 0
	}
}
