//! CODEOWNERS: who owns which path, by the last line that matches. Patterns are gitignore-like, as GitHub and
//! Bitbucket read them; GitLab's sections give their default owners to lines without any.

use std::sync::Arc;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use probity_model::{Diagnostic, Severity, Span};

use crate::diagnostics::{Diagnostics, Position, quoted};

/// Lines with a pattern.
pub const MAX_RULES: usize = 20_000;
/// Bytes of one pattern.
pub const MAX_PATTERN: usize = 1_024;

#[derive(Debug)]
pub struct CodeOwners {
    rules: Vec<Rule>,
    set: GlobSet,
    /// Per glob of `set`, the rule that it belongs to.
    rule_of: Vec<usize>,
    diagnostics: Vec<Diagnostic>,
}

#[derive(Debug)]
struct Rule {
    owners: Vec<String>,
    span: Span,
}

/// Reads a whole file; what could not be read is in [`CodeOwners::diagnostics`].
pub fn read(file: &str, text: &str) -> CodeOwners {
    let file: Arc<str> = file.into();
    let mut diagnostics = Diagnostics::new(&file);
    let mut owners =
        CodeOwners { rules: Vec::new(), set: GlobSet::empty(), rule_of: Vec::new(), diagnostics: Vec::new() };
    let mut globs = GlobSetBuilder::new();
    let mut section: Vec<String> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let at = Position::of(number + 1, 1 + line.chars().take_while(|c| c.is_whitespace()).count());
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(defaults) = section_defaults(line) {
            section = defaults;
            continue;
        }
        if owners.rules.len() >= MAX_RULES {
            diagnostics.push(
                Severity::High,
                at,
                format!("more than {MAX_RULES} lines; the rest is not read"),
            );
            break;
        }
        let (pattern, rest) = split_pattern(line);
        let mut named = owners_of_line(rest);
        if let Some(odd) = named.iter().find(|owner| !is_owner(owner)) {
            diagnostics.push_hint(
                Severity::Low,
                at,
                format!("{} is no owner", quoted(odd)),
                "expected `@user`, `@organisation/team` or an e-mail address",
            );
        }
        named.retain(|owner| is_owner(owner));
        if named.is_empty() {
            named.clone_from(&section);
        }
        match globs_of(&pattern) {
            Ok(list) => {
                let rule = owners.rules.len();
                owners.rules.push(Rule { owners: named, span: at.in_file(&file) });
                for glob in list {
                    globs.add(glob);
                    owners.rule_of.push(rule);
                }
            }
            Err(reason) => {
                diagnostics.push(
                    Severity::Medium,
                    at,
                    format!("pattern {} is not read: {reason}", quoted(&pattern)),
                );
            }
        }
    }
    match globs.build() {
        Ok(set) => owners.set = set,
        Err(error) => {
            let message = format!("the patterns cannot be used together: {}", error.kind());
            diagnostics.push(Severity::High, Position::START, message);
        }
    }
    owners.diagnostics = diagnostics.finish();
    owners
}

impl CodeOwners {
    /// The owners of a path relative to the repository's root, and the line that says so. `None` when no line
    /// matches, or when the last that does names nobody.
    pub fn owner_of(&self, path: &str) -> Option<(&[String], &Span)> {
        let path = path.trim_start_matches("./").trim_start_matches('/');
        let last = self.set.matches(path).into_iter().filter_map(|glob| self.rule_of.get(glob)).max()?;
        let rule = self.rules.get(*last)?;
        (!rule.owners.is_empty()).then_some((&rule.owners, &rule.span))
    }
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }
}

/// `[Name]`, `^[Name][2] @default`: GitLab's sections. A pattern cannot start so: it has no character ranges.
fn section_defaults(line: &str) -> Option<Vec<String>> {
    let mut rest = line.strip_prefix('^').unwrap_or(line).strip_prefix('[')?.split_once(']')?.1;
    if let Some((_, after)) = rest.strip_prefix('[').and_then(|count| count.split_once(']')) {
        rest = after;
    }
    (rest.is_empty() || rest.starts_with(char::is_whitespace))
        .then(|| owners_of_line(rest).into_iter().filter(|owner| is_owner(owner)).collect())
}

fn owners_of_line(rest: &str) -> Vec<String> {
    rest.split_whitespace().take_while(|word| !word.starts_with('#')).map(str::to_owned).collect()
}

fn is_owner(owner: &str) -> bool {
    owner.strip_prefix('@').map_or_else(|| owner.contains('@'), |name| !name.is_empty())
}

/// The pattern, unescaped where a space or `#` was escaped, and the rest of the line.
fn split_pattern(line: &str) -> (String, &str) {
    let mut pattern = String::new();
    let mut characters = line.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '\\' => match characters.next() {
                Some((_, next @ (' ' | '#'))) => pattern.push(next),
                Some((_, next)) => pattern.extend(['\\', next]),
                None => pattern.push('\\'),
            },
            c if c.is_whitespace() => return (pattern, line.get(at..).unwrap_or_default()),
            c => pattern.push(c),
        }
    }
    (pattern, "")
}

fn globs_of(pattern: &str) -> Result<Vec<globset::Glob>, String> {
    if pattern.len() > MAX_PATTERN {
        return Err(format!("it is longer than {MAX_PATTERN} bytes"));
    }
    if pattern.starts_with('!') {
        return Err(
            "a pattern cannot be negated; a later line without owners takes ownership away".to_owned()
        );
    }
    let anchored = pattern.trim_end_matches('/').contains('/');
    let body = pattern.strip_prefix('/').unwrap_or(pattern);
    let folder = body.ends_with('/');
    let body = body.trim_end_matches('/');
    let prefix = if anchored { "" } else { "**/" };
    // `{`, `}`, `[` and `]` are ordinary characters here, and globs to `globset`.
    let escaped: String = body.chars().fold(String::new(), |mut out, c| {
        if matches!(c, '{' | '}' | '[' | ']') {
            out.push('\\');
        }
        out.push(c);
        out
    });
    let glob = |text: String| {
        GlobBuilder::new(&text)
            .literal_separator(true)
            .backslash_escape(true)
            .build()
            .map_err(|error| error.kind().to_string())
    };
    if escaped.is_empty() {
        return Ok(vec![glob("**".to_owned())?]);
    }
    let mut globs = Vec::new();
    if !folder {
        globs.push(glob(format!("{prefix}{escaped}"))?);
    }
    // `docs/*` names the files of a folder alone; every other pattern also names what lies below it.
    if !(escaped.ends_with("**") || anchored && escaped.ends_with("/*")) {
        globs.push(glob(format!("{prefix}{escaped}/**"))?);
    }
    Ok(globs)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\
# Everything
*       @global
*.js    @js # inline
/build/logs/ @doctocat
docs/*  docs@example.com
apps/   @octocat
/scripts/ @a @org/b
**/logs @logs
/apps/github
a\\ b/   @space
[x].md  @never
!neg    @never
/x{1}.txt @brace nobody

[Database][2] @dba
/db/
/db/docs/ @writers
^[Optional]
/opt/
";

    #[test]
    fn last_match_wins() {
        let owners = read("CODEOWNERS", FILE);
        for (path, expected) in [
            ("README", "@global 2"),
            ("src/x.js", "@js 3"),
            ("/build/logs/a/b", "@logs 8"),
            ("build/logs", "@logs 8"),
            ("sub/build/logs/a", "@logs 8"),
            ("docs/getting-started.md", "docs@example.com 5"),
            ("docs/build/x.md", "@global 2"),
            ("x/apps/y/z", "@octocat 6"),
            ("apps/github", "none"),
            ("apps/github/x", "none"),
            ("./scripts/run.sh", "@a @org/b 7"),
            ("a b/c", "@space 10"),
            ("x{1}.txt", "@brace 13"),
            ("db/schema.sql", "@dba 16"),
            ("db/docs/a.md", "@writers 17"),
            ("opt/x", "none"),
        ] {
            let found = owners
                .owner_of(path)
                .map_or("none".to_owned(), |(owners, span)| format!("{} {}", owners.join(" "), span.line));
            assert_eq!(found, expected, "{path}");
        }
        let told: Vec<String> = owners.diagnostics().iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "CODEOWNERS:12:1: pattern `!neg` is not read: a pattern cannot be negated; a later line without owners takes ownership away",
                "CODEOWNERS:13:1: `nobody` is no owner (expected `@user`, `@organisation/team` or an e-mail address)",
            ]
        );
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(128))]
        #[test]
        fn any_text_is_read(text in "([ -~]|\n|é|\\*\\*|/|@a)*", path in "[a-z/.*]{0,12}") {
            read("CODEOWNERS", &text).owner_of(&path);
        }
    }
}
