# METADATA
# title: Sessions end
# description: >-
#   A credential that is left unused for minutes, or used for a day, asks its holder to sign in again. The gateway
#   keeps the time of each credential's first and last call and refuses past the limits.
# related_resources:
# - https://cwe.mitre.org/data/definitions/613.html
# - https://csrc.nist.gov/pubs/sp/800/63/b/4/final
# custom:
#   id: session-timeout
#   severity: medium
#   kind: automatic
#   subjects: [operation]
#   needs: [gateway.enforced, gateway.identity, gateway.sessions, operation.security, traffic.decisions]
#   passes_on:
#   - a rule of the gateway that refuses credentials past both an idle and an absolute limit that are short enough
#   remediation: >-
#     Set both limits in the gateway, no longer than the parameters say, and let clients sign in anew.
#   params:
#     idle_minutes: 15
#     absolute_minutes: 720
#   rules:
#   - id: PRB-sess-too-long
#     meaning: a limit of sessions is in force and longer than allowed
#     sources: [gateway]
#   - id: PRB-sess-let-through
#     meaning: a session past its limits went on
#     sources: [gateway, traffic]
package probity.checks.session_timeout

import rego.v1

blocked if {
	some entry in input.facts["gateway.enforced"]
	some enforced in entry.value
	enforced.check == "session-timeout"
	enforced.mode == "block"
}

# Stated by every specification that has the operation; one that is silent or asks for a credential outweighs.
public if {
	some entry in input.facts["operation.security"]
	entry.value.public == true
	not guarded
}

guarded if {
	some entry in input.facts["operation.security"]
	not entry.value.public
}

# Only programs can prove themselves here, and programs have neither second factor nor session.
programs_only if {
	some entry in input.facts["gateway.identity"]
	entry.value.mode == "block"
	entry.value.required
	count(entry.value.accepted) > 0
	every way in entry.value.accepted {
		way in {"api-key", "client-certificate"}
	}
}

longest := {"idle_seconds": input.params.idle_minutes * 60, "absolute_seconds": input.params.absolute_minutes * 60}

fail contains {
	"rule": "PRB-sess-too-long",
	"place": name,
	"message": sprintf("sessions may last longer than %d seconds (%s)", [limit, name]),
	"source": entry.source,
} if {
	not public
	some entry in input.facts["gateway.sessions"]
	some name, limit in longest
	entry.value[name] > limit
	is_number(entry.value[name])
}

fail contains {
	"rule": "PRB-sess-let-through",
	"place": decision.rule,
	"message": "a session past its limits went on",
	"source": entry.source,
} if {
	not blocked
	some entry in input.facts["traffic.decisions"]
	some decision in entry.value
	decision.check == "session-timeout"
	decision.action == "flag"
}

pass contains {
	"message": "the gateway refuses credentials that were idle or in use for too long",
	"source": entry.source,
} if {
	blocked
	some entry in input.facts["gateway.sessions"]
	every name, limit in longest {
		is_number(entry.value[name])
		entry.value[name] <= limit
	}
}

not_applicable contains {
	"message": "the specification states that the operation is public",
	"source": entry.source,
} if {
	public
	some entry in input.facts["operation.security"]
}

not_applicable contains {
	"message": "the gateway accepts programs alone, by key or certificate",
	"source": entry.source,
} if {
	programs_only
	some entry in input.facts["gateway.identity"]
}

no_evidence contains {
	"message": "the gateway only observes: it tells what it would refuse, and refuses nothing",
	"source": entry.source,
} if {
	not blocked
	some entry in input.facts["gateway.enforced"]
	some enforced in entry.value
	enforced.check == "session-timeout"
	enforced.mode == "observe"
}
