# METADATA
# title: Credentials stand in no address, answer or record
# description: >-
#   A secret in an address ends up in logs, histories and referrers; one in an answer is given away. Tokens and keys that
#   an operation exists to issue are not counted where the specification declares the field; a password or private key
#   always is.
# related_resources:
# - https://www.rfc-editor.org/rfc/rfc6750#section-5.3
# - https://cwe.mitre.org/data/definitions/598.html
# - https://cwe.mitre.org/data/definitions/522.html
# custom:
#   id: secrets-exposure
#   severity: high
#   kind: automatic
#   subjects: [operation, log]
#   needs:
#   - log.sensitive
#   - specification.keys_in_query
#   - traffic.authentication
#   - traffic.classes
#   - traffic.inspected
#   - traffic.signals
#   passes_on:
#   - calls whose credential was seen outside the address, with inspected answers that give no secret away
#   - a scan of the recorded fields that found no secret
#   remediation: >-
#     Take credentials in the Authorization header alone, give no stored secret back in an answer, and exchange every
#     secret that was exposed.
#   params:
#     secret_classes: [jwt, private-key, api-key, password]
#   rules:
#   - id: PRB-secret-in-url
#     meaning: an address carries a credential
#     sources: [traffic]
#   - id: PRB-auth-apikey-in-url
#     meaning: the specification has callers send a key in the query
#     sources: [specification]
#   - id: PRB-secret-in-response
#     meaning: an answer gives a secret away
#     sources: [traffic]
#   - id: PRB-secret-in-log
#     meaning: recorded fields hold a secret in clear
#     sources: [gateway]
package probity.checks.secrets_exposure

import rego.v1

in_address := {"request-path", "request-query"}

named_in_address if {
	some entry in input.facts["traffic.classes"]
	some hit in entry.value
	hit.group == "secret"
	hit.place in in_address
}

fail contains {
	"rule": "PRB-secret-in-url",
	"place": concat(":", [hit.place, hit.field]),
	"message": sprintf("%s stands in the address (%s)", [hit.class, hit.field]),
	"source": entry.source,
} if {
	some entry in input.facts["traffic.classes"]
	some hit in entry.value
	hit.group == "secret"
	hit.place in in_address
}

fail contains {
	"rule": "PRB-secret-in-url",
	"place": "request-query",
	"message": "a credential stands in the address",
	"source": entry.source,
} if {
	not named_in_address
	some entry in input.facts["traffic.signals"]
	"credential-in-url" in entry.value
}

fail contains {
	"rule": "PRB-auth-apikey-in-url",
	"place": concat(" ", ["security scheme", key.scheme]),
	"message": sprintf("the specification has callers send a key in the query (%s)", [key.scheme]),
	"source": object.union(entry.source, {"locator": key.at}),
} if {
	some entry in input.facts["specification.keys_in_query"]
	some key in entry.value
}

# What may never leave, what may where it is declared, and what may unless it is undeclared.
given_away(hit) if hit.class in {"password", "private-key"}

given_away(hit) if {
	not hit.class in {"password", "private-key", "jwt"}
	object.get(hit, "declared", null) != true
}

given_away(hit) if {
	hit.class == "jwt"
	hit.declared == false
}

given_away(hit) if {
	hit.class == "jwt"
	hit.on_error
}

fail contains {
	"rule": "PRB-secret-in-response",
	"place": concat(":", [hit.place, hit.field]),
	"message": sprintf("%s stands in %s of the %s", [hit.class, hit.field, replace(hit.place, "-", " ")]),
	"source": entry.source,
} if {
	some entry in input.facts["traffic.classes"]
	some hit in entry.value
	hit.group == "secret"
	startswith(hit.place, "response-")
	not hit.masked
	given_away(hit)
}

fail contains {
	"rule": "PRB-secret-in-log",
	"place": class,
	"message": sprintf("recorded fields hold %s in clear", [class]),
	"source": entry.source,
} if {
	some entry in input.facts["log.sensitive"]
	some class in entry.value
	class in input.params.secret_classes
}

pass contains {
	"message": "credentials came outside the address, and inspected answers gave no secret away",
	"source": entry.source,
} if {
	some inspected in input.facts["traffic.inspected"]
	inspected.value
	some classes in input.facts["traffic.classes"]
	some signals in input.facts["traffic.signals"]
	some entry in input.facts["traffic.authentication"]
	some word in entry.value
	word in {"presented:answered", "verified:answered"}
}

pass contains {
	"message": "a scan of the recorded fields found no secret",
	"source": entry.source,
} if {
	some entry in input.facts["log.sensitive"]
}
