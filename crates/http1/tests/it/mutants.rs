//! The corpus, mutated: inputs that nobody thought of, read here and by the peers. `PROBITY_MUTANTS=100000`
//! looks longer than a test run should.

use crate::corpus::{Case, cases};
use crate::differential::{same, with_probe};
use crate::peers::Peer;
use crate::reading::{End, Reading, Seen, read};

/// Accepted mutants per run. Refused ones cost nothing and are not counted.
const MUTANTS: usize = 150;

/// Pieces that matter to some parser of HTTP.
const PIECES: &[&[u8]] = &[
    b"\r",
    b"\n",
    b"\r\n",
    b"\r\n\r\n",
    b" ",
    b"\t",
    b"\0",
    b"\x0b",
    b"\x7f",
    b"\x80",
    b"\xff",
    b":",
    b";",
    b",",
    b"\"",
    b"0",
    b"1",
    b"3",
    b"a",
    b"A",
    b"f",
    b"+",
    b"-",
    b"_",
    b"/",
    b"//",
    b"?",
    b"#",
    b"%",
    b"%2e",
    b"%2f",
    b"%25",
    b".",
    b"..",
    b"\\",
    b"@",
    b"[",
    b"]",
    b"*",
    b"=",
    b"&",
    b"chunked",
    b"identity",
    b"close",
    b"Content-Length: 3\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Host: b.example\r\n",
    b"Connection: close\r\n",
    b"Expect: 100-continue\r\n",
    b"X: y\r\n",
    b" HTTP/1.1",
    b"HTTP/1.0",
    b"http://a.example",
    b"0\r\n\r\n",
    b"GET ",
    b"HEAD ",
    b"POST ",
];

#[test]
fn peers_misread_no_accepted_mutant() {
    let wanted = std::env::var("PROBITY_MUTANTS").ok().and_then(|n| n.parse().ok()).unwrap_or(MUTANTS);
    let mutants = accepted_mutants(wanted);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let runs: Vec<_> = std::thread::scope(|scope| {
        let peers = [Peer::hyper(folder.path()), Peer::nginx(folder.path()), Peer::haproxy(folder.path())];
        let runs: Vec<_> = peers.into_iter().map(|peer| scope.spawn(|| compare(peer, &mutants))).collect();
        runs.into_iter().map(|run| run.join().expect("a comparison")).collect()
    });
    let wrong: Vec<_> = runs.iter().flat_map(|run| run.misread.clone()).collect();
    assert!(wrong.is_empty(), "{} of {wanted} misread:\n{}", wrong.len(), wrong.join("\n"));
    // A peer that rejects everything would misread nothing.
    assert!(runs.iter().all(|run| run.read_whole * 10 > wanted * 9), "a peer rejects more than a tenth");
}

#[derive(Default)]
struct Run {
    /// Mutants of which the peer read every request that was accepted here.
    read_whole: usize,
    misread: Vec<String>,
}

fn compare(peer: Peer, mutants: &[(Vec<u8>, Reading)]) -> Run {
    let mut run = Run::default();
    for (bytes, ours) in mutants {
        let theirs = peer.read(bytes, ours.requests.len());
        run.read_whole += usize::from(theirs.len() >= ours.requests.len());
        if !is_allowed(ours, &theirs) {
            let text = String::from_utf8_lossy(bytes);
            run.misread.push(format!("{} reads {text:?}\n  here {ours:?}\n  there {theirs:?}", peer.name));
        }
    }
    run
}

/// A peer may stop earlier, and may make what it likes of bytes that are not accepted here: after a refusal,
/// after `close`, or of a request that is cut. It may not read another request.
fn is_allowed(ours: &Reading, theirs: &[Seen]) -> bool {
    let alike = ours.requests.iter().zip(theirs).take_while(|(ours, theirs)| same(ours, theirs)).count();
    let exact = ours.end == End::Complete && ours.keep_alive;
    alike == theirs.len() || (alike == ours.requests.len() && !exact)
}

fn accepted_mutants(wanted: usize) -> Vec<(Vec<u8>, Reading)> {
    let cases: Vec<_> = cases().into_iter().filter(|case| case.bytes.len() < 1000).collect();
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut mutants = Vec::new();
    while mutants.len() < wanted {
        let bytes = with_probe(&mutate(&cases, &mut random));
        let ours = read([&bytes[..]]);
        if !ours.requests.is_empty() {
            mutants.push((bytes, ours));
        }
    }
    mutants
}

fn mutate(cases: &[Case], random: &mut Random) -> Vec<u8> {
    let mut bytes = cases[random.below(cases.len())].bytes.clone();
    for _ in 0..=random.below(3) {
        let at = random.below(bytes.len() + 1);
        let end = (at + random.below(3)).min(bytes.len());
        let piece = PIECES[random.below(PIECES.len())];
        match random.below(6) {
            0 => drop(bytes.drain(at..end)),
            1 => bytes = [&bytes[..at], piece, &bytes[at..]].concat(),
            2 => bytes = [&bytes[..at], piece, &bytes[end..]].concat(),
            3 => bytes = [&bytes[..at], &[random.below(256) as u8], &bytes[end..]].concat(),
            4 => bytes = with_line(&bytes, piece, random),
            _ => {
                let other = &cases[random.below(cases.len())].bytes;
                bytes = with_line(&bytes, line_of(other, random), random);
            }
        }
    }
    bytes
}

/// A line of the input, its end included.
fn line_of<'a>(bytes: &'a [u8], random: &mut Random) -> &'a [u8] {
    let lines: Vec<_> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
    lines.get(random.below(lines.len().max(1))).copied().unwrap_or_default()
}

/// The input with a line more, after one of its own.
fn with_line(bytes: &[u8], line: &[u8], random: &mut Random) -> Vec<u8> {
    let mut lines: Vec<_> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
    lines.insert(random.below(lines.len() + 1), line);
    lines.concat()
}

/// xorshift64*, seeded: every run judges the same mutants.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % bound
    }
}
