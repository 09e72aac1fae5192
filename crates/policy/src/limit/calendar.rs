//! Days and months of the calendar in a time zone given as a list of offsets. Proleptic Gregorian, Unix seconds.

use probity_model::bundle::limits::{QuotaPeriod, ZoneOffset};

const DAY_SECONDS: i64 = 86_400;
/// Days from 0000-03-01 to 1970-01-01.
const EPOCH_DAYS: i64 = 719_468;
const ERA_DAYS: i64 = 146_097;

/// The period that a moment lies in: when it began, and when the next begins.
pub fn period(at: i64, period: QuotaPeriod, zone: &[ZoneOffset]) -> (i64, i64) {
    let day = at.saturating_add(offset(at, zone)).div_euclid(DAY_SECONDS);
    let (first, next) = match period {
        QuotaPeriod::Day => (day, day + 1),
        QuotaPeriod::Month => {
            let (year, month) = year_and_month(day);
            let (next_year, next_month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
            (first_of(year, month), first_of(next_year, next_month))
        }
    };
    (midnight(first, zone), midnight(next, zone))
}

/// Seconds that local time is ahead of UTC.
fn offset(at: i64, zone: &[ZoneOffset]) -> i64 {
    let last = zone.iter().take_while(|change| change.from <= at).last().or(zone.first());
    last.map_or(0, |change| i64::from(change.offset_seconds))
}

/// When a local day begins. Where the clock jumps over midnight, the jump; where it strikes twice, the first.
fn midnight(day: i64, zone: &[ZoneOffset]) -> i64 {
    let local = day.saturating_mul(DAY_SECONDS);
    let before = offset(local.saturating_sub(DAY_SECONDS), zone);
    let first = local.saturating_sub(before);
    let after = offset(first, zone);
    let second = local.saturating_sub(after);
    // Midnight is where the offset that was used is the one in force there; the jump has none.
    if after != before && offset(second, zone) == after { second } else { first }
}

/// Year and month (1 to 12) of a day since 1970-01-01.
fn year_and_month(day: i64) -> (i64, i64) {
    let shifted = day.saturating_add(EPOCH_DAYS);
    let (era, of_era) = (shifted.div_euclid(ERA_DAYS), shifted.rem_euclid(ERA_DAYS));
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    // Years here begin in March, so that a leap day is their last.
    let from_march = (5 * of_year + 2) / 153;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month)
}

/// The first day of a month, since 1970-01-01.
fn first_of(year: i64, month: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let from_march = if month > 2 { month - 3 } else { month + 9 };
    let of_year = (153 * from_march + 2) / 5;
    era * ERA_DAYS + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year - EPOCH_DAYS
}
