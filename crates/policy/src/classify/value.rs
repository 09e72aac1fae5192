//! One value of one field: what its name promises first, then what its bytes allow.

use probity_model::{DataClass, Place, Signal};

use super::fields::NodeId;
use super::findings::Findings;
use super::key::Context;
use super::profile::{self, Profile};
use super::{Scanner, card, contact, health, iban, national, person, secret, text};

/// Values inside values (`password=...` in a message): how deep that is followed.
const MAX_NESTING: u8 = 2;

/// A value without quotes and escapes.
#[derive(Clone, Copy)]
pub(super) struct Value<'a> {
    pub(super) bytes: &'a [u8],
    /// A JSON number.
    pub(super) number: bool,
    /// Its end is missing: only what stands well before the cut counts.
    pub(super) cut: bool,
}

impl<'a> Value<'a> {
    pub(super) fn text(bytes: &'a [u8], cut: bool) -> Self {
        Self { bytes, number: false, cut }
    }
}

/// Below this no text tells anything without its field's name (`a@b.cc`, `1.2.3.4`).
const MIN_TEXT: usize = 6;
/// Below this no identifier tells anything but an e-mail address (the shortest: an account number).
const MIN_IDENTIFIER: usize = 15;
/// Below this no text of an answer is looked at for slips.
const MIN_SLIP: usize = 12;

/// Where hits go.
pub(super) struct Sink<'s, 'f> {
    pub(super) scanner: &'s Scanner,
    pub(super) out: &'f mut Findings,
    pub(super) response: bool,
    pub(super) depth: u8,
}

impl Sink<'_, '_> {
    /// `value` is of `class`.
    pub(super) fn hit(&mut self, node: NodeId, class: DataClass, value: &[u8]) {
        self.masked(node, class, false, value);
    }
    pub(super) fn masked(&mut self, node: NodeId, class: DataClass, masked: bool, value: &[u8]) {
        if !masked {
            self.out.trail.keep(node, &class, value);
        }
        self.out.hit(node, class, masked, 1);
    }

    /// The node of a key; a key that looks like a value is scanned like one.
    pub(super) fn member(&mut self, parent: NodeId, key: &[u8]) -> NodeId {
        self.member_after(parent, NodeId::NONE, key)
    }

    /// As [`Self::member`]; `before` is the member before it, or `parent`.
    pub(super) fn member_after(&mut self, parent: NodeId, before: NodeId, key: &[u8]) -> NodeId {
        let (node, valued) = self.out.fields.member(parent, before, key);
        if valued {
            self.out.trail.key = true;
            self.generic(node, Context::None, Value::text(key, false), Profile::of(key));
            self.out.trail.key = false;
        }
        node
    }

    /// A body that is one text.
    pub(super) fn document(&mut self, node: NodeId, bytes: &[u8], cut: bool) {
        if self.response {
            self.out.signals.0 |= self.scanner.traces.scan(bytes, true).0;
        }
        text::scan_document(self, node, Value::text(bytes, cut));
        self.custom(node, bytes, cut);
    }

    pub(super) fn graphql(&mut self, query: &[u8]) {
        let asks = |name: &[u8]| {
            memchr::memmem::find_iter(query, name).any(|at| {
                !query.get(at + name.len()).is_some_and(|next| next.is_ascii_alphanumeric() || *next == b'_')
            })
        };
        if asks(b"__schema") || asks(b"__type") {
            self.out.signals.insert(Signal::GraphqlIntrospectionAsked);
        }
    }

    fn custom(&mut self, node: NodeId, bytes: &[u8], cut: bool) {
        let customs = &self.scanner.customs;
        if !customs.is_empty() {
            customs.scan(bytes, cut, |class, value| {
                self.out.trail.keep(node, class, value);
                self.out.hit(node, class.clone(), false, 1);
            });
        }
    }

    #[inline]
    pub(super) fn value(&mut self, node: NodeId, value: Value<'_>) {
        let context = self.out.fields.context(node);
        let customs = !self.scanner.customs.is_empty();
        if context.is_promise() || customs {
            return self.watched(node, context, value);
        }
        if value.bytes.len() < MIN_TEXT || context == Context::Identifier && is_identifier(value) {
            return;
        }
        self.unnamed(node, context, value);
    }

    #[inline(never)]
    fn watched(&mut self, node: NodeId, context: Context, value: Value<'_>) {
        if value.bytes.is_empty() {
            return;
        }
        self.custom(node, value.bytes, value.cut);
        // A name or a phone number shows no stack trace.
        let found = context.is_promise() && self.promised(node, context, value);
        if !found && value.bytes.len() >= MIN_TEXT {
            self.unnamed(node, context, value);
        }
    }

    #[inline(never)]
    fn unnamed(&mut self, node: NodeId, context: Context, value: Value<'_>) {
        let profile = Profile::of(value.bytes);
        if self.response && value.bytes.len() >= MIN_SLIP {
            self.slips(context, value, profile);
        }
        if !is_prose(profile) {
            self.generic(node, context, value, profile);
        }
    }

    /// An integer of JSON.
    pub(super) fn number(&mut self, node: NodeId, bytes: &[u8]) {
        let context = self.out.fields.context(node);
        self.out.trail.number = true;
        self.integer(node, context, bytes);
        self.out.trail.number = false;
    }

    fn integer(&mut self, node: NodeId, context: Context, bytes: &[u8]) {
        self.custom(node, bytes, false);
        if context.is_promise() && self.promised(node, context, Value { bytes, number: true, cut: false }) {
            return;
        }
        if context != Context::Identifier && card::bare(bytes) {
            self.hit(node, DataClass::CardNumber, bytes);
        }
    }

    /// Stack traces and the like inside a string of an answer.
    fn slips(&mut self, context: Context, value: Value<'_>, profile: Profile) {
        let told = context == Context::ErrorText;
        let marked = profile::PAREN | profile::COLON | profile::SLASH | profile::ANGLE | profile::OTHER;
        let framed = profile.has(marked) && profile.has(profile::SPACE | profile::PAREN);
        // Plain lower-case prose is none of the texts that are looked for.
        let named = profile.has(marked | profile::UPPER | profile::DOT | profile::UNDERSCORE);
        if framed || told && named {
            self.out.signals.0 |= self.scanner.traces.scan(value.bytes, told).0;
        }
    }

    /// What the field's name promises; true if nothing more is to be looked for.
    fn promised(&mut self, node: NodeId, context: Context, value: Value<'_>) -> bool {
        use Context as C;
        let Value { bytes, .. } = value;
        if context == C::Query && !self.response {
            self.query(node, bytes);
        }
        if value.cut {
            // A value without its end keeps no promise; of a secret not even its beginning is read as something else.
            return matches!(context, C::Password | C::Secret);
        }
        let found = match context {
            C::None | C::Identifier | C::ErrorText | C::Email | C::Query => return false,
            C::Code => health::diagnosis(bytes, true).then_some((DataClass::DiagnosisCode, false)),
            C::CardCode => card::code(bytes).map(|masked| (DataClass::CardVerificationCode, masked)),
            C::CardNumber => card::promised(bytes).map(|masked| (DataClass::CardNumber, masked)),
            C::Card => card::short_mask(bytes).then_some((DataClass::CardNumber, true)),
            C::Track => card::is_track_field(bytes).then_some((DataClass::CardTrack, false)),
            C::Ssn => person::ssn_promised(bytes).map(|masked| (DataClass::Ssn, masked)),
            C::Iban => iban::promised(bytes).map(|masked| (DataClass::Iban, masked)),
            C::Phone => contact::phone_promised(bytes).map(|masked| (DataClass::Phone, masked)),
            C::BirthDate => {
                person::birth_date(bytes, value.number).then_some((DataClass::DateOfBirth, false))
            }
            C::Passport => person::passport(bytes).then_some((DataClass::Passport, false)),
            C::NationalId => national::promised(bytes).map(|masked| (DataClass::NationalId, masked)),
            C::MedicalRecord => health::record(bytes).then_some((DataClass::MedicalRecord, false)),
            C::Npi => health::npi(bytes).then_some((DataClass::Npi, false)),
            C::HealthPlan => health::plan(bytes).then_some((DataClass::HealthPlan, false)),
            C::WeakMember => health::plan_alone(bytes).then_some((DataClass::HealthPlan, false)),
            C::Diagnosis => health::diagnosis(bytes, false).then_some((DataClass::DiagnosisCode, false)),
            C::Medication => health::medication(bytes).then_some((DataClass::MedicationCode, false)),
            C::PersonName if !value.number => {
                person::name(bytes, Profile::of(bytes)).map(|masked| (DataClass::PersonName, masked))
            }
            C::Address | C::StreetAddress if !value.number => {
                person::address(bytes, Profile::of(bytes), context == C::StreetAddress)
                    .then_some((DataClass::PostalAddress, false))
            }
            C::Password => secret::password(bytes).map(|masked| (DataClass::Password, masked)),
            C::Secret if !value.number => secret::promised(bytes),
            _ => None,
        };
        match found {
            Some((class, masked)) => {
                self.masked(node, class, masked, bytes);
                true
            }
            // A password is nothing else, whatever it looks like.
            None => context == C::Password,
        }
    }

    fn query(&mut self, node: NodeId, bytes: &[u8]) {
        if self.out.fields.parent(node) == NodeId::root(Place::RequestBody)
            || self.out.fields.place(node) == Place::RequestQuery
        {
            self.graphql(bytes);
        }
    }

    /// What the bytes say without a name's help.
    fn generic(&mut self, node: NodeId, context: Context, value: Value<'_>, profile: Profile) {
        let bytes = value.bytes;
        if is_plain(value, profile) {
            return;
        }
        if !value.cut && profile.has(profile::COLON) && contact::ipv6(bytes, profile) {
            return self.hit(node, DataClass::IpAddress, bytes);
        }
        if context == Context::Identifier {
            return text::scan_strong(self, node, value, profile);
        }
        if !value.cut && health::labelled_record(bytes) {
            return self.hit(node, DataClass::MedicalRecord, bytes);
        }
        text::scan(self, node, value, profile);
    }

    /// A value found after its name inside a text (`password=...`).
    pub(super) fn nested(&mut self, node: NodeId, context: Context, bytes: &[u8]) -> bool {
        if self.depth >= MAX_NESTING {
            return false;
        }
        self.depth += 1;
        let found = self.promised(node, context, Value::text(bytes, false));
        self.depth -= 1;
        found
    }
}

/// Short ones without `@`, UUIDs and times: what nearly all fields of identifiers hold, told by a few bytes.
#[inline]
fn is_identifier(value: Value<'_>) -> bool {
    match value.bytes {
        _ if value.cut => false,
        bytes if bytes.len() < MIN_IDENTIFIER => !bytes.contains(&b'@'),
        // 2026-07-30T10:15:30.123+02:00
        [b'1' | b'2', _, _, b'0'..=b'9', b'-', _, _, b'-', _, _, b'T', .., b'0'..=b'9' | b'Z'] => {
            value.bytes.len() <= 35
        }
        bytes if bytes.len() == 36 => [8, 13, 18, 23].iter().all(|at| bytes.get(*at) == Some(&b'-')),
        _ => false,
    }
}

/// Words without a digit or a mark: nothing is found in them.
fn is_prose(profile: Profile) -> bool {
    use profile::{ANGLE, AT, COLON, DASH, DIGIT, EQUALS, MASK, SPACE};
    !profile.has(DIGIT | AT | MASK | EQUALS | COLON | ANGLE) && profile.flags & (DASH | SPACE) != DASH | SPACE
}

/// Values that are frequent, full of digits, and nothing: UUIDs, times, hashes.
fn is_plain(value: Value<'_>, profile: Profile) -> bool {
    let bytes = value.bytes;
    use profile::{COLON, DASH, DIGIT, DOT, HEX, LETTER, PLUS, SPACE, UPPER, WORD};
    if value.cut {
        return false;
    }
    match bytes {
        // 2026-07-30, 2026-07-30T10:15:30.123+02:00, 2026-07-30 10:15:30
        [b'0'..=b'9', _, _, _, b'-', _, _, b'-', _, _, rest @ ..]
            if profile.digits >= 8 && bytes.len() <= 35 =>
        {
            let clock =
                profile.flags & !(DIGIT | DASH | COLON | DOT | PLUS | LETTER | UPPER | SPACE | WORD) == 0;
            match rest.first() {
                None => true,
                Some(b'T' | b't') => clock && !profile.has(SPACE),
                Some(b' ') => clock && profile.has(COLON) && bytes.len() <= 26,
                Some(_) => false,
            }
        }
        _ if bytes.len() == 36 => {
            profile.flags & !(DIGIT | HEX | UPPER | DASH | WORD) == 0
                && [8, 13, 18, 23].iter().all(|at| bytes.get(*at) == Some(&b'-'))
        }
        // 10:15, 1:02:03
        _ if bytes.len() <= 8 => profile.flags & !(DIGIT | COLON | WORD) == 0,
        _ => {
            // A hash in hexadecimal with letters in it.
            profile.flags & !(DIGIT | HEX | UPPER | WORD) == 0
                && profile.has(HEX)
                && profile.digits + 2 < bytes.len() as u32
                && bytes.len() >= 24
        }
    }
}
