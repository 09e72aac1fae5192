# METADATA
# title: Answers keep to the baseline of headers, CORS and switched-off features
# description: >-
#   Judges what answers show of the configuration behind them: cross-origin rules, protective header fields, caching of
#   sensitive data, cookies, and features that belong to development. Each sign was looked for in every call that the
#   gateway saw, so an operation with inspected answers and no sign of a fault kept to the baseline.
# related_resources:
# - https://fetch.spec.whatwg.org/#http-cors-protocol
# - https://www.rfc-editor.org/rfc/rfc6797
# - https://cwe.mitre.org/data/definitions/16.html
# - https://cwe.mitre.org/data/definitions/942.html
# custom:
#   id: config-baseline
#   severity: medium
#   kind: automatic
#   subjects: [operation]
#   needs: [operation.seen, traffic.inspected, traffic.signals]
#   passes_on:
#   - answers that were inspected whole and kept to every point of the baseline
#   remediation: >-
#     Set the fields where every answer passes (the service's edge or the gateway), allow named origins only, and switch
#     development features off in production.
#   rules:
#   - id: PRB-cors-any
#     meaning: pages of every origin may read answers
#     sources: [traffic]
#     severity: low
#   - id: PRB-cors-reflected
#     meaning: pages of every origin may read answers with the user's credentials
#     sources: [traffic]
#     severity: high
#   - id: PRB-cfg-version-banner
#     meaning: a header field names a product and its version
#     sources: [traffic]
#     severity: info
#   - id: PRB-cfg-hsts
#     meaning: an answer over TLS lacks Strict-Transport-Security
#     sources: [traffic]
#     severity: low
#   - id: PRB-cfg-nosniff
#     meaning: an answer lacks X-Content-Type-Options
#     sources: [traffic]
#     severity: low
#   - id: PRB-cfg-cacheable
#     meaning: shared caches may keep an answer with sensitive data
#     sources: [traffic]
#   - id: PRB-gql-introspection
#     meaning: GraphQL introspection is answered
#     sources: [traffic]
#   - id: PRB-cfg-trace
#     meaning: TRACE or TRACK is answered
#     sources: [traffic]
#   - id: PRB-cfg-directory
#     meaning: an answer lists a directory
#     sources: [traffic]
#   - id: PRB-sess-cookie
#     meaning: a cookie lacks Secure, HttpOnly or SameSite
#     sources: [traffic]
package probity.checks.config_baseline

import rego.v1

faults := {
	"cors-any-origin": {
		"rule": "PRB-cors-any",
		"place": "response-header:Access-Control-Allow-Origin",
		"message": "pages of every origin may read the answer",
	},
	"cors-reflected-credentials": {
		"rule": "PRB-cors-reflected",
		"place": "response-header:Access-Control-Allow-Origin",
		"message": "the caller's origin is repeated and credentials are allowed, so any page may read the answer as the user",
	},
	"version-banner": {
		"rule": "PRB-cfg-version-banner",
		"place": "response-header:Server",
		"message": "a header field names the product and its version",
	},
	"hsts-missing": {
		"rule": "PRB-cfg-hsts",
		"place": "response-header:Strict-Transport-Security",
		"message": "an answer over TLS does not tell browsers to stay with it",
	},
	"nosniff-missing": {
		"rule": "PRB-cfg-nosniff",
		"place": "response-header:X-Content-Type-Options",
		"message": "browsers may guess another content type than the answer states",
	},
	"cacheable-sensitive": {
		"rule": "PRB-cfg-cacheable",
		"place": "response-header:Cache-Control",
		"message": "shared caches may keep an answer with sensitive data",
	},
	"graphql-introspection-answered": {
		"rule": "PRB-gql-introspection",
		"place": "response-body",
		"message": "the whole GraphQL schema is given away by introspection",
	},
	"trace-answered": {
		"rule": "PRB-cfg-trace",
		"place": "",
		"message": "TRACE or TRACK is answered with the caller's own request",
	},
	"directory-listing": {
		"rule": "PRB-cfg-directory",
		"place": "response-body",
		"message": "the answer lists a directory",
	},
	"weak-cookie": {
		"rule": "PRB-sess-cookie",
		"place": "response-header:Set-Cookie",
		"message": "a cookie lacks Secure, HttpOnly or SameSite",
	},
}

fail contains {
	"rule": fault.rule,
	"place": fault.place,
	"message": fault.message,
	"source": entry.source,
} if {
	some entry in input.facts["traffic.signals"]
	some signal in entry.value
	fault := faults[signal]
}

# Imported logs have no header fields to judge.
judged if {
	some entry in input.facts["traffic.signals"]
	not "imported" in entry.value
}

pass contains {
	"message": "the answers kept to every point of the baseline",
	"source": entry.source,
} if {
	judged
	some seen in input.facts["operation.seen"]
	seen.value
	some inspected in input.facts["traffic.inspected"]
	inspected.value
	some entry in input.facts["traffic.signals"]
}

no_evidence contains {
	"message": "the calls come from an imported log, which has no header fields to judge",
	"source": entry.source,
} if {
	some entry in input.facts["traffic.signals"]
	"imported" in entry.value
}
