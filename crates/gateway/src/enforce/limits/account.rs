//! The account that a sign-in's body names. Read to be hashed, and never kept.

/// Longest name that is read; a longer one is cut, so that it cannot be told apart by what follows.
const MAX_NAME_BYTES: usize = 1_024;

/// The value at a JSON pointer, or of a form field.
pub(super) fn named(body: &[u8], content_type: Option<&[u8]>, place: &str) -> Option<String> {
    let form = content_type.is_some_and(|kind| {
        let kind = kind.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
        kind.eq_ignore_ascii_case(b"application/x-www-form-urlencoded")
    });
    let mut name = if form { in_form(body, place.trim_start_matches('/')) } else { in_json(body, place) }?;
    let end = (0..=name.len().min(MAX_NAME_BYTES)).rev().find(|end| name.is_char_boundary(*end)).unwrap_or(0);
    name.truncate(end);
    (!name.trim().is_empty()).then_some(name)
}

fn in_json(body: &[u8], pointer: &str) -> Option<String> {
    let value: serde_json::Value = serde_json::from_slice(body).ok()?;
    let pointer = if pointer.starts_with('/') { pointer.to_owned() } else { format!("/{pointer}") };
    match value.pointer(&pointer)? {
        serde_json::Value::String(text) => Some(text.clone()),
        serde_json::Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn in_form(body: &[u8], name: &str) -> Option<String> {
    body.split(|byte| *byte == b'&').find_map(|pair| {
        let at = pair.iter().position(|byte| *byte == b'=')?;
        let (field, value) = pair.split_at_checked(at)?;
        (decoded(field) == name.as_bytes())
            .then(|| String::from_utf8_lossy(&decoded(value.get(1..).unwrap_or_default())).into_owned())
    })
}

/// Without percent signs and plus signs.
fn decoded(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        let digits = after.first_chunk::<2>().filter(|_| *first == b'%');
        let byte = digits.and_then(|[high, low]| {
            let digit = |letter: u8| char::from(letter).to_digit(16);
            u8::try_from(digit(*high)? << 4 | digit(*low)?).ok()
        });
        out.push(byte.unwrap_or(if *first == b'+' { b' ' } else { *first }));
        rest = after.get(if byte.is_some() { 2 } else { 0 }..).unwrap_or_default();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found() {
        let form = Some(&b"application/x-www-form-urlencoded; charset=utf-8"[..]);
        for (body, kind, place, expected) in [
            (r#"{"user":"ada"}"#, None, "/user", Some("ada")),
            (r#"{"user":"ada"}"#, None, "user", Some("ada")),
            (r#"{"a":{"id":7}}"#, None, "/a/id", Some("7")),
            (r#"{"user":["ada"]}"#, None, "/user", None),
            (r#"{"user":" "}"#, None, "/user", None),
            (r#"{"user":"ada""#, None, "/user", None),
            ("", None, "/user", None),
            ("a=1&us%65r=ad%61+l%", form, "user", Some("ada l%")),
            ("a=1&user=ada", form, "/user", Some("ada")),
            ("user", form, "user", None),
        ] {
            assert_eq!(named(body.as_bytes(), kind, place).as_deref(), expected, "{body} {place}");
        }
        let long = format!(r#"{{"user":"{}"}}"#, "é".repeat(2_000));
        assert_eq!(named(long.as_bytes(), None, "/user").unwrap().len(), 1_024);
    }
}
