//! The figures that the bench measures over public documents, guarded over services of our own.

use probity_graph::Learner;

use super::score::{self, Score};
use super::services;
use super::traffic::{self, Scenario, Sharing, hash_text};

struct Floor {
    exact: f64,
    precision: f64,
    /// Listed per real one, at most.
    ratio: f64,
}

fn check(scenario: Scenario, floor: &Floor) {
    let mut total = Score::default();
    let mut faults = Vec::new();
    for (name, operations) in services::all() {
        for seed in 0..2 {
            let calls = traffic::calls(&operations, scenario, hash_text(name, seed));
            let report = score::run(&mut Learner::new(), &operations, &calls);
            total.add(report.score);
            faults.extend(report.faults.into_iter().map(|(count, text)| format!("{count} {name}: {text}")));
        }
    }
    let figures = (total.exact_share(), total.precision(), total.ratio());
    let good = figures.0 >= floor.exact && figures.1 >= floor.precision && figures.2 <= floor.ratio;
    assert!(good, "{scenario:?}: {figures:?}, same template {}\n{}", total.same_share(), faults.join("\n"));
}

const BASE: Scenario = Scenario {
    calls: 2000,
    sharing_permille: 100,
    sharing: Sharing::Pool,
    variants: 1,
    variant_by_value: false,
};

#[test]
fn one_operation_in_ten_shares_its_shape() {
    for sharing in [Sharing::Pool, Sharing::Copies] {
        check(Scenario { sharing, ..BASE }, &Floor { exact: 0.97, precision: 0.92, ratio: 1.07 });
    }
}

#[test]
fn three_in_ten_share_and_answers_have_two_variants() {
    for sharing in [Sharing::Pool, Sharing::Copies] {
        let scenario = Scenario { sharing, sharing_permille: 300, variants: 2, ..BASE };
        check(scenario, &Floor { exact: 0.97, precision: 0.85, ratio: 1.12 });
    }
}

/// The hardest case: who shares answers like its nearest neighbour, as `start` and `stop` do.
#[test]
fn neighbours_share_their_shape() {
    let scenario = Scenario { sharing: Sharing::Siblings, ..BASE };
    check(scenario, &Floor { exact: 0.97, precision: 0.95, ratio: 1.07 });
}
