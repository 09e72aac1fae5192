//! The insurer's system, over HTTP/2, and the clinic's own nightly job.

use std::sync::Arc;

use axum::http::Method;
use serde_json::json;

use super::{Scene, Step};
use crate::credentials::PARTNER_KEY;
use crate::traffic::call::{Call, Credential, Keep};

pub(super) const PARTNER_USER_AGENT: &str = "northwind-claims/7.1 (+https://northwind.example/integrations)";
pub(super) const BATCH_USER_AGENT: &str = "clinic-nightly/3.2 python-httpx/0.28.1";

pub(super) const PARTNER_OPENING: &[Step] = &[exports, order, export, download, old_download, eligibility];
pub(super) const PARTNER_USUAL: &[Step] = &[eligibility, exports, export, download, order, old_download];
pub(super) const PARTNER_ERRORS: &[Step] = &[unknown_member, unknown_export, reversed_dates, retired_key];

pub(super) const BATCH_OPENING: &[Step] = &[claims, settle];
pub(super) const BATCH_USUAL: &[Step] = &[settle, claims];
pub(super) const BATCH_ERRORS: &[Step] = &[unknown_claim, unknown_status, page_too_large];

fn exports(_: &mut Scene) -> Call {
    Call::plain(Method::GET, "/v2/partner/exports")
}

fn order(scene: &mut Scene) -> Call {
    let month = scene.word(&["10", "09", "08"]);
    Call::plain(Method::POST, "/v2/partner/exports")
        .body(json!({ "from": format!("2026-{month}-01"), "to": format!("2026-{month}-28") }))
        .expect(&[201])
        .keep(Keep::Export)
}

fn export_id(scene: &mut Scene) -> String {
    let seeded = scene.word(&["exp-2026-10", "exp-2026-09", "exp-2026-08"]);
    scene.newest(Keep::Export).unwrap_or_else(|| seeded.to_owned())
}

fn export(scene: &mut Scene) -> Call {
    let id = export_id(scene);
    Call::get("/v2/partner/exports/{exportId}", format!("/v2/partner/exports/{id}"))
}

fn download(scene: &mut Scene) -> Call {
    let id = export_id(scene);
    Call::get("/v2/partner/exports/{exportId}/download", format!("/v2/partner/exports/{id}/download"))
}

/// As the insurer's oldest script does it.
fn old_download(_: &mut Scene) -> Call {
    let target = format!("/v2/partner/exports/exp-2026-10/download?access_token={PARTNER_KEY}");
    Call::get("/v2/partner/exports/{exportId}/download", target).with(Credential::None).fault("token-in-url")
}

fn eligibility(scene: &mut Scene) -> Call {
    let clinic = Arc::clone(&scene.clinic);
    // The mobile app's patients renew their insurance, with the number they have: all numbers stay known.
    let member = scene.popular(&clinic.patients).map(|it| it.insurance.member_id).unwrap_or_default();
    Call::get("/v2/partner/eligibility/{memberId}", format!("/v2/partner/eligibility/{member}"))
}

fn unknown_member(scene: &mut Scene) -> Call {
    let target = format!("/v2/partner/eligibility/XGA{:09}", 10_000_000 + scene.made);
    Call::get("/v2/partner/eligibility/{memberId}", target).expect(&[404])
}

fn unknown_export(_: &mut Scene) -> Call {
    Call::get("/v2/partner/exports/{exportId}", "/v2/partner/exports/exp-2019-01").expect(&[404])
}

fn reversed_dates(_: &mut Scene) -> Call {
    Call::plain(Method::POST, "/v2/partner/exports")
        .body(json!({ "from": "2026-10-31", "to": "2026-10-01" }))
        .expect(&[422])
}

fn retired_key(_: &mut Scene) -> Call {
    Call::plain(Method::GET, "/v2/partner/exports")
        .with(Credential::Key("cldemo_key_northwind_retired2024"))
        .expect(&[401])
}

fn claims(scene: &mut Scene) -> Call {
    let offset = scene.word(&["0", "50"]);
    Call::get("/v2/batch/claims", format!("/v2/batch/claims?limit=50&offset={offset}"))
}

fn settle(scene: &mut Scene) -> Call {
    let clinic = Arc::clone(&scene.clinic);
    let claim = scene.popular(&clinic.claims).map(|it| it.claim_number).unwrap_or_default();
    let status = scene.word(&["submitted", "paid", "rejected"]);
    let target = format!("/v2/batch/claims/{claim}/status");
    Call::new(Method::PUT, "/v2/batch/claims/{claimNumber}/status", target).body(json!({ "status": status }))
}

fn unknown_claim(scene: &mut Scene) -> Call {
    let target = format!("/v2/batch/claims/CLM-2019-{:06}/status", scene.made);
    Call::new(Method::PUT, "/v2/batch/claims/{claimNumber}/status", target)
        .body(json!({ "status": "paid" }))
        .expect(&[404])
}

fn unknown_status(_: &mut Scene) -> Call {
    Call::new(Method::PUT, "/v2/batch/claims/{claimNumber}/status", "/v2/batch/claims/CLM-2026-001204/status")
        .body(json!({ "status": "lost" }))
        .expect(&[422])
}

fn page_too_large(_: &mut Scene) -> Call {
    Call::get("/v2/batch/claims", "/v2/batch/claims?limit=500").expect(&[400])
}
