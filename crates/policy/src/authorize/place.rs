//! Values of a call by name: variables of a path, parameters of a query, fields of a form.

use std::borrow::Cow;

use probity_model::Template;

/// Pairs of a query or form that are looked at; a longer one cannot be judged.
pub const MAX_PAIRS: usize = 1_024;

/// A variable of a template: which segment of a path holds it, and what stands around it there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathVariable {
    segment: usize,
    before: Box<str>,
    after: Box<str>,
}

impl PathVariable {
    /// `None` when the template has no such variable, or a segment with several.
    pub fn of(template: &Template, name: &str) -> Option<Self> {
        template.as_str().split('/').enumerate().find_map(|(segment, text)| {
            let (before, rest) = text.split_once('{')?;
            let (variable, after) = rest.split_once('}')?;
            (variable == name && !after.contains('{')).then(|| Self {
                segment,
                before: before.into(),
                after: after.into(),
            })
        })
    }

    /// The value in a path of that template, decoded; `None` when it is not there or is no UTF-8.
    pub fn value<'a>(&self, path: &'a str) -> Option<Cow<'a, str>> {
        let segment = path.split('/').nth(self.segment)?;
        if self.before.is_empty() && self.after.is_empty() {
            return decoded(segment, false);
        }
        let whole = decoded(segment, false)?;
        let value = whole.strip_prefix(&*self.before)?.strip_suffix(&*self.after)?;
        Some(Cow::Owned(value.to_owned()))
    }
}

/// Every value of `name` in a query or a form, decoded. `None` when there are too many pairs, or one that names it
/// cannot be decoded: then nobody can say what the upstream reads.
pub fn values<'a>(pairs: &'a str, name: &str) -> Option<Vec<Cow<'a, str>>> {
    let mut out = Vec::new();
    for (number, pair) in pairs.split('&').enumerate() {
        if number == MAX_PAIRS {
            return None;
        }
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        if decoded(key, true)? == name {
            out.push(decoded(value, true)?);
        }
    }
    Some(out)
}

/// Percent-decoded text; `plus` is a space in queries and forms. `None` for what is malformed or no UTF-8.
pub fn decoded(text: &str, plus: bool) -> Option<Cow<'_, str>> {
    if !text.bytes().any(|byte| byte == b'%' || plus && byte == b'+') {
        return Some(Cow::Borrowed(text));
    }
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'%' => {
                let digit = |byte: u8| char::from(byte).to_digit(16);
                let (high, low) = (digit(bytes.next()?)?, digit(bytes.next()?)?);
                (high << 4 | low) as u8
            }
            b'+' if plus => b' ',
            byte => byte,
        });
    }
    String::from_utf8(out).ok().map(Cow::Owned)
}
