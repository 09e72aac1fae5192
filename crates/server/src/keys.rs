//! Keys of the vault in the forms that records, ledger and gateway take.

use std::sync::Arc;

use probity_events::{KeyError, SegmentKey, SegmentKeys};
use probity_vault::Vault;
use zeroize::Zeroizing;

const SEGMENT: &str = "segment";

/// Data keys of segments, sealed by the vault.
#[derive(Debug)]
pub struct VaultSegmentKeys(pub Arc<Vault>);

impl SegmentKeys for VaultSegmentKeys {
    fn fresh(&self) -> Result<SegmentKey, KeyError> {
        let key = self.0.data_key(SEGMENT).map_err(|error| KeyError::new(error.to_string()))?;
        Ok(SegmentKey { key: Zeroizing::new(*key.key.expose()), sealed: key.sealed })
    }
    fn open(&self, sealed: &[u8]) -> Result<SegmentKey, KeyError> {
        let key = self.0.open_data_key(SEGMENT, sealed).map_err(|error| KeyError::new(error.to_string()))?;
        Ok(SegmentKey { key: Zeroizing::new(*key.key.expose()), sealed: sealed.to_vec() })
    }
}
