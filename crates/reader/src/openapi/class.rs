//! Which class of data a field holds, where its format or its name leave no doubt. A wrong class would put a service
//! into an assessment's scope, so that a name which could as well mean something else is not here.

use probity_model::DataClass;

use DataClass::{
    ApiKey, CardNumber, CardTrack, CardVerificationCode, DateOfBirth, DiagnosisCode, Email, HealthPlan, Iban,
    IpAddress, MedicalRecord, MedicationCode, NationalId, Npi, Passport, Password, PersonName, Phone,
    PostalAddress, PrivateKey, Ssn,
};

/// Names in lower case without separators.
const NAMES: [(&str, DataClass); 87] = [
    ("accountiban", Iban),
    ("addressline1", PostalAddress),
    ("addressline2", PostalAddress),
    ("apikey", ApiKey),
    ("billingaddress", PostalAddress),
    ("birthdate", DateOfBirth),
    ("birthday", DateOfBirth),
    ("cardcvc", CardVerificationCode),
    ("cardcvv", CardVerificationCode),
    ("cardno", CardNumber),
    ("cardnumber", CardNumber),
    ("cardpan", CardNumber),
    ("cardsecuritycode", CardVerificationCode),
    ("cardtrack", CardTrack),
    ("cardverificationcode", CardVerificationCode),
    ("cardverificationvalue", CardVerificationCode),
    ("ccnumber", CardNumber),
    ("cellphone", Phone),
    ("clientip", IpAddress),
    ("clientsecret", Password),
    ("contactemail", Email),
    ("creditcard", CardNumber),
    ("creditcardnumber", CardNumber),
    ("customeremail", Email),
    ("cvc", CardVerificationCode),
    ("cvc2", CardVerificationCode),
    ("cvv", CardVerificationCode),
    ("cvv2", CardVerificationCode),
    ("dateofbirth", DateOfBirth),
    ("debitcardnumber", CardNumber),
    ("diagnosiscode", DiagnosisCode),
    ("dob", DateOfBirth),
    ("email", Email),
    ("emailaddress", Email),
    ("familyname", PersonName),
    ("firstname", PersonName),
    ("fullname", PersonName),
    ("givenname", PersonName),
    ("healthplanid", HealthPlan),
    ("healthplannumber", HealthPlan),
    ("homeaddress", PostalAddress),
    ("homephone", Phone),
    ("iban", Iban),
    ("icd10", DiagnosisCode),
    ("icd10code", DiagnosisCode),
    ("icdcode", DiagnosisCode),
    ("ipaddress", IpAddress),
    ("lastname", PersonName),
    ("maidenname", PersonName),
    ("mailingaddress", PostalAddress),
    ("medicalrecordnumber", MedicalRecord),
    ("medicationcode", MedicationCode),
    ("middlename", PersonName),
    ("mobilenumber", Phone),
    ("mobilephone", Phone),
    ("mrn", MedicalRecord),
    ("nationalid", NationalId),
    ("nationalidnumber", NationalId),
    ("nationalinsurancenumber", NationalId),
    ("ndc", MedicationCode),
    ("ndccode", MedicationCode),
    ("newpassword", Password),
    ("npi", Npi),
    ("npinumber", Npi),
    ("oldpassword", Password),
    ("passport", Passport),
    ("passportno", Passport),
    ("passportnumber", Passport),
    ("passwd", Password),
    ("password", Password),
    ("patientname", PersonName),
    ("phone", Phone),
    ("phonenumber", Phone),
    ("postaladdress", PostalAddress),
    ("primaryaccountnumber", CardNumber),
    ("privatekey", PrivateKey),
    ("secretkey", Password),
    ("shippingaddress", PostalAddress),
    ("socialsecurity", Ssn),
    ("socialsecuritynumber", Ssn),
    ("ssn", Ssn),
    ("streetaddress", PostalAddress),
    ("surname", PersonName),
    ("telephone", Phone),
    ("telephonenumber", Phone),
    ("track2data", CardTrack),
    ("useremail", Email),
];

/// `kind` is the JSON type, empty when open. Only what can hold a value itself has a class.
pub(super) fn of(name: &str, format: Option<&str>, kind: &str) -> Option<DataClass> {
    if !matches!(kind, "string" | "integer" | "number" | "") {
        return None;
    }
    match format {
        Some("email" | "idn-email") => return Some(Email),
        Some("ipv4" | "ipv6" | "ip") => return Some(IpAddress),
        Some("password") => return Some(Password),
        Some("phone" | "tel") => return Some(Phone),
        Some("iban") => return Some(Iban),
        Some("ssn") => return Some(Ssn),
        // A moment, a file or an id is none of the classes, whatever its name.
        Some("date-time" | "time" | "uuid" | "uri" | "binary" | "byte") => return None,
        _ => {}
    }
    let plain: String =
        name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).take(40).collect();
    let found = |name: &str| {
        let index = NAMES.binary_search_by(|(known, _)| (*known).cmp(name)).ok()?;
        NAMES.get(index).map(|(_, class)| class.clone())
    };
    found(&plain).or_else(|| found(plain.strip_suffix('s')?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted() {
        assert!(NAMES.is_sorted_by(|a, b| a.0 < b.0));
    }

    #[test]
    fn says_only_what_is_sure() {
        for (name, format, kind, expected) in [
            ("email", None, "string", Some(Email)),
            ("e-mail", None, "", Some(Email)),
            ("Emails", None, "string", Some(Email)),
            ("contact", Some("email"), "string", Some(Email)),
            ("email", None, "boolean", None),
            ("email", None, "object", None),
            ("card_number", None, "integer", Some(CardNumber)),
            ("cardNumber", None, "string", Some(CardNumber)),
            ("pan", None, "string", None),
            ("dateOfBirth", Some("date"), "string", Some(DateOfBirth)),
            ("birthDate", Some("date-time"), "string", None),
            ("SSN", None, "string", Some(Ssn)),
            ("x", Some("ipv4"), "string", Some(IpAddress)),
            ("address", None, "string", None),
            ("name", None, "string", None),
            ("s", None, "string", None),
        ] {
            assert_eq!(of(name, format, kind), expected, "{name}");
        }
    }
}
