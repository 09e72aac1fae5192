//! Running text: cut into tokens, each handed to the detectors that its first bytes allow.

use probity_model::DataClass;

use super::fields::NodeId;
use super::key::{self, Context};
use super::profile::{self, Profile, WORD};
use super::value::{Sink, Value};
use super::{card, contact, health, iban, national, person, secret, trail};

/// In a text without its end, what ends nearer to the cut than this may go on behind it and does not count.
pub(super) const MARGIN: usize = 64;
/// Longest masked card number: nineteen bullets of three bytes, and separators.
const MAX_MASKED: usize = 64;
/// Shortest token that marks itself: a codice fiscale; keys have twenty letters and more.
const MIN_KEY: usize = 16;
/// Shortest name that promises anything (`ssn`), and longest name before `=` or `:`.
const MIN_LABEL: usize = 3;
const MAX_LABEL: usize = 40;
/// Longest value after one, and most names looked at in one text.
const MAX_LABELLED: usize = 2048;
const MAX_LABELS: u32 = 200;

struct Text<'a> {
    bytes: &'a [u8],
    profile: Profile,
    /// A hit must end at or before this.
    limit: usize,
    /// A whole body, not one value.
    document: bool,
    /// Only what marks itself: no runs of digits.
    strong: bool,
    /// Up to here an identifier stands: no runs of digits.
    quiet: usize,
    /// Names with a value that were looked at.
    labels: u32,
}

#[derive(Clone, Copy)]
struct Token<'a> {
    start: usize,
    end: usize,
    /// Without the dots and dashes at its end.
    text: &'a [u8],
    profile: Profile,
}

pub(super) fn scan(sink: &mut Sink<'_, '_>, node: NodeId, value: Value<'_>, profile: Profile) {
    let mut text = Text::of(value, profile);
    match may_count(value, profile) || text.has_address() {
        true => text.walk(sink, node),
        false => text.skim(sink, node),
    }
}

/// In a field of identifiers: addresses, secrets, account numbers; card numbers only in groups.
pub(super) fn scan_strong(sink: &mut Sink<'_, '_>, node: NodeId, value: Value<'_>, profile: Profile) {
    let mut text = Text { strong: true, ..Text::of(value, profile) };
    let grouped = profile.digits >= 14 && profile.has(profile::SPACE | profile::DASH);
    let account = profile.digits >= 7 && profile.has(profile::UPPER) && value.bytes.len() >= 15;
    match grouped || account || profile.has(profile::AT) || is_headed(value, profile) {
        true => text.walk(sink, node),
        false => text.skim(sink, node),
    }
}

/// Whether anything could be in a text beyond marked keys, named values and IP addresses, by the fewest digits and the
/// marks that each has.
fn may_count(value: Value<'_>, profile: Profile) -> bool {
    use profile::{AT, BIG_EX, DASH, EX, MASK, PAREN, PLUS, UPPER};
    let (digits, has) = (profile.digits, |flags: u32| profile.flags & flags != 0);
    if digits < 5 && !has(AT | MASK | BIG_EX | profile::ANGLE | DASH) {
        return false;
    }
    let card = digits >= 14;
    let length = value.bytes.len();
    let hidden = has(EX) && (digits >= 10 || digits >= 8 && length <= 22);
    let masked = has(MASK) || hidden || has(BIG_EX) && digits >= 2 && length >= 14;
    let phone = digits >= 8 && has(PLUS) || digits >= 10 && has(DASH | PAREN);
    let number = digits >= 9 && has(DASH) || digits >= 11;
    let account = has(UPPER) && (digits >= 9 || digits >= 5 && has(DASH) && length >= 13);
    has(AT) || card || masked || phone || number || account || is_headed(value, profile)
}

/// Whether the head of a key in PEM or of a passport could be there.
fn is_headed(value: Value<'_>, profile: Profile) -> bool {
    let dashed = profile::DASH | profile::SPACE;
    profile.has(profile::ANGLE) && memchr::memmem::find(value.bytes, b"<<").is_some()
        || profile.flags & dashed == dashed && memchr::memmem::find(value.bytes, b"-----").is_some()
}

/// A whole body.
pub(super) fn scan_document(sink: &mut Sink<'_, '_>, node: NodeId, value: Value<'_>) {
    Text { document: true, ..Text::of(value, Profile::of(value.bytes)) }.walk(sink, node);
}

impl<'a> Text<'a> {
    fn of(value: Value<'a>, profile: Profile) -> Self {
        let Value { bytes, cut, .. } = value;
        let limit = if cut { bytes.len().saturating_sub(MARGIN) } else { bytes.len() };
        Self { bytes, profile, limit, document: false, strong: false, quiet: 0, labels: 0 }
    }

    fn walk(&mut self, sink: &mut Sink<'_, '_>, node: NodeId) {
        let mut at = 0;
        while let Some(byte) = self.bytes.get(at) {
            if profile::class(*byte) & WORD != 0 {
                let token = self.token(at);
                at = self.visit(token, sink, node).max(token.end);
                continue;
            }
            if *byte == b'('
                && !self.is_quiet(at)
                && let Some(length) = contact::parenthesised(self.from(at))
                && at + length <= self.limit
            {
                sink.hit(node, DataClass::Phone, self.between(at, at + length));
                at += length;
            }
            at += 1;
        }
    }

    /// Whether dots stand between digits, or colons between hexadecimal ones.
    fn has_address(&self) -> bool {
        let Profile { flags, digits } = self.profile;
        let around = |at: usize, fits: fn(&u8) -> bool| {
            self.bytes.get(at + 1).is_some_and(fits)
                && at.checked_sub(1).and_then(|at| self.bytes.get(at)).is_some_and(fits)
        };
        let hexadecimal = |byte: &u8| byte.is_ascii_hexdigit() || *byte == b':';
        digits >= 4
            && flags & profile::DOT != 0
            && memchr::memchr_iter(b'.', self.bytes).any(|at| around(at, u8::is_ascii_digit))
            || digits > 0
                && flags & profile::COLON != 0
                // In a URL an IPv6 address stands in brackets.
                && (flags & profile::SLASH == 0 || flags & profile::OTHER != 0)
                && memchr::memchr_iter(b':', self.bytes).any(|at| around(at, hexadecimal))
    }

    /// Finds marked keys and named values only, without a look at each token: a run as long as a key covers one of each
    /// [`MIN_KEY`] bytes.
    fn skim(&mut self, sink: &mut Sink<'_, '_>, node: NodeId) {
        let is_word = |byte: &u8| profile::class(*byte) & WORD != 0;
        let mut at = MIN_KEY - 1;
        while let Some(byte) = self.bytes.get(at) {
            if is_word(byte) {
                let (head, tail) = self.bytes.split_at_checked(at).unwrap_or_default();
                let start = at - head.iter().rev().take_while(|byte| is_word(byte)).count();
                at += tail.iter().take_while(|byte| is_word(byte)).count();
                if at - start >= MIN_KEY {
                    self.visit(self.token(start), sink, node);
                }
            }
            at += MIN_KEY;
        }
        let Profile { flags, .. } = self.profile;
        if flags & profile::EQUALS != 0 {
            self.skim_labels(b'=', sink, node);
        }
        if flags & profile::COLON != 0 && flags & profile::SPACE != 0 {
            self.skim_labels(b':', sink, node);
        }
    }

    fn skim_labels(&mut self, mark: u8, sink: &mut Sink<'_, '_>, node: NodeId) {
        for at in memchr::memchr_iter(mark, self.bytes) {
            let head = self.bytes.get(at.saturating_sub(MAX_LABEL)..at).unwrap_or_default();
            let length = head.iter().rev().take_while(|byte| profile::class(**byte) & WORD != 0).count();
            // A longer token was visited with its label already.
            if (MIN_LABEL..MIN_KEY).contains(&length) {
                self.labelled(self.token(at - length), mark, sink, node);
            }
        }
    }

    fn from(&self, at: usize) -> &'a [u8] {
        self.bytes.get(at..).unwrap_or_default()
    }
    fn between(&self, start: usize, end: usize) -> &'a [u8] {
        self.bytes.get(start..end.min(self.bytes.len())).unwrap_or_default()
    }
    fn before(&self, at: usize) -> Option<u8> {
        at.checked_sub(1).and_then(|at| self.bytes.get(at)).copied()
    }
    fn is_quiet(&self, at: usize) -> bool {
        self.strong || at < self.quiet
    }

    #[inline]
    fn token(&self, start: usize) -> Token<'a> {
        let rest = self.from(start);
        let (mut flags, mut length) = (0, 0);
        for byte in rest {
            let class = profile::class(*byte);
            if class & WORD == 0 {
                break;
            }
            flags |= class;
            length += 1;
        }
        let mut text = rest.get(..length).unwrap_or_default();
        let digits = match flags & profile::DIGIT {
            0 => 0,
            _ => text.iter().map(|byte| u32::from(byte.is_ascii_digit())).sum(),
        };
        while let [rest @ .., b'.' | b'-'] = text {
            text = rest;
        }
        Token { start, end: start + length, text, profile: Profile { flags, digits } }
    }

    /// A short token with fewer digits than anything here has: only what stands behind it can give it a meaning.
    #[inline]
    fn is_word(token: &Token<'a>) -> bool {
        let Token { text, profile, .. } = token;
        let account = profile.has(profile::UPPER) && profile.digits >= 2 && text.len() >= 4;
        profile.digits < 4
            && text.len() < 16
            && !account
            && !profile.has(profile::AT | profile::MASK | profile::PLUS)
            && !matches!(text.first(), Some(b'-' | b'X' | b'x') | None)
    }

    /// Where to go on.
    #[inline]
    fn visit(&mut self, token: Token<'a>, sink: &mut Sink<'_, '_>, node: NodeId) -> usize {
        let next = self.bytes.get(token.end).copied();
        if Self::is_word(&token) && !matches!(next, Some(b':' | b'<')) {
            return match next {
                Some(b'=') if token.text.len() >= MIN_LABEL => self.labelled(token, b'=', sink, node),
                _ => token.end,
            };
        }
        self.visit_telling(token, sink, node)
    }

    fn visit_telling(&mut self, token: Token<'a>, sink: &mut Sink<'_, '_>, node: NodeId) -> usize {
        if let Some((class, masked, length)) = self.judge(token) {
            let end = token.start + length;
            if end <= self.limit {
                let extent = trail::extent(&class, self.from(token.start), length);
                sink.masked(node, class, masked, self.between(token.start, token.start + extent));
            }
            return end;
        }
        match self.bytes.get(token.end) {
            Some(mark @ (b'=' | b':')) if token.text.len() <= MAX_LABEL && token.profile.digits <= 4 => {
                self.labelled(token, *mark, sink, node)
            }
            _ => token.end,
        }
    }

    /// The class of what begins at a token, whether it is masked, and its length.
    fn judge(&self, token: Token<'a>) -> Option<(DataClass, bool, usize)> {
        let Token { start, text, profile, .. } = token;
        let rest = self.from(start);
        let first = *text.first().or(rest.first())?;
        let plain = |class: DataClass, length: usize| Some((class, false, length));
        if Self::is_word(&token) && first != b'P' {
            return self.ipv6(token).and_then(|length| plain(DataClass::IpAddress, length));
        }
        if profile.has(profile::AT) {
            return self.address(token);
        }
        if profile.digits > 0 {
            if let b'0'..=b'9' = first
                && let Some((class, length)) = self.digits(token)
            {
                return plain(class, length);
            }
            if first == b'+'
                && !self.is_quiet(start)
                && let Some(length) = contact::international(rest)
            {
                return plain(DataClass::Phone, length);
            }
            if first.is_ascii_uppercase()
                && text.get(2).is_some_and(u8::is_ascii_digit)
                && let Some(length) = iban::prefix(rest, false)
            {
                return plain(DataClass::Iban, length);
            }
            if matches!(first, b'B' | b'b')
                && text.len() >= 14
                && let Some(length) = card::track1(rest)
            {
                return plain(DataClass::CardTrack, length);
            }
        }
        if let Some((masked, length)) = self.masked(token) {
            return Some((DataClass::CardNumber, masked, length));
        }
        // An unsigned web token ends with a dot.
        let marked = if first == b'e' { rest.get(..token.end - start)? } else { text };
        if let Some(class) = secret::marked(marked).or_else(|| secret::marked(text)) {
            return plain(class, text.len());
        }
        if first == b'-' && secret::private_key(rest) {
            return plain(DataClass::PrivateKey, text.len().max(11));
        }
        if first == b'P' && self.profile.has(profile::ANGLE) && person::machine_readable(rest) {
            return plain(DataClass::Passport, 44);
        }
        if profile.digits >= 5 && national::unmistakable(text) {
            return plain(DataClass::NationalId, text.len());
        }
        if text.len() >= 37 && secret::azure(text) {
            return plain(DataClass::ApiKey, text.len());
        }
        self.ipv6(token).and_then(|length| plain(DataClass::IpAddress, length))
    }

    /// What begins with a digit.
    fn digits(&self, token: Token<'a>) -> Option<(DataClass, usize)> {
        let Token { start, text, profile, .. } = token;
        let rest = self.from(start);
        let slashed = self.before(start) == Some(b'/');
        if let Some(length) = card::grouped(rest) {
            return Some((DataClass::CardNumber, length));
        }
        if text.len() >= 13
            && profile.digits >= 13
            && let Some(length) = card::track2(rest)
        {
            return Some((DataClass::CardTrack, length));
        }
        if self.is_quiet(start) {
            return None;
        }
        let after = self.bytes.get(start + text.len());
        if !slashed && after != Some(&b'/') && card::bare(text) {
            return Some((DataClass::CardNumber, text.len()));
        }
        match text.len() {
            11 if !slashed && person::ssn_dashed(text) => return Some((DataClass::Ssn, 11)),
            12 | 14 if !slashed && contact::north_american(text) => {
                return Some((DataClass::Phone, text.len()));
            }
            13 if health::is_mbi(text) => return Some((DataClass::HealthPlan, 13)),
            _ => {}
        }
        if profile.has(profile::DOT) && contact::ipv4(text) {
            let in_path = slashed && self.before(start.saturating_sub(1)) != Some(b'/');
            let network = after == Some(&b'/')
                && self.bytes.get(start + text.len() + 1).is_some_and(u8::is_ascii_digit);
            if !in_path && !network {
                return Some((DataClass::IpAddress, text.len()));
            }
        }
        None
    }

    /// A token with `@`: an e-mail address, or the end of `scheme://user:password@host`.
    fn address(&self, token: Token<'a>) -> Option<(DataClass, bool, usize)> {
        let Token { start, text, .. } = token;
        let at = memchr::memchr(b'@', text)?;
        match self.before(start) {
            Some(b'/') if self.before(start.saturating_sub(1)) == Some(b'/') => return None,
            Some(b':') if self.is_user_information(start) => {
                let template = matches!(text.first(), Some(b'*' | b'#'));
                return Some((DataClass::Password, template, at));
            }
            _ => {}
        }
        let trimmed =
            text.iter().position(|byte| byte.is_ascii_alphanumeric() || *byte >= 0x80 || *byte == b'*')?;
        let masked = contact::email(text.get(trimmed..)?)?;
        let ssh = self.bytes.get(start + text.len()) == Some(&b':') && text.starts_with(b"git@");
        (!ssh).then_some((DataClass::Email, masked, text.len()))
    }

    /// Whether `://user:` stands right before.
    fn is_user_information(&self, start: usize) -> bool {
        let near = self.bytes.get(start.saturating_sub(80)..start).unwrap_or_default();
        let run =
            near.rsplit(|byte| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b'<')).next();
        let Some(run) = run.and_then(|run| run.strip_suffix(b":")) else { return false };
        memchr::memmem::rfind(run, b"://")
            .and_then(|at| run.get(at + 3..))
            .is_some_and(|user| user.iter().all(|byte| !matches!(byte, b'/' | b'?' | b':')))
    }

    /// A card number with hidden digits, over several tokens where it is grouped.
    fn masked(&self, token: Token<'a>) -> Option<(bool, usize)> {
        let first = *token.text.first()?;
        let hides =
            token.profile.has(profile::MASK) || matches!(first, b'X' | b'x') || token.text.len() >= 12;
        let begins = first.is_ascii_digit() || matches!(first, b'*' | b'X' | b'#' | b'x') || first >= 0x80;
        if !begins || self.is_quiet(token.start) && !hides {
            return None;
        }
        let fits = |byte: &u8| {
            byte.is_ascii_digit() || matches!(byte, b'*' | b'X' | b'x' | b'#' | b' ' | b'-') || *byte >= 0x80
        };
        let rest = self.from(token.start);
        let rest = rest.get(..rest.len().min(MAX_MASKED))?;
        let length = rest.iter().position(|byte| !fits(byte)).unwrap_or(rest.len());
        let mut region = rest.get(..length)?;
        while let [head @ .., b' ' | b'-'] = region {
            region = head;
        }
        let longer = rest.get(region.len()).is_some_and(|next| next.is_ascii_alphanumeric() || *next == b'_');
        if longer || !region.iter().any(|byte| matches!(byte, b'*' | b'X' | b'x' | b'#') || *byte >= 0x80) {
            return None;
        }
        card::mask(region, false).map(|masked| (masked, region.len()))
    }

    fn ipv6(&self, token: Token<'a>) -> Option<usize> {
        let hex = token.text.len() <= 4 && token.text.iter().all(u8::is_ascii_hexdigit);
        if !hex || self.is_quiet(token.start) || self.bytes.get(token.end) != Some(&b':') {
            return None;
        }
        let rest = self.from(token.start);
        let rest = rest.get(..rest.len().min(48))?;
        let fits = |byte: &u8| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.');
        let length = rest.iter().position(|byte| !fits(byte)).unwrap_or(rest.len());
        let mut run = rest.get(..length)?;
        while let [head @ .., b'.' | b':'] = run {
            run = head;
        }
        let whole = rest.get(length).is_none_or(|next| profile::class(*next) & WORD == 0);
        (whole && contact::ipv6(run, Profile::of(run))).then_some(run.len())
    }

    /// `name=value`, and in running text `name: value`.
    fn labelled(&mut self, token: Token<'a>, mark: u8, sink: &mut Sink<'_, '_>, node: NodeId) -> usize {
        use Context as C;
        let spaced = self.bytes.get(token.end + 1) == Some(&b' ');
        if mark == b':' && !spaced && !self.document {
            return token.end;
        }
        if self.labels >= MAX_LABELS {
            return token.end;
        }
        self.labels += 1;
        let context = key::context(token.text, C::None);
        let named = match context {
            C::Password => mark == b'=' && !spaced,
            C::Secret | C::Ssn | C::CardCode | C::CardNumber | C::BirthDate | C::MedicalRecord => true,
            C::Npi | C::Passport | C::HealthPlan | C::Track | C::Iban | C::Phone | C::Medication => true,
            C::NationalId | C::Diagnosis | C::Identifier => true,
            _ => false,
        };
        if !named {
            return token.end;
        }
        let mut start = token.end + 1;
        while self.bytes.get(start).is_some_and(|byte| matches!(byte, b' ' | b'"' | b'\''))
            && start < token.end + 4
        {
            start += 1;
        }
        let rest = self.from(start);
        let rest = rest.get(..rest.len().min(MAX_LABELLED)).unwrap_or_default();
        let ends = |byte: &u8| byte.is_ascii_whitespace() || b"&,;|\"'<>(){}[]".contains(byte);
        let length = rest.iter().position(ends).unwrap_or(rest.len());
        let mut value = rest.get(..length).unwrap_or_default();
        while let [head @ .., b'.'] = value {
            value = head;
        }
        let end = start + length;
        if context == C::Identifier {
            self.quiet = self.quiet.max(end);
            return token.end;
        }
        let proven = context != C::NationalId || national::is_checked(value);
        if !value.is_empty() && end <= self.limit && proven && sink.nested(node, context, value) {
            return end;
        }
        token.end
    }
}
