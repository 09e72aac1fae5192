//! Form bodies, urlencoded and multipart: read strictly, typed by their schema, judged as an object.
//!
//! The bytes of a file are not judged: that it is there, how often, and which content type it has, are.

use std::borrow::Cow;

use probity_model::bundle::contract::{BodyLimits, EncodingContract, MediaContract, ParameterStyle, Unknown};

use super::coerce;
use super::json::{self, JsonFault, Kind, write_string};
use super::media::{self, MediaType};
use super::schema::{Schema, Table, Types};
use super::uri;
use super::validate::{self, Direction, Fault};

/// Bytes of the headers of one part.
const MAX_PART_HEAD: usize = 8 * 1024;
/// RFC 2046.
const MAX_BOUNDARY: usize = 70;

/// One field of a form.
#[derive(Debug)]
struct Field<'b> {
    name: Cow<'b, str>,
    content: Content<'b>,
    content_type: Option<MediaType>,
}

#[derive(Debug)]
enum Content<'b> {
    Text(Cow<'b, str>),
    File,
}

fn syntax(expected: &'static str) -> JsonFault {
    JsonFault::Syntax(expected)
}

/// Reads a form. Without a schema only its own rules count.
pub(crate) fn judge(
    table: &Table,
    declared: Option<&MediaContract>,
    media: &MediaType,
    body: &[u8],
    limits: &BodyLimits,
    unknown: Unknown,
) -> Result<Vec<Fault>, JsonFault> {
    let fields = if media.is_multipart() {
        multipart(body, media.boundary.as_deref().unwrap_or_default(), limits)?
    } else {
        urlencoded(body, limits)?
    };
    let Some(declared) = declared else { return Ok(Vec::new()) };
    let mut faults = Vec::new();
    for field in &fields {
        let encoding = declared.encoding.iter().find(|encoding| encoding.name == field.name);
        let Some(encoding) = encoding.filter(|encoding| !encoding.content_types.is_empty()) else { continue };
        // A part without a type is text.
        let given = field.content_type.as_ref().map_or("text/plain", |given| given.essence.as_str());
        if media.is_multipart()
            && !encoding.content_types.iter().any(|range| media::rank(range, given).is_some())
        {
            faults.push(Fault {
                rule: "content-type",
                pointer: format!("/{}", encoding.name),
                expected: encoding.content_types.join(" or "),
                found: "string",
                flag: false,
            });
        }
    }
    let Some(row) = declared.schema else { return Ok(faults) };
    let schema = table.row(row);
    let (text, files) = write(table, schema, &declared.encoding, &fields, limits)?;
    let nodes = json::parse(text.as_bytes(), limits)?;
    // Taking a field out of a form would mean to write it anew.
    let unknown = if unknown == Unknown::Strip { Unknown::Refuse } else { unknown };
    let outcome = validate::judge(table, schema, &nodes, Direction::Request, unknown);
    let of_file = |fault: &Fault| {
        matches!(fault.rule, "bounds" | "format" | "pattern" | "enum" | "type")
            && files.iter().any(|file| {
                fault
                    .pointer
                    .strip_prefix('/')
                    .and_then(|rest| rest.strip_prefix(file.as_str()))
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            })
    };
    faults.extend(
        outcome
            .faults
            .into_iter()
            .filter(|fault| fault.rule == "type" && !is_placeholder(fault) || !of_file(fault)),
    );
    faults.truncate(validate::MAX_VIOLATIONS);
    Ok(faults)
}

/// A file stands as a string in the object that is judged.
fn is_placeholder(fault: &Fault) -> bool {
    fault.found == "string" && fault.expected.contains("string")
}

/// The form as a JSON object, and the names of its files.
fn write(
    table: &Table,
    schema: &Schema,
    encodings: &[EncodingContract],
    fields: &[Field<'_>],
    limits: &BodyLimits,
) -> Result<(String, Vec<String>), JsonFault> {
    let mut names: Vec<&str> = Vec::new();
    for field in fields {
        let name = field.name.split('[').next().unwrap_or_default();
        let is_deep = encodings
            .iter()
            .any(|encoding| encoding.name == name && encoding.style == ParameterStyle::DeepObject);
        let name = if is_deep { name } else { &field.name };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let (mut out, mut files) = (String::from("{"), Vec::new());
    for (number, name) in names.into_iter().enumerate() {
        if number > 0 {
            out.push(',');
        }
        write_string(&mut out, name);
        out.push(':');
        let property = coerce::property(table, schema, name);
        let encoding = encodings.iter().find(|encoding| encoding.name == name);
        if encoding.is_some_and(|encoding| encoding.style == ParameterStyle::DeepObject) {
            deep(&mut out, table, property, name, fields)?;
            continue;
        }
        let own: Vec<&Field<'_>> = fields.iter().filter(|field| field.name == name).collect();
        if own.iter().any(|field| matches!(field.content, Content::File)) {
            files.push(name.to_owned());
        }
        let types = property.map_or(Types::ANY, |property| coerce::types_of(table, property));
        let list = types.has(Kind::Array) && !types.has(Kind::String);
        match own.as_slice() {
            [field] if !list => value(&mut out, table, property, types, field, limits)?,
            [field] if encoding.is_some_and(|encoding| !encoding.explode) => {
                let Content::Text(text) = &field.content else { return Err(syntax("text")) };
                let separator = match encoding.map(|encoding| encoding.style) {
                    Some(ParameterStyle::SpaceDelimited) => ' ',
                    Some(ParameterStyle::PipeDelimited) => '|',
                    _ => ',',
                };
                let items = property.and_then(|property| coerce::items(table, property));
                out.push('[');
                for (number, text) in text.split(separator).take(limits.json_elements as usize).enumerate() {
                    if number > 0 {
                        out.push(',');
                    }
                    coerce::write(&mut out, table, items, text);
                }
                out.push(']');
            }
            // One part may hold the whole list as JSON.
            [field] if is_json_text(field, limits) => out.push_str(text_of(field)),
            several => {
                let items = property.and_then(|property| coerce::items(table, property));
                let types = items.map_or(Types::ANY, |items| coerce::types_of(table, items));
                out.push('[');
                for (number, field) in several.iter().enumerate() {
                    if number > 0 {
                        out.push(',');
                    }
                    value(&mut out, table, items, types, field, limits)?;
                }
                out.push(']');
            }
        }
    }
    out.push('}');
    Ok((out, files))
}

fn text_of<'f>(field: &'f Field<'_>) -> &'f str {
    match &field.content {
        Content::Text(text) => text,
        Content::File => "\"\"",
    }
}

/// A part that is a JSON document, by its type or by its brackets.
fn is_json_text(field: &Field<'_>, limits: &BodyLimits) -> bool {
    let Content::Text(text) = &field.content else { return false };
    let named = field.content_type.as_ref().is_some_and(MediaType::is_json);
    (named || field.content_type.is_none() && text.trim_start().starts_with(['{', '[']))
        && json::parse(text.as_bytes(), limits).is_ok()
}

fn value(
    out: &mut String,
    table: &Table,
    schema: Option<&Schema>,
    types: Types,
    field: &Field<'_>,
    limits: &BodyLimits,
) -> Result<(), JsonFault> {
    let Content::Text(text) = &field.content else {
        out.push_str("\"\"");
        return Ok(());
    };
    let structured = !types.has(Kind::String) && (types.has(Kind::Object) || types.has(Kind::Array));
    if field.content_type.as_ref().is_some_and(MediaType::is_json)
        || structured && is_json_text(field, limits)
    {
        json::parse(text.as_bytes(), limits)?;
        out.push_str(text);
        return Ok(());
    }
    coerce::write(out, table, schema, text);
    Ok(())
}

fn deep(
    out: &mut String,
    table: &Table,
    schema: Option<&Schema>,
    name: &str,
    fields: &[Field<'_>],
) -> Result<(), JsonFault> {
    out.push('{');
    let mut first = true;
    for field in fields {
        let Some(rest) = field.name.strip_prefix(name).and_then(|rest| rest.strip_prefix('[')) else {
            continue;
        };
        let Some(inner) = rest.strip_suffix(']').filter(|inner| !inner.contains(['[', ']'])) else {
            return Err(syntax("`name[field]`"));
        };
        if !first {
            out.push(',');
        }
        first = false;
        write_string(out, inner);
        out.push(':');
        let property = schema.and_then(|schema| coerce::property(table, schema, inner));
        coerce::write(out, table, property, text_of(field));
    }
    out.push('}');
    Ok(())
}

fn urlencoded<'b>(body: &'b [u8], limits: &BodyLimits) -> Result<Vec<Field<'b>>, JsonFault> {
    let text = std::str::from_utf8(body).map_err(|_| JsonFault::Utf8)?;
    let mut fields = Vec::new();
    for (name, value) in uri::pairs(text, '&') {
        if fields.len() >= limits.form_fields as usize {
            return Err(JsonFault::Members);
        }
        let decoded = |text| uri::decode(text, true).ok_or(syntax("UTF-8, percent-encoded"));
        fields.push(Field {
            name: decoded(name)?,
            content: Content::Text(decoded(value)?),
            content_type: None,
        });
    }
    Ok(fields)
}

/// RFC 7578, its delimiters where they must be and nothing between the parts.
fn multipart<'b>(body: &'b [u8], boundary: &str, limits: &BodyLimits) -> Result<Vec<Field<'b>>, JsonFault> {
    if boundary.is_empty()
        || boundary.len() > MAX_BOUNDARY
        || !boundary.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&byte))
    {
        return Err(syntax("a boundary"));
    }
    let delimiter = format!("\r\n--{boundary}");
    let finder = memchr::memmem::Finder::new(&delimiter);
    // The first delimiter needs no line end before it.
    let opening = delimiter.as_bytes().get(2..).unwrap_or_default();
    let mut rest = body.strip_prefix(opening).ok_or(syntax("the boundary at the beginning"))?;
    let mut fields = Vec::new();
    loop {
        match rest {
            [b'-', b'-', tail @ ..] => {
                return match tail {
                    b"" | b"\r\n" => Ok(fields),
                    _ => Err(syntax("nothing behind the last part")),
                };
            }
            [b'\r', b'\n', tail @ ..] => rest = tail,
            _ => return Err(syntax("a line end behind the boundary")),
        }
        if fields.len() >= limits.form_fields as usize {
            return Err(JsonFault::Members);
        }
        let head = rest.get(..rest.len().min(MAX_PART_HEAD)).unwrap_or_default();
        let end = memchr::memmem::find(head, b"\r\n\r\n").ok_or(syntax("the headers of a part"))?;
        let (head, tail) = rest.split_at_checked(end).ok_or(syntax("the headers of a part"))?;
        // The delimiter's line end may be the one that ends the headers.
        let content = tail.get(2..).unwrap_or_default();
        let end = finder.find(content).ok_or(syntax("the boundary behind a part"))?;
        let (content, tail) = content.split_at_checked(end).ok_or(syntax("a part"))?;
        let content = content.strip_prefix(b"\r\n").unwrap_or(content);
        fields.push(part(head, content)?);
        rest = tail.get(delimiter.len()..).unwrap_or_default();
    }
}

fn part<'b>(head: &'b [u8], content: &'b [u8]) -> Result<Field<'b>, JsonFault> {
    let head = std::str::from_utf8(head).map_err(|_| JsonFault::Utf8)?;
    let (mut name, mut is_file, mut content_type) = (None, false, None);
    for line in head.split("\r\n") {
        let (field, value) = line.split_once(':').ok_or(syntax("`name: value` in a part's headers"))?;
        if line.contains(['\r', '\n', '\0']) || field.ends_with([' ', '\t']) || line.starts_with([' ', '\t'])
        {
            return Err(syntax("`name: value` in a part's headers"));
        }
        match field.to_ascii_lowercase().as_str() {
            "content-disposition" if name.is_none() => {
                let (disposition, parameters) = value.trim().split_once(';').unwrap_or_default();
                if !disposition.trim().eq_ignore_ascii_case("form-data") {
                    return Err(syntax("`form-data`"));
                }
                let read = disposition_parameters(parameters)
                    .ok_or(syntax("one `name` and at most one `filename`"))?;
                name = Some(read.0);
                is_file = read.1;
            }
            "content-type" if content_type.is_none() => {
                content_type = Some(MediaType::parse(value.trim()).ok_or(syntax("a media type"))?);
            }
            "content-disposition" | "content-type" | "content-transfer-encoding" => {
                return Err(syntax("each header of a part once, and no transfer encoding"));
            }
            _ => {}
        }
    }
    let name = name.ok_or(syntax("a part's name"))?;
    // Without a file's name it is a field to most upstreams, whatever type it claims: the schema holds for it.
    let is_text = !is_file || content_type.as_ref().is_some_and(MediaType::is_json);
    let content = match std::str::from_utf8(content) {
        Ok(text) if is_text => Content::Text(Cow::Borrowed(text)),
        _ => Content::File,
    };
    Ok(Field { name: Cow::Owned(name), content, content_type })
}

/// The name, and whether there is a file name.
fn disposition_parameters(text: &str) -> Option<(String, bool)> {
    let (mut name, mut file) = (None, None);
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (key, tail) = rest.split_once('=')?;
        let (value, after) = match tail.trim_start().strip_prefix('"') {
            Some(quoted) => {
                let mut value = String::new();
                let mut chars = quoted.chars();
                loop {
                    match chars.next()? {
                        '"' => break,
                        '\\' => value.push(chars.next()?),
                        c => value.push(c),
                    }
                }
                (value, chars.as_str().trim_start())
            }
            None => {
                let (value, after) = tail
                    .split_once(';')
                    .map_or((tail, ""), |(value, _)| (value, tail.get(value.len()..).unwrap_or_default()));
                (value.trim().to_owned(), after)
            }
        };
        let slot = match key.trim().to_ascii_lowercase().as_str() {
            "name" => Some(&mut name),
            "filename" => Some(&mut file),
            _ => None,
        };
        if let Some(slot) = slot
            && slot.replace(value).is_some()
        {
            return None;
        }
        rest = match after.strip_prefix(';') {
            Some(rest) => rest.trim_start(),
            None if after.is_empty() => "",
            None => return None,
        };
    }
    Some((name?, file.is_some()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(body: &str) -> Result<Vec<(String, bool)>, JsonFault> {
        let fields = multipart(body.as_bytes(), "b", &BodyLimits::default())?;
        Ok(fields
            .iter()
            .map(|field| (field.name.to_string(), matches!(field.content, Content::File)))
            .collect())
    }

    #[test]
    fn reads_parts() {
        let one = "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nx\r\n--b--\r\n";
        assert_eq!(names(one), Ok(vec![("a".to_owned(), false)]));
        let file = "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x.png\"\r\nContent-Type: image/png\r\n\r\n\u{fffd}\r\n--b--";
        assert_eq!(names(file), Ok(vec![("f".to_owned(), true)]));
        let empty = "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n\r\n--b--";
        assert_eq!(names(empty), Ok(vec![("a".to_owned(), false)]));
        for broken in [
            "",
            "x--b--",
            "--b",
            "--b\r\n\r\n--b--",
            "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nx",
            "--b\r\nContent-Disposition: form-data; name=\"a\"; name=\"b\"\r\n\r\nx\r\n--b--",
            "--b\r\nContent-Disposition: form-data; name=\"a\"\r\nContent-Disposition: form-data; name=\"b\"\r\n\r\nx\r\n--b--",
            "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nx\r\n--b--trailing",
            "--b\r\nContent-Disposition : form-data; name=\"a\"\r\n\r\nx\r\n--b--",
            "--b\r\nContent-Disposition: attachment; name=\"a\"\r\n\r\nx\r\n--b--",
        ] {
            assert!(names(broken).is_err(), "{broken:?}");
        }
    }
}
