//! Opaque tokens: the issuer is asked what it knows (RFC 7662), once for all who present the same token at the same time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use probity_model::Timestamp;
use probity_model::bundle::identity::token::Introspection;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::address::{Address, AddressError};
use super::fault::TokenFault;
use super::fetch::{Ask, Client, FetchError};
use super::flight::Flight;
use super::memory::Keys;
use super::remote::Remote;
use super::strict;
use crate::watch::lock;

/// Questions under way at once.
const MAX_QUESTIONS: usize = 1_024;
/// Bytes of an answer.
const MAX_ANSWER: usize = 64 * 1024;

type Claims = Arc<Map<String, Value>>;
type Answer = Result<Option<Claims>, FetchError>;

/// The questions to one issuer.
pub(super) struct Introspector {
    address: Option<Address>,
    prefix: Option<Arc<str>>,
    /// Value of `Authorization`.
    authorization: Arc<Zeroizing<String>>,
    pub positive_s: u32,
    pub negative_s: u32,
    asking: Mutex<HashMap<u128, Arc<Flight<Answer>>>>,
}

impl std::fmt::Debug for Introspector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Introspector").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Introspector {
    pub fn new(policy: &Introspection, secret: &[u8]) -> Result<Self, AddressError> {
        let credentials = Zeroizing::new(format!(
            "{}:{}",
            form_encoded(policy.client_id.as_bytes()),
            &*Zeroizing::new(form_encoded(secret.trim_ascii_end()))
        ));
        Ok(Self {
            address: policy.url.as_deref().map(Address::parse).transpose()?,
            prefix: policy.prefix.clone(),
            authorization: Arc::new(Zeroizing::new(format!(
                "Basic {}",
                &*Zeroizing::new(STANDARD.encode(credentials.as_bytes()))
            ))),
            positive_s: policy.positive_s,
            negative_s: policy.negative_s,
            asking: Mutex::default(),
        })
    }

    pub fn takes(&self, token: &[u8]) -> bool {
        self.prefix.as_ref().is_none_or(|prefix| token.starts_with(prefix.as_bytes()))
    }

    /// What the issuer says of an active token.
    pub async fn ask(
        &self,
        remote: &Arc<Remote>,
        token: &[u8],
        keys: &Keys,
        now: Timestamp,
    ) -> Result<Claims, TokenFault> {
        let unavailable =
            |error: FetchError| TokenFault::unavailable("gateway-introspection-unavailable", error.word());
        // RFC 6750's alphabet: what is not a token is not worth a question.
        if token.is_empty()
            || !token.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(byte))
        {
            return Err(TokenFault::token("gateway-jwt-malformed", "token", "not-a-token"));
        }
        let [high, low] = keys.sip.map(|key| key.hash(token));
        let name = u128::from(high) << 64 | u128::from(low);
        let question = self.question(name).ok_or_else(|| unavailable(FetchError::TooSoon))?;
        let address = match &self.address {
            Some(address) => Ok(address.clone()),
            None => remote.introspection(now).await,
        };
        let answer = match (address, remote.client()) {
            (Ok(address), Some(client)) => {
                let (client, authorization) = (client.clone(), Arc::clone(&self.authorization));
                let token = token.to_vec();
                let begin = || ask(client, address, authorization, token);
                question.flight.join(|| true, begin).await.unwrap_or(Err(FetchError::Connect))
            }
            (Err(error), _) => Err(error),
            (_, None) => Err(FetchError::Content),
        };
        drop(question);
        match answer {
            Ok(Some(claims)) => Ok(claims),
            Ok(None) => Err(TokenFault::token("gateway-token-inactive", "token", "not-active")),
            Err(error) => {
                tracing::warn!(%error, "a token cannot be asked about");
                Err(unavailable(error))
            }
        }
    }

    fn question(&self, name: u128) -> Option<Question<'_>> {
        let mut asking = lock(&self.asking);
        let flight = match asking.get(&name) {
            Some(flight) => Arc::clone(flight),
            None if asking.len() >= MAX_QUESTIONS => return None,
            None => Arc::clone(asking.entry(name).or_default()),
        };
        Some(Question { introspector: self, name, flight })
    }
}

/// One who waits. The last one to go, also by being cut off, takes the question from the list.
struct Question<'a> {
    introspector: &'a Introspector,
    name: u128,
    flight: Arc<Flight<Answer>>,
}

impl Drop for Question<'_> {
    fn drop(&mut self) {
        let mut asking = lock(&self.introspector.asking);
        // The list's own and this one; all are made under this lock.
        if Arc::strong_count(&self.flight) <= 2 {
            asking.remove(&self.name);
        }
    }
}

async fn ask(
    client: Client,
    address: Address,
    authorization: Arc<Zeroizing<String>>,
    token: Vec<u8>,
) -> Answer {
    let body = Zeroizing::new(format!("token={}&token_type_hint=access_token", form_encoded(&token)));
    let ask = Ask::Form { body: body.as_bytes(), authorization: authorization.as_str() };
    let fetched = client.fetch(&address, ask).await?;
    let claims = strict::object(&fetched.body, MAX_ANSWER).map_err(|_| FetchError::Content)?;
    match claims.get("active") {
        Some(Value::Bool(true)) => Ok(Some(Arc::new(claims))),
        Some(Value::Bool(false)) => Ok(None),
        _ => Err(FetchError::Content),
    }
}

/// `application/x-www-form-urlencoded`, as RFC 6749 wants credentials too.
fn form_encoded(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'-' | b'.' | b'_' | b'*' => {
                out.push(char::from(*byte))
            }
            _ => {
                let digit =
                    |digit: u8| char::from_digit(digit.into(), 16).unwrap_or('0').to_ascii_uppercase();
                out.extend(['%', digit(byte >> 4), digit(byte & 15)]);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_encoded() {
        assert_eq!(form_encoded(b"aZ09-._*"), "aZ09-._*");
        assert_eq!(form_encoded(b"a b+c/=\xff:~"), "a%20b%2Bc%2F%3D%FF%3A%7E");
    }
}
