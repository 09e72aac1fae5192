//! How probable it is that operations answer alike by chance.
//!
//! Not here: what follows from it ([`super::grouping`]) and how often each shape was seen ([`super::build`]).

use std::collections::BTreeMap;

/// What is believed of a shape before any other operation was seen: that one of six operations answers with it.
const BELIEF: (f64, f64) = (1.0, 5.0);
/// Terms of a binomial sum; larger ones are scaled down, which makes them more careful.
const MAX_TRIALS: usize = 256;
/// Points at which a belief is integrated.
const GRID: usize = 24;

/// How many words have how many different answers at one method and depth.
#[derive(Clone, Debug, Default)]
pub(super) struct Answers {
    words: usize,
    /// (answers, words with so many).
    counts: BTreeMap<usize, usize>,
}

impl Answers {
    pub fn add(&mut self, answers: usize) {
        self.words += 1;
        *self.counts.entry(answers).or_default() += 1;
    }
}

/// How often operations answer with one shape: `with` of `all` others do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chance {
    pub with: usize,
    pub all: usize,
}

impl Chance {
    /// Parameters of the beta distribution.
    fn belief(self) -> (f64, f64) {
        (self.with as f64 + BELIEF.0, self.all.saturating_sub(self.with) as f64 + BELIEF.1)
    }

    pub fn mean(self) -> f64 {
        let (with, without) = self.belief();
        with / (with + without)
    }

    /// Probability that `hits` words or more have the shape and each is an operation of its own.
    pub fn of(self, answers: &Answers, hits: usize) -> f64 {
        let (with, without) = self.belief();
        let points: Vec<(f64, f64)> = (0..GRID)
            .map(|step| {
                // Finer near 0, where the mass lies.
                let root = (step as f64 + 0.5) / GRID as f64;
                let share = root * root;
                (share, (with - 1.0) * share.ln() + (without - 1.0) * (1.0 - share).ln() + root.ln())
            })
            .collect();
        let most = points.iter().map(|(_, weight)| *weight).fold(f64::NEG_INFINITY, f64::max);
        let (mut sum, mut weights) = (0.0, 0.0);
        for (share, weight) in points {
            let weight = (weight - most).exp();
            let has = |(shapes, words): (&usize, &usize)| {
                (1.0 - (1.0 - share).powi(*shapes as i32)) * *words as f64
            };
            let mean = answers.counts.iter().map(has).sum::<f64>() / answers.words.max(1) as f64;
            sum += weight * tail(answers.words, mean, hits);
            weights += weight;
        }
        sum / weights
    }
}

/// Probability of at least `hits` in `trials` independent draws.
fn tail(trials: usize, chance: f64, hits: usize) -> f64 {
    if trials > MAX_TRIALS {
        return tail(MAX_TRIALS, chance, hits * MAX_TRIALS / trials);
    }
    let odds = chance / (1.0 - chance).max(1e-9);
    let mut term = (1.0 - chance).max(1e-9).powi(trials as i32);
    let mut below = 0.0;
    for hit in 0..hits.min(trials) {
        below += term;
        term *= odds * (trials - hit) as f64 / (hit + 1) as f64;
    }
    (1.0 - below).max(0.0)
}
