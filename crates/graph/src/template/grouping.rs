//! Which words at one place of a path are values of a variable.
//!
//! Two values of one variable answer alike: the same methods, equally far below them, give answers of the same shape.
//! Two literals do so by chance only, and how often chance strikes is known: from how many other places of the service
//! answer with that shape. A shared shape therefore joins words when that many of them would hardly share it by chance.
//! A word leaves the variable again when it has answers that no other value has, often enough that this is no chance
//! either.
//!
//! Pure: evidence in, decision out. [`super::build`] asks for every place of the tree.

use std::collections::BTreeMap;

use super::chance::{Answers, Chance};
use super::evidence::MethodId;
use super::view::Feature;

/// Words join if so many of them would share a shape by chance with at most this probability.
const CHANCE: f64 = 0.015;
/// The same for words beside typed values that look like text (slugs, codes): then words are expected too.
const CHANCE_BESIDE_TEXT: f64 = 0.35;
/// The same beside numbers, keys and dates: a variable seldom takes these and words.
const CHANCE_BESIDE_KEYS: f64 = 0.03;
/// The same for up to [`FEW`] words called [`OFTEN`] times each or more, and no others: most variables take more values.
const CHANCE_FOR_FEW: f64 = 0.005;
const FEW: usize = 3;
/// The same for two words and all shapes that they share, taken together.
const CHANCE_OF_PAIR: f64 = 0.001;
/// Most words whose shared shapes are added up pair by pair.
const MAX_PAIRED: usize = 8;
const OFTEN: u32 = 5;
/// Log-odds at which a word leaves.
const LEAVE: f64 = 0.5;
/// Rounds in which words leave.
const MAX_ROUNDS: usize = 16;
/// Good answers with which a word beside a documented variable must speak for itself.
const DOCUMENTED_SUPPORT: u32 = 6;
/// Fewest words that join a variable which shares no shape with them.
const SECOND_GROUP: usize = 3;
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

    pub fn count(&self, feature: Feature) -> u32 {
        let at = self.features.binary_search_by_key(&feature, |(known, _)| *known);
        at.ok().and_then(|at| self.features.get(at)).map_or(0, |(_, count)| *count)
    }

    /// The answers at one method and depth.
    fn at(&self, place: (MethodId, u8)) -> &[(Feature, u32)] {
        let from = self.features.partition_point(|(feature, _)| feature.place() < place);
        let to = self.features.partition_point(|(feature, _)| feature.place() <= place);
        self.features.get(from..to).unwrap_or_default()
    }

    /// Sorts, and adds up what is there more than once.
    pub fn tidy(&mut self) {
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
pub(super) fn values(words: &[Branch], typed: Option<&Values>, chance: impl Fn(u64) -> Chance) -> Vec<bool> {
    let mut groups = Groups::new(words.len() + 1);
    let variable = words.len();
    let shared = shared(words, typed);
    let places = own_answers(words, &shared);
    let mut pairs = Pairs::default();
    for shared in &shared {
        let probability = shared.probability(words, &places, chance(shared.feature.shape));
        let all = shared.words.iter().copied().chain(shared.typed.then_some(variable));
        if probability < shared.limit(words, typed) {
            let first =
                if shared.typed { variable } else { shared.words.first().copied().unwrap_or(variable) };
            all.for_each(|word| groups.join(first, word));
        } else if shared.words.len() <= MAX_PAIRED {
            pairs.add(&all.collect::<Vec<_>>(), shared.feature.shape, probability);
        }
    }
    for (first, second) in pairs.no_chance() {
        groups.join(first, second);
    }
    let mut member = members(&mut groups, words.len(), typed.is_some());
    leave(words, typed, &chance, &mut member);
    let exists = typed.is_some() || member.contains(&true);
    for (word, is_value) in words.iter().zip(member.iter_mut()) {
        let documented = typed.is_some_and(|typed| typed.documented && word.good() < DOCUMENTED_SUPPORT);
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
    fn limit(&self, words: &[Branch], typed: Option<&Values>) -> f64 {
        let calls =
            self.words.iter().filter_map(|word| words.get(*word)).map(|word| word.count(self.feature));
        let few = self.words.len() <= FEW && calls.sum::<u32>() >= OFTEN * self.words.len() as u32;
        match typed {
            Some(typed) if self.typed && (typed.textual || typed.documented) => CHANCE_BESIDE_TEXT,
            Some(_) if self.typed => CHANCE_BESIDE_KEYS,
            _ if few => CHANCE_FOR_FEW,
            _ => CHANCE,
        }
    }

    /// That so many words have the shape by chance, among these and those with answers of their own.
    fn probability(&self, words: &[Branch], own: &BTreeMap<(MethodId, u8), Answers>, chance: Chance) -> f64 {
        let place = self.feature.place();
        let mut answers = own.get(&place).cloned().unwrap_or_default();
        for word in self.words.iter().filter_map(|word| words.get(*word)) {
            answers.add(word.at(place).len());
        }
        chance.of(&answers, self.words.len())
    }
}

/// Words that share nothing at a method and depth, where they answer: what literals look like.
fn own_answers(words: &[Branch], shared: &[Shared]) -> BTreeMap<(MethodId, u8), Answers> {
    let mut places: BTreeMap<(MethodId, u8), Answers> = BTreeMap::new();
    for word in words {
        for run in word.features.chunk_by(|a, b| a.0.place() == b.0.place()) {
            let Some((feature, _)) = run.first() else { continue };
            let is_shared =
                |(feature, _): &(Feature, u32)| shared.binary_search_by_key(feature, |s| s.feature).is_ok();
            if !run.iter().any(is_shared) {
                places.entry(feature.place()).or_default().add(run.len());
            }
        }
    }
    places
}

/// Words that share several shapes, each of which might be chance alone.
#[derive(Default)]
struct Pairs(BTreeMap<(usize, usize), BTreeMap<u64, f64>>);

impl Pairs {
    fn add(&mut self, words: &[usize], shape: u64, probability: f64) {
        for (at, first) in words.iter().enumerate() {
            for second in words.iter().skip(at + 1) {
                // One shape in several places is one chance, not several.
                let known = self.0.entry((*first, *second)).or_default().entry(shape).or_insert(1.0);
                *known = known.min(probability);
            }
        }
    }

    fn no_chance(&self) -> impl Iterator<Item = (usize, usize)> {
        self.0
            .iter()
            .filter(|(_, shapes)| shapes.len() > 1 && shapes.values().product::<f64>() < CHANCE_OF_PAIR)
            .map(|(pair, _)| *pair)
    }
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

/// Takes words out whose own answers no other value gives. Each answer is weighed under two beliefs: as a value's, it
/// falls to the word as often as the word is called; as a literal's, it is the word's alone unless chance shares it.
fn leave(words: &[Branch], typed: Option<&Values>, chance: &impl Fn(u64) -> Chance, member: &mut [bool]) {
    for _ in 0..MAX_ROUNDS {
        let mut all = Branch::default();
        for (word, _) in words.iter().zip(member.iter()).filter(|(_, is_value)| **is_value) {
            all.features.extend_from_slice(&word.features);
        }
        if let Some(typed) = typed {
            all.features.extend_from_slice(&typed.branch.features);
        }
        all.tidy();
        let weights: Vec<f64> = words
            .iter()
            .zip(member.iter())
            .map(
                |(word, is_value)| if *is_value { own_weight(word, &all, chance) } else { f64::NEG_INFINITY },
            )
            .collect();
        let worst = weights.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if worst <= LEAVE {
            break;
        }
        // The worst first: once they are gone, what they shared with the others may be those others' own.
        for (is_value, weight) in member.iter_mut().zip(weights) {
            *is_value &= weight <= LEAVE || weight < worst * 0.5;
        }
    }
    if typed.is_none() && member.iter().filter(|is_value| **is_value).count() == 1 {
        member.fill(false);
    }
}

/// Log-odds that `word` is a literal and no value like `all`.
fn own_weight(word: &Branch, all: &Branch, chance: &impl Fn(u64) -> Chance) -> f64 {
    let share = f64::from(word.good()) / f64::from(all.good().max(1));
    word.features
        .iter()
        .map(|(feature, count)| match all.count(*feature) == *count {
            true => f64::from(count.saturating_sub(1)) * -share.max(f64::MIN_POSITIVE).ln(),
            false => chance(feature.shape).mean().ln(),
        })
        .sum()
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
