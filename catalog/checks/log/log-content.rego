# METADATA
# title: Every record says who did what, when, where and with what outcome
# description: >-
#   A sample of records is read; each must hold every field by which an event is later understood. Who is a keyed hash or
#   an address, never a name in clear.
# related_resources:
# - https://cwe.mitre.org/data/definitions/778.html
# custom:
#   id: log-content
#   severity: medium
#   kind: automatic
#   subjects: [log]
#   needs: [log.fields]
#   passes_on:
#   - sampled records that all hold every field
#   remediation: >-
#     Find out which calls lack the field (`probity explain`), and let the gateway see what it needs: the trusted
#     proxies for the origin, the credential for who.
#   params:
#     fields: [who, what, when, where, outcome, object, origin]
#   rules:
#   - id: PRB-log-field-missing
#     meaning: sampled records lack a field
#     sources: [traffic]
package probity.checks.log_content

import rego.v1

fail contains {
	"rule": "PRB-log-field-missing",
	"place": field,
	"message": sprintf("not every sampled record holds %s", [field]),
	"source": entry.source,
} if {
	some entry in input.facts["log.fields"]
	some field in input.params.fields
	not entry.value[field]
}

pass contains {
	"message": "every sampled record holds every field",
	"source": entry.source,
} if {
	some entry in input.facts["log.fields"]
	count(input.params.fields) > 0
}
