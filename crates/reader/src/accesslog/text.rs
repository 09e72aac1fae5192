//! Common and combined lines: `[vhost] host ident user [time] "request" status bytes ["referer" "user agent"] ...`.
//! What follows the known fields is passed over.

use std::borrow::Cow;

use probity_model::Timestamp;

use super::{Format, LineError};
use crate::import::{ImportedCall, Target, address, host, is_method, protocol, target};

/// Which of the text formats the line is in.
pub(super) fn format(line: &str) -> Option<Format> {
    let fields = Fields::of(line)?;
    moment(fields.time)?;
    Some(match (fields.vhost.is_some(), fields.user_agent.is_some()) {
        (false, false) => Format::Common,
        (false, true) => Format::Combined,
        (true, false) => Format::VhostCommon,
        (true, true) => Format::VhostCombined,
    })
}

pub(super) fn call(format: Format, number: u64, line: &str) -> Result<ImportedCall<'_>, LineError> {
    let fields = Fields::of(line).ok_or(LineError::Form(format))?;
    let wants_vhost = matches!(format, Format::VhostCommon | Format::VhostCombined);
    let wants_agent = matches!(format, Format::Combined | Format::VhostCombined);
    if fields.vhost.is_some() != wants_vhost || (wants_agent && fields.user_agent.is_none()) {
        return Err(LineError::Form(format));
    }
    let started_at = moment(fields.time).ok_or(LineError::Time)?;
    let (method, target, version) = request(fields.request)?;
    let status = status(fields.status)?;
    let mut call =
        ImportedCall::new(number, started_at, method, Cow::Borrowed("/"), status).with_target(target);
    call.protocol = protocol(version.as_deref().unwrap_or_default());
    call.host = call.host.or_else(|| fields.vhost.and_then(host).map(Cow::Owned));
    call.client = address(fields.client);
    call.authenticated = !matches!(fields.user, "-" | "" | "\"\"");
    call.response_bytes = if fields.bytes == "-" { Some(0) } else { fields.bytes.parse().ok() };
    if wants_agent {
        call.user_agent = fields.user_agent.map(unescape).filter(|agent| agent != "-");
    }
    Ok(call)
}

pub(super) fn status(text: &str) -> Result<u16, LineError> {
    text.parse().ok().filter(|status| (100..=999).contains(status)).ok_or(LineError::Status)
}

struct Fields<'a> {
    vhost: Option<&'a str>,
    client: &'a str,
    user: &'a str,
    time: &'a str,
    request: &'a str,
    status: &'a str,
    bytes: &'a str,
    user_agent: Option<&'a str>,
}

impl<'a> Fields<'a> {
    fn of(line: &'a str) -> Option<Self> {
        let (head, rest) = line.split_once(" [")?;
        let (time, rest) = rest.split_once("] ")?;
        let mut words = head.split(' ').filter(|word| !word.is_empty());
        let (first, second, third) = (words.next()?, words.next()?, words.next()?);
        // A user name may hold spaces; a virtual host is told by the address that follows it.
        let (vhost, client, user) = match words.next() {
            Some(user) if address(first).is_none() => (Some(first), second, user),
            _ => (None, first, third),
        };
        let (request, rest) = quoted(rest)?;
        let mut words = rest.trim_start().splitn(3, ' ');
        let (status, bytes) = (words.next()?, words.next()?);
        let user_agent =
            words.next().and_then(|rest| quoted(rest)).and_then(|(_, rest)| quoted(rest.trim_start()));
        let user_agent = user_agent.map(|(agent, _)| agent);
        Some(Self { vhost, client, user, time, request, status, bytes, user_agent })
    }
}

/// What stands in double quotes at the start, escapes kept, and what follows.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let inside = text.strip_prefix('"')?;
    let bytes = inside.as_bytes();
    let mut at = 0;
    loop {
        at += memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes.get(at) == Some(&b'"') {
            return Some((inside.get(..at)?, inside.get(at + 1..)?));
        }
        at += 2;
    }
}

/// Undoes `\x22`, `\"`, `\\`, `\t` and so on.
fn unescape(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.as_bytes().iter();
    while let Some(&byte) = bytes.next() {
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        match bytes.as_slice() {
            [b'x' | b'X', high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                let digit = |byte: &u8| char::from(*byte).to_digit(16).unwrap_or_default();
                out.push(u8::try_from(digit(high) * 16 + digit(low)).unwrap_or_default());
                bytes.nth(2);
            }
            [letter, ..] => {
                out.push(match letter {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 8,
                    b'v' => 11,
                    other => *other,
                });
                bytes.next();
            }
            [] => out.push(b'\\'),
        }
    }
    Cow::Owned(
        String::from_utf8(out).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()),
    )
}

type Request<'a> = (Cow<'a, str>, Target<'a>, Option<Cow<'a, str>>);

/// `GET /path?query HTTP/1.1`, as logged.
fn request(line: &str) -> Result<Request<'_>, LineError> {
    match unescape(line) {
        Cow::Borrowed(line) => request_line(line),
        Cow::Owned(line) => request_line(&line).map(|(method, parts, version)| {
            let own = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
            let parts = Target { host: parts.host, path: own(parts.path), query: parts.query.map(own) };
            (own(method), parts, version.map(own))
        }),
    }
}

pub(super) fn request_line(line: &str) -> Result<Request<'_>, LineError> {
    let (method, rest) = line.split_once(' ').ok_or(LineError::Request)?;
    let (text, version) = match rest.rsplit_once(' ') {
        Some((text, version)) if version.starts_with("HTTP/") => (text, Some(version)),
        _ => (rest, None),
    };
    if !is_method(method) || method.eq_ignore_ascii_case("CONNECT") {
        return Err(LineError::Request);
    }
    let target = target(Cow::Borrowed(text)).ok_or(LineError::Request)?;
    Ok((Cow::Borrowed(method), target, version.map(Cow::Borrowed)))
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// `10/Oct/2000:13:55:36 -0700`, also with a fraction of the second.
pub(super) fn moment(text: &str) -> Option<Timestamp> {
    let (date, zone) = text.split_once(' ')?;
    let mut parts = date.splitn(4, ':');
    let (day, hour, minute, second) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let mut parts = day.split('/');
    let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
    let month = MONTHS.iter().position(|name| name.eq_ignore_ascii_case(month))?;
    let (second, fraction) = second.split_once('.').unwrap_or((second, ""));
    let digits = |text: &str, length: usize, most: i64| -> Option<i64> {
        let wellformed = text.len() == length && text.bytes().all(|b| b.is_ascii_digit());
        text.parse().ok().filter(|number| wellformed && *number <= most)
    };
    let sign = match zone.get(..1)? {
        "+" => 1,
        "-" => -1,
        _ => return None,
    };
    let offset = digits(zone.get(1..3)?, 2, 23)? * 3600 + digits(zone.get(3..)?, 2, 59)? * 60;
    let day = digits(day, 2, 31).filter(|day| *day > 0)?;
    let days = days_since_1970(digits(year, 4, 9999)?, i64::try_from(month).ok()? + 1, day)?;
    let seconds =
        days * 86_400 + digits(hour, 2, 23)? * 3600 + digits(minute, 2, 59)? * 60 + digits(second, 2, 60)?;
    let micros = match fraction {
        "" => 0,
        fraction => {
            let padded: String = fraction.chars().chain("000000".chars()).take(6).collect();
            digits(&padded, 6, 999_999)?
        }
    };
    Some(Timestamp::from_seconds(seconds - sign * offset).plus_micros(micros))
}

/// Days of a Gregorian date; `None` for a day that its month does not have.
fn days_since_1970(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let length = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    if day > length {
        return None;
    }
    // Years that begin in March put the leap day last; an era is 400 years.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    Some(era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468)
}
