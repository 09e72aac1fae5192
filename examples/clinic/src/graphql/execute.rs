//! Runs a parsed query: each root field yields a whole JSON object, of which the selected part is copied.

use serde_json::{Map, Value, json};

use super::parse::{DEPTH_MAX, Document, Field, Selection};
use super::{QueryError, schema};
use crate::credentials::Principal;
use crate::state::{Appointment, Clinic};

const FIELDS_MAX: usize = 20_000;
const FIRST_DEFAULT: u64 = 10;
const FIRST_MAX: u64 = 50;

/// Whether the query asks for nothing but the schema. Planted: such a query is answered to anyone.
pub(crate) fn is_public(document: &Document) -> bool {
    document
        .selections
        .iter()
        .all(|selection| matches!(selection, Selection::Field(field) if field.name.starts_with("__")))
}

/// The answer's `data`. `who` may be absent only where [`is_public`] holds.
pub(crate) fn execute(
    document: &Document,
    clinic: &Clinic,
    who: Option<&Principal>,
) -> Result<Value, QueryError> {
    let mut run = Run { document, fields_left: FIELDS_MAX };
    let mut roots = Vec::new();
    run.fields(&document.selections, 0, &mut roots)?;
    let mut data = Map::new();
    for field in roots {
        let whole = root(field, clinic, who)?;
        data.insert(field.key.clone(), run.part(&whole, field, 1)?);
    }
    Ok(Value::Object(data))
}

struct Run<'a> {
    document: &'a Document,
    fields_left: usize,
}

impl<'a> Run<'a> {
    /// The fields that `selections` come to once fragments are opened. A fragment that contains itself ends at
    /// the depth limit.
    fn fields(
        &mut self,
        selections: &'a [Selection],
        depth: usize,
        into: &mut Vec<&'a Field>,
    ) -> Result<(), QueryError> {
        if depth > DEPTH_MAX {
            return Err(QueryError::TooDeep);
        }
        for selection in selections {
            self.fields_left = self.fields_left.checked_sub(1).ok_or(QueryError::TooWide)?;
            match selection {
                Selection::Field(field) => into.push(field),
                Selection::Inline(inner) => self.fields(inner, depth + 1, into)?,
                Selection::Spread(name) => {
                    let body = self.document.fragments.get(name);
                    let body = body.ok_or_else(|| QueryError::NoFragment(name.clone()))?;
                    self.fields(body, depth + 1, into)?;
                }
            }
        }
        Ok(())
    }

    /// The part of `whole` that `field` selects.
    fn part(&mut self, whole: &Value, field: &'a Field, depth: usize) -> Result<Value, QueryError> {
        if depth > DEPTH_MAX {
            return Err(QueryError::TooDeep);
        }
        match whole {
            Value::Array(items) => items.iter().map(|item| self.part(item, field, depth)).collect(),
            Value::Object(_) if field.selections.is_empty() => {
                Err(QueryError::NoSubfields(field.name.clone()))
            }
            Value::Object(object) => {
                let mut wanted = Vec::new();
                self.fields(&field.selections, 0, &mut wanted)?;
                let mut part = Map::new();
                for inner in wanted {
                    let value =
                        object.get(&inner.name).ok_or_else(|| QueryError::NoField(inner.name.clone()))?;
                    part.insert(inner.key.clone(), self.part(value, inner, depth + 1)?);
                }
                Ok(Value::Object(part))
            }
            Value::Null => Ok(Value::Null),
            _ if field.selections.is_empty() => Ok(whole.clone()),
            _ => Err(QueryError::Leaf(field.name.clone())),
        }
    }
}

fn root(field: &Field, clinic: &Clinic, who: Option<&Principal>) -> Result<Value, QueryError> {
    match field.name.as_str() {
        "__typename" => return Ok(json!("Query")),
        "__schema" => return Ok(schema::introspection()),
        "__type" => return Ok(schema::named_type(text(field, "name")?)),
        _ => {}
    }
    let who = who.ok_or(QueryError::NotAllowed)?;
    match field.name.as_str() {
        "me" => {
            let user = clinic.users.iter().find(|user| user.user_id == who.user_id);
            Ok(user.map_or(Value::Null, |user| {
                json!({ "__typename": "User", "id": user.user_id.to_string(), "name": user.name,
                        "email": user.email, "role": format!("{:?}", user.role).to_uppercase() })
            }))
        }
        "patient" => patient(text(field, "id")?, clinic, who),
        "appointments" => {
            let seen = clinic.appointments.iter().filter(|appointment| who.may_see(&appointment.patient_id));
            Ok(seen.take(first(field)).map(appointment).collect())
        }
        "clinicians" => Ok(clinic
            .clinicians
            .iter()
            .take(first(field))
            .map(|clinician| {
                json!({ "__typename": "Clinician", "slug": clinician.slug, "name": clinician.name,
                        "specialty": clinician.specialty })
            })
            .collect()),
        other => Err(QueryError::NoField(other.to_owned())),
    }
}

fn patient(id: &str, clinic: &Clinic, who: &Principal) -> Result<Value, QueryError> {
    if !who.may_see(id) {
        return Err(QueryError::NotAllowed);
    }
    let Some(patient) = clinic.patients.iter().find(|patient| patient.id == id) else {
        return Ok(Value::Null);
    };
    let diagnoses: Vec<Value> = patient
        .diagnoses
        .iter()
        .map(|it| json!({ "__typename": "Diagnosis", "code": it.code, "description": it.description }))
        .collect();
    let own = clinic.appointments.iter().filter(|appointment| appointment.patient_id == id);
    Ok(json!({
        "__typename": "Patient",
        "id": patient.id,
        "mrn": patient.mrn,
        "name": format!("{} {}", patient.given_name, patient.family_name),
        "birthDate": patient.birth_date,
        "ssn": patient.ssn,
        "diagnoses": diagnoses,
        "appointments": own.map(appointment).collect::<Vec<Value>>(),
    }))
}

fn appointment(it: &Appointment) -> Value {
    json!({ "__typename": "Appointment", "id": it.id.to_string(), "startsAt": it.starts_at, "reason": it.reason,
            "clinician": it.clinician, "status": it.status })
}

fn text<'a>(field: &'a Field, name: &'static str) -> Result<&'a str, QueryError> {
    field.arguments.get(name).and_then(Value::as_str).ok_or(QueryError::NoArgument(name))
}

fn first(field: &Field) -> usize {
    let first = field.arguments.get("first").and_then(Value::as_u64).unwrap_or(FIRST_DEFAULT);
    usize::try_from(first.min(FIRST_MAX)).unwrap_or_default()
}
