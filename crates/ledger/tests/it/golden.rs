//! The shapes that outlive the code, byte for byte. `PROBITY_BLESS=1` writes them anew, which is a decision.

use std::fs;
use std::path::{Path, PathBuf};

use probity_ledger::{
    Checkpoint, Ledger, MapAnswer, MapProof, MerkleMap, TlogProof, VerifyReport, hex, verify_dir,
};

use crate::{EVIDENCE, VERDICTS, folder, key, leaf, leaves};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

fn check(name: &str, actual: &[u8]) {
    let path = golden(name);
    if std::env::var_os("PROBITY_BLESS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, actual).unwrap();
    }
    let expected = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let show = String::from_utf8_lossy;
    assert!(expected == actual, "{name}\nexpected:\n{}\nactual:\n{}", show(&expected), show(actual));
}

fn build(dir: &Path) -> Ledger {
    let (ledger, _) = Ledger::open(dir, key()).unwrap();
    ledger.append(EVIDENCE, &leaves(0..3)).unwrap();
    ledger.append(EVIDENCE, &leaves(3..7)).unwrap();
    ledger.append(VERDICTS, &leaves(0..1)).unwrap();
    ledger
}

#[test]
fn files_of_a_ledger() {
    let dir = folder();
    let ledger = build(dir.path());
    for file in [
        "evidence/checkpoint",
        "evidence/checkpoints.log",
        "evidence/tile/0/000.p/3",
        "evidence/tile/0/000.p/7",
        "evidence/tile/entries/000.p/7",
        "verdicts/checkpoint",
    ] {
        let name = format!("ledger-v1/{file}");
        check(&name, &fs::read(dir.path().join(file)).unwrap());
    }
    check("evidence.vkey", ledger.verifier(EVIDENCE).encode().as_bytes());
    check("leaf-v1.json", &leaf(3).encode().unwrap());
    check("inclusion.tlog-proof", ledger.tlog_proof(EVIDENCE, 3).unwrap().to_string().as_bytes());
    let mut proof = ledger.tlog_proof(EVIDENCE, 6).unwrap();
    proof.extra = Some(b"context".to_vec());
    check("inclusion-extra.tlog-proof", proof.to_string().as_bytes());
    let pretty = serde_json::to_vec_pretty(&ledger.prove_inclusion(EVIDENCE, 3).unwrap()).unwrap();
    check("inclusion.json", &pretty);
    let pretty = serde_json::to_vec_pretty(&ledger.prove_consistency(EVIDENCE, 3, 7).unwrap()).unwrap();
    check("consistency.json", &pretty);
    let mut report = verify_dir(dir.path(), [key().verifier().clone()], [ledger.checkpoint(EVIDENCE)]);
    report.path = "DIR".into();
    check("verify-report-v1.json", &serde_json::to_vec_pretty(&report).unwrap());
    check("verify-report-v1.txt", report.to_string().as_bytes());
}

/// What the first version wrote must stay readable.
#[test]
fn committed_files_are_read() {
    let read = |name: &str| fs::read_to_string(golden(name)).unwrap();
    let vkey = probity_ledger::VerifierKey::parse(&read("evidence.vkey")).unwrap();
    let checkpoint = Checkpoint::parse(&read("ledger-v1/evidence/checkpoint")).unwrap();
    checkpoint.verify(&vkey).unwrap();
    let proof = TlogProof::parse(&read("inclusion.tlog-proof")).unwrap();
    proof.verify(read("leaf-v1.json").as_bytes(), &vkey).unwrap();
    let proof = TlogProof::parse(&read("inclusion-extra.tlog-proof")).unwrap();
    assert_eq!(proof.extra.as_deref(), Some(b"context".as_slice()));
    let report: VerifyReport = serde_json::from_str(&read("verify-report-v1.json")).unwrap();
    assert!(report.is_intact());
    let map: MapProof = serde_json::from_str(&read("map-absent-v1.json")).unwrap();
    let root: [u8; 32] =
        probity_ledger::from_hex(read("map-root-v1.txt").trim()).unwrap().try_into().unwrap();
    assert_eq!(map.verify(&root, b"pci-dss/6.4.3"), Ok(MapAnswer::Absent));
}

#[test]
fn merkle_map() {
    let keys = ["nist-800-228/REC-API-9", "pci-dss/6.4.1", "pci-dss/6.4.2", "pci-dss/8.2.1"];
    let map = MerkleMap::from_sorted(keys.map(|key| (key, probity_ledger::sha256(key.as_bytes())))).unwrap();
    check("map-root-v1.txt", format!("{}\n", hex(&map.root())).as_bytes());
    check("map-present-v1.json", &serde_json::to_vec_pretty(&map.prove(b"pci-dss/6.4.2")).unwrap());
    check("map-absent-v1.json", &serde_json::to_vec_pretty(&map.prove(b"pci-dss/6.4.3")).unwrap());
}
