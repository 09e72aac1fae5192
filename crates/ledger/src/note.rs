//! C2SP signed notes with Ed25519: keys, their names and ids, signing and checking text.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::LogId;
use crate::hash::{concat, from_hex, hex};

/// Signature type of Ed25519 in C2SP notes.
const ED25519_TYPE: u8 = 1;
/// Longest key name, in bytes.
const MAX_NAME: usize = 255;
/// Longest note read; the specification asks for room for 16 signatures of about 5 kB.
pub const MAX_NOTE_BYTES: usize = 128 * 1024;
/// Most signatures looked at in one note.
const MAX_SIGNATURES: usize = 64;

/// What is wrong with a note or a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoteError {
    /// A key name that a note cannot carry.
    #[error(
        "`{0}` is not a key name: expected 1 to 255 bytes without spaces, control characters, `+` and leading `@`"
    )]
    Name(String),
    /// Not a C2SP verifier key.
    #[error(
        "`{0}` is not a verifier key: expected `<name>+<8 hexadecimal digits>+<base64>` of an Ed25519 key"
    )]
    VerifierKey(String),
    /// The name and key of a verifier key give another id than it states.
    #[error("verifier key `{0}` states an id that its name and key do not give")]
    KeyId(String),
    /// Not a signed note.
    #[error("not a signed note: {0}")]
    Format(&'static str),
    /// No signature by the key.
    #[error("not signed by key `{name}` with id {id}")]
    Unsigned {
        /// Name of the key looked for.
        name: String,
        /// Its id.
        id: String,
    },
    /// A signature that names the key but does not verify.
    #[error("signature of key `{0}` does not verify")]
    BadSignature(String),
    /// The key was refused by the cryptographic module.
    #[error("cryptographic module refused the key")]
    Crypto,
}

/// A named Ed25519 key that signs checkpoints.
#[derive(Clone)]
pub struct SigningKey {
    pair: Arc<Ed25519KeyPair>,
    verifier: VerifierKey,
}

impl SigningKey {
    /// The key of a 32-byte seed under a name, by custom a schema-less URL such as `probity.example`.
    ///
    /// # Errors
    /// [`NoteError::Name`] for a name that a note cannot carry.
    pub fn from_seed(seed: &[u8; 32], name: impl Into<String>) -> Result<Self, NoteError> {
        let name = checked_name(name.into())?;
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| NoteError::Crypto)?;
        let key = <[u8; 32]>::try_from(pair.public_key().as_ref()).map_err(|_| NoteError::Crypto)?;
        Ok(Self { pair: Arc::new(pair), verifier: VerifierKey { name, key } })
    }

    /// The public half.
    #[must_use]
    pub fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    /// The same key under the origin of `log`.
    #[must_use]
    pub fn for_log(&self, log: LogId) -> Self {
        Self { pair: Arc::clone(&self.pair), verifier: self.verifier.for_log(log) }
    }

    /// Signs `text`, which ends in a newline, and returns the whole note.
    pub(crate) fn sign_note(&self, text: &str) -> String {
        let signature = self.pair.sign(text.as_bytes());
        let bytes = [self.verifier.id().as_slice(), signature.as_ref()].concat();
        format!("{text}\n\u{2014} {} {}\n", self.verifier.name, STANDARD.encode(bytes))
    }

    /// Signs arbitrary bytes; the caller separates domains.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        let signature = self.pair.sign(message);
        let mut out = [0; 64];
        out.iter_mut().zip(signature.as_ref()).for_each(|(to, from)| *to = *from);
        out
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("verifier", &self.verifier).finish_non_exhaustive()
    }
}

/// The public half of a [`SigningKey`]; as text a C2SP verifier key.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    key: [u8; 32],
}

impl VerifierKey {
    /// Reads `<name>+<id>+<base64 of type and key>`.
    ///
    /// # Errors
    /// [`NoteError::VerifierKey`], [`NoteError::KeyId`] or [`NoteError::Name`].
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let refused = || NoteError::VerifierKey(text.chars().take(MAX_NAME).collect());
        let mut parts = text.trim().splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(refused());
        };
        let id = from_hex(id).filter(|id| id.len() == 4).ok_or_else(refused)?;
        let key = STANDARD.decode(key).map_err(|_| refused())?;
        let key = match key.split_first() {
            Some((&ED25519_TYPE, key)) => <[u8; 32]>::try_from(key).map_err(|_| refused())?,
            _ => return Err(refused()),
        };
        let parsed = Self { name: checked_name(name.into())?, key };
        if parsed.id().as_slice() != id {
            return Err(NoteError::KeyId(parsed.name));
        }
        Ok(parsed)
    }

    /// The C2SP text of this key.
    #[must_use]
    pub fn encode(&self) -> String {
        let typed = [&[ED25519_TYPE], self.key.as_slice()].concat();
        format!("{}+{}+{}", self.name, hex(&self.id()), STANDARD.encode(typed))
    }

    /// The key's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The raw public key.
    #[must_use]
    pub fn public_key(&self) -> &[u8; 32] {
        &self.key
    }

    /// First four bytes of SHA-256 over name, newline, type and key.
    #[must_use]
    pub fn id(&self) -> [u8; 4] {
        let digest = concat(&[self.name.as_bytes(), b"\n", &[ED25519_TYPE], &self.key]);
        let [a, b, c, d, ..] = digest;
        [a, b, c, d]
    }

    /// The same key under the origin of `log`: a name that ends in the log's name is kept.
    #[must_use]
    pub fn for_log(&self, log: LogId) -> Self {
        match LogId::of_name(&self.name) {
            Some(named) if named == log => self.clone(),
            _ => Self { name: format!("{}/{log}", self.name), key: self.key },
        }
    }

    /// Whether this key may speak for `log`: it names that log or none.
    #[must_use]
    pub fn is_for(&self, log: LogId) -> bool {
        LogId::of_name(&self.name).is_none_or(|named| named == log)
    }

    /// Checks a signature made by [`SigningKey::sign`].
    #[must_use]
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.key).verify(message, signature).is_ok()
    }

    /// Checks that `note` carries a good signature by this key.
    pub(crate) fn check(&self, note: &Note<'_>) -> Result<(), NoteError> {
        let id = self.id();
        let mut good = false;
        for signature in note.signatures.iter().filter(|s| s.name == self.name && s.id == id) {
            if !self.verifies(note.text.as_bytes(), &signature.bytes) {
                return Err(NoteError::BadSignature(self.name.clone()));
            }
            good = true;
        }
        if good { Ok(()) } else { Err(NoteError::Unsigned { name: self.name.clone(), id: hex(&id) }) }
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.encode())
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifierKey({self})")
    }
}

/// A note taken apart; nothing is verified yet.
#[derive(Debug)]
pub struct Note<'a> {
    /// The signed text with its last newline.
    pub text: &'a str,
    pub signatures: Vec<Signature<'a>>,
}

#[derive(Debug)]
pub struct Signature<'a> {
    pub name: &'a str,
    pub id: [u8; 4],
    pub bytes: Vec<u8>,
}

impl<'a> Note<'a> {
    pub fn parse(note: &'a str) -> Result<Self, NoteError> {
        if note.len() > MAX_NOTE_BYTES {
            return Err(NoteError::Format("longer than 128 KiB"));
        }
        if note.bytes().any(|byte| byte < 0x20 && byte != b'\n') {
            return Err(NoteError::Format("control characters"));
        }
        let at = note.rfind("\n\n").ok_or(NoteError::Format("no blank line before the signatures"))?;
        let (text, rest) = note.split_at_checked(at + 1).ok_or(NoteError::Format("no signed text"))?;
        let lines = rest.strip_prefix('\n').unwrap_or_default();
        let lines = lines.strip_suffix('\n').ok_or(NoteError::Format("no newline at its end"))?;
        let signatures: Vec<_> =
            lines.split('\n').take(MAX_SIGNATURES + 1).map(signature).collect::<Result<_, _>>()?;
        if signatures.len() > MAX_SIGNATURES {
            return Err(NoteError::Format("more than 64 signatures"));
        }
        Ok(Self { text, signatures })
    }
}

fn signature(line: &str) -> Result<Signature<'_>, NoteError> {
    let refused = NoteError::Format("signature line: expected em dash, key name and base64");
    let Some((name, encoded)) = line.strip_prefix("\u{2014} ").and_then(|rest| rest.split_once(' ')) else {
        return Err(refused);
    };
    if !is_name(name) {
        return Err(refused);
    }
    let bytes = STANDARD.decode(encoded).map_err(|_| refused.clone())?;
    let Some((id, bytes)) = bytes.split_first_chunk::<4>() else { return Err(refused) };
    if bytes.is_empty() {
        return Err(refused);
    }
    Ok(Signature { name, id: *id, bytes: bytes.to_vec() })
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(|c| c.is_whitespace() || c.is_control() || c == '+')
}

/// Our own names are also bounded, and never start a record of the checkpoint history.
fn checked_name(name: String) -> Result<String, NoteError> {
    if is_name(&name) && name.len() <= MAX_NAME && !name.starts_with('@') {
        return Ok(name);
    }
    Err(NoteError::Name(name.chars().take(MAX_NAME).collect()))
}

#[cfg(test)]
mod tests;
