# METADATA
# title: Services prove themselves to each other
# description: >-
#   Between gateway and service each side knows the other: the service by a certificate that is verified, the gateway
#   by a client certificate or a principal that it signs. Without the second, whoever reaches the service is taken for
#   the gateway.
# related_resources:
# - https://www.rfc-editor.org/rfc/rfc8705
# - https://csrc.nist.gov/pubs/sp/800/207/a/final
# custom:
#   id: service-identity
#   severity: medium
#   kind: automatic
#   subjects: [service]
#   needs: [service.upstream_tls]
#   passes_on:
#   - upstreams that are reached by TLS with a verified certificate, and to which the gateway proves itself
#   remediation: >-
#     Give the gateway a client certificate for its upstreams, or let it sign the principal of each call, and refuse
#     calls without it in the service.
#   rules:
#   - id: PRB-peer-clear-text
#     meaning: a service is reached over a network in clear text, so neither side is known
#     sources: [gateway, iac]
#     severity: medium
package probity.checks.service_identity

import rego.v1

fail contains {
	"rule": "PRB-peer-clear-text",
	"place": "",
	"message": "at least one upstream is reached over a network in clear text",
	"source": entry.source,
} if {
	some entry in input.facts["service.upstream_tls"]
	entry.value.clear_text_beyond_loopback
}

pass contains {
	"message": "upstreams prove themselves by a verified certificate, and the gateway proves itself to them",
	"source": entry.source,
} if {
	some entry in input.facts["service.upstream_tls"]
	entry.value.verified
	entry.value.identified
}

no_evidence contains {
	"message": "the gateway does not prove itself to its upstreams",
	"source": entry.source,
} if {
	some entry in input.facts["service.upstream_tls"]
	not entry.value.identified
}
