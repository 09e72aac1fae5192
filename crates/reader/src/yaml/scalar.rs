//! What an unquoted scalar is, by the core schema of YAML 1.2 (section 10.3): `on`, `yes` and `2024-01-01` are text.

use super::Value;

pub(super) fn is_null(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}

pub(super) fn plain(text: &str) -> Value<'_> {
    if is_null(text) {
        return Value::Null;
    }
    match text {
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    if !matches!(text.as_bytes(), [b'0'..=b'9' | b'+' | b'-' | b'.', ..]) {
        return Value::Text(text);
    }
    integer(text).map(Value::Int).or_else(|| float(text).map(Value::Float)).unwrap_or(Value::Text(text))
}

fn integer(text: &str) -> Option<i128> {
    if let Some(hex) = text.strip_prefix("0x") {
        return digits(hex, 16);
    }
    if let Some(octal) = text.strip_prefix("0o") {
        return digits(octal, 8);
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let value = digits(unsigned, 10)?;
    Some(if text.starts_with('-') { -value } else { value })
}

/// `from_str_radix` would also take a sign.
fn digits(text: &str, radix: u32) -> Option<i128> {
    if text.is_empty() || !text.chars().all(|c| c.is_digit(radix)) {
        return None;
    }
    i128::from_str_radix(text, radix).ok()
}

fn float(text: &str) -> Option<f64> {
    match text.trim_start_matches(['+', '-']) {
        ".inf" | ".Inf" | ".INF" => {
            return Some(if text.starts_with('-') { f64::NEG_INFINITY } else { f64::INFINITY });
        }
        ".nan" | ".NaN" | ".NAN" => return Some(f64::NAN),
        _ => {}
    }
    let allowed = |b: &u8| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-');
    if !text.bytes().any(|b| b.is_ascii_digit()) || !text.as_bytes().iter().all(allowed) {
        return None;
    }
    text.parse().ok()
}
