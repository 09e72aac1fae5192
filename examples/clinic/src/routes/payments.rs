//! Card payments.
//!
//! Planted: one payment is shown with its full card number, its receipt with the card's security code (which
//! should never have been kept at all). Taking a payment and listing payments show the last four digits only.

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, created, ok};
use crate::credentials::Principal;
use crate::input::{Body, Page, Params, passes_luhn};
use crate::problem::Problem;
use crate::state::{NOW, Payment, Shared, TODAY, require_room};

const AMOUNT_MAX_CENTS: u32 = 1_000_000;

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/v2/payments", get(list).post(pay))
        .route("/v2/payments/{payment_id}", get(show))
        .route("/v2/payments/{payment_id}/receipt", get(receipt))
        .route("/v2/payments/{payment_id}/refunds", post(refund))
}

impl Payment {
    fn last4(&self) -> &str {
        self.number.get(self.number.len().saturating_sub(4)..).unwrap_or_default()
    }

    fn masked(&self) -> Value {
        self.with_card(json!({ "brand": self.brand, "last4": self.last4() }))
    }

    fn with_card(&self, card: Value) -> Value {
        json!({
            "id": self.id,
            "patientId": self.patient_id,
            "amountCents": self.amount_cents,
            "currency": self.currency,
            "status": self.status,
            "card": card,
            "createdAt": self.created_at,
        })
    }
}

async fn list(State(shared): State<Shared>, who: Principal, Params(page): Params<Page>) -> Answer {
    let clinic = shared.clinic();
    let rows = clinic.payments.iter().filter(|payment| who.may_see(&payment.patient_id)).map(Payment::masked);
    ok(page.of(rows.collect())?)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewPayment {
    patient_id: String,
    amount_cents: u32,
    card: NewCard,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewCard {
    number: String,
    expiry: String,
    cvv: String,
}

async fn pay(State(shared): State<Shared>, who: Principal, Body(sent): Body<NewPayment>) -> Answer {
    who.require_sight_of(&sent.patient_id)?;
    if sent.amount_cents == 0 || sent.amount_cents > AMOUNT_MAX_CENTS {
        return Err(Problem::invalid("expected `amountCents` from 1 to 1000000"));
    }
    let plausible = (13..=19).contains(&sent.card.number.len()) && passes_luhn(&sent.card.number);
    if !plausible || !(3..=4).contains(&sent.card.cvv.len()) || sent.card.expiry.len() != 5 {
        return Err(Problem::invalid("the card was not accepted"));
    }
    let brand = match sent.card.number.as_bytes().first() {
        Some(b'3') => "amex",
        Some(b'4') => "visa",
        Some(b'5') => "mastercard",
        _ => "discover",
    };
    let mut clinic = shared.clinic();
    clinic.patient(&sent.patient_id)?;
    require_room(&clinic.payments)?;
    let payment = Payment {
        id: format!("pay_{}", clinic.issue_hex()),
        patient_id: sent.patient_id,
        amount_cents: sent.amount_cents,
        currency: "USD",
        status: "captured",
        brand,
        number: sent.card.number,
        cvv: sent.card.cvv,
        expiry: sent.card.expiry,
        created_at: NOW,
    };
    let view = payment.masked();
    clinic.payments.push(payment);
    created(view)
}

/// Planted: the full number and the expiry, where the documented card has brand and last four digits.
async fn show(State(shared): State<Shared>, who: Principal, Path(id): Path<String>) -> Answer {
    let mut clinic = shared.clinic();
    let payment = clinic.payment_mut(&id)?;
    who.require_sight_of(&payment.patient_id)?;
    ok(payment.with_card(json!({
        "brand": payment.brand,
        "last4": payment.last4(),
        "number": payment.number,
        "expiry": payment.expiry,
    })))
}

/// Planted: the security code.
async fn receipt(State(shared): State<Shared>, who: Principal, Path(id): Path<String>) -> Answer {
    let mut clinic = shared.clinic();
    let payment = clinic.payment_mut(&id)?;
    who.require_sight_of(&payment.patient_id)?;
    ok(json!({
        "paymentId": payment.id,
        "issuedOn": TODAY,
        "amountCents": payment.amount_cents,
        "currency": payment.currency,
        "card": { "brand": payment.brand, "last4": payment.last4(), "cvv": payment.cvv },
    }))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Refund {
    amount_cents: u32,
}

async fn refund(
    State(shared): State<Shared>,
    who: Principal,
    Path(id): Path<String>,
    Body(sent): Body<Refund>,
) -> Answer {
    who.require_staff()?;
    let mut clinic = shared.clinic();
    let payment = clinic.payment_mut(&id)?;
    if payment.status == "refunded" {
        return Err(Problem::conflict("already refunded"));
    }
    if sent.amount_cents == 0 || sent.amount_cents > payment.amount_cents {
        return Err(Problem::invalid("expected `amountCents` up to the amount paid"));
    }
    payment.status = "refunded";
    let view = json!({ "paymentId": payment.id, "amountCents": sent.amount_cents, "status": "refunded" });
    clinic.record(who.user_id, "payment.refund", id);
    created(view)
}
