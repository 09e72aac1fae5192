//! Leads a token back to its value: an administrative act, whoever asks and whether or not there is such a token.
//!
//! The map is the gateway's (`probity_gateway::TokenMap`); here it is only read. The act holds the token, its class and the
//! reason, never the value.

use probity_gateway::{TOKEN_PREFIX, TokenMap};
use probity_model::DataClass;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::App;
use crate::clock::now;

/// Shortest reason that says anything.
const MIN_REASON: usize = 4;
const MAX_REASON: usize = 1000;

/// A token's value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Revealed {
    pub token: String,
    pub class: DataClass,
    pub value: String,
}

impl App {
    pub(super) fn token_reveal(&self, token: &str, reason: &str) -> anyhow::Result<Revealed> {
        let reason = reason.trim();
        if !(MIN_REASON..=MAX_REASON).contains(&reason.len()) {
            anyhow::bail!("a reason of {MIN_REASON} to {MAX_REASON} bytes is needed, which the ledger keeps");
        }
        if !token.starts_with(TOKEN_PREFIX) || token.len() > 64 {
            anyhow::bail!("this is no token, expected `{TOKEN_PREFIX}` and 26 letters and digits");
        }
        let file = self.data.join("tokens");
        let found = match file.exists() {
            true => {
                let key = self.vault.signing_seed("bundle-secrets")?;
                TokenMap::read(key.expose(), &file)?.value(token)
            }
            false => None,
        };
        let class = found.as_ref().map(|(class, _)| class.clone());
        // Before the value is told: what is not in the ledger did not happen.
        self.act("token-reveal", json!({"token": token, "class": class, "reason": reason}), now())?;
        let Some((class, value)) = found else {
            anyhow::bail!("token `{token}` is unknown here");
        };
        Ok(Revealed { token: token.to_owned(), class, value: String::from_utf8_lossy(&value).into_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::Bench;
    use super::*;

    #[test]
    fn a_token_is_revealed_for_a_reason_and_on_record() {
        let bench = Bench::new();
        let app = bench.app();
        let key = app.vault.signing_seed("bundle-secrets").unwrap();
        let map = TokenMap::open(key.expose(), Some(&app.data.join("tokens"))).unwrap();
        let token = map.token(&DataClass::CardNumber, b"4111111111111111").unwrap();
        assert!(app.token_reveal(&token, " x ").is_err());
        assert!(app.token_reveal("4111111111111111", "chargeback 7").is_err());
        assert!(
            app.handle.block_on(app.store.acts(10)).unwrap().iter().all(|act| act.kind != "token-reveal")
        );
        let revealed = app.token_reveal(&token, "chargeback 7").unwrap();
        assert_eq!((revealed.class, revealed.value.as_str()), (DataClass::CardNumber, "4111111111111111"));
        let unknown = "ptk_aaaaaaaaaaaaaaaaaaaaaaaaaa";
        assert!(app.token_reveal(unknown, "chargeback 8").is_err());
        let acts = app.handle.block_on(app.store.acts(2)).unwrap();
        assert_eq!(acts[0].document["class"], serde_json::Value::Null);
        assert_eq!(acts[1].kind, "token-reveal");
        assert_eq!(
            (&acts[1].document["reason"], &acts[1].document["by"]),
            (&json!("chargeback 7"), &json!("test"))
        );
        assert!(acts[1].ledger_index.is_some() && !format!("{acts:?}").contains("4111"));
    }
}
