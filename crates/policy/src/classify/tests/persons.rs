use super::*;

#[test]
fn social_security_numbers() {
    table(
        DataClass::Ssn,
        &[
            ("x", "123-45-6789"),
            ("x", "078-05-1120"),
            ("ssn", "123456789"),
            ("ssn", "123 45 6789"),
            ("ssn", "123.45.6789"),
            ("patientSsn", "899-99-9999"),
            ("social_security_number", "123-45-6789"),
            ("socialSecurity", "123456789"),
            ("note", "SSN 123-45-6789 on file"),
            ("note", "ssn: 123456789, ok"),
            ("note", "ssn=123456789"),
            ("ssn", "***-**-6789"),
            ("SSN", "XXX-XX-6789"),
            ("taxId", "123-45-6789"),
        ],
        &[
            ("x", "000-45-6789"),
            ("x", "666-45-6789"),
            ("x", "900-45-6789"),
            ("x", "123-00-6789"),
            ("x", "123-45-0000"),
            ("x", "123456789"),
            ("x", "123 45 6789"),
            ("x", "123-456-789"),
            ("x", "123-45-67890"),
            ("x", "0123-45-6789"),
            ("x", "123-45-6789-01"),
            ("orderNumber", "123-45-6789"),
            ("ssn", "none"),
            ("ssn", "12345"),
            ("ssn", "000456789"),
        ],
    );
    assert_eq!(listed(&json(r#"{"ssn": 123456789}"#)), ["ssn /ssn"]);
    assert_eq!(listed(&json(r#"{"ssn": "***-**-6789"}"#)), ["ssn /ssn masked"]);
}

#[test]
fn dates_of_birth() {
    table(
        DataClass::DateOfBirth,
        &[
            ("dob", "1980-02-29"),
            ("DOB", "02/29/1980"),
            ("dateOfBirth", "29.02.1980"),
            ("date_of_birth", "19800229"),
            ("birthDate", "1980-02-29T00:00:00Z"),
            ("birthday", "29 Feb 1980"),
            ("patientDob", "February 29, 1980"),
            ("birth_date", "1980/02/29"),
            ("dob", "2/9/80"),
            ("note", "dob: 1980-02-29"),
        ],
        &[
            ("date", "1980-02-29"),
            ("createdAt", "1980-02-29T00:00:00Z"),
            ("dob", "unknown"),
            ("dob", ""),
            ("dob", "1980"),
            ("dob", "1980-13-01"),
            ("dob", "1980-12-32"),
            ("x", "29.02.1980"),
            ("birthDateKnown", "true"),
            ("birthPlace", "Berlin"),
        ],
    );
    assert_eq!(listed(&json(r#"{"birthDate": 320630400000}"#)), ["date-of-birth /birthDate"]);
}

#[test]
fn passports_and_national_ids() {
    table(
        DataClass::Passport,
        &[
            ("passport", "C01X00T47"),
            ("passportNumber", "123456789"),
            ("passport_no", "AB1234567"),
            ("mrz", "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<"),
        ],
        &[
            ("passport", "valid"),
            ("passport", "12"),
            ("x", "C01X00T47"),
            ("passportExpiry", "2030-01-01"),
            ("x", "P<UTOERIKSSON"),
        ],
    );
    assert_eq!(listed(&json(r#"{"passport": {"number": "AB1234567"}}"#)), ["passport /passport/number"]);
    table(
        DataClass::NationalId,
        &[
            ("x", "RSSMRA85T10A562S"),
            ("x", "529.982.247-25"),
            ("x", "HEGG560427MVZRRL04"),
            ("dni", "12345678Z"),
            ("nino", "AB123456C"),
            ("nino", "AB 12 34 56 C"),
            ("nationalId", "44051401359"),
            ("aadhaar", "2341 2341 2346"),
            ("personnummer", "811228-9874"),
            ("note", "DNI: 12345678Z"),
            ("driver_license_number", "D1234567"),
            ("nationalId", "*****401359"),
        ],
        &[
            ("x", "RSSMRA85T10A562T"),
            ("x", "529.982.247-26"),
            ("x", "12345678Z"),
            ("x", "AB123456C"),
            ("x", "44051401359"),
            ("nationalId", "pending"),
            ("nationalId", ""),
            ("idType", "passport"),
            ("nationalIdIssuedAt", "2020-01-01"),
            ("note", "DNI: 12345678A"),
        ],
    );
}

#[test]
fn names_and_addresses() {
    table(
        DataClass::PersonName,
        &[
            ("firstName", "Ada"),
            ("last_name", "Lovelace"),
            ("fullName", "Ada Lovelace"),
            ("patientName", "Ada Lovelace"),
            ("cardholderName", "ADA LOVELACE"),
            ("customer_name", "Łukasz Żółć"),
            ("surname", "O'Neill"),
            ("contactName", "J. Doe"),
            ("given_name", "李"),
            ("maidenName", "King"),
        ],
        &[
            ("name", "Ada Lovelace"),
            ("productName", "Blue Mug"),
            ("fileName", "report.pdf"),
            ("username", "ada42"),
            ("firstName", ""),
            ("firstName", "null"),
            ("lastName", "user_17"),
            ("companyName", "Acme Inc"),
            ("displayName", "Acme"),
            ("firstName", "https://example.com"),
        ],
    );
    assert_eq!(
        listed(&json(r#"{"patients": [{"name": "Ada"}, {"name": "Bob"}]}"#)),
        ["person-name /patients/*/name x2"]
    );
    assert_eq!(
        listed(&json(r#"{"name": [{"family": "Chalmers", "given": ["Peter", "James"]}]}"#)),
        ["person-name /name/*/family", "person-name /name/*/given/* x2"]
    );
    assert_eq!(listed(&json(r#"{"orders": [{"name": "Mug"}]}"#)), [] as [&str; 0]);
    table(
        DataClass::PostalAddress,
        &[
            ("address", "12 Main Street"),
            ("address", "Main Street 12, 10115 Berlin"),
            ("street", "Hauptstraße 5"),
            ("addressLine1", "PO Box 12"),
            ("billingAddress", "1 Infinite Loop, Cupertino"),
            ("streetAddress", "221B Baker Street"),
            ("homeAddress", "5 Rue de Rivoli"),
        ],
        &[
            ("address", "0x52908400098527886E0F7030069857D2E4169EE7"),
            ("emailAddress", "ada@example.com"),
            ("ipAddress", "93.184.216.34"),
            ("macAddress", "00:1A:2B:3C:4D:5E"),
            ("address", "n/a"),
            ("address", "ada@example.com"),
            ("x", "12 Main Street"),
            ("street", ""),
        ],
    );
    assert_eq!(
        listed(&json(r#"{"address": {"line1": "12 Main Street", "city": "Springfield", "zip": "12345"}}"#)),
        ["postal-address /address/line1"]
    );
}
