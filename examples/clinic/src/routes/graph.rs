//! GraphQL over HTTP, POST only.
//!
//! Planted: introspection is on, and needs no credential.

use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::post;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Answer, ok};
use crate::credentials::principal;
use crate::graphql;
use crate::input::Body;
use crate::problem::Problem;
use crate::state::Shared;

pub(super) fn routes() -> Router<Shared> {
    Router::new().route("/v2/graphql", post(query))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Query {
    query: String,
    #[serde(default)]
    variables: Option<Map<String, Value>>,
    #[serde(default, rename = "operationName")]
    _operation_name: Option<String>,
}

async fn query(
    State(shared): State<Shared>,
    headers: HeaderMap,
    sent: Result<Body<Query>, Problem>,
) -> Answer {
    // A call without credential learns nothing of what its body was taken for, unless it asks for the schema.
    let who = principal(&headers, &shared);
    let parsed = sent.map(|Body(sent)| graphql::parse(&sent.query, &sent.variables.unwrap_or_default()));
    let who = match (who, &parsed) {
        (Ok(who), _) => Some(who),
        (Err(_), Ok(Ok(document))) if graphql::is_public(document) => None,
        (Err(problem), _) => return Err(problem),
    };
    let clinic = shared.clinic();
    match parsed?.and_then(|document| graphql::execute(&document, &clinic, who.as_ref())) {
        Ok(data) => ok(json!({ "data": data })),
        Err(error) => ok(json!({ "data": null, "errors": [{ "message": error.to_string() }] })),
    }
}
