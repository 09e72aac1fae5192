# METADATA
# title: Records hold no sensitive data
# description: >-
#   What is written down about a call names places and classes, never the data. Every recorded field is looked through
#   for classes of data that are certain from their form.
# related_resources:
# - https://cwe.mitre.org/data/definitions/532.html
# - https://www.rfc-editor.org/rfc/rfc6973
# custom:
#   id: log-redaction
#   severity: high
#   kind: automatic
#   subjects: [log]
#   needs: [log.sensitive]
#   passes_on:
#   - a scan of the recorded fields that found none
#   remediation: >-
#     Record the class and the place instead of the value; destroy what was kept.
#   rules:
#   - id: PRB-log-sensitive
#     meaning: recorded fields hold sensitive data in clear
#     sources: [gateway]
package probity.checks.log_redaction

import rego.v1

fail contains {
	"rule": "PRB-log-sensitive",
	"place": class,
	"message": sprintf("recorded fields hold %s in clear", [class]),
	"source": entry.source,
} if {
	some entry in input.facts["log.sensitive"]
	some class in entry.value
}

pass contains {
	"message": "a scan of the recorded fields found none",
	"source": entry.source,
} if {
	some entry in input.facts["log.sensitive"]
	count(entry.value) == 0
}
