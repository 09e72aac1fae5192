//! Which words at one place of a path are values of a variable.
//!
//! Two values of one variable answer alike: the same methods, equally far below them, give answers of the same shape.
//! Two literals do so by chance only, and how often chance strikes is known: from how many other places of the service
//! answer with that shape. A shared shape therefore joins words when that many of them would hardly share it by chance.
//! A word leaves the variable again when it has answers that no other value has, often enough that this is no chance
//! either.
//!
//! Pure: evidence in, decision out. [`super::build`] asks for every place of the tree.

use super::evidence::MethodId;
use super::view::Feature;

/// Words join if so many of them would share a shape by chance with at most this probability.
const CHANCE: f64 = 0.08;
/// The same for words beside typed values that look like text (slugs, codes): then words are expected too.
const CHANCE_BESIDE_TEXT: f64 = 0.35;
/// The same beside numbers, keys and dates: a variable seldom takes these and words.
const CHANCE_BESIDE_KEYS: f64 = 0.03;
/// A word leaves when its own answers would all have fallen to it with at most this probability.
const LEAVE_CHANCE: f64 = 1e-4;
/// Good answers that a word needs before it can leave.
const LEAVE_SUPPORT: u32 = 6;
/// Fewest words that join a variable which shares no shape with them.
const SECOND_GROUP: usize = 3;
/// Terms of the binomial sum; past them the tail is taken as certain.
const MAX_TRIALS: usize = 4096;

/// Everything below one word, or below all typed values of the place.
#[derive(Debug, Default)]
pub(super) struct Branch {
    /// Good answers, sorted.
    pub features: Vec<(Feature, u32)>,
    pub calls: u32,
}

impl Branch {
    pub fn good(&self) -> u32 {
        self.features.iter().fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }

    pub fn has(&self, feature: Feature) -> bool {
        self.features.binary_search_by_key(&feature, |(known, _)| *known).is_ok()
    }

    pub fn absorb(&mut self, other: &Self) {
        self.calls = self.calls.saturating_add(other.calls);
        self.features.extend_from_slice(&other.features);
        self.features.sort_unstable();
        self.features.dedup_by(|later, kept| {
            let same = later.0 == kept.0;
            if same {
                kept.1 = kept.1.saturating_add(later.1);
            }
            same
        });
    }
}

/// The typed values at a place.
#[derive(Debug)]
pub(super) struct Values {
    pub branch: Branch,
    /// Most of them look like text.
    pub textual: bool,
    /// A specification says that there is a variable here.
    pub documented: bool,
}

/// For each of `words`: is it a value? `chance` tells how probable it is that an operation elsewhere has this shape.
pub(super) fn values(words: &[Branch], typed: Option<&Values>, chance: impl Fn(u64) -> f64) -> Vec<bool> {
    let mut groups = Groups::new(words.len() + 1);
    let variable = words.len();
    for shared in shared(words, typed) {
        if shared.is_no_chance(words, typed, chance(shared.feature.shape)) {
            let first =
                if shared.typed { variable } else { shared.words.first().copied().unwrap_or(variable) };
            for word in &shared.words {
                groups.join(first, *word);
            }
        }
    }
    let mut member = members(&mut groups, words.len(), typed.is_some());
    let exists = typed.is_some() || member.contains(&true);
    leave(words, typed, &mut member);
    for (word, is_value) in words.iter().zip(member.iter_mut()) {
        let documented = typed.is_some_and(|typed| typed.documented && word.good() < LEAVE_SUPPORT);
        // An error says nothing of its own; beside a variable it is most likely a value that was refused.
        *is_value |= exists && word.features.is_empty() || documented;
    }
    member
}

/// A shape that several branches answer with at the same method and depth.
struct Shared {
    feature: Feature,
    words: Vec<usize>,
    typed: bool,
}

fn shared(words: &[Branch], typed: Option<&Values>) -> Vec<Shared> {
    let mut all: Vec<(Feature, usize)> = words
        .iter()
        .enumerate()
        .flat_map(|(word, branch)| branch.features.iter().map(move |(feature, _)| (*feature, word)))
        .collect();
    all.sort_unstable();
    all.chunk_by(|a, b| a.0 == b.0)
        .filter_map(|run| {
            let feature = run.first()?.0;
            let typed = typed.is_some_and(|typed| typed.branch.has(feature));
            (typed || run.len() > 1).then(|| Shared {
                feature,
                words: run.iter().map(|(_, word)| *word).collect(),
                typed,
            })
        })
        .collect()
}

impl Shared {
    fn is_no_chance(&self, words: &[Branch], typed: Option<&Values>, chance: f64) -> bool {
        let place = self.feature.place();
        let (mut trials, mut sum) = (0usize, 0.0);
        for word in words {
            let shapes = at(word, place);
            if shapes > 0 {
                trials += 1;
                sum += 1.0 - (1.0 - chance).powi(shapes as i32);
            }
        }
        let limit = match typed {
            Some(typed) if self.typed && (typed.textual || typed.documented) => CHANCE_BESIDE_TEXT,
            Some(_) if self.typed => CHANCE_BESIDE_KEYS,
            _ => CHANCE,
        };
        tail(trials, sum / trials.max(1) as f64, self.words.len()) < limit
    }
}

/// Shapes of `branch` at one method and depth.
fn at(branch: &Branch, place: (MethodId, u8)) -> usize {
    let from = branch.features.partition_point(|(feature, _)| feature.place() < place);
    branch.features.iter().skip(from).take_while(|(feature, _)| feature.place() == place).count()
}

/// Probability of at least `hits` in `trials` independent draws.
fn tail(trials: usize, chance: f64, hits: usize) -> f64 {
    if trials > MAX_TRIALS {
        return if (hits as f64) > 2.0 * chance * trials as f64 { 0.0 } else { 1.0 };
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

/// A place has one variable: the group of the typed values, else the largest, and every other group that is too large
/// to be a few literals that answer alike.
fn members(groups: &mut Groups, words: usize, typed: bool) -> Vec<bool> {
    let roots: Vec<usize> = (0..=words).map(|word| groups.root(word)).collect();
    let mut sizes = vec![0usize; words + 1];
    for root in roots.iter().take(words) {
        if let Some(size) = sizes.get_mut(*root) {
            *size += 1;
        }
    }
    let size = |root: usize| sizes.get(root).copied().unwrap_or(0);
    let main = match (typed, roots.last()) {
        (true, Some(root)) => Some(*root),
        _ => roots
            .iter()
            .take(words)
            .copied()
            .max_by_key(|root| (size(*root), usize::MAX - root))
            .filter(|root| size(*root) > 1),
    };
    roots.iter().take(words).map(|root| Some(*root) == main || size(*root) >= SECOND_GROUP).collect()
}

/// Takes words out whose own answers no other value gives.
fn leave(words: &[Branch], typed: Option<&Values>, member: &mut [bool]) {
    let mut all = Branch::default();
    for (word, _) in words.iter().zip(member.iter()).filter(|(_, is_value)| **is_value) {
        all.calls = all.calls.saturating_add(word.calls);
        all.features.extend_from_slice(&word.features);
    }
    if let Some(typed) = typed {
        all.features.extend_from_slice(&typed.branch.features);
    }
    all.absorb(&Branch::default());
    let total = f64::from(all.good().max(1));
    for (word, is_value) in words.iter().zip(member.iter_mut()).filter(|(_, is_value)| **is_value) {
        if word.good() < LEAVE_SUPPORT {
            continue;
        }
        let own: u32 = word
            .features
            .iter()
            .filter(|(feature, count)| {
                all.features
                    .binary_search_by_key(feature, |(known, _)| *known)
                    .is_ok_and(|at| all.features.get(at).is_some_and(|(_, sum)| sum == count))
            })
            .map(|(_, count)| *count)
            .sum();
        let share = f64::from(word.good()) / total;
        if own >= LEAVE_SUPPORT && share.powf(f64::from(own)) < LEAVE_CHANCE {
            *is_value = false;
        }
    }
}

/// Union-find.
struct Groups(Vec<usize>);

impl Groups {
    fn new(count: usize) -> Self {
        Self((0..count).collect())
    }

    fn root(&mut self, mut at: usize) -> usize {
        while let Some(parent) = self.0.get(at).copied().filter(|parent| *parent != at) {
            let above = self.0.get(parent).copied().unwrap_or(parent);
            if let Some(slot) = self.0.get_mut(at) {
                *slot = above;
            }
            at = above;
        }
        at
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        if let Some(slot) = self.0.get_mut(a.max(b)) {
            *slot = a.min(b);
        }
    }
}
