//! What the clinic knows, in memory, and nothing of HTTP.
//!
//! Rows come from `seed.rs`; calls may add to them up to [`ROWS_MAX`] of a kind. One lock guards everything: it
//! is held for the length of one short computation and never across an await.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde::Serialize;

use crate::credentials::{Principal, Role};
use crate::problem::Problem;

/// Most rows of one kind; further ones are refused.
pub(crate) const ROWS_MAX: usize = 10_000;

/// Sign-in sessions kept at once; the oldest token text goes first.
const SESSIONS_MAX: usize = 1_000;

/// The demo's calendar stands still, so that identical traffic gets identical answers.
pub(crate) const TODAY: &str = "2026-11-02";
pub(crate) const NOW: &str = "2026-11-02T09:30:00Z";

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct User {
    pub user_id: u32,
    pub name: String,
    pub email: String,
    pub role: Role,
    #[serde(skip)]
    pub patient_id: Option<String>,
    #[serde(skip)]
    pub token: String,
}

#[derive(Debug, Clone)]
pub(crate) struct Patient {
    pub id: String,
    pub mrn: String,
    pub given_name: String,
    pub family_name: String,
    pub birth_date: String,
    pub email: String,
    pub phone: String,
    pub ssn: String,
    pub street: String,
    pub city: String,
    pub postal_code: String,
    pub diagnoses: Vec<Diagnosis>,
    pub medications: Vec<Medication>,
    pub allergies: Vec<&'static str>,
    pub insurance: Insurance,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Diagnosis {
    /// ICD-10-CM.
    pub code: &'static str,
    pub description: &'static str,
    pub recorded_on: String,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Medication {
    /// National Drug Code, 5-4-2.
    pub ndc: &'static str,
    pub name: &'static str,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Insurance {
    pub payer: String,
    pub member_id: String,
    pub group_number: String,
    pub valid_until: String,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Appointment {
    pub id: u32,
    pub patient_id: String,
    pub clinician: String,
    pub starts_at: String,
    pub reason: String,
    pub status: &'static str,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Prescription {
    pub id: u32,
    pub patient_id: String,
    pub patient_name: String,
    pub ndc: String,
    pub drug: String,
    pub dosage: String,
    pub diagnosis_code: String,
    pub prescriber_npi: String,
    pub refills_left: u8,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LabResult {
    pub id: String,
    pub patient_id: String,
    pub patient_name: String,
    pub birth_date: String,
    pub mrn: String,
    pub test: &'static str,
    pub value: String,
    pub unit: &'static str,
    pub taken_on: String,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Clinician {
    pub slug: String,
    pub name: String,
    pub specialty: &'static str,
    pub npi: String,
    pub department: &'static str,
}

#[derive(Debug, Clone)]
pub(crate) struct Payment {
    pub id: String,
    pub patient_id: String,
    pub amount_cents: u32,
    pub currency: &'static str,
    pub status: &'static str,
    pub brand: &'static str,
    pub number: String,
    pub cvv: String,
    pub expiry: String,
    pub created_at: &'static str,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Export {
    pub id: String,
    pub from: String,
    pub to: String,
    pub status: &'static str,
    pub rows: usize,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Claim {
    pub claim_number: String,
    pub member_id: String,
    pub diagnosis_code: String,
    pub amount_cents: u32,
    pub service_date: String,
    pub status: &'static str,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AuditEntry {
    pub at: &'static str,
    pub user_id: u32,
    pub action: &'static str,
    pub object: String,
}

#[derive(Debug, Default)]
pub(crate) struct Clinic {
    pub users: Vec<User>,
    pub patients: Vec<Patient>,
    pub appointments: Vec<Appointment>,
    pub prescriptions: Vec<Prescription>,
    pub lab_results: Vec<LabResult>,
    pub clinicians: Vec<Clinician>,
    pub payments: Vec<Payment>,
    pub exports: Vec<Export>,
    pub claims: Vec<Claim>,
    pub audit: Vec<AuditEntry>,
    /// Token of a session opened by password, to the user's id.
    pub sessions: BTreeMap<String, u32>,
    /// Password resets asked for, by e-mail address: start of the window and count in it.
    pub resets: BTreeMap<String, (Instant, u32)>,
    /// Number of ids handed out after seeding; the source of every later id.
    pub issued: u64,
}

impl Clinic {
    pub fn principal(&self, token: &str) -> Option<Principal> {
        let user = match self.sessions.get(token) {
            Some(user_id) => self.users.iter().find(|user| user.user_id == *user_id),
            None => self.users.iter().find(|user| user.token == token),
        }?;
        Some(Principal {
            user_id: user.user_id,
            role: user.role,
            patient_id: user.patient_id.clone(),
            token: token.to_owned(),
        })
    }

    pub fn patient(&self, id: &str) -> Result<&Patient, Problem> {
        self.patients
            .iter()
            .find(|patient| patient.id == id)
            .ok_or_else(|| Problem::missing("no such patient"))
    }

    pub fn patient_mut(&mut self, id: &str) -> Result<&mut Patient, Problem> {
        self.patients
            .iter_mut()
            .find(|patient| patient.id == id)
            .ok_or_else(|| Problem::missing("no such patient"))
    }

    pub fn appointment_mut(&mut self, id: u32) -> Result<&mut Appointment, Problem> {
        self.appointments
            .iter_mut()
            .find(|appointment| appointment.id == id)
            .ok_or_else(|| Problem::missing("no such appointment"))
    }

    pub fn prescription_mut(&mut self, id: u32) -> Result<&mut Prescription, Problem> {
        self.prescriptions
            .iter_mut()
            .find(|prescription| prescription.id == id)
            .ok_or_else(|| Problem::missing("no such prescription"))
    }

    pub fn payment_mut(&mut self, id: &str) -> Result<&mut Payment, Problem> {
        self.payments
            .iter_mut()
            .find(|payment| payment.id == id)
            .ok_or_else(|| Problem::missing("no such payment"))
    }

    /// Opens a session for `user_id` and returns its token.
    pub fn open_session(&mut self, user_id: u32) -> String {
        let token = format!("cldemo_ses_{}", self.issue_hex());
        if self.sessions.len() >= SESSIONS_MAX {
            self.sessions.pop_first();
        }
        self.sessions.insert(token.clone(), user_id);
        token
    }

    pub fn record(&mut self, user_id: u32, action: &'static str, object: String) {
        if self.audit.len() < ROWS_MAX {
            self.audit.push(AuditEntry { at: NOW, user_id, action, object });
        }
    }

    /// A fresh 16-digit hexadecimal id.
    pub fn issue_hex(&mut self) -> String {
        format!("{:016x}", self.issue())
    }

    /// A fresh UUID of the random form.
    pub fn issue_uuid(&mut self) -> String {
        uuid_text(self.issue(), self.issue())
    }

    /// Spreads a counter over 64 bits (the finaliser of splitmix64): ids that do not look counted, yet never
    /// repeat. They are no secret.
    fn issue(&mut self) -> u64 {
        self.issued = self.issued.wrapping_add(1);
        let mut mixed = self.issued.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// Two words as a version 4 UUID.
pub(crate) fn uuid_text(high: u64, low: u64) -> String {
    let low = (low & 0x3fff_ffff_ffff_ffff) | 0x8000_0000_0000_0000;
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xfff,
        low >> 48,
        low & 0xffff_ffff_ffff
    )
}

/// Refuses a further row where `rows` are as many as are kept.
pub(crate) fn require_room<T>(rows: &[T]) -> Result<(), Problem> {
    if rows.len() < ROWS_MAX { Ok(()) } else { Err(Problem::full()) }
}

/// The clinic as all routes share it.
#[derive(Debug, Clone)]
pub(crate) struct Shared(Arc<Mutex<Clinic>>);

impl Shared {
    pub fn seeded() -> Self {
        Self(Arc::new(Mutex::new(crate::seed::clinic())))
    }

    /// The rows, exclusively. A panic of another holder does not matter: no row is left half written, since
    /// every change is one push or one assignment.
    pub fn clinic(&self) -> MutexGuard<'_, Clinic> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
