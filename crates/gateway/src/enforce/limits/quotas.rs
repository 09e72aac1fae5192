//! The gateway's quotas: the book of what was used, and the journal behind it.

use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::hmac;
use probity_events::DiskStorage;
use probity_policy::limit::quota::{Period, Reservation};
use probity_policy::limit::{Quota, QuotaBook, Verdict};

use crate::journal::{Journal, Writer};
use crate::siphash::SipKey;

/// Most keys whose use of the current period is known. Beyond, those are forgotten whose period ends first.
const MAX_KEYS: usize = 1 << 20;
const DOMAIN: &[u8] = b"probity-quotas-v1";

#[derive(Debug)]
pub(super) struct Quotas {
    book: QuotaBook,
    /// The same for as long as the identity key is: keys in the journal are hashes under it.
    pub hash: SipKey,
    journal: Option<Journal>,
}

impl Quotas {
    /// Quotas that a restart forgets.
    pub fn in_memory(hash: SipKey) -> Self {
        Self { book: QuotaBook::new(MAX_KEYS), hash, journal: None }
    }

    /// Quotas with their journal in a folder. Where it cannot be used they are counted all the same, and that is said.
    pub fn open(folder: &Path, identity_key: &[u8; 32], now: u64) -> Self {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, identity_key), DOMAIN);
        let mut key = [0; 16];
        key.iter_mut().zip(tag.as_ref()).for_each(|(to, from)| *to = *from);
        let mut quotas = Self::in_memory(SipKey::new(key));
        let opened = std::fs::create_dir_all(folder)
            .and_then(|()| Writer::open(Arc::new(DiskStorage), folder, quotas.hash, now))
            .and_then(|(writer, recalled)| Ok((Journal::start(writer)?, recalled)));
        match opened {
            Ok((journal, recalled)) => {
                if recalled.damaged > 0 {
                    tracing::error!(records = recalled.damaged, "records of used quota cannot be read");
                }
                recalled.kept.iter().for_each(|kept| quotas.book.recall(*kept, now));
                quotas.journal = Some(journal);
            }
            Err(error) => {
                tracing::error!(%error, folder = %folder.display(), "quotas have no journal: a restart forgets them");
            }
        }
        quotas
    }

    pub fn take(&self, quota: &Quota, key: u64, period: Period, at: u64, cost: u64) -> Verdict {
        let (verdict, reservation) = self.book.take(quota, key, period, at, cost);
        self.write(reservation);
        verdict
    }

    pub fn charge(&self, quota: &Quota, key: u64, period: Period, at: u64, cost: u64) {
        self.write(self.book.charge(quota, key, period, at, cost));
    }

    pub fn give_back(&self, key: u64, at: u64, cost: u64) {
        self.book.give_back(key, at, cost);
    }

    fn write(&self, reservation: Option<Reservation>) {
        if let (Some(journal), Some(reservation)) = (&self.journal, reservation) {
            journal.append(reservation);
        }
    }

    /// Writes down what was used, exactly. Nothing is taken any more.
    pub fn close(&self, now: u64) {
        if let Some(journal) = &self.journal {
            journal.close(self.book.settle(now));
            let (failures, lost) = journal.failures();
            if failures + lost > 0 {
                tracing::error!(failures, lost, "used quota could not always be written down");
            }
        }
    }
}
