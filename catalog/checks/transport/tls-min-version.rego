# METADATA
# title: No connection uses an old TLS version or clear text
# description: >-
#   Judges the lowest version that a listener negotiates, every handshake that was completed, how upstreams are reached,
#   and which addresses the specification gives to callers. Clear text on loopback does not leave the host, but at a
#   listener it proves nothing about the road that callers took before it, so it is no evidence there.
# related_resources:
# - https://www.rfc-editor.org/rfc/rfc8996
# - https://www.rfc-editor.org/rfc/rfc9325
# custom:
#   id: tls-min-version
#   severity: high
#   kind: automatic
#   subjects: [listener, service]
#   needs: [listener.transport, listener.handshakes, service.upstream_tls, specification.servers]
#   passes_on:
#   - a listener that negotiates no version below the minimum
#   - upstreams that are all reached by TLS with verified certificates
#   remediation: >-
#     Give the listener a certificate and set its lowest version, reach upstreams by https, take the setting that allows
#     clear text beyond loopback out of the configuration, and name https servers only in the specification.
#   params:
#     minimum: "1.2"
#   rules:
#   - id: PRB-tls-clear-text
#     meaning: a listener takes clear text over a network
#     sources: [gateway]
#   - id: PRB-tls-version-offered
#     meaning: a listener negotiates a TLS version below the minimum
#     sources: [gateway, probe]
#   - id: PRB-tls-version-seen
#     meaning: a handshake with a TLS version below the minimum was completed
#     sources: [traffic]
#   - id: PRB-tls-upstream-clear
#     meaning: an upstream is reached in clear text over a network
#     sources: [gateway]
#   - id: PRB-tls-server-http
#     meaning: the specification sends callers to a server in clear text
#     sources: [specification]
package probity.checks.tls_min_version

import rego.v1

rank := {"1.0": 10, "1.1": 11, "1.2": 12, "1.3": 13}

# As the first word of a handshake.
seen_rank := {"SSLv2": 2, "SSLv3": 3, "TLSv1": 10, "TLSv1.0": 10, "TLSv1.1": 11, "TLSv1.2": 12, "TLSv1.3": 13}

required := rank[input.params.minimum]

fail contains {
	"rule": "PRB-tls-clear-text",
	"place": "",
	"message": "the listener takes clear text from a network",
	"source": entry.source,
} if {
	some entry in input.facts["listener.transport"]
	not entry.value.tls
	not entry.value.loopback
}

fail contains {
	"rule": "PRB-tls-version-offered",
	"place": concat(" ", ["TLS", entry.value.minimum]),
	"message": sprintf("the listener negotiates TLS %s, the minimum is %s", [entry.value.minimum, input.params.minimum]),
	"source": entry.source,
} if {
	some entry in input.facts["listener.transport"]
	entry.value.tls
	rank[entry.value.minimum] < required
}

fail contains {
	"rule": "PRB-tls-version-seen",
	"place": version,
	"message": sprintf("a handshake with %s was completed, the minimum is TLS %s", [version, input.params.minimum]),
	"source": entry.source,
} if {
	some entry in input.facts["listener.handshakes"]
	some handshake in entry.value
	version := split(handshake, " ")[0]
	seen_rank[version] < required
}

fail contains {
	"rule": "PRB-tls-upstream-clear",
	"place": "upstream",
	"message": "an upstream is reached in clear text over a network",
	"source": entry.source,
} if {
	some entry in input.facts["service.upstream_tls"]
	entry.value.clear_text_beyond_loopback
}

fail contains {
	"rule": "PRB-tls-server-http",
	"place": server.url,
	"message": sprintf("the specification names the server %s, which is reached in clear text", [server.url]),
	"source": object.union(entry.source, {"locator": server.at}),
} if {
	some entry in input.facts["specification.servers"]
	some server in entry.value
	server.clear_text_beyond_loopback
}

pass contains {
	"message": sprintf("the listener negotiates nothing below TLS %s", [entry.value.minimum]),
	"source": entry.source,
} if {
	some entry in input.facts["listener.transport"]
	entry.value.tls
	rank[entry.value.minimum] >= required
}

pass contains {
	"message": "every upstream is reached by TLS with a verified certificate",
	"source": entry.source,
} if {
	some entry in input.facts["service.upstream_tls"]
	entry.value.verified
}

not_applicable contains {
	"message": "what reaches upstreams in clear text stays on the loopback of this host",
	"source": entry.source,
} if {
	some entry in input.facts["service.upstream_tls"]
	entry.value.verified == false
	entry.value.clear_text_beyond_loopback == false
}

no_evidence contains {
	"message": "the listener takes clear text on loopback only; how callers reach this host is not known",
	"source": entry.source,
} if {
	some entry in input.facts["listener.transport"]
	not entry.value.tls
	entry.value.loopback
}
