//! Which functions a rule may call: a list of what is pure, not of what is forbidden, so that a function added to the
//! interpreter later is refused until it is looked at here.

use super::lexer::{Token, TokenKind};

/// Functions whose answer depends on their arguments alone.
const PURE: &[&str] = &[
    "abs",
    "array.concat",
    "array.reverse",
    "array.slice",
    "bits.and",
    "bits.lsh",
    "bits.negate",
    "bits.or",
    "bits.rsh",
    "bits.xor",
    "ceil",
    "concat",
    "contains",
    "count",
    "endswith",
    "floor",
    "format_int",
    "indexof",
    "indexof_n",
    "intersection",
    "is_array",
    "is_boolean",
    "is_null",
    "is_number",
    "is_object",
    "is_set",
    "is_string",
    "json.filter",
    "json.is_valid",
    "json.marshal",
    "json.remove",
    "json.unmarshal",
    "lower",
    "max",
    "min",
    "numbers.range",
    "numbers.range_step",
    "object.filter",
    "object.get",
    "object.keys",
    "object.remove",
    "object.subset",
    "object.union",
    "object.union_n",
    "product",
    "replace",
    "round",
    "sort",
    "split",
    "sprintf",
    "startswith",
    "strings.any_prefix_match",
    "strings.any_suffix_match",
    "strings.count",
    "strings.replace_n",
    "strings.reverse",
    "substring",
    "sum",
    "to_number",
    "trim",
    "trim_left",
    "trim_prefix",
    "trim_right",
    "trim_space",
    "trim_suffix",
    "type_name",
    "union",
    "units.parse",
    "units.parse_bytes",
    "upper",
];

/// First words of functions that see a clock, randomness, the network, the environment or secrets.
const IMPURE: &[&str] =
    &["time", "rand", "http", "net", "opa", "uuid", "io", "crypto", "rego", "trace", "print", "test", "walk"];

const KEYWORDS: &[&str] =
    &["if", "else", "not", "in", "some", "every", "default", "import", "package", "as", "with", "contains"];

/// A call that is refused, at its place.
#[derive(Debug)]
pub(crate) struct Refused {
    pub name: String,
    pub line: u32,
    pub column: u32,
    pub impure: bool,
}

/// Calls that are neither pure built-ins, nor functions of the module itself, nor of an imported `data.probity` module.
pub(crate) fn refused_calls(tokens: &[Token]) -> Vec<Refused> {
    let calls = calls(tokens);
    let own: Vec<&str> = calls.iter().filter(|call| call.column == 1).map(|call| call.name).collect();
    let imported = imported(tokens);
    calls
        .iter()
        .filter(|call| {
            let head = call.name.split('.').next().unwrap_or_default();
            !(PURE.contains(&call.name)
                || own.contains(&call.name)
                || KEYWORDS.contains(&call.name) && call.name != "contains"
                || call.name.starts_with("data.probity.")
                || call.name.contains('.') && imported.contains(&head))
        })
        .map(|call| Refused {
            name: call.name.to_owned(),
            line: call.line,
            column: call.column,
            impure: call.name.split('.').next().is_some_and(|head| IMPURE.contains(&head)),
        })
        .collect()
}

struct Call<'a> {
    name: &'a str,
    line: u32,
    column: u32,
}

fn calls(tokens: &[Token]) -> Vec<Call<'_>> {
    tokens
        .iter()
        .zip(tokens.iter().skip(1))
        .filter(|(_, next)| next.kind == TokenKind::Sign('('))
        .filter_map(|(token, _)| match &token.kind {
            TokenKind::Path(name) => Some(Call { name, line: token.line, column: token.column }),
            _ => None,
        })
        .collect()
}

/// Names under which `data.probity` modules are imported.
fn imported(tokens: &[Token]) -> Vec<&str> {
    let paths: Vec<&str> = tokens
        .iter()
        .filter_map(|token| match &token.kind {
            TokenKind::Path(path) => Some(path.as_str()),
            _ => None,
        })
        .collect();
    paths
        .iter()
        .enumerate()
        .filter(|(_, path)| **path == "import")
        .filter_map(|(at, _)| {
            let path = paths.get(at + 1).filter(|path| path.starts_with("data.probity."))?;
            match (paths.get(at + 2), paths.get(at + 3)) {
                (Some(&"as"), Some(alias)) => Some(*alias),
                _ => path.rsplit('.').next(),
            }
        })
        .collect()
}
