//! Names for learned variables: `/patients/{patientId}`.

/// Longest name made from a literal; longer ones become `id`.
const MAX_NAME: usize = 32;

/// The name of a variable below the template `parent`: as documented, else from the literal before it; a number is
/// added where the template has that name already.
pub(super) fn variable(parent: &str, documented: Option<&str>) -> String {
    let base = match documented.filter(|name| !name.is_empty()) {
        Some(name) => name.to_owned(),
        None => from_literal(parent),
    };
    let taken = |name: &str| parent.split('/').any(|segment| segment.contains(&format!("{{{name}}}")));
    if !taken(&base) {
        return base;
    }
    (2..=1 + parent.split('/').count())
        .map(|n| format!("{base}{n}"))
        .find(|name| !taken(name))
        .unwrap_or(base)
}

fn from_literal(parent: &str) -> String {
    let literal = parent.rsplit('/').find(|segment| !segment.is_empty() && !segment.contains('{'));
    let Some(literal) = literal.filter(|text| !is_version(text)) else { return "id".to_owned() };
    let mut name = String::new();
    for part in literal.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| !part.is_empty()) {
        let mut letters = part.chars();
        let Some(first) = letters.next() else { continue };
        if name.is_empty() {
            name.push(first.to_ascii_lowercase());
        } else {
            name.push(first.to_ascii_uppercase());
        }
        name.push_str(letters.as_str());
    }
    let name = singular(&name);
    if name.is_empty() || name.len() > MAX_NAME || name.eq_ignore_ascii_case("id") {
        return "id".to_owned();
    }
    format!("{name}Id")
}

fn is_version(text: &str) -> bool {
    let mut letters = text.bytes();
    matches!(letters.next(), Some(b'v' | b'V')) && letters.next().is_some_and(|b| b.is_ascii_digit())
}

/// English plurals, as far as a path needs them.
fn singular(name: &str) -> String {
    let stem = |end: &str| name.strip_suffix(end);
    if let Some(stem) = stem("ies").filter(|stem| stem.len() > 1) {
        return format!("{stem}y");
    }
    if let Some(stem) =
        ["sses", "xes", "ches", "shes", "zzes"].iter().find(|end| name.ends_with(**end)).and(stem("es"))
    {
        return stem.to_owned();
    }
    match stem("s") {
        Some(rest) if !["s", "u", "i"].iter().any(|end| rest.ends_with(end)) && rest.len() > 1 => {
            rest.to_owned()
        }
        _ => name.to_owned(),
    }
}
