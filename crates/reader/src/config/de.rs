//! `serde::Deserializer` over a spanned node. Every error leaves with the place of the innermost key or value.

use std::collections::HashSet;

use serde::de::value::StrDeserializer;
use serde::de::{self, DeserializeSeed, IntoDeserializer, Unexpected, Visitor};

use super::fault::Fault;
use crate::diagnostics::{one_of, quoted};
use crate::yaml::{EntryNode, Node, Value};

type Result<T> = std::result::Result<T, Fault>;

/// One value, and the entries that are left out because they are at fault.
#[derive(Clone, Copy)]
pub(super) struct Reading<'t, 's> {
    node: Node<'t>,
    left_out: &'s HashSet<u32>,
}

impl<'t, 's> Reading<'t, 's> {
    pub(super) fn new(node: Node<'t>, left_out: &'s HashSet<u32>) -> Self {
        Self { node, left_out }
    }
    fn placed<T>(self, result: Result<T>) -> Result<T> {
        result.map_err(|fault| fault.at(self.node.position()))
    }
    fn other<T>(self, expected: impl Into<String>) -> Result<T> {
        Err(Fault::found_other(describe(self.node), expected).at(self.node.position()))
    }
    fn mapping<V: Visitor<'t>>(self, known: Option<&'static [&'static str]>, visitor: V) -> Result<V::Value> {
        let left = |entry: &EntryNode<'_>| self.left_out.contains(&entry.number());
        if let Some(known) = known {
            let unknown = self.node.entries().find(|entry| !left(entry) && !known.contains(&entry.key()));
            if let Some(entry) = unknown {
                let fault = Fault::unknown_key(entry.key(), known);
                return Err(fault.at(entry.key_position()).blame(entry.number(), None));
            }
        }
        let entries: Vec<EntryNode<'t>> = self.node.entries().filter(|entry| !left(entry)).collect();
        let access = Entries { entries: entries.into_iter(), current: None, left_out: self.left_out };
        visitor.visit_map(access).map_err(|mut fault| {
            let given = |key: &str| self.node.entries().any(|entry| left(&entry) && entry.key() == key);
            if fault.missing().is_some_and(given) {
                fault.follows = true;
            }
            fault.at(self.node.position())
        })
    }
    fn sequence<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value> {
        self.items(visitor, false)
    }
    /// A tuple's items count by their place: none of them can be left out.
    fn items<V: Visitor<'t>>(self, visitor: V, fixed: bool) -> Result<V::Value> {
        let left = |item: &(u32, Node<'_>)| !fixed && self.left_out.contains(&item.0);
        let items: Vec<(u32, Node<'t>)> = self.node.numbered_items().filter(|item| !left(item)).collect();
        let mut access = Items { items: items.into_iter(), fixed, left_out: self.left_out };
        let value = self.placed(visitor.visit_seq(&mut access))?;
        match access.items.len() {
            0 => Ok(value),
            more => self.placed(Err(de::Error::custom(format!("{more} items too many in this list")))),
        }
    }
    fn integer<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value> {
        let Value::Int(number) = self.node.value() else {
            let found = Unexpected::Other(&describe(self.node));
            return self.placed(Err(de::Error::invalid_type(found, &visitor)));
        };
        self.placed(visit_integer(number, visitor))
    }
}

fn visit_integer<'t, V: Visitor<'t>>(number: i128, visitor: V) -> Result<V::Value> {
    if let Ok(number) = u64::try_from(number) {
        visitor.visit_u64(number)
    } else if let Ok(number) = i64::try_from(number) {
        visitor.visit_i64(number)
    } else {
        visitor.visit_i128(number)
    }
}

/// What stands there, for a message.
fn describe(node: Node<'_>) -> String {
    match node.value() {
        Value::Text(text) => match text.parse::<f64>() {
            Ok(_) => format!("text {} in quotes", quoted(text)),
            Err(_) => format!("text {}", quoted(text)),
        },
        Value::Int(_) | Value::Float(_) => format!("the number {}", quoted(node.text().unwrap_or_default())),
        Value::Bool(value) => format!("`{value}`"),
        other => other.kind().to_owned(),
    }
}

macro_rules! integers {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value> {
            self.integer(visitor)
        })*
    };
}

impl<'t> de::Deserializer<'t> for Reading<'t, '_> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value> {
        match self.node.value() {
            Value::Null => self.placed(visitor.visit_unit()),
            Value::Bool(value) => self.placed(visitor.visit_bool(value)),
            Value::Int(number) => self.placed(visit_integer(number, visitor)),
            Value::Float(number) => self.placed(visitor.visit_f64(number)),
            Value::Text(text) => self.placed(visitor.visit_borrowed_str(text)),
            Value::Sequence(_) => self.sequence(visitor),
            Value::Mapping(_) => self.mapping(None, visitor),
        }
    }
    fn deserialize_bool<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value> {
        match self.node.value() {
            Value::Bool(value) => self.placed(visitor.visit_bool(value)),
            _ => self.other("a boolean"),
        }
    }
    integers! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
    }
    fn deserialize_f32<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value> {
        self.deserialize_f64(visitor)
    }
    fn deserialize_f64<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value> {
        match self.node.value() {
            #[allow(clippy::cast_precision_loss)]
            Value::Int(number) => self.placed(visitor.visit_f64(number as f64)),
            Value::Float(number) => self.placed(visitor.visit_f64(number)),
            _ => self.other("f64"),
        }
    }
    fn deserialize_char<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value> {
        self.deserialize_str(visitor)
    }
    fn deserialize_str<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value> {
        match self.node.text() {
            Some(text) => self.placed(visitor.visit_borrowed_str(text)),
            None => {
                let found = Unexpected::Other(&describe(self.node));
                self.placed(Err(de::Error::invalid_type(found, &visitor)))
            }
        }
    }
    fn deserialize_string<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value> {
        self.deserialize_str(visitor)
    }
    fn deserialize_bytes<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value> {
        match self.node.text() {
            Some(text) => self.placed(visitor.visit_borrowed_bytes(text.as_bytes())),
            None => self.deserialize_seq(visitor),
        }
    }
    fn deserialize_byte_buf<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value> {
        self.deserialize_bytes(visitor)
    }
    fn deserialize_option<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value> {
        if self.node.is_null() {
            return self.placed(visitor.visit_none());
        }
        self.placed(visitor.visit_some(self))
    }
    fn deserialize_unit<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value> {
        match self.node.value() {
            Value::Null => self.placed(visitor.visit_unit()),
            _ => self.other("unit"),
        }
    }
    fn deserialize_unit_struct<V: Visitor<'t>>(self, _: &'static str, visitor: V) -> Result<V::Value> {
        self.deserialize_unit(visitor)
    }
    fn deserialize_newtype_struct<V: Visitor<'t>>(self, _: &'static str, visitor: V) -> Result<V::Value> {
        self.placed(visitor.visit_newtype_struct(self))
    }
    fn deserialize_seq<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value> {
        match self.node.value() {
            Value::Sequence(_) | Value::Null => self.sequence(visitor),
            _ => self.other("a sequence"),
        }
    }
    fn deserialize_tuple<V: Visitor<'t>>(self, _: usize, visitor: V) -> Result<V::Value> {
        match self.node.value() {
            Value::Sequence(_) => self.items(visitor, true),
            _ => self.other("a sequence"),
        }
    }
    fn deserialize_tuple_struct<V: Visitor<'t>>(
        self,
        _: &'static str,
        length: usize,
        visitor: V,
    ) -> Result<V::Value> {
        self.deserialize_tuple(length, visitor)
    }
    fn deserialize_map<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value> {
        match self.node.value() {
            Value::Mapping(_) | Value::Null => self.mapping(None, visitor),
            _ => self.other("a map"),
        }
    }
    fn deserialize_struct<V: Visitor<'t>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        match self.node.value() {
            Value::Mapping(_) | Value::Null => self.mapping(Some(fields), visitor),
            _ => self.other("a map"),
        }
    }
    fn deserialize_enum<V: Visitor<'t>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        if let Some(text) = self.node.text() {
            let name: StrDeserializer<'_, Fault> = text.into_deserializer();
            return self.placed(visitor.visit_enum(name));
        }
        let mut entries = self.node.entries();
        match (entries.next(), entries.next()) {
            (Some(entry), None) => {
                self.placed(visitor.visit_enum(Variant { entry, left_out: self.left_out }))
            }
            _ => self.other(format!("one of {}", one_of(variants))),
        }
    }
    fn deserialize_identifier<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value> {
        self.deserialize_str(visitor)
    }
    fn deserialize_ignored_any<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value> {
        self.placed(visitor.visit_unit())
    }
}

struct Entries<'t, 's> {
    entries: std::vec::IntoIter<EntryNode<'t>>,
    current: Option<EntryNode<'t>>,
    left_out: &'s HashSet<u32>,
}

impl<'t> de::MapAccess<'t> for Entries<'t, '_> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'t>>(&mut self, seed: K) -> Result<Option<K::Value>> {
        self.current = self.entries.next();
        let Some(entry) = self.current else { return Ok(None) };
        seed.deserialize(Key(entry.key()))
            .map(Some)
            .map_err(|fault| fault.at(entry.key_position()).blame(entry.number(), None))
    }
    fn next_value_seed<V: DeserializeSeed<'t>>(&mut self, seed: V) -> Result<V::Value> {
        let Some(entry) = self.current else { return Err(de::Error::custom("a value without its key")) };
        seed.deserialize(Reading::new(entry.value(), self.left_out))
            .map_err(|fault| fault.at(entry.value().position()).blame(entry.number(), Some(entry.key())))
    }
    fn size_hint(&self) -> Option<usize> {
        Some(self.entries.len().min(4096))
    }
}

struct Items<'t, 's> {
    items: std::vec::IntoIter<(u32, Node<'t>)>,
    fixed: bool,
    left_out: &'s HashSet<u32>,
}

impl<'t> de::SeqAccess<'t> for &mut Items<'t, '_> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'t>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        let Some((number, item)) = self.items.next() else { return Ok(None) };
        let read = seed.deserialize(Reading::new(item, self.left_out)).map(Some);
        // What a type says of a value it has been given has no place yet.
        let read = read.map_err(|fault| fault.at(item.position()));
        if self.fixed { read } else { read.map_err(|fault| fault.blame(number, None)) }
    }
    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len().min(4096))
    }
}

/// `{variant: content}`.
struct Variant<'t, 's> {
    entry: EntryNode<'t>,
    left_out: &'s HashSet<u32>,
}

impl<'t, 's> de::EnumAccess<'t> for Variant<'t, 's> {
    type Error = Fault;
    type Variant = Reading<'t, 's>;

    fn variant_seed<V: DeserializeSeed<'t>>(self, seed: V) -> Result<(V::Value, Reading<'t, 's>)> {
        let value =
            seed.deserialize(Key(self.entry.key())).map_err(|fault| fault.at(self.entry.key_position()))?;
        Ok((value, Reading::new(self.entry.value(), self.left_out)))
    }
}

impl<'t> de::VariantAccess<'t> for Reading<'t, '_> {
    type Error = Fault;

    fn unit_variant(self) -> Result<()> {
        if self.node.is_null() { Ok(()) } else { self.other("nothing after this name") }
    }
    fn newtype_variant_seed<T: DeserializeSeed<'t>>(self, seed: T) -> Result<T::Value> {
        seed.deserialize(self)
    }
    fn tuple_variant<V: Visitor<'t>>(self, length: usize, visitor: V) -> Result<V::Value> {
        de::Deserializer::deserialize_tuple(self, length, visitor)
    }
    fn struct_variant<V: Visitor<'t>>(self, fields: &'static [&'static str], visitor: V) -> Result<V::Value> {
        de::Deserializer::deserialize_struct(self, "", fields, visitor)
    }
}

/// A key: text, or a number where a map's keys are numbers.
struct Key<'t>(&'t str);

macro_rules! numeric_keys {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
            match self.0.parse::<i128>() {
                Ok(number) => visit_integer(number, visitor),
                Err(_) => Err(de::Error::invalid_type(Unexpected::Str(self.0), &visitor)),
            }
        })*
    };
}

impl<'de> de::Deserializer<'de> for Key<'de> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_borrowed_str(self.0)
    }
    numeric_keys! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
    }
    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.0 {
            "true" => visitor.visit_bool(true),
            "false" => visitor.visit_bool(false),
            other => Err(de::Error::invalid_type(Unexpected::Str(other), &visitor)),
        }
    }
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        let name: StrDeserializer<'_, Fault> = self.0.into_deserializer();
        visitor.visit_enum(name)
    }
    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value> {
        visitor.visit_newtype_struct(self)
    }
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_some(self)
    }
    serde::forward_to_deserialize_any! {
        f32 f64 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct
        identifier ignored_any
    }
}
