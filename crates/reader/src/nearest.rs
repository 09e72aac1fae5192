//! The known name nearest to a mistyped one.

/// Names looked at; a hint is not worth more.
const MAX_KNOWN: usize = 500;
/// Names longer than this are not compared: a distance is quadratic in length.
const MAX_NAME: usize = 64;

/// The nearest of `known`, when it is near enough to be a slip of the hand.
pub(crate) fn nearest<'a, S: AsRef<str>>(name: &str, known: &'a [S]) -> Option<&'a str> {
    let plain = fold(name);
    if plain.is_empty() || plain.len() > MAX_NAME {
        return None;
    }
    let allowed = match plain.len() {
        0..=2 => 0,
        3..=5 => 1,
        6..=9 => 2,
        _ => 3,
    };
    known
        .iter()
        .take(MAX_KNOWN)
        .map(AsRef::as_ref)
        .filter_map(|candidate| Some((distance(&plain, &fold(candidate))?, candidate)))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

fn fold(name: &str) -> Vec<char> {
    name.chars().filter(|c| !matches!(c, '-' | '_' | ' ')).flat_map(char::to_lowercase).collect()
}

/// Edits between two names, a swap of neighbours being one edit.
fn distance(a: &[char], b: &[char]) -> Option<usize> {
    if b.len() > MAX_NAME || a.len().abs_diff(b.len()) > 3 {
        return None;
    }
    let width = b.len() + 1;
    let mut before: Vec<usize> = vec![0; width];
    let mut last: Vec<usize> = (0..width).collect();
    let mut previous: Option<char> = None;
    for (row, &left) in a.iter().enumerate() {
        let mut next = Vec::with_capacity(width);
        let mut beside = row + 1;
        next.push(beside);
        let mut above_left: Option<char> = None;
        for (column, &right) in b.iter().enumerate() {
            let diagonal = last.get(column).copied()? + usize::from(left != right);
            let above = last.get(column + 1).copied()? + 1;
            let mut cost = diagonal.min(above).min(beside + 1);
            if previous == Some(right) && above_left == Some(left) {
                cost = cost.min(before.get(column.checked_sub(1)?).copied()? + 1);
            }
            next.push(cost);
            beside = cost;
            above_left = Some(right);
        }
        before = std::mem::replace(&mut last, next);
        previous = Some(left);
    }
    last.last().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_slips_and_nothing_else() {
        let known = ["upstreams", "listen", "services", "max-body", "id"];
        for (name, expected) in [
            ("upsteams", Some("upstreams")),
            ("upstraems", Some("upstreams")),
            ("Listen", Some("listen")),
            ("max_body", Some("max-body")),
            ("maxBody", Some("max-body")),
            ("servics", Some("services")),
            ("colour", None),
            ("ix", None),
            ("", None),
        ] {
            assert_eq!(nearest(name, &known), expected, "{name}");
        }
    }
}
