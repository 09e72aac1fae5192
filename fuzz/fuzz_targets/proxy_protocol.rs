//! PROXY protocol headers: a verdict stays what it is when more bytes come, and a header is never longer than what was
//! given.
#![no_main]

use libfuzzer_sys::fuzz_target;
use probity_gateway::read_proxy_header;

fuzz_target!(|bytes: &[u8]| {
    let whole = read_proxy_header(bytes);
    if let Ok(Some(header)) = whole {
        assert!(header.length <= bytes.len());
        let exact = bytes.get(..header.length).unwrap_or_default();
        assert_eq!(read_proxy_header(exact), whole);
        let short = bytes.get(..header.length - 1).unwrap_or_default();
        assert_eq!(read_proxy_header(short), Ok(None));
    }
    for end in 0..bytes.len().min(64) {
        match read_proxy_header(bytes.get(..end).unwrap_or_default()) {
            Ok(None) => {}
            decided => assert_eq!(decided, whole),
        }
    }
});
