//! The operator's challenge: what is answered, and the passes that end it. Who gives passes out, and for what, is the
//! operator's; the gateway only knows their key.

use std::net::IpAddr;

use aws_lc_rs::hmac;
use bytes::Bytes;
use probity_model::bundle::limits::{CHALLENGE_FIELDS, Challenge as Policy, ChallengeAnswer, PassPlace};

use super::caller::network_text;
use crate::enforce::BuildError;
use crate::enforce::ruling::{OwnAnswer, Ruling};
use crate::ingress::Call;

const LEAST_KEY_BYTES: usize = 16;
const MOST_KEY_BYTES: usize = 4096;
const TAG_BYTES: usize = 32;
/// A pass that claims to be good for longer is none.
const LONGEST_SECONDS: u64 = 24 * 3600;
const DOMAIN: &str = "probity-challenge-v1";

pub(super) struct Challenge {
    key: hmac::Key,
    pass: PassPlace,
    status: u16,
    fields: Vec<(&'static str, String)>,
    answer: OwnAnswer,
}

impl std::fmt::Debug for Challenge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Challenge")
            .field("pass", &self.pass)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

impl Challenge {
    pub fn build(policy: &Policy) -> Result<Self, BuildError> {
        let key = std::fs::read(&policy.key_file)
            .map_err(|error| format!("the challenge's key `{}` cannot be read: {error}", policy.key_file))?;
        let key = key.trim_ascii();
        if !(LEAST_KEY_BYTES..=MOST_KEY_BYTES).contains(&key.len()) {
            return Err(format!(
                "the challenge's key `{}` has {} bytes, expected {LEAST_KEY_BYTES} to {MOST_KEY_BYTES}",
                policy.key_file,
                key.len()
            )
            .into());
        }
        let text = |content_type: &str, body: &str| OwnAnswer {
            content_type: content_type.to_owned(),
            body: Bytes::copy_from_slice(body.as_bytes()),
        };
        let (status, fields, answer) = match &policy.answer {
            ChallengeAnswer::Redirect(to) => {
                (303, vec![("location", to.to_string())], text("text/plain", ""))
            }
            ChallengeAnswer::Body { status, content_type, body, fields } => {
                let known = |name: &str| CHALLENGE_FIELDS.into_iter().find(|known| *known == name);
                let fields = fields.iter().map(|(name, value)| {
                    let known = known(name).ok_or_else(|| format!("a challenge cannot set `{name}`"));
                    known.map(|name| (name, value.to_string()))
                });
                (*status, fields.collect::<Result<_, String>>()?, text(content_type, body))
            }
        };
        let key = hmac::Key::new(hmac::HMAC_SHA256, key);
        Ok(Self { key, pass: policy.pass.clone(), status, fields, answer })
    }

    /// Makes the ruling's answer the operator's.
    pub fn put(&self, ruling: &mut Ruling) {
        ruling.status = self.status;
        ruling.fields.extend(self.fields.iter().cloned());
        ruling.answer = Some(self.answer.clone());
    }

    /// Whether a call carries a pass that is good now and for its address.
    pub fn is_passed(&self, call: &Call, client: IpAddr, now: u64) -> bool {
        let Some(head) = &call.head else { return false };
        match &self.pass {
            PassPlace::Header(name) => {
                head.header(name.as_bytes()).is_some_and(|pass| self.is_good(pass, client, now))
            }
            PassPlace::Cookie(name) => head
                .fields()
                .values(b"cookie")
                .flat_map(|line| line.split(|byte| *byte == b';'))
                .filter_map(|pair| pair.trim_ascii().strip_prefix(name.as_bytes())?.strip_prefix(b"="))
                .any(|pass| self.is_good(pass, client, now)),
        }
    }

    fn is_good(&self, pass: &[u8], client: IpAddr, now: u64) -> bool {
        let Some((expiry, tag)) = std::str::from_utf8(pass).ok().and_then(|pass| pass.split_once('.')) else {
            return false;
        };
        let Some(tag) = unhex(tag) else { return false };
        let Ok(until) = expiry.parse::<u64>() else { return false };
        if until <= now || until - now > LONGEST_SECONDS {
            return false;
        }
        let signed = format!("{DOMAIN}\n{expiry}\n{}", network_text(client));
        hmac::verify(&self.key, signed.as_bytes(), &tag).is_ok()
    }
}

fn unhex(text: &str) -> Option<[u8; TAG_BYTES]> {
    let mut tag = [0; TAG_BYTES];
    if text.len() != 2 * TAG_BYTES {
        return None;
    }
    for (byte, pair) in tag.iter_mut().zip(text.as_bytes().as_chunks::<2>().0) {
        let digit = |letter: u8| char::from(letter).to_digit(16);
        *byte = u8::try_from(digit(pair[0])? << 4 | digit(pair[1])?).ok()?;
    }
    Some(tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn challenge() -> Challenge {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "0123456789abcdef\n").unwrap();
        let policy = Policy {
            key_file: file.path().display().to_string(),
            pass: PassPlace::Cookie("pass".into()),
            answer: ChallengeAnswer::Redirect("/prove".into()),
        };
        Challenge::build(&policy).unwrap()
    }

    #[test]
    fn passes_are_signed_for_an_address_and_a_time() {
        let challenge = challenge();
        let client: IpAddr = "192.0.2.7".parse().unwrap();
        let sign = |expiry: &str, address: &str| {
            let key = hmac::Key::new(hmac::HMAC_SHA256, b"0123456789abcdef");
            let tag = hmac::sign(&key, format!("probity-challenge-v1\n{expiry}\n{address}").as_bytes());
            let hex: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
            format!("{expiry}.{hex}")
        };
        let good = sign("1100", "192.0.2.7");
        for (pass, expected) in [
            (good.clone(), true),
            (sign("1100", "192.0.2.8"), false),
            (sign("1000", "192.0.2.7"), false),
            (sign("999999", "192.0.2.7"), false),
            (sign("x", "192.0.2.7"), false),
            (good.replace("1100.", "1101."), false),
            (good.replace('.', ""), false),
            (good.get(..good.len() - 1).unwrap().to_owned(), false),
            (String::new(), false),
            ("1100.".to_owned() + &"g".repeat(64), false),
        ] {
            assert_eq!(challenge.is_good(pass.as_bytes(), client, 1000), expected, "{pass}");
        }
    }

    #[test]
    fn a_key_must_be_one() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let policy = |key_file: String, fields| Policy {
            key_file,
            pass: PassPlace::Header("x-pass".into()),
            answer: ChallengeAnswer::Body {
                status: 403,
                content_type: "text/html".into(),
                body: "".into(),
                fields,
            },
        };
        let path = file.path().display().to_string();
        assert!(
            Challenge::build(&policy(path.clone(), vec![])).unwrap_err().to_string().contains("has 0 bytes")
        );
        assert!(Challenge::build(&policy("/nowhere/at/all".into(), vec![])).is_err());
        std::fs::write(file.path(), "0123456789abcdef").unwrap();
        assert!(Challenge::build(&policy(path.clone(), vec![("refresh".into(), "5".into())])).is_ok());
        assert!(Challenge::build(&policy(path, vec![("content-length".into(), "5".into())])).is_err());
    }
}
