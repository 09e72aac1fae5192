use proptest::prelude::*;

use super::*;
use crate::SigningKey;

fn checkpoints(count: u8) -> Vec<Checkpoint> {
    let key = SigningKey::from_seed(&[1; 32], "a/evidence").unwrap();
    (0..count).map(|size| Checkpoint::sign(&key, size.into(), [size; 32])).collect()
}

fn written(list: &[Checkpoint]) -> Vec<u8> {
    let mut before = START.to_owned();
    let mut out = String::new();
    for checkpoint in list {
        let (text, digest) = record(&before, checkpoint);
        out += &text;
        before = digest;
    }
    out.into_bytes()
}

#[test]
fn reads_what_it_writes() {
    let list = checkpoints(4);
    let (records, damage) = records(&written(&list));
    assert_eq!(records.iter().map(|record| record.checkpoint.clone()).collect::<Vec<_>>(), list);
    assert!(damage.is_empty());
    assert_eq!(records[0].before, START);
    assert!(records.windows(2).all(|pair| pair[1].before == pair[0].digest));
}

#[test]
fn a_torn_tail_spoils_the_last_record_alone() {
    let list = checkpoints(3);
    let bytes = written(&list);
    let whole = written(&list[..2]).len();
    for len in whole..bytes.len() {
        let (records, damage) = records(&bytes[..len]);
        assert_eq!(records.len(), 2, "{len}");
        assert_eq!(
            damage.iter().map(|damage| damage.at).collect::<Vec<_>>(),
            Vec::from_iter((len > whole).then_some(whole))
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_flip_spoils_its_record_alone(at: usize, bit in 0..8_u8) {
        let list = checkpoints(5);
        let mut bytes = written(&list);
        let at = at % bytes.len();
        bytes[at] ^= 1 << bit;
        let (records, damage) = records(&bytes);
        prop_assert_eq!(damage.len(), 1);
        prop_assert!(records.len() >= 3, "{} records", records.len());
        prop_assert!(records.iter().all(|record| list.contains(&record.checkpoint)));
    }

    #[test]
    fn any_bytes_read(bytes in "(@[0-9]{1,3} [0-9a-f]{16} [0-9a-f]{16}\n|[a-z\n@]{1,9}){0,9}") {
        let _ = records(bytes.as_bytes());
    }
}
