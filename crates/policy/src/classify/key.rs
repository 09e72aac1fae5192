//! What a key says about its value: `card_cvv`, `cardCvv` and `CARD-CVV` mean the same.
//!
//! A key is folded to lower-case letters and digits with the starts of its words marked; then its longest known suffix of
//! whole words decides (`patientDateOfBirth` by `dateofbirth`). Some names mean something only by what stands before or
//! around them (`name`, `number`, `code`): those are resolved against the words before, else against the parent.

/// Meaning of a field. The first group is decided by a key alone, the second only beside another, the third are
/// surroundings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Context {
    None,
    CardNumber,
    CardCode,
    Track,
    Ssn,
    Iban,
    Email,
    Phone,
    BirthDate,
    Passport,
    NationalId,
    MedicalRecord,
    Npi,
    HealthPlan,
    Diagnosis,
    Medication,
    Address,
    PersonName,
    StreetAddress,
    Password,
    Secret,
    /// Identifiers, times, amounts: long digit runs are expected here and say nothing.
    Identifier,
    /// Texts of errors.
    ErrorText,
    /// A GraphQL request's query.
    Query,
    /// `code`: a diagnosis only if it is unmistakable.
    Code,

    WeakName,
    WeakPart,
    WeakNumber,
    WeakCode,
    WeakLine,
    WeakMember,
    WeakCid,

    Person,
    Card,
    Insurance,
    DiagnosisAround,
    MedicationAround,
    /// `items`, `data`: what holds outside holds inside.
    Neutral,
}

use Context as C;

/// Longest key that is looked at, folded.
const MAX_KEY: usize = 64;

const NAMES: &[(&str, Context)] = &[
    // Cards.
    ("pan", C::CardNumber),
    ("cardnumber", C::CardNumber),
    ("cardno", C::CardNumber),
    ("cardnum", C::CardNumber),
    ("ccnumber", C::CardNumber),
    ("ccnum", C::CardNumber),
    ("ccno", C::CardNumber),
    ("creditcard", C::Card),
    ("creditcardnumber", C::CardNumber),
    ("debitcardnumber", C::CardNumber),
    ("primaryaccountnumber", C::CardNumber),
    ("maskedpan", C::CardNumber),
    ("maskedcard", C::CardNumber),
    ("maskednumber", C::WeakNumber),
    ("card", C::Card),
    ("cards", C::Card),
    ("debitcard", C::Card),
    ("paymentcard", C::Card),
    ("cvv", C::CardCode),
    ("cvv2", C::CardCode),
    ("cvc", C::CardCode),
    ("cvc2", C::CardCode),
    ("cvn", C::CardCode),
    ("cav2", C::CardCode),
    ("csc", C::CardCode),
    ("securitycode", C::CardCode),
    ("cardcode", C::CardCode),
    ("cardsecuritycode", C::CardCode),
    ("cardverificationcode", C::CardCode),
    ("cardverificationvalue", C::CardCode),
    ("cvvcode", C::CardCode),
    ("cvccode", C::CardCode),
    ("cvvnumber", C::CardCode),
    ("cid", C::WeakCid),
    ("track", C::Track),
    ("track1", C::Track),
    ("track2", C::Track),
    ("trackdata", C::Track),
    ("track1data", C::Track),
    ("track2data", C::Track),
    ("magstripe", C::Track),
    ("magneticstripe", C::Track),
    // Persons.
    ("ssn", C::Ssn),
    ("socialsecurity", C::Ssn),
    ("socialsecuritynumber", C::Ssn),
    ("socialsecurityno", C::Ssn),
    ("ssnlast4", C::None),
    ("itin", C::Ssn),
    ("taxpayerid", C::Ssn),
    ("taxid", C::Ssn),
    ("tin", C::Ssn),
    ("governmentid", C::NationalId),
    ("iban", C::Iban),
    ("ibannumber", C::Iban),
    ("email", C::Email),
    ("emailaddress", C::Email),
    ("mail", C::Email),
    ("phone", C::Phone),
    ("phonenumber", C::Phone),
    ("phoneno", C::Phone),
    ("telephone", C::Phone),
    ("telephonenumber", C::Phone),
    ("tel", C::Phone),
    ("telefon", C::Phone),
    ("mobile", C::Phone),
    ("mobilenumber", C::Phone),
    ("mobilephone", C::Phone),
    ("cell", C::Phone),
    ("cellphone", C::Phone),
    ("cellnumber", C::Phone),
    ("landline", C::Phone),
    ("fax", C::Phone),
    ("faxnumber", C::Phone),
    ("msisdn", C::Phone),
    ("whatsapp", C::Phone),
    ("dob", C::BirthDate),
    ("birthdate", C::BirthDate),
    ("birthday", C::BirthDate),
    ("dateofbirth", C::BirthDate),
    ("birthdatetime", C::BirthDate),
    ("bornon", C::BirthDate),
    ("geburtsdatum", C::BirthDate),
    ("passport", C::Passport),
    ("passportnumber", C::Passport),
    ("passportno", C::Passport),
    ("passportid", C::Passport),
    ("traveldocumentnumber", C::Passport),
    ("nationalid", C::NationalId),
    ("nationalidnumber", C::NationalId),
    ("nationalidentifier", C::NationalId),
    ("nationalidentitynumber", C::NationalId),
    ("nationalinsurancenumber", C::NationalId),
    ("nationalnumber", C::NationalId),
    ("identitynumber", C::NationalId),
    ("identitycard", C::NationalId),
    ("identitycardnumber", C::NationalId),
    ("idcardnumber", C::NationalId),
    ("idcard", C::NationalId),
    ("citizenid", C::NationalId),
    ("personalidentitynumber", C::NationalId),
    ("personalidentificationnumber", C::NationalId),
    ("personnummer", C::NationalId),
    ("nino", C::NationalId),
    ("dni", C::NationalId),
    ("nie", C::NationalId),
    ("nif", C::NationalId),
    ("codicefiscale", C::NationalId),
    ("fiscalcode", C::NationalId),
    ("cpf", C::NationalId),
    ("curp", C::NationalId),
    ("aadhaar", C::NationalId),
    ("aadhaarnumber", C::NationalId),
    ("aadhar", C::NationalId),
    ("pesel", C::NationalId),
    ("bsn", C::NationalId),
    ("hetu", C::NationalId),
    ("socialinsurancenumber", C::NationalId),
    ("driverlicense", C::NationalId),
    ("driverlicensenumber", C::NationalId),
    ("driverslicense", C::NationalId),
    ("driverslicensenumber", C::NationalId),
    ("drivinglicence", C::NationalId),
    ("drivinglicencenumber", C::NationalId),
    ("firstname", C::PersonName),
    ("lastname", C::PersonName),
    ("middlename", C::PersonName),
    ("fullname", C::PersonName),
    ("givenname", C::PersonName),
    ("forename", C::PersonName),
    ("familyname", C::PersonName),
    ("surname", C::PersonName),
    ("maidenname", C::PersonName),
    ("nameoncard", C::PersonName),
    ("cardholder", C::PersonName),
    ("cardholdername", C::PersonName),
    ("holdername", C::PersonName),
    ("fname", C::PersonName),
    ("lname", C::PersonName),
    ("name", C::WeakName),
    ("first", C::WeakPart),
    ("last", C::WeakPart),
    ("middle", C::WeakPart),
    ("given", C::WeakPart),
    ("family", C::WeakPart),
    ("person", C::Person),
    ("people", C::Person),
    ("patient", C::Person),
    ("customer", C::Person),
    ("client", C::Person),
    ("user", C::Person),
    ("employee", C::Person),
    ("staff", C::Person),
    ("contact", C::Person),
    ("recipient", C::Person),
    ("beneficiary", C::Person),
    ("holder", C::Person),
    ("member", C::Person),
    ("guardian", C::Person),
    ("applicant", C::Person),
    ("physician", C::Person),
    ("doctor", C::Person),
    ("practitioner", C::Person),
    ("clinician", C::Person),
    ("subscriber", C::Person),
    ("payer", C::Person),
    ("payee", C::Person),
    ("guest", C::Person),
    ("passenger", C::Person),
    ("driver", C::Person),
    ("tenant", C::None),
    ("sender", C::Person),
    ("buyer", C::Person),
    ("shopper", C::Person),
    ("student", C::Person),
    ("author", C::Person),
    ("nextofkin", C::Person),
    ("emergencycontact", C::Person),
    ("address", C::Address),
    ("addresses", C::Address),
    ("homeaddress", C::Address),
    ("postaladdress", C::Address),
    ("mailingaddress", C::Address),
    ("streetaddress", C::StreetAddress),
    ("street", C::StreetAddress),
    ("streetname", C::StreetAddress),
    ("streetline", C::StreetAddress),
    ("addressline", C::StreetAddress),
    ("addressline1", C::StreetAddress),
    ("addressline2", C::StreetAddress),
    ("line", C::WeakLine),
    ("macaddress", C::Identifier),
    ("walletaddress", C::Identifier),
    ("contractaddress", C::Identifier),
    ("ipaddress", C::None),
    ("remoteaddress", C::None),
    ("clientaddress", C::None),
    ("listenaddress", C::None),
    ("bindaddress", C::None),
    ("webaddress", C::None),
    ("serveraddress", C::None),
    ("addr", C::None),
    // Health.
    ("mrn", C::MedicalRecord),
    ("medicalrecord", C::MedicalRecord),
    ("medicalrecordnumber", C::MedicalRecord),
    ("medicalrecordno", C::MedicalRecord),
    ("medicalrecordid", C::MedicalRecord),
    ("patientrecordnumber", C::MedicalRecord),
    ("healthrecordnumber", C::MedicalRecord),
    ("chartnumber", C::MedicalRecord),
    ("npi", C::Npi),
    ("npinumber", C::Npi),
    ("nationalprovideridentifier", C::Npi),
    ("healthplanid", C::HealthPlan),
    ("healthplannumber", C::HealthPlan),
    ("healthplanbeneficiarynumber", C::HealthPlan),
    ("healthinsuranceid", C::HealthPlan),
    ("healthinsurancenumber", C::HealthPlan),
    ("insuranceid", C::HealthPlan),
    ("insurancenumber", C::HealthPlan),
    ("insurancememberid", C::HealthPlan),
    ("insurancepolicynumber", C::HealthPlan),
    ("insurancegroupnumber", C::HealthPlan),
    ("insurancemembernumber", C::HealthPlan),
    ("medicareid", C::HealthPlan),
    ("medicarenumber", C::HealthPlan),
    ("medicaidid", C::HealthPlan),
    ("medicaidnumber", C::HealthPlan),
    ("mbi", C::HealthPlan),
    ("hicn", C::HealthPlan),
    ("memberid", C::WeakMember),
    ("membernumber", C::WeakMember),
    ("memberno", C::WeakMember),
    ("subscriberid", C::WeakMember),
    ("subscribernumber", C::WeakMember),
    ("policynumber", C::WeakMember),
    ("policyid", C::WeakMember),
    ("groupnumber", C::WeakMember),
    ("planid", C::WeakMember),
    ("insurance", C::Insurance),
    ("healthinsurance", C::Insurance),
    ("healthplan", C::Insurance),
    ("coverage", C::Insurance),
    ("insurer", C::Insurance),
    ("diagnosis", C::Diagnosis),
    ("diagnoses", C::Diagnosis),
    ("diagnosiscode", C::Diagnosis),
    ("primarydiagnosis", C::Diagnosis),
    ("icd", C::Diagnosis),
    ("icd10", C::Diagnosis),
    ("icdcode", C::Diagnosis),
    ("icd10code", C::Diagnosis),
    ("icd10cm", C::Diagnosis),
    ("dx", C::Diagnosis),
    ("dxcode", C::Diagnosis),
    ("conditioncode", C::Diagnosis),
    ("condition", C::DiagnosisAround),
    ("problem", C::DiagnosisAround),
    ("ndc", C::Medication),
    ("ndccode", C::Medication),
    ("ndcnumber", C::Medication),
    ("ndc10", C::Medication),
    ("ndc11", C::Medication),
    ("productndc", C::Medication),
    ("packagendc", C::Medication),
    ("drugcode", C::Medication),
    ("medicationcode", C::Medication),
    ("nationaldrugcode", C::Medication),
    ("medication", C::MedicationAround),
    ("medicationcodeableconcept", C::MedicationAround),
    ("drug", C::MedicationAround),
    ("prescription", C::MedicationAround),
    // Secrets.
    ("password", C::Password),
    ("passwd", C::Password),
    ("pwd", C::Password),
    ("passphrase", C::Password),
    ("passcode", C::Password),
    ("kennwort", C::Password),
    ("passwort", C::Password),
    ("passwordhash", C::Password),
    ("hashedpassword", C::Password),
    ("secret", C::Secret),
    ("secretkey", C::Secret),
    ("clientsecret", C::Secret),
    ("sharedsecret", C::Secret),
    ("apisecret", C::Secret),
    ("appsecret", C::Secret),
    ("webhooksecret", C::Secret),
    ("signingsecret", C::Secret),
    ("token", C::Secret),
    ("accesstoken", C::Secret),
    ("refreshtoken", C::Secret),
    ("idtoken", C::Secret),
    ("authtoken", C::Secret),
    ("bearertoken", C::Secret),
    ("sessiontoken", C::Secret),
    ("apitoken", C::Secret),
    ("apikey", C::Secret),
    ("xapikey", C::Secret),
    ("appkey", C::Secret),
    ("accesskey", C::Secret),
    ("secretaccesskey", C::Secret),
    ("accountkey", C::Secret),
    ("sharedaccesskey", C::Secret),
    ("subscriptionkey", C::Secret),
    ("privatekey", C::Secret),
    ("signingkey", C::Secret),
    ("encryptionkey", C::Secret),
    ("authorization", C::Secret),
    ("credential", C::Secret),
    ("pagetoken", C::Identifier),
    ("nexttoken", C::Identifier),
    ("continuationtoken", C::Identifier),
    ("synctoken", C::Identifier),
    ("csrftoken", C::Identifier),
    ("xsrftoken", C::Identifier),
    // Runs of digits that mean no person.
    ("id", C::Identifier),
    ("ids", C::Identifier),
    ("uuid", C::Identifier),
    ("guid", C::Identifier),
    ("identifier", C::Identifier),
    ("ref", C::Identifier),
    ("reference", C::Identifier),
    ("referencenumber", C::Identifier),
    ("referenceno", C::Identifier),
    ("order", C::Identifier),
    ("ordernumber", C::Identifier),
    ("orderno", C::Identifier),
    ("orderref", C::Identifier),
    ("invoicenumber", C::Identifier),
    ("invoiceno", C::Identifier),
    ("tracking", C::Identifier),
    ("trackingnumber", C::Identifier),
    ("trackingno", C::Identifier),
    ("trackingcode", C::Identifier),
    ("waybill", C::Identifier),
    ("shipmentnumber", C::Identifier),
    ("parcelnumber", C::Identifier),
    ("sku", C::Identifier),
    ("upc", C::Identifier),
    ("ean", C::Identifier),
    ("gtin", C::Identifier),
    ("isbn", C::Identifier),
    ("barcode", C::Identifier),
    ("serial", C::Identifier),
    ("serialnumber", C::Identifier),
    ("serialno", C::Identifier),
    ("partnumber", C::Identifier),
    ("modelnumber", C::Identifier),
    ("casenumber", C::Identifier),
    ("ticketnumber", C::Identifier),
    ("batchnumber", C::Identifier),
    ("lotnumber", C::Identifier),
    ("flightnumber", C::Identifier),
    ("imei", C::Identifier),
    ("imsi", C::Identifier),
    ("iccid", C::Identifier),
    ("timestamp", C::Identifier),
    ("ts", C::Identifier),
    ("time", C::Identifier),
    ("datetime", C::Identifier),
    ("date", C::Identifier),
    ("at", C::Identifier),
    ("epoch", C::Identifier),
    ("expires", C::Identifier),
    ("expiry", C::Identifier),
    ("exp", C::Identifier),
    ("iat", C::Identifier),
    ("nbf", C::Identifier),
    ("millis", C::Identifier),
    ("ms", C::Identifier),
    ("micros", C::Identifier),
    ("nanos", C::Identifier),
    ("version", C::Identifier),
    ("build", C::Identifier),
    ("revision", C::Identifier),
    ("release", C::Identifier),
    ("hash", C::Identifier),
    ("checksum", C::Identifier),
    ("etag", C::Identifier),
    ("digest", C::Identifier),
    ("sha", C::Identifier),
    ("sha1", C::Identifier),
    ("sha256", C::Identifier),
    ("md5", C::Identifier),
    ("nonce", C::Identifier),
    ("cursor", C::Identifier),
    ("sequence", C::Identifier),
    ("offset", C::Identifier),
    ("lat", C::Identifier),
    ("latitude", C::Identifier),
    ("lon", C::Identifier),
    ("lng", C::Identifier),
    ("longitude", C::Identifier),
    ("price", C::Identifier),
    ("amount", C::Identifier),
    ("total", C::Identifier),
    ("balance", C::Identifier),
    ("quantity", C::Identifier),
    ("count", C::Identifier),
    ("size", C::Identifier),
    ("bytes", C::Identifier),
    // Only beside another.
    ("number", C::WeakNumber),
    ("num", C::WeakNumber),
    ("no", C::WeakNumber),
    ("value", C::WeakNumber),
    ("raw", C::WeakNumber),
    ("text", C::WeakNumber),
    ("code", C::WeakCode),
    ("data", C::Neutral),
    ("items", C::Neutral),
    ("item", C::Neutral),
    ("results", C::Neutral),
    ("list", C::Neutral),
    ("attributes", C::Neutral),
    ("properties", C::Neutral),
    ("details", C::Neutral),
    ("info", C::Neutral),
    ("profile", C::Neutral),
    ("coding", C::Neutral),
    ("codeableconcept", C::Neutral),
    ("node", C::Neutral),
    ("nodes", C::Neutral),
    ("edges", C::Neutral),
    ("records", C::Neutral),
    ("entry", C::Neutral),
    ("resource", C::Neutral),
    // Texts of errors, GraphQL.
    ("error", C::ErrorText),
    ("errors", C::ErrorText),
    ("errormessage", C::ErrorText),
    ("message", C::ErrorText),
    ("msg", C::ErrorText),
    ("detail", C::ErrorText),
    ("exception", C::ErrorText),
    ("stack", C::ErrorText),
    ("stacktrace", C::ErrorText),
    ("trace", C::ErrorText),
    ("traceback", C::ErrorText),
    ("reason", C::ErrorText),
    ("cause", C::ErrorText),
    ("query", C::Query),
];

const SLOTS: usize = 2048;

const fn fold_in(hash: u32, byte: u8) -> u32 {
    (hash ^ byte as u32).wrapping_mul(0x0100_0193)
}

const fn slot_of(hash: u32) -> usize {
    ((hash ^ (hash >> 15)) as usize) & (SLOTS - 1)
}

/// Open addressing over [`NAMES`] (position + 1), made by the compiler. Names are hashed from their end, so that one
/// walk over a key yields the hash of each suffix.
#[allow(clippy::indexing_slicing, reason = "run by the compiler only")]
const TABLE: [u16; SLOTS] = {
    assert!(NAMES.len() * 3 < SLOTS);
    let mut table = [0u16; SLOTS];
    let mut at = 0;
    while at < NAMES.len() {
        let name = NAMES[at].0.as_bytes();
        let mut hash = 0x811c_9dc5u32;
        let mut left = name.len();
        while left > 0 {
            left -= 1;
            hash = fold_in(hash, name[left]);
        }
        let mut slot = slot_of(hash);
        while table[slot] != 0 {
            slot = (slot + 1) & (SLOTS - 1);
        }
        table[slot] = at as u16 + 1;
        at += 1;
    }
    table
};
static NAME_TABLE: [u16; SLOTS] = TABLE;

fn look_up(hash: u32, name: &[u8]) -> Option<Context> {
    let mut slot = slot_of(hash);
    loop {
        let index = usize::from(NAME_TABLE.get(slot).copied()?).checked_sub(1)?;
        let (known, context) = NAMES.get(index)?;
        if known.as_bytes() == name {
            return Some(*context);
        }
        slot = (slot + 1) & (SLOTS - 1);
    }
}

/// A key in lower case without separators, and where its words begin.
struct Folded {
    text: [u8; MAX_KEY],
    length: usize,
    starts: u64,
}

impl Folded {
    fn of(key: &[u8]) -> Self {
        let mut folded = Self { text: [0; MAX_KEY], length: 0, starts: 0 };
        let (mut lower, mut upper, mut fresh) = (false, false, true);
        for byte in key {
            let is_upper = byte.is_ascii_uppercase();
            if !(byte.is_ascii_alphanumeric() || *byte >= 0x80) {
                (lower, upper, fresh) = (false, false, true);
                continue;
            }
            let Some(place) = folded.text.get_mut(folded.length) else { break };
            *place = byte.to_ascii_lowercase();
            if fresh || is_upper && lower {
                folded.starts |= 1 << folded.length;
            } else if upper && byte.is_ascii_lowercase() && folded.length > 0 {
                // The last capital of a run begins the next word: `SSNNumber`.
                folded.starts |= 1 << (folded.length - 1);
            }
            folded.length += 1;
            (lower, upper, fresh) = (!is_upper, is_upper, false);
        }
        folded
    }

    /// The longest known suffix of whole words within the first `length` letters, and where it begins.
    fn longest(&self, length: usize) -> Option<(usize, Context)> {
        let text = self.text.get(..length)?;
        let mut hash = 0x811c_9dc5u32;
        let mut found = None;
        for (at, byte) in text.iter().enumerate().rev() {
            hash = fold_in(hash, *byte);
            if self.starts & 1 << at != 0
                && let Some(context) = look_up(hash, text.get(at..)?)
            {
                found = Some((at, context));
            }
        }
        found
    }

    /// As [`Self::longest`], then without the digits at the end (`phone2`), then without a plural's `s`.
    fn meaning(&self, length: usize) -> Option<(usize, Context)> {
        if let Some(found) = self.longest(length) {
            return Some(found);
        }
        let text = self.text.get(..length)?;
        let digits = text.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
        if digits > 0 && digits < length {
            return self.longest(length - digits);
        }
        match text {
            [stem @ .., b's'] if stem.len() > 2 => self.longest(stem.len()),
            _ => None,
        }
    }
}

/// The meaning of `key` inside a field that means `around`.
pub(super) fn context(key: &[u8], around: Context) -> Context {
    let folded = Folded::of(key);
    let Some((at, context)) = folded.meaning(folded.length) else { return C::None };
    let before = match at {
        0 => around,
        _ => folded.meaning(at).map_or(C::None, |(_, context)| context),
    };
    resolve(context, before, at == 0)
}

fn resolve(context: Context, before: Context, whole: bool) -> Context {
    match (context, before) {
        (C::WeakName, C::Person) => C::PersonName,
        // Kept for what is inside: FHIR and others write `name: {family, given}`.
        (C::WeakName, _) if whole => C::WeakName,
        (C::WeakName, _) => C::None,
        (C::WeakPart, C::WeakName | C::PersonName | C::Person) => C::PersonName,
        (C::WeakPart, _) => C::None,
        (C::WeakNumber, C::Card | C::CardNumber) => C::CardNumber,
        (C::WeakNumber, C::Insurance) => C::HealthPlan,
        (C::WeakNumber, C::MedicationAround) => C::None,
        (C::WeakNumber, strong) if strong.is_inherited() => strong,
        (C::WeakNumber, _) => C::None,
        (C::WeakCode, C::Diagnosis | C::DiagnosisAround) => C::Diagnosis,
        (C::WeakCode, C::Medication | C::MedicationAround) => C::Medication,
        (C::WeakCode, C::Card) => C::CardCode,
        (C::WeakCode, _) if whole => C::Code,
        (C::WeakCode, _) => C::None,
        (C::WeakLine, C::Address) => C::StreetAddress,
        (C::WeakLine, _) => C::None,
        (C::WeakMember, C::Insurance) => C::HealthPlan,
        (C::WeakCid, C::Card) => C::CardCode,
        (C::WeakCid, _) => C::Identifier,
        (C::Neutral, outside) if whole => outside,
        (C::Neutral, _) => C::None,
        (strong, _) => strong,
    }
}

impl Context {
    /// Whether the name alone decides on the value, or helps to.
    #[inline]
    pub(super) const fn is_promise(self) -> bool {
        !matches!(
            self,
            C::None | C::Identifier | C::ErrorText | C::Email | C::WeakName | C::Person | C::Neutral
        )
    }

    /// Whether `number` or `value` inside such a field means the same.
    const fn is_inherited(self) -> bool {
        matches!(
            self,
            C::Ssn
                | C::Iban
                | C::Phone
                | C::BirthDate
                | C::Passport
                | C::NationalId
                | C::MedicalRecord
                | C::Npi
                | C::HealthPlan
                | C::Diagnosis
                | C::Medication
                | C::Track
                | C::CardCode
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_fold_to_one_meaning() {
        let check = |key: &str, expected: Context| {
            assert_eq!(context(key.as_bytes(), C::None), expected, "{key}");
        };
        check("cvv", C::CardCode);
        check("card_cvv2", C::CardCode);
        check("cardSecurityCode", C::CardCode);
        check("CARD-SECURITY-CODE", C::CardCode);
        check("patientDateOfBirth", C::BirthDate);
        check("patient_date_of_birth", C::BirthDate);
        check("DOB", C::BirthDate);
        check("patientDOB", C::BirthDate);
        check("SSNNumber", C::Ssn);
        check("user[email]", C::Email);
        check("phone2", C::Phone);
        check("phoneNumbers", C::Phone);
        check("firstName", C::PersonName);
        check("patientName", C::PersonName);
        check("productName", C::None);
        check("name", C::WeakName);
        check("errorCode", C::None);
        check("code", C::Code);
        check("cardNumber", C::CardNumber);
        check("trackingNumber", C::Identifier);
        check("createdAt", C::Identifier);
        check("tokenType", C::None);
        check("nextPageToken", C::Identifier);
        check("x-api-key", C::Secret);
        check("company", C::None);
        check("span", C::None);
    }

    #[test]
    fn weak_names_depend_on_their_surroundings() {
        assert_eq!(context(b"name", C::Person), C::PersonName);
        assert_eq!(context(b"productName", C::Person), C::None);
        assert_eq!(context(b"number", C::Card), C::CardNumber);
        assert_eq!(context(b"number", C::Passport), C::Passport);
        assert_eq!(context(b"code", C::DiagnosisAround), C::Diagnosis);
        assert_eq!(context(b"line1", C::Address), C::StreetAddress);
        assert_eq!(context(b"memberId", C::Insurance), C::HealthPlan);
        assert_eq!(context(b"items", C::Person), C::Person);
    }

    #[test]
    fn every_name_is_listed_once_and_found() {
        for (position, (name, context)) in NAMES.iter().enumerate() {
            assert!(!NAMES.iter().skip(position + 1).any(|(other, _)| other == name), "{name} twice");
            let hash = name.bytes().rev().fold(0x811c_9dc5, fold_in);
            assert_eq!(look_up(hash, name.as_bytes()), Some(*context), "{name}");
        }
    }
}
