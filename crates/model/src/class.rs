//! Classes of data, and where one was found. A hit names a class, a place and a count; never a value.

use std::fmt;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A class of data. User-added classes carry their own id and label in the bundle.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DataClass {
    CardNumber,
    CardVerificationCode,
    CardTrack,
    Ssn,
    Iban,
    Email,
    Phone,
    DateOfBirth,
    Passport,
    NationalId,
    MedicalRecord,
    Npi,
    HealthPlan,
    DiagnosisCode,
    MedicationCode,
    IpAddress,
    PersonName,
    PostalAddress,
    Jwt,
    PrivateKey,
    ApiKey,
    Password,
    Custom(Arc<str>),
}

/// What a class counts as for scope: card data, health data, personal data, a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ClassGroup {
    /// Cardholder data.
    Card,
    /// Sensitive authentication data (CVV, track).
    CardAuthentication,
    Health,
    Personal,
    Secret,
    Custom,
}

const NAMED: [(DataClass, &str, ClassGroup); 22] = [
    (DataClass::CardNumber, "card-number", ClassGroup::Card),
    (DataClass::CardVerificationCode, "card-verification-code", ClassGroup::CardAuthentication),
    (DataClass::CardTrack, "card-track", ClassGroup::CardAuthentication),
    (DataClass::Ssn, "ssn", ClassGroup::Personal),
    (DataClass::Iban, "iban", ClassGroup::Personal),
    (DataClass::Email, "email", ClassGroup::Personal),
    (DataClass::Phone, "phone", ClassGroup::Personal),
    (DataClass::DateOfBirth, "date-of-birth", ClassGroup::Personal),
    (DataClass::Passport, "passport", ClassGroup::Personal),
    (DataClass::NationalId, "national-id", ClassGroup::Personal),
    (DataClass::MedicalRecord, "medical-record", ClassGroup::Health),
    (DataClass::Npi, "npi", ClassGroup::Health),
    (DataClass::HealthPlan, "health-plan", ClassGroup::Health),
    (DataClass::DiagnosisCode, "diagnosis-code", ClassGroup::Health),
    (DataClass::MedicationCode, "medication-code", ClassGroup::Health),
    (DataClass::IpAddress, "ip-address", ClassGroup::Personal),
    (DataClass::PersonName, "person-name", ClassGroup::Personal),
    (DataClass::PostalAddress, "postal-address", ClassGroup::Personal),
    (DataClass::Jwt, "jwt", ClassGroup::Secret),
    (DataClass::PrivateKey, "private-key", ClassGroup::Secret),
    (DataClass::ApiKey, "api-key", ClassGroup::Secret),
    (DataClass::Password, "password", ClassGroup::Secret),
];

impl DataClass {
    pub fn as_str(&self) -> &str {
        match self {
            Self::Custom(id) => id,
            named => NAMED.iter().find(|(class, ..)| class == named).map_or("", |(_, name, _)| name),
        }
    }
    /// A named class, else a custom one.
    pub fn parse(text: &str) -> Self {
        NAMED
            .iter()
            .find(|(_, name, _)| *name == text)
            .map_or_else(|| Self::Custom(text.into()), |(class, ..)| class.clone())
    }
    pub fn group(&self) -> ClassGroup {
        NAMED.iter().find(|(class, ..)| class == self).map_or(ClassGroup::Custom, |(.., group)| *group)
    }
    /// Every class that Probity names itself.
    pub fn named() -> impl Iterator<Item = &'static DataClass> {
        NAMED.iter().map(|(class, ..)| class)
    }
}

impl fmt::Display for DataClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
impl Serialize for DataClass {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
impl<'de> Deserialize<'de> for DataClass {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<'de, str>::deserialize(deserializer).map(|text| Self::parse(&text))
    }
}
impl JsonSchema for DataClass {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "DataClass".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "string", "description": "a named class or the id of a class that the configuration adds"})
    }
}

/// Which part of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    RequestPath,
    RequestQuery,
    RequestHeader,
    RequestBody,
    ResponseHeader,
    ResponseBody,
}

impl Place {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RequestPath => "request-path",
            Self::RequestQuery => "request-query",
            Self::RequestHeader => "request-header",
            Self::RequestBody => "request-body",
            Self::ResponseHeader => "response-header",
            Self::ResponseBody => "response-body",
        }
    }
    pub const fn is_response(self) -> bool {
        matches!(self, Self::ResponseHeader | Self::ResponseBody)
    }
}

/// A class found in one field of one part of a call, so many times. `field` is a JSON pointer with `*` for array
/// indices, a header or parameter name; names that themselves look like values are replaced by their lexical type.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct ClassHit {
    pub class: DataClass,
    pub place: Place,
    pub field: String,
    pub count: u32,
    /// The value was masked already (for a card number: at most BIN and last four in clear).
    pub masked: bool,
}
