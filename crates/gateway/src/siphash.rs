//! SipHash-1-3 (Aumasson and Bernstein): a short keyed hash for joining and counting, where neither the value nor the
//! key may be guessed from it. Not for secrets that must resist a collision search: those get HMAC-SHA-256.

#[derive(Clone, Copy)]
pub(crate) struct SipKey(u64, u64);

impl std::fmt::Debug for SipKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SipKey")
    }
}

impl SipKey {
    pub fn new(key: [u8; 16]) -> Self {
        let whole = u128::from_le_bytes(key);
        Self(whole as u64, (whole >> 64) as u64)
    }

    pub fn hash(self, data: &[u8]) -> u64 {
        self.finish(self.begin(), data, data.len())
    }

    /// The hash of a number and data after it: for hashing several parts, each after the hash of those before.
    pub fn chain(self, before: u64, data: &[u8]) -> u64 {
        let mut state = self.begin();
        absorb(&mut state, before);
        self.finish(state, data, data.len() + size_of::<u64>())
    }

    fn begin(self) -> [u64; 4] {
        [
            self.0 ^ 0x736f_6d65_7073_6575,
            self.1 ^ 0x646f_7261_6e64_6f6d,
            self.0 ^ 0x6c79_6765_6e65_7261,
            self.1 ^ 0x7465_6462_7974_6573,
        ]
    }

    fn finish(self, mut state: [u64; 4], data: &[u8], len: usize) -> u64 {
        let (words, rest) = data.as_chunks::<8>();
        for word in words {
            absorb(&mut state, u64::from_le_bytes(*word));
        }
        let last = rest.iter().rev().fold(0u64, |last, byte| last << 8 | u64::from(*byte));
        absorb(&mut state, last | (len as u64) << 56);
        state[2] ^= 0xff;
        (0..3).for_each(|_| round(&mut state));
        state[0] ^ state[1] ^ state[2] ^ state[3]
    }
}

fn absorb(state: &mut [u64; 4], word: u64) {
    state[3] ^= word;
    round(state);
    state[0] ^= word;
}

fn round([a, b, c, d]: &mut [u64; 4]) {
    *a = a.wrapping_add(*b);
    *b = b.rotate_left(13) ^ *a;
    *a = a.rotate_left(32);
    *c = c.wrapping_add(*d);
    *d = d.rotate_left(16) ^ *c;
    *a = a.wrapping_add(*d);
    *d = d.rotate_left(21) ^ *a;
    *c = c.wrapping_add(*b);
    *b = b.rotate_left(17) ^ *c;
    *c = c.rotate_left(32);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_mixes_like_the_family() {
        // The standard library keeps its SipHash-1-3 to itself; with the key zero it is what `DefaultHasher::new` does.
        use std::hash::Hasher;
        let key = SipKey::new([0; 16]);
        for len in 0..70 {
            let data: Vec<u8> = (0..len).collect();
            let mut expected = std::hash::DefaultHasher::new();
            expected.write(&data);
            assert_eq!(key.hash(&data), expected.finish(), "{len}");
        }
        for len in 0..20 {
            let data: Vec<u8> = (0..len).collect();
            let whole: Vec<u8> = 7u64.to_le_bytes().into_iter().chain(data.clone()).collect();
            assert_eq!(key.chain(7, &data), key.hash(&whole), "{len}");
        }
        let keyed = SipKey::new(std::array::from_fn(|n| n as u8));
        assert_ne!(keyed.hash(b"a"), key.hash(b"a"));
    }
}
