//! JSON from strangers: bounded in size and depth, and no member twice. Two readers that pick different ones of two equal
//! members are how a signed value comes to mean two things.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Objects and lists inside each other.
pub(super) const MAX_DEPTH: usize = 16;

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum StrictError {
    #[error("longer than its bound")]
    TooLong,
    #[error("nested deeper than its bound")]
    TooDeep,
    #[error("a member twice")]
    Repeated,
    #[error("no JSON")]
    Malformed,
    #[error("no JSON object")]
    NotObject,
}

/// One JSON object and nothing after it.
pub(super) fn object(json: &[u8], max_bytes: usize) -> Result<Map<String, Value>, StrictError> {
    if json.len() > max_bytes {
        return Err(StrictError::TooLong);
    }
    let why = Cell::new(StrictError::Malformed);
    let mut reader = serde_json::Deserializer::from_slice(json);
    let value = Strict { depth: MAX_DEPTH, why: &why }.deserialize(&mut reader);
    let value = value.and_then(|value| reader.end().map(|()| value)).map_err(|_| why.get())?;
    match value {
        Value::Object(members) => Ok(members),
        _ => Err(StrictError::NotObject),
    }
}

#[derive(Clone, Copy)]
struct Strict<'w> {
    depth: usize,
    why: &'w Cell<StrictError>,
}

impl Strict<'_> {
    fn inside<E: serde::de::Error>(self) -> Result<Self, E> {
        match self.depth.checked_sub(1) {
            Some(depth) => Ok(Self { depth, ..self }),
            None => Err(self.fail(StrictError::TooDeep)),
        }
    }

    fn fail<E: serde::de::Error>(self, why: StrictError) -> E {
        self.why.set(why);
        E::custom(why)
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }
    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }
    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("expected a finite number"))
    }
    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }
    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let inside = self.inside()?;
        let mut out = Vec::new();
        while let Some(item) = items.next_element_seed(inside)? {
            out.push(item);
        }
        Ok(Value::Array(out))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let inside = self.inside()?;
        let mut out = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            if out.contains_key(&name) {
                return Err(self.fail(StrictError::Repeated));
            }
            let value = members.next_value_seed(inside)?;
            out.insert(name, value);
        }
        Ok(Value::Object(out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str, expected: Result<&str, StrictError>) {
        let got = object(json.as_bytes(), 200).map(|members| Value::Object(members).to_string());
        assert_eq!(got.as_deref().map_err(|error| *error), expected, "{json}");
    }

    #[test]
    fn only_plain_objects_are_read() {
        use StrictError::*;
        check(r#"{"a":1,"b":[true,null,-2,1.5,"x"]}"#, Ok(r#"{"a":1,"b":[true,null,-2,1.5,"x"]}"#));
        check(r#" {"a": {"a": {}}} "#, Ok(r#"{"a":{"a":{}}}"#));
        check(r#"{"a":1,"a":1}"#, Err(Repeated));
        check(r#"{"a":1,"\u0061":2}"#, Err(Repeated));
        check(r#"{"o":{"a":1,"b":2,"a":3}}"#, Err(Repeated));
        check(r#"[{"a":1}]"#, Err(NotObject));
        check("7", Err(NotObject));
        check("", Err(Malformed));
        check(r#"{"a":1} {"#, Err(Malformed));
        check(r#"{"a":1}x"#, Err(Malformed));
        check(r#"{'a':1}"#, Err(Malformed));
        check(r#"{"a":1e999}"#, Err(Malformed));
        check(r#"{"a":"\ud800"}"#, Err(Malformed));
        check(
            &format!(r#"{{"a":{}1{}}}"#, "[".repeat(15), "]".repeat(15)),
            Ok(&format!(r#"{{"a":{}1{}}}"#, "[".repeat(15), "]".repeat(15))),
        );
        check(&format!(r#"{{"a":{}1{}}}"#, "[".repeat(16), "]".repeat(16)), Err(TooDeep));
        check(&format!(r#"{{"a":"{}"}}"#, "x".repeat(200)), Err(TooLong));
        assert_eq!(object(b"{\"a\":\"\xff\"}", 100), Err(Malformed));
    }
}
