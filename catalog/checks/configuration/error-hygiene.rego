# METADATA
# title: Errors reveal nothing of the inside
# description: >-
#   No answer shows a stack trace, a database error, an internal path or host, or a debug page. Errors in the form of a
#   problem document, which has no room for such things but its own fields, are the positive sign; that no leak was seen
#   in other errors proves little, since nobody tried to cause the bad ones.
# related_resources:
# - https://www.rfc-editor.org/rfc/rfc9457
# - https://cwe.mitre.org/data/definitions/209.html
# custom:
#   id: error-hygiene
#   severity: medium
#   kind: automatic
#   subjects: [operation]
#   needs: [traffic.error_types, traffic.signals, traffic.signals_on_error]
#   passes_on:
#   - errors that were all problem documents, without a sign of the inside in any answer
#   remediation: >-
#     Catch every failure at the edge of the service, answer a problem document with a reference that finds the details
#     in the log, and switch debug modes off.
#   rules:
#   - id: PRB-err-stack-trace
#     meaning: an answer shows a stack trace
#     sources: [traffic]
#   - id: PRB-err-internal-detail
#     meaning: an answer shows a database error, an internal path or an internal host
#     sources: [traffic]
#   - id: PRB-err-debug-page
#     meaning: an answer is a debug page
#     sources: [traffic]
package probity.checks.error_hygiene

import rego.v1

leaks := {
	"stack-trace": {"rule": "PRB-err-stack-trace", "message": "an answer shows a stack trace"},
	"internal-detail": {
		"rule": "PRB-err-internal-detail",
		"message": "an answer shows a database error, an internal path or an internal host",
	},
	"debug-page": {"rule": "PRB-err-debug-page", "message": "an answer is the debug page of a framework"},
}

fail contains {
	"rule": leaks[signal].rule,
	"place": "response body",
	"message": leaks[signal].message,
	"source": entry.source,
} if {
	some key in ["traffic.signals", "traffic.signals_on_error"]
	some entry in input.facts[key]
	some signal in entry.value
	leaks[signal]
}

pass contains {
	"message": "every error that was seen was a problem document, and nothing showed the inside",
	"source": entry.source,
} if {
	some signals in input.facts["traffic.signals_on_error"]
	"problem-json" in signals.value
	some entry in input.facts["traffic.error_types"]
	count(entry.value) > 0
	every type in entry.value {
		startswith(lower(type), "application/problem+")
	}
}

no_evidence contains {
	"message": "errors were seen that are no problem documents; they showed nothing of the inside, which others may",
	"source": entry.source,
} if {
	some entry in input.facts["traffic.error_types"]
	some type in entry.value
	not startswith(lower(type), "application/problem+")
}

no_evidence contains {
	"message": "no error was seen",
	"source": entry.source,
} if {
	some entry in input.facts["traffic.error_types"]
	count(entry.value) == 0
}
