//! Whatever this codec accepts, hyper, nginx and HAProxy read the same way: as many requests, each with the
//! same method, path, host and body. Where it refuses they may do as they like: nothing is passed on to them
//! then.

use std::collections::BTreeSet;

use crate::corpus::{Case, cases};
use crate::peers::Peer;
use crate::reading::{End, Seen, read};

/// Where a peer rejects what is accepted here, and why that is no harm. Never a request read in another way.
/// The list only shrinks: an entry without effect fails the test.
const REJECTED_BY_PEERS: &[(&str, &str, &str)] = &[
    ("method-trace", "nginx", "does not serve TRACE"),
    ("asterisk-options", "nginx", "does not serve `OPTIONS *`"),
    ("cl-padded", "nginx", "takes a tab before a value for a part of it; what we write has one space"),
    ("te-padded", "nginx", "takes a tab before a value for a part of it; what we write has one space"),
    ("http10-get-body", "haproxy", "refuses bodies on GET in HTTP/1.0; what we write is HTTP/1.1"),
];

#[test]
fn peers_read_alike_whatever_is_accepted() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let cases = cases();
    let differences: Vec<_> = std::thread::scope(|scope| {
        let peers = [Peer::hyper(folder.path()), Peer::nginx(folder.path()), Peer::haproxy(folder.path())];
        let runs: Vec<_> = peers.into_iter().map(|peer| scope.spawn(|| compare(peer, &cases))).collect();
        runs.into_iter().flat_map(|run| run.join().expect("a comparison")).collect()
    });
    let excused: BTreeSet<_> = REJECTED_BY_PEERS.iter().map(|(case, peer, _)| (*case, *peer)).collect();
    let found: BTreeSet<_> =
        differences.iter().filter(|found| found.rejected).map(|found| (found.case, found.peer)).collect();
    let wrong: Vec<_> = differences
        .iter()
        .filter(|found| !found.rejected || !excused.contains(&(found.case, found.peer)))
        .map(|found| found.text.clone())
        .chain(excused.difference(&found).map(|unused| format!("{unused:?} is excused without need")))
        .collect();
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
}

struct Difference {
    case: &'static str,
    peer: &'static str,
    /// The peer read the first requests alike and then stopped.
    rejected: bool,
    text: String,
}

fn compare(peer: Peer, cases: &[Case]) -> Vec<Difference> {
    cases.iter().filter_map(|case| difference(&peer, case)).collect()
}

fn difference(peer: &Peer, case: &Case) -> Option<Difference> {
    let sent = with_probe(&case.bytes);
    let ours = read([&sent[..]]);
    let theirs = peer.read(&sent, ours.requests.len());
    let alike = ours.requests.iter().zip(&theirs).take_while(|(ours, theirs)| same(ours, theirs)).count();
    // After a refusal here the peer may go on; elsewhere it must have read exactly as much.
    let ok = alike == ours.requests.len() && (alike == theirs.len() || matches!(ours.end, End::Refused(_)));
    let text = || format!("{} by {}: here {ours:?}\n    there {theirs:?}", case.name, peer.name);
    (!ok).then(|| Difference {
        case: case.name,
        peer: peer.name,
        rejected: alike == theirs.len(),
        text: text(),
    })
}

/// Adds a plain request where another one may follow: it shows whether the peer ended the ones before where
/// we did.
pub fn with_probe(bytes: &[u8]) -> Vec<u8> {
    let ours = read([bytes]);
    match ours.end {
        End::Complete if ours.keep_alive => {
            [bytes, b"GET /probe HTTP/1.1\r\nHost: a.example\r\n\r\n"].concat()
        }
        _ => bytes.to_vec(),
    }
}

/// A request without host may get one from the peer's configuration.
pub fn same(ours: &Seen, theirs: &Seen) -> bool {
    let host = ours.host.is_none() || ours.host == theirs.host;
    host && (&ours.method, &ours.path_and_query, &ours.body)
        == (&theirs.method, &theirs.path_and_query, &theirs.body)
}
