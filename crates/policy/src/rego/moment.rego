# Moments as seconds since 1970, for rules that compare them: rules have no clock and no time built-ins.
# Offered to every check as `data.probity.moment`.
package probity.moment

import rego.v1

# `2026-11-01T12:00:00Z`, with or without a fraction or an offset, or a plain date (midnight UTC).
# Undefined for anything else.
seconds(text) := midnight if {
	count(text) == 10
	midnight := days(text) * 86400
}

seconds(text) := moment if {
	count(text) >= 20
	substring(text, 10, 1) in {"T", "t", " "}
	clock := (digits(text, 11, 2) * 3600 + digits(text, 14, 2) * 60) + digits(text, 17, 2)
	moment := (days(text) * 86400 + clock) - offset(text)
}

# Seconds east of UTC.
offset(text) := 0 if upper(substring(text, count(text) - 1, 1)) == "Z"

offset(text) := shift if {
	sign := {"+": 1, "-": -1}[substring(text, count(text) - 6, 1)]
	shift := sign * (digits(text, count(text) - 5, 2) * 3600 + digits(text, count(text) - 2, 2) * 60)
}

# Days since 1970-01-01 of the proleptic Gregorian calendar; years begin in March so that the leap day comes last.
days(text) := total if {
	substring(text, 4, 1) == "-"
	substring(text, 7, 1) == "-"
	month := digits(text, 5, 2)
	month >= 1
	month <= 12
	day := digits(text, 8, 2)
	day >= 1
	day <= 31
	shifted := (month + 9) % 12
	year := digits(text, 0, 4) - floor(shifted / 10)
	leap := (floor(year / 4) - floor(year / 100)) + floor(year / 400)
	total := (((year * 365 + leap) + floor((153 * shifted + 2) / 5)) + day) - 719469
}

# The number in `width` digits; the leading one keeps `08` from being read as a malformed number.
digits(text, start, width) := to_number(concat("", ["1", part])) - base if {
	part := substring(text, start, width)
	count(part) == width
	base := {2: 100, 4: 10000}[width]
}
