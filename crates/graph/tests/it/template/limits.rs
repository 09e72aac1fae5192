//! Hostile paths cost no more than the bounds say.

use probity_graph::Learner;
use probity_graph::template::{MAX_ENDPOINTS, MAX_NODES};
use probity_model::Segment;
use probity_model::path::{MAX_SEGMENTS, SegmentKind};

use super::traffic::Random;

const METHODS: [&str; 3] = ["GET", "POST", "DELETE"];

fn word(random: &mut Random) -> Segment {
    let text: String = (0..6).map(|_| char::from(b'a' + random.below(26) as u8)).collect();
    Segment { kind: SegmentKind::Word, word: Some(text.into()), hash: random.next() }
}

fn flood(
    calls: usize,
    mut path: impl FnMut(&mut Random) -> Vec<Segment>,
    mut answer: impl FnMut(&mut Random) -> (u16, u64),
) {
    let mut random = Random::new(11);
    let mut learner = Learner::new();
    for call in 0..calls {
        let path = path(&mut random);
        let (status, shape) = answer(&mut random);
        learner.observe(METHODS[call % METHODS.len()], &path, status, shape);
        learner.renames();
        assert!(learner.size() <= MAX_NODES + MAX_NODES / 8);
    }
    assert!(learner.learned().len() <= MAX_ENDPOINTS);
    learner.settle();
    let bytes = serde_json::to_vec(&learner).unwrap().len();
    assert!(bytes < 32 << 20, "{bytes} bytes");
}

#[test]
fn a_million_random_words_at_one_place() {
    flood(1_000_000, |random| vec![word(random)], |_| (403, 1));
}

#[test]
fn random_trees_with_random_answers() {
    flood(
        60_000,
        |random| (0..1 + random.below(4)).map(|_| word(random)).collect(),
        |random| (200, random.next()),
    );
}

#[test]
fn deep_random_paths() {
    flood(
        4_000,
        |random| (0..MAX_SEGMENTS).map(|_| word(random)).collect(),
        |random| (200, random.below(3) as u64),
    );
}

#[test]
fn what_is_past_a_limit_is_no_operation() {
    let mut learner = Learner::new();
    let mut random = Random::new(1);
    let long: Vec<Segment> = (0..=MAX_SEGMENTS).map(|_| word(&mut random)).collect();
    assert_eq!(learner.observe("GET", &long, 200, 1), None);
    assert_eq!(learner.observe("GET", &[], 200, 1), None);
    for method in 0..100 {
        learner.observe(&format!("M{method}"), &[word(&mut random)], 200, 1);
    }
    assert_eq!(learner.learned().len(), 16);
}
