//! `servers` to addresses and path prefixes.

use std::collections::HashMap;

use probity_model::Severity;
use probity_model::specification::SpecifiedServer;

use super::MAX_POINTER;
use crate::diagnostics::{Diagnostics, quoted};
use crate::yaml::Node;

/// Servers of one list, and kept of one specification.
const MAX_SERVERS: usize = 100;

/// Path prefixes of a list of servers, each once, without a trailing slash; the servers are added to `kept`. `None` when
/// no server is given.
pub(super) fn base_paths(
    servers: Option<Node<'_>>,
    kept: &mut Vec<SpecifiedServer>,
    diagnostics: &mut Diagnostics,
) -> Option<Vec<String>> {
    let servers = servers?;
    if !servers.is_sequence() {
        let message = format!("`servers` is {}", servers.value().kind());
        diagnostics.push_at(Severity::High, servers.span(), message, Some("expected a list".to_owned()));
        return None;
    }
    let mut paths: Vec<String> = Vec::new();
    for server in servers.items().take(MAX_SERVERS) {
        let Some((node, url)) = server.get("url").and_then(|node| Some((node, node.text()?))) else {
            diagnostics.push_at(Severity::Medium, server.span(), "a server without `url`", None);
            continue;
        };
        let url = with_defaults(url, server, diagnostics);
        let path = path_of(&url);
        if path.len() > MAX_POINTER {
            let message = format!("a base path longer than {MAX_POINTER} bytes is left out");
            diagnostics.push_at(Severity::High, server.span(), message, None);
            continue;
        }
        if kept.len() < MAX_SERVERS && url.len() <= MAX_POINTER && kept.iter().all(|known| known.url != url) {
            kept.push(SpecifiedServer { url, span: node.span() });
        }
        if !paths.contains(&path) {
            paths.push(path);
        }
    }
    (!paths.is_empty()).then_some(paths)
}

/// The URL with each variable's default in its place; a variable without one stays a variable.
fn with_defaults(url: &str, server: Node<'_>, diagnostics: &mut Diagnostics) -> String {
    let mut defaults: HashMap<&str, &str> = HashMap::new();
    for variable in server.get("variables").into_iter().flat_map(Node::entries) {
        match variable.value().get("default").and_then(Node::text) {
            Some(default) => {
                defaults.insert(variable.key(), default);
            }
            None => {
                let message = format!("server variable {} has no default", quoted(variable.key()));
                diagnostics.push_at(Severity::Medium, variable.key_span(), message, None);
            }
        }
    }
    let mut out = String::with_capacity(url.len());
    let mut rest = url;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, tail)) = after.split_once('}') else { break };
        out.push_str(before);
        match defaults.get(name) {
            Some(default) => out.push_str(default),
            None => {
                if server.get("variables").and_then(|variables| variables.get(name)).is_none() {
                    let message = format!("server variable {} is not declared", quoted(name));
                    diagnostics.push_at(Severity::Medium, server.span(), message, None);
                }
                out.push_str(&format!("{{{name}}}"));
            }
        }
        rest = tail;
    }
    out.push_str(rest);
    out
}

fn path_of(url: &str) -> String {
    let url = url.trim().split(['?', '#']).next().unwrap_or_default();
    let authority = url.split_once("://").map(|(_, rest)| rest).or_else(|| url.strip_prefix("//"));
    let path = match authority {
        Some(rest) => rest.split_once('/').map_or("", |(_, path)| path),
        None => url,
    };
    let path: Vec<&str> = path.split('/').filter(|part| !matches!(*part, "" | "." | "..")).collect();
    if path.is_empty() { String::new() } else { format!("/{}", path.join("/")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_path() {
        for (url, expected) in [
            ("https://api.example.com", ""),
            ("https://api.example.com/", ""),
            ("https://api.example.com:8443/v1/", "/v1"),
            ("//api.example.com/a/b", "/a/b"),
            ("/api", "/api"),
            ("/", ""),
            ("./api?x#y", "/api"),
            ("https://{host}/{base}", "/{base}"),
        ] {
            assert_eq!(path_of(url), expected, "{url}");
        }
    }
}
