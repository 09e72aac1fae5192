//! SHA-256 and the two hashes of RFC 6962.

use std::fmt;

use aws_lc_rs::digest;

/// A SHA-256 digest.
pub type Digest = [u8; 32];

/// SHA-256 of `bytes`.
#[must_use]
pub fn sha256(bytes: &[u8]) -> Digest {
    exactly(&digest::digest(&digest::SHA256, bytes))
}

/// SHA-256 of a stream.
#[derive(Clone)]
pub struct Hasher(digest::Context);

impl Hasher {
    /// Starts with nothing hashed.
    #[must_use]
    pub fn new() -> Self {
        Self(digest::Context::new(&digest::SHA256))
    }

    /// Adds bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of everything added.
    #[must_use]
    pub fn finish(self) -> Digest {
        exactly(&self.0.finish())
    }
}

impl Default for Hasher {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hasher(..)")
    }
}

impl std::io::Write for Hasher {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

pub(crate) fn concat(parts: &[&[u8]]) -> Digest {
    let mut hasher = Hasher::new();
    parts.iter().for_each(|part| hasher.update(part));
    hasher.finish()
}

/// RFC 6962 leaf hash.
pub(crate) fn leaf_hash(leaf: &[u8]) -> Digest {
    concat(&[&[0], leaf])
}

/// RFC 6962 node hash.
pub(crate) fn node_hash(left: &Digest, right: &Digest) -> Digest {
    // In one piece: half of all work in a large log is done here.
    let mut bytes = [1; 65];
    let [_, body @ ..] = &mut bytes;
    let (to_left, to_right) = body.split_at_mut(32);
    to_left.copy_from_slice(left);
    to_right.copy_from_slice(right);
    sha256(&bytes)
}

/// SHA-256 always gives 32 bytes, so the default is never taken.
fn exactly(found: &digest::Digest) -> Digest {
    found.as_ref().try_into().unwrap_or_default()
}

/// Lower-case hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The inverse of [`hex`]: lower case only, so that each value has one spelling.
#[must_use]
pub fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
}

/// Serde for one digest as hexadecimal.
pub(crate) mod serde_hex {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub fn serialize<S: Serializer>(bytes: &(impl AsRef<[u8]> + ?Sized), to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&super::hex(bytes.as_ref()))
    }

    pub fn deserialize<'de, D: Deserializer<'de>, T: TryFrom<Vec<u8>>>(from: D) -> Result<T, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(from)?;
        super::from_hex(&text)
            .and_then(|bytes| T::try_from(bytes).ok())
            .ok_or_else(|| D::Error::custom("expected lower-case hexadecimal digits of the right length"))
    }
}

/// Serde for a list of digests as hexadecimal.
pub(crate) mod serde_hex_list {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::Digest;

    #[derive(Serialize, Deserialize)]
    struct Item(#[serde(with = "super::serde_hex")] Digest);

    pub fn serialize<S: Serializer>(list: &[Digest], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(list.iter().map(|digest| Item(*digest)))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Digest>, D::Error> {
        Ok(Vec::<Item>::deserialize(from)?.into_iter().map(|item| item.0).collect())
    }
}
