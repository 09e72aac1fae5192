use super::*;

#[test]
fn folders_are_entered_only_if_they_can_hold_later_tiles() {
    let level = Level::Hashes(0);
    let check = |folder: &str, first: u64, expected: bool| {
        assert_eq!(may_hold(&format!("tile/0/{folder}"), level, first), expected, "{folder} from {first}");
    };
    check("005.p", 5, true);
    check("004.p", 5, false);
    check("x001", 1000, true);
    check("x001", 1999, true);
    check("x001", 2000, false);
    check("x001/234.p", 1234, true);
    check("x001/233.p", 1234, false);
    check("x001", 999, true);
    check("x001", 1_000_000, true);
    check("x001/x000", 1_000_000, true);
    check("x000", 1_001_000, false);
    check("x001/x000", 1_001_000, false);
    check("x001/x001", 1_001_000, true);
}
