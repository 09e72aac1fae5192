# METADATA
# title: Only authenticated ciphers with forward secrecy are negotiable
# description: >-
#   Every suite that a listener is able to negotiate, and every suite that a handshake used, stands in the allow-list:
#   authenticated encryption, and an ephemeral key exchange so that a key stolen later opens nothing recorded today.
# related_resources:
# - https://www.rfc-editor.org/rfc/rfc9325#section-4.2
# - https://www.iana.org/assignments/tls-parameters/tls-parameters.xhtml
# custom:
#   id: tls-cipher
#   severity: medium
#   kind: automatic
#   subjects: [listener]
#   needs: [listener.suites, listener.handshakes]
#   passes_on:
#   - a listener whose every negotiable suite stands in the allow-list
#   remediation: >-
#     Leave only suites of the allow-list in the listener's configuration, or shorten the allow-list's exceptions.
#   params:
#     allowed:
#     - TLS_AES_128_GCM_SHA256
#     - TLS_AES_256_GCM_SHA384
#     - TLS_CHACHA20_POLY1305_SHA256
#     - TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
#     - TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384
#     - TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
#     - TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
#     - TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384
#     - TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256
#   rules:
#   - id: PRB-tls-suite-offered
#     meaning: a listener negotiates a cipher suite outside the allow-list
#     sources: [gateway, probe]
#   - id: PRB-tls-suite-seen
#     meaning: a handshake used a cipher suite outside the allow-list
#     sources: [traffic]
package probity.checks.tls_cipher

import rego.v1

# Some stacks write TLS 1.3 suites as TLS13_AES_..., IANA as TLS_AES_....
iana(name) := concat("", ["TLS_", substring(name, 6, -1)]) if startswith(name, "TLS13_")

iana(name) := name if not startswith(name, "TLS13_")

weak(name) if not iana(name) in input.params.allowed

fail contains {
	"rule": "PRB-tls-suite-offered",
	"place": iana(suite),
	"message": sprintf("the listener negotiates %s, which is not in the allow-list", [iana(suite)]),
	"source": entry.source,
} if {
	some entry in input.facts["listener.suites"]
	some suite in entry.value
	weak(suite)
}

fail contains {
	"rule": "PRB-tls-suite-seen",
	"place": iana(suite),
	"message": sprintf("a handshake used %s, which is not in the allow-list", [iana(suite)]),
	"source": entry.source,
} if {
	some entry in input.facts["listener.handshakes"]
	some handshake in entry.value
	suite := split(handshake, " ")[1]
	weak(suite)
}

pass contains {
	"message": sprintf("each of the %d suites that the listener negotiates is in the allow-list", [count(entry.value)]),
	"source": entry.source,
} if {
	some entry in input.facts["listener.suites"]
	count(entry.value) > 0
}
