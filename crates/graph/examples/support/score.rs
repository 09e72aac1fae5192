//! How well learned templates fit the true ones.
//!
//! After the last call every call of the run is asked again. A cluster is all calls that got the same (method,
//! template). A call is *exact* if its cluster holds every call of its true operation and of no other one. A learned
//! operation is *real* if it is such a cluster. *Same* counts the calls whose template has, literal by literal and
//! variable by variable, the true template's form; a variable that only ever took one word cannot pass there.

use std::collections::{BTreeMap, BTreeSet};

use probity_graph::Learner;
use probity_model::path::segments;

use super::traffic::{Call, TrueOperation, hash_text};

#[derive(Clone, Copy, Debug, Default)]
pub struct Score {
    pub calls: usize,
    pub exact: usize,
    pub same: usize,
    pub learned: usize,
    pub real: usize,
    /// True operations that got at least one answer other than 404.
    pub observed: usize,
}

impl Score {
    pub fn add(&mut self, other: Self) {
        self.calls += other.calls;
        self.exact += other.exact;
        self.same += other.same;
        self.learned += other.learned;
        self.real += other.real;
        self.observed += other.observed;
    }
    pub fn exact_share(&self) -> f64 {
        self.exact as f64 / self.calls.max(1) as f64
    }
    pub fn same_share(&self) -> f64 {
        self.same as f64 / self.calls.max(1) as f64
    }
    pub fn precision(&self) -> f64 {
        self.real as f64 / self.learned.max(1) as f64
    }
    pub fn ratio(&self) -> f64 {
        self.learned as f64 / self.observed.max(1) as f64
    }
}

type Operation = (String, String);

#[derive(Debug, Default)]
pub struct Report {
    pub score: Score,
    /// What went wrong, heaviest first: calls, text.
    pub faults: Vec<(usize, String)>,
}

/// Feeds all calls, settles, and compares.
pub fn run(learner: &mut Learner, operations: &[TrueOperation], calls: &[Call]) -> Report {
    for call in calls {
        let path = segments(&call.path, |raw| hash_text(raw, 1));
        learner.observe(&operations[call.operation].method, &path, call.status, call.shape);
    }
    learner.settle();
    compare(learner, operations, calls)
}

pub fn compare(learner: &Learner, operations: &[TrueOperation], calls: &[Call]) -> Report {
    let mut clusters: BTreeMap<Operation, BTreeSet<usize>> = BTreeMap::new();
    let mut truth: BTreeMap<usize, (BTreeSet<Option<Operation>>, usize)> = BTreeMap::new();
    let mut observed = BTreeSet::new();
    let mut same = 0;
    for call in calls {
        let operation = &operations[call.operation];
        let path = segments(&call.path, |raw| hash_text(raw, 1));
        let found = learner.assign(&operation.method, &path);
        same += usize::from(found.as_ref().is_some_and(|t| t.shape() == operation.template.shape()));
        let found = found.map(|template| (operation.method.clone(), template.to_string()));
        if let Some(found) = &found {
            clusters.entry(found.clone()).or_default().insert(call.operation);
        }
        let entry = truth.entry(call.operation).or_default();
        entry.0.insert(found);
        entry.1 += 1;
        if call.status != 404 {
            observed.insert(call.operation);
        }
    }
    let mut faults = Vec::new();
    let (mut exact, mut real) = (0, 0);
    for (operation, (found, count)) in &truth {
        let alone = match found.iter().next() {
            Some(Some(cluster)) if found.len() == 1 => {
                clusters.get(cluster).is_some_and(|all| all.len() == 1)
            }
            _ => false,
        };
        if alone {
            exact += count;
            real += 1;
        } else {
            let first: Vec<String> = found
                .iter()
                .take(6)
                .map(|f| {
                    f.as_ref().map_or("none".to_owned(), |(_, template)| {
                        let all = f.as_ref().and_then(|f| clusters.get(f)).map_or(0, BTreeSet::len);
                        format!("{template} (of {all})")
                    })
                })
                .collect();
            let operation = &operations[*operation];
            faults.push((
                *count,
                format!(
                    "{} {} -> {} clusters: {}",
                    operation.method,
                    operation.template,
                    found.len(),
                    first.join(", ")
                ),
            ));
        }
    }
    faults.sort_by(|a, b| b.cmp(a));
    let learned = learner.learned().len();
    Report {
        score: Score { calls: calls.len(), exact, same, learned, real, observed: observed.len() },
        faults,
    }
}
