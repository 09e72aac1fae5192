//! W3C Trace Context: `traceparent` and `tracestate`, read strictly, written in version 00.
//!
//! A field that is not as it must be counts as absent, and a new trace begins (recommendation, 3.2.2.3 and 4.2).

use probity_http1::RequestHead;

/// Longest `tracestate` that is carried on, all its fields together.
const MAX_STATE: usize = 512;
const MAX_MEMBERS: usize = 32;
/// `00-`, 32 digits, `-`, 16 digits, `-`, 2 digits.
const PARENT_LENGTH: usize = 55;
const MAX_KEY: usize = 256;
const MAX_VALUE: usize = 256;
const SAMPLED: u8 = 1;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Context {
    pub id: [u8; 16],
    /// The client's span; absent where the trace begins here.
    pub parent: Option<[u8; 8]>,
    pub sampled: bool,
    pub state: Option<String>,
}

impl Context {
    /// A trace that begins here; of all ids, that part of `ratio` is sampled.
    pub fn new(id: [u8; 16], ratio: f64) -> Self {
        let sampled = id.last_chunk::<8>().is_some_and(|low| {
            // 53 bits, which a float holds exactly.
            let position = (u64::from_be_bytes(*low) >> 11) as f64 / (1_u64 << 53) as f64;
            position < ratio
        });
        Self { id, parent: None, sampled, state: None }
    }

    /// The trace that a request continues.
    pub fn of(head: &RequestHead) -> Option<Self> {
        let mut parents = fields(head, b"traceparent");
        let parent = parents.next()?;
        if parents.next().is_some() {
            return None;
        }
        Some(Self { state: read_state(fields(head, b"tracestate")), ..read_parent(parent)? })
    }

    /// The field for whom is asked next, by the span `parent`.
    pub fn traceparent(&self, parent: [u8; 8]) -> String {
        let flags = if self.sampled { "01" } else { "00" };
        format!("00-{}-{}-{flags}", crate::bundle::hex(&self.id), crate::bundle::hex(&parent))
    }
}

fn fields<'a>(head: &'a RequestHead, name: &'static [u8]) -> impl Iterator<Item = &'a [u8]> {
    head.end_to_end().filter(move |(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

fn read_parent(value: &[u8]) -> Option<Context> {
    let (known, rest) = value.split_at_checked(PARENT_LENGTH)?;
    let mut parts = known.split(|byte| *byte == b'-');
    let [version] = digits(parts.next()?)?;
    let (id, parent, [flags]) = (digits(parts.next()?)?, digits(parts.next()?)?, digits(parts.next()?)?);
    // Of later versions the beginning is known; more may follow after a dash.
    let ends = rest.is_empty() || (version > 0 && rest.first() == Some(&b'-'));
    let valid = version != 0xff && ends && parts.next().is_none() && id != [0; 16] && parent != [0; 8];
    valid.then_some(Context { id, parent: Some(parent), sampled: flags & SAMPLED != 0, state: None })
}

/// Exactly so many bytes in lower-case hex.
fn digits<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = text.as_chunks::<2>();
    if pairs.len() != N || !rest.is_empty() {
        return None;
    }
    let mut out = [0; N];
    for (into, [high, low]) in out.iter_mut().zip(pairs) {
        *into = digit(*high)? << 4 | digit(*low)?;
    }
    Some(out)
}

/// All lists as one; none of it where any of it is malformed or there is too much.
fn read_state<'a>(values: impl Iterator<Item = &'a [u8]>) -> Option<String> {
    let mut out = String::new();
    let mut keys: Vec<&str> = Vec::new();
    for member in values.flat_map(|value| value.split(|byte| *byte == b',')) {
        let member = std::str::from_utf8(member).ok()?.trim_matches([' ', '\t']);
        if member.is_empty() {
            continue;
        }
        let (key, value) = member.split_once('=')?;
        if !is_key(key) || !is_value(value) || keys.contains(&key) || keys.len() == MAX_MEMBERS {
            return None;
        }
        if !out.is_empty() {
            out.push(',');
        }
        if out.len() + member.len() > MAX_STATE {
            return None;
        }
        out.push_str(member);
        keys.push(key);
    }
    (!out.is_empty()).then_some(out)
}

fn is_key(key: &str) -> bool {
    let letters = |text: &str| {
        text.bytes().all(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-' | b'*' | b'/')
        })
    };
    let begins = |text: &str, digit: bool| {
        text.bytes()
            .next()
            .is_some_and(|first| first.is_ascii_lowercase() || (digit && first.is_ascii_digit()))
    };
    match key.split_once('@') {
        None => key.len() <= MAX_KEY && letters(key) && begins(key, false),
        Some((tenant, system)) => {
            let fits = tenant.len() <= 241 && system.len() <= 14;
            fits && letters(tenant) && begins(tenant, true) && letters(system) && begins(system, false)
        }
    }
}

fn is_value(value: &str) -> bool {
    (1..=MAX_VALUE).contains(&value.len())
        && value.bytes().all(|byte| matches!(byte, 0x20..=0x7e) && !matches!(byte, b',' | b'='))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn parents() {
        let with = |from: &str, to: &str| PARENT.replacen(from, to, 1);
        for (text, expected) in [
            (PARENT.to_owned(), Some(true)),
            (with("-01", "-00"), Some(false)),
            (with("-01", "-03"), Some(true)),
            (with("00-", "cc-"), Some(true)),
            (with("00-", "cc-") + "-more.of.it", Some(true)),
            (with("00-", "cc-") + "more", None),
            (PARENT.to_owned() + "-more", None),
            (PARENT.to_owned() + " ", None),
            (with("00-", "ff-"), None),
            (with("0af7", "0AF7"), None),
            (with("0af7651916cd43dd8448eb211c80319c", "00000000000000000000000000000000"), None),
            (with("b7ad6b7169203331", "0000000000000000"), None),
            (with("0af7", "0ag7"), None),
            (with("0af7", "0af"), None),
            (with("-b7", "_b7"), None),
            (with("-01", "-0"), None),
            (with("-01", "-0-"), None),
            (String::new(), None),
        ] {
            let read = read_parent(text.as_bytes());
            assert_eq!(read.as_ref().map(|context| context.sampled), expected, "{text}");
            if let Some(context) = read {
                let written = context.traceparent([0xab; 8]);
                assert_eq!(written.len(), PARENT_LENGTH);
                assert!(written.starts_with("00-0af7651916cd43dd8448eb211c80319c-abababababababab-"));
                assert_eq!(read_parent(written.as_bytes()).unwrap().sampled, context.sampled);
            }
        }
    }

    #[test]
    fn states() {
        let read = |values: &[&str]| read_state(values.iter().map(|value| value.as_bytes()));
        let many: Vec<String> = (0..33).map(|n| format!("k{n}=v")).collect();
        for (values, expected) in [
            (&["rojo=00f067aa0ba902b7"][..], Some("rojo=00f067aa0ba902b7")),
            (&["a=1 , b=x y", "c@d=3"], Some("a=1,b=x y,c@d=3")),
            (&["", " ,a=1,,"], Some("a=1")),
            (&["a/*-_0=!~"], Some("a/*-_0=!~")),
            (&["9t@sys=1"], Some("9t@sys=1")),
            (&[""], None),
            (&["a"], None),
            (&["a="], None),
            (&["A=1"], None),
            (&["9a=1"], None),
            (&["t@9s=1"], None),
            (&["a=1", "a=2"], None),
            (&["a=1=2"], None),
            (&["a=\u{e9}"], None),
            (&["a=1\r\nx: y"], None),
        ] {
            assert_eq!(read(values).as_deref(), expected, "{values:?}");
        }
        assert_eq!(read(&[&many.join(",")]), None);
        assert_eq!(read(&[&many[..32].join(",")]), Some(many[..32].join(",")));
        let long = format!("a={}", "x".repeat(250));
        assert_eq!(read(&[&long]), Some(long.clone()));
        assert_eq!(read(&[&format!("a={}", "x".repeat(257))]), None);
        assert_eq!(read(&[&format!("{long},b={0},c={0}", "x".repeat(250))]), None, "too much together");
    }

    #[test]
    fn ratios() {
        let sampled = |ratio: f64| {
            let ids = (0..=255_u8).map(|first| {
                let mut id = [7; 16];
                id[8] = first;
                Context::new(id, ratio)
            });
            ids.filter(|context| context.sampled).count()
        };
        assert_eq!([0.0, 0.25, 0.5, 1.0].map(sampled), [0, 64, 128, 256]);
        let highest = Context::new([0xff; 16], 1.0);
        assert!(highest.sampled && !Context::new([0; 16], 0.0).sampled);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn any_bytes(parent in prop::collection::vec(any::<u8>(), 0..80), state in "[ -~]{0,80}") {
            let _ = read_parent(&parent);
            if let Some(carried) = read_state([state.as_bytes()].into_iter()) {
                prop_assert_eq!(read_state([carried.as_bytes()].into_iter()), Some(carried));
            }
        }
    }
}
