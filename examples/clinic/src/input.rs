//! Extractors that answer a bad query or body with a problem document instead of the framework's own text.

use axum::extract::{FromRequest, FromRequestParts, Json, Query, Request};
use axum::http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::problem::Problem;

const PAGE_DEFAULT: usize = 20;
const PAGE_MAX: usize = 50;

/// A JSON body of the shape `T`.
pub(crate) struct Body<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        use axum::extract::rejection::JsonRejection;
        match Json::<T>::from_request(request, state).await {
            Ok(Json(value)) => Ok(Self(value)),
            Err(JsonRejection::JsonDataError(_)) => {
                Err(Problem::invalid("the body does not have the documented fields"))
            }
            Err(_) => Err(Problem::malformed("expected a JSON body")),
        }
    }
}

/// Query parameters of the shape `T`.
pub(crate) struct Params<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(value)) => Ok(Self(value)),
            Err(_) => Err(Problem::malformed("a query parameter is not of its documented type")),
        }
    }
}

/// `limit` and `offset` of a list.
#[derive(Debug, Deserialize)]
pub(crate) struct Page {
    limit: Option<usize>,
    offset: Option<usize>,
}

impl Page {
    /// The page of `rows` as the list document that all of the clinic's lists share.
    pub fn of(&self, rows: Vec<Value>) -> Result<Value, Problem> {
        let limit = self.limit.unwrap_or(PAGE_DEFAULT);
        if limit == 0 || limit > PAGE_MAX {
            return Err(Problem::malformed("expected a `limit` from 1 to 50"));
        }
        let offset = self.offset.unwrap_or(0);
        let total = rows.len();
        let items: Vec<Value> = rows.into_iter().skip(offset).take(limit).collect();
        let end = offset.saturating_add(items.len());
        let next = (end < total && !items.is_empty()).then_some(end);
        Ok(json!({ "items": items, "total": total, "nextOffset": next }))
    }
}

const EMAIL_MAX: usize = 254;
const PHONE_MAX: usize = 32;

/// Plausible at a glance and no longer than an address may be.
pub(crate) fn is_email(text: &str) -> bool {
    text.len() <= EMAIL_MAX && text.contains('@')
}

pub(crate) fn is_phone(text: &str) -> bool {
    !text.is_empty() && text.len() <= PHONE_MAX
}

/// `YYYY-MM-DD` with a month and day in range; it does not know how long each month is.
pub(crate) fn is_date(text: &str) -> bool {
    let mut parts = text.split('-');
    let (Some(year), Some(month), Some(day), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    let number = |part: &str, width: usize| {
        (part.len() == width && part.bytes().all(|byte| byte.is_ascii_digit()))
            .then(|| part.parse::<u16>().ok())
            .flatten()
    };
    number(year, 4).is_some_and(|year| year > 1900)
        && number(month, 2).is_some_and(|month| (1..=12).contains(&month))
        && number(day, 2).is_some_and(|day| (1..=31).contains(&day))
}

/// The canonical text form of a UUID.
pub(crate) fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// Luhn's check over digits, as card numbers carry it.
pub(crate) fn passes_luhn(digits: &str) -> bool {
    luhn_sum(digits).is_some_and(|sum| sum % 10 == 0)
}

/// Luhn's weighted sum with the last digit as the check digit; none if `digits` holds anything else.
pub(crate) fn luhn_sum(digits: &str) -> Option<u32> {
    digits.bytes().rev().enumerate().try_fold(0, |sum, (at, byte)| {
        let digit = u32::from(byte).checked_sub(u32::from(b'0')).filter(|digit| *digit < 10)?;
        let weighted = if at % 2 == 0 { digit } else { digit * 2 };
        Some(sum + weighted / 10 + weighted % 10)
    })
}
