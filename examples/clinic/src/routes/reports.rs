//! Monthly figures from the old reporting service.
//!
//! Planted: a month that does not exist ends in a 500 with a stack trace, and all of its answers name the
//! server's software and lack the security headers (see `headers.rs`). The trace is a fixed text in the form
//! that such a service writes; nothing of this process is in it.

use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use serde::Deserialize;
use serde_json::json;

use super::{Answer, ok};
use crate::credentials::Principal;
use crate::input::{Params, is_date};
use crate::problem::Problem;
use crate::state::Shared;

const REPORTS: [&str; 3] = ["utilisation", "no-shows", "revenue"];

const TRACE: &str = "java.time.DateTimeException: Invalid value for MonthOfYear (valid values 1 - 12)\n\
    \tat java.base/java.time.temporal.ValueRange.checkValidValue(ValueRange.java:319)\n\
    \tat java.base/java.time.YearMonth.of(YearMonth.java:257)\n\
    \tat example.clinic.reports.MonthlyReport.load(MonthlyReport.java:87)\n\
    \tat example.clinic.reports.ReportController.show(ReportController.java:41)\n\
    \tat org.apache.catalina.core.StandardWrapperValve.invoke(StandardWrapperValve.java:198)\n\
    Caused by: org.postgresql.util.PSQLException: SELECT * FROM reports_prod.monthly WHERE month = ?\n\
    \tat org.postgresql.core.v3.QueryExecutorImpl.receiveErrorResponse(QueryExecutorImpl.java:2674)\n\
    \t... 23 more [db=clinic-db.internal:5432 user=reports_rw]\n";

pub(super) fn routes() -> Router<Shared> {
    Router::new().route("/v2/reports", get(list)).route("/v2/reports/{name}", get(show))
}

async fn list(who: Principal) -> Answer {
    who.require_staff()?;
    ok(json!({ "items": REPORTS.map(|name| json!({ "name": name })) }))
}

#[derive(Deserialize)]
struct Month {
    month: Option<String>,
}

async fn show(who: Principal, Path(name): Path<String>, Params(query): Params<Month>) -> Answer {
    // The old service parses its input before it looks at rights, so that any signed-in user sees the trace.
    let month = query.month.unwrap_or_else(|| "2026-10".to_owned());
    if !is_date(&format!("{month}-01")) {
        let plain = [(CONTENT_TYPE, "text/plain;charset=ISO-8859-1")];
        return Ok((StatusCode::INTERNAL_SERVER_ERROR, plain, TRACE).into_response());
    }
    who.require_staff()?;
    if !REPORTS.contains(&name.as_str()) {
        return Err(Problem::missing("no such report"));
    }
    ok(json!({
        "name": name,
        "month": month,
        "rows": [
            { "department": "primary-care", "value": 812 },
            { "department": "cardiology", "value": 264 },
            { "department": "imaging", "value": 377 },
        ],
    }))
}
