//! Media types: reading a `Content-Type`, and finding what is declared for it.

use probity_model::bundle::contract::MediaContract;

/// A `Content-Type` as sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaType {
    /// `type/subtype` in lower case.
    pub essence: String,
    /// Of multipart bodies.
    pub boundary: Option<String>,
    pub charset: Option<String>,
}

fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

impl MediaType {
    pub fn parse(text: &str) -> Option<Self> {
        let (essence, mut rest) = match text.split_once(';') {
            Some((essence, rest)) => (essence, rest),
            None => (text, ""),
        };
        let essence = essence.trim().to_ascii_lowercase();
        let (kind, subtype) = essence.split_once('/')?;
        if !is_token(kind) || !is_token(subtype) || essence.len() > 256 {
            return None;
        }
        let (mut boundary, mut charset) = (None, None);
        while let Some((name, tail)) = rest.split_once('=') {
            let tail = tail.trim_start();
            let (value, after) = match tail.strip_prefix('"') {
                Some(quoted) => {
                    let (value, after) = quoted.split_once('"')?;
                    if value.contains('\\') {
                        return None;
                    }
                    (value, after.trim_start())
                }
                None => {
                    let end = tail.find(';').unwrap_or(tail.len());
                    let (value, after) = tail.split_at_checked(end)?;
                    (value.trim_end(), after)
                }
            };
            let slot = match name.trim().to_ascii_lowercase().as_str() {
                "boundary" => Some(&mut boundary),
                "charset" => Some(&mut charset),
                _ => None,
            };
            if let Some(slot) = slot
                && slot.replace(value.to_owned()).is_some()
            {
                // Two boundaries are two bodies.
                return None;
            }
            rest = match after.strip_prefix(';') {
                Some(rest) => rest,
                None if after.is_empty() => "",
                None => return None,
            };
        }
        Some(Self { essence, boundary, charset })
    }
    pub fn is_json(&self) -> bool {
        is_json(&self.essence)
    }
    /// Whether no other charset is claimed.
    pub fn is_utf8(&self) -> bool {
        self.charset.as_deref().is_none_or(|charset| {
            ["utf-8", "utf8", "us-ascii"].iter().any(|known| charset.eq_ignore_ascii_case(known))
        })
    }
    pub fn is_form(&self) -> bool {
        self.essence == "application/x-www-form-urlencoded"
    }
    pub fn is_multipart(&self) -> bool {
        self.essence == "multipart/form-data"
    }
    pub fn is_xml(&self) -> bool {
        matches!(self.essence.as_str(), "application/xml" | "text/xml") || self.essence.ends_with("+xml")
    }
    pub fn is_text(&self) -> bool {
        self.essence.starts_with("text/") && !self.is_xml()
    }
}

pub fn is_json(essence: &str) -> bool {
    matches!(essence, "application/json" | "text/json") || essence.ends_with("+json")
}

/// Whether `essence` is within `range`, and how narrowly.
pub fn rank(range: &str, essence: &str) -> Option<u8> {
    match range {
        "*/*" => Some(0),
        _ if range == essence => Some(2),
        _ => {
            let kind = range.strip_suffix("/*")?;
            let (own, _) = essence.split_once('/')?;
            (own == kind).then_some(1)
        }
    }
}

/// The narrowest declaration for a type.
pub fn declared<'c>(content: &'c [MediaContract], essence: &str) -> Option<&'c MediaContract> {
    let ranked = content.iter().filter_map(|media| Some((rank(&media.media_type, essence)?, media)));
    ranked.max_by_key(|(rank, _)| *rank).map(|(_, media)| media)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_types() {
        for (text, essence, boundary) in [
            ("application/json", Some("application/json"), None),
            ("Application/JSON; charset=utf-8", Some("application/json"), None),
            ("multipart/form-data; boundary=abc", Some("multipart/form-data"), Some("abc")),
            (
                "multipart/form-data; charset=\"utf-8\" ; boundary=\"a b\"",
                Some("multipart/form-data"),
                Some("a b"),
            ),
            ("multipart/form-data; boundary=a; boundary=b", None, None),
            ("json", None, None),
            ("a b/c", None, None),
            ("", None, None),
        ] {
            let read = MediaType::parse(text);
            assert_eq!(read.as_ref().map(|media| media.essence.as_str()), essence, "{text}");
            assert_eq!(read.and_then(|media| media.boundary).as_deref(), boundary, "{text}");
        }
    }

    #[test]
    fn finds_the_narrowest() {
        let content: Vec<MediaContract> = ["*/*", "text/*", "text/plain"]
            .map(|name| MediaContract { media_type: name.to_owned(), schema: None, encoding: Vec::new() })
            .to_vec();
        for (essence, expected) in
            [("text/plain", "text/plain"), ("text/csv", "text/*"), ("image/png", "*/*")]
        {
            assert_eq!(declared(&content, essence).map(|media| media.media_type.as_str()), Some(expected));
        }
        assert!(declared(&content[1..], "image/png").is_none());
    }
}
