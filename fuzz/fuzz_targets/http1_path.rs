//! Paths: what is accepted resolves to one place, also for a server that decodes once or twice.
#![no_main]

use libfuzzer_sys::fuzz_target;
use probity_http1::check_path;

fuzz_target!(|target: &[u8]| {
    if check_path(target).is_err() {
        return;
    }
    let path = target.split(|byte| *byte == b'?').next().unwrap_or_default();
    let once = decode(path);
    for path in [path, &once, &decode(&once)] {
        assert!(!path.iter().any(|byte| *byte < 0x20 || *byte == 0x7f));
        let dots = |segment: &[u8]| {
            let stem = segment.split(|byte| *byte == b';').next().unwrap_or_default();
            matches!(stem, b"." | b"..")
        };
        assert!(!path.split(|byte| matches!(byte, b'/' | b'\\')).any(dots));
    }
});

fn decode(path: &[u8]) -> Vec<u8> {
    let digit = |byte: u8| (byte as char).to_digit(16);
    let (mut out, mut rest) = (Vec::new(), path);
    while let [first, tail @ ..] = rest {
        match tail {
            [high, low, after @ ..] if *first == b'%' && digit(*high).is_some() && digit(*low).is_some() => {
                out.push((digit(*high).unwrap_or(0) << 4 | digit(*low).unwrap_or(0)) as u8);
                rest = after;
            }
            _ => {
                out.push(*first);
                rest = tail;
            }
        }
    }
    out
}
