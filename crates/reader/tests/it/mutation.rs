//! Valid documents with pieces taken out, put in twice, swapped and overwritten.

use proptest::prelude::*;

#[derive(Clone, Debug)]
pub struct Spoils(Vec<(u8, u16, u16, u8)>);

pub fn mutated() -> impl Strategy<Value = Spoils> {
    proptest::collection::vec((0u8..6, any::<u16>(), any::<u16>(), any::<u8>()), 1..6).prop_map(Spoils)
}

impl Spoils {
    pub fn apply(&self, bytes: &[u8]) -> Vec<u8> {
        let mut out = bytes.to_vec();
        for (kind, at, length, byte) in &self.0 {
            let at = usize::from(*at) % (out.len() + 1);
            let end = (at + usize::from(*length) % 60).min(out.len());
            match kind {
                0 => drop(out.drain(at..end)),
                1 => out.extend_from_within(at..end),
                2 => out.insert(at, *byte),
                3 => out.truncate(at),
                4 => {
                    let piece: Vec<u8> = out.drain(at..end).collect();
                    let to = usize::from(*byte) * 31 % (out.len() + 1);
                    out.splice(to..to, piece);
                }
                _ => {
                    const WORDS: [&[u8]; 10] = [
                        b"{",
                        b"}",
                        b"[",
                        b"\n",
                        b": ",
                        b"\"",
                        b"*a ",
                        b"&a ",
                        b"$ref: '#/components/schemas/Patient'",
                        b"- ",
                    ];
                    let word = WORDS[usize::from(*byte) % WORDS.len()];
                    out.splice(at..at, word.iter().copied());
                }
            }
        }
        out
    }
}
