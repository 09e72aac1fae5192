//! Which operations a rule of the configuration is about: `GET /v2/patients/{patientId}`, `* /v2/admin/**`, `GET|HEAD /v2/*`.
//!
//! A method is one, several with `|` between them, or `*`. In a path `*` stands for one segment, variable or not, `**` at
//! the end for any number of them. A variable's name does not matter. Everything is settled when a bundle is compiled:
//! the gateway gets positions, not patterns.

use probity_model::Template;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Selection {
    /// Empty for all.
    methods: Vec<String>,
    segments: Vec<Segment>,
    /// `**`: whatever follows.
    rest: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Any,
    Variable,
    Word(String),
}

impl Selection {
    /// # Errors
    /// What was expected instead.
    pub fn parse(text: &str) -> Result<Self, String> {
        let odd = || {
            format!(
                "`{text}` selects no operations, expected `METHOD /path` such as `GET /v2/items/*` or `* /**`"
            )
        };
        let (methods, path) = text.trim().split_once(char::is_whitespace).ok_or_else(odd)?;
        let path = path.trim().strip_prefix('/').ok_or_else(odd)?;
        let methods: Vec<String> = match methods {
            "*" => Vec::new(),
            methods => methods.split('|').map(str::to_ascii_uppercase).collect(),
        };
        if methods.iter().any(|method| {
            method.is_empty() || !method.bytes().all(|it| it.is_ascii_alphabetic() || it == b'-')
        }) {
            return Err(odd());
        }
        let mut segments = Vec::new();
        let mut rest = false;
        for segment in path.split('/') {
            if rest {
                return Err(format!("`{text}`: `**` stands at the end only"));
            }
            match segment {
                "**" => rest = true,
                "*" => segments.push(Segment::Any),
                variable if variable.starts_with('{') && variable.ends_with('}') => {
                    segments.push(Segment::Variable)
                }
                word => segments.push(Segment::Word(word.to_owned())),
            }
        }
        Ok(Self { methods, segments, rest })
    }

    pub fn matches(&self, method: &str, template: &Template) -> bool {
        if !self.methods.is_empty() && !self.methods.iter().any(|own| own == method) {
            return false;
        }
        let mut own = self.segments.iter();
        let mut theirs = template.as_str().strip_prefix('/').unwrap_or(template.as_str()).split('/');
        loop {
            match (own.next(), theirs.next()) {
                (None, None) => return true,
                (None, Some(_)) => return self.rest,
                (Some(_), None) => return false,
                (Some(Segment::Any), Some(_)) => {}
                (Some(Segment::Variable), Some(segment)) if segment.starts_with('{') => {}
                (Some(Segment::Word(word)), Some(segment)) if word == segment => {}
                _ => return false,
            }
        }
    }
}

/// Positions of the operations that any of the selections is about; an empty list of selections is about all.
///
/// # Errors
/// A selection that cannot be read, or that is about no operation: most likely it is misspelt.
pub(crate) fn positions(
    selections: &[String],
    operations: &[probity_model::bundle::BundleOperation],
) -> Result<Vec<u32>, String> {
    let all = || (0..operations.len()).filter_map(|at| u32::try_from(at).ok());
    if selections.is_empty() {
        return Ok(all().collect());
    }
    let mut chosen = std::collections::BTreeSet::new();
    for text in selections {
        let selection = Selection::parse(text)?;
        let before = chosen.len();
        let fits = operations
            .iter()
            .enumerate()
            .filter(|(_, operation)| selection.matches(&operation.method, &operation.template))
            .filter_map(|(at, _)| u32::try_from(at).ok());
        let fits: Vec<u32> = fits.collect();
        if fits.is_empty() && before == chosen.len() {
            return Err(format!("`{text}` is about no operation of the service's specifications"));
        }
        chosen.extend(fits);
    }
    Ok(chosen.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selections() {
        for (selection, method, template, expected) in [
            ("GET /v2/items", "GET", "/v2/items", true),
            ("GET /v2/items", "POST", "/v2/items", false),
            ("get|head /v2/items", "HEAD", "/v2/items", true),
            ("* /v2/items/{id}", "DELETE", "/v2/items/{itemId}", true),
            ("* /v2/items/{id}", "DELETE", "/v2/items/latest", false),
            ("* /v2/items/*", "DELETE", "/v2/items/latest", true),
            ("* /v2/items/*", "GET", "/v2/items", false),
            ("* /v2/admin/**", "PUT", "/v2/admin/users/{userId}/role", true),
            ("* /v2/admin/**", "PUT", "/v2/admin", true),
            ("* /**", "PUT", "/v2/admin", true),
            ("* /v2/admin/**", "PUT", "/v2/administer", false),
        ] {
            let parsed = Selection::parse(selection).unwrap();
            assert_eq!(
                parsed.matches(method, &Template::new(template)),
                expected,
                "{selection} {method} {template}"
            );
        }
        for odd in ["", "GET", "GET items", "/v2/items", "GET /a/**/b", "G3T /a", "| /a"] {
            assert!(Selection::parse(odd).is_err(), "{odd}");
        }
    }
}
