//! The clinic's first rows: synthetic, yet of the form that real ones have.
//!
//! Card numbers are the card schemes' published test numbers, telephone numbers lie in 555-01xx, social security
//! numbers are well formed and made up. The same rows come out every time; the traffic relies on it.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::credentials::{ADMIN_TOKEN, PATIENT_TOKENS, Role, STAFF_TOKENS};
use crate::input::luhn_sum;
use crate::state::{
    Appointment, Claim, Clinic, Clinician, Diagnosis, Export, Insurance, LabResult, Medication, NOW, Patient,
    Payment, Prescription, User, uuid_text,
};

const SEED: u64 = 0x0c11_41c0;
const PATIENTS: usize = 80;
const APPOINTMENTS: u32 = 320;
const PRESCRIPTIONS: u32 = 160;
const LAB_RESULTS: usize = 120;
const PAYMENTS: usize = 96;
const CLAIMS: u32 = 90;

pub(crate) const FIRST_APPOINTMENT: u32 = 48_211;
pub(crate) const FIRST_PRESCRIPTION: u32 = 90_017;

/// Published test numbers, with their schemes.
pub(crate) const CARDS: [(&str, &str); 7] = [
    ("visa", "4111111111111111"),
    ("mastercard", "5555555555554444"),
    ("visa", "4012888888881881"),
    ("mastercard", "5105105105105100"),
    ("discover", "6011111111111117"),
    ("visa", "4242424242424242"),
    ("amex", "378282246310005"),
];

const GIVEN: [&str; 20] = [
    "Amara", "Bruno", "Chiara", "Devin", "Elif", "Farid", "Greta", "Hugo", "Imani", "Jonas", "Keiko", "Liam",
    "Mara", "Nadia", "Oskar", "Priya", "Quentin", "Rosa", "Sven", "Talia",
];
const FAMILY: [&str; 18] = [
    "Abara",
    "Bianchi",
    "Castellan",
    "Doyle",
    "Eriksen",
    "Fontaine",
    "Grewal",
    "Hartmann",
    "Ibarra",
    "Jansen",
    "Kowalski",
    "Lindqvist",
    "Moreau",
    "Nakata",
    "Okafor",
    "Petrov",
    "Quiroga",
    "Rahimi",
];
const STREETS: [&str; 6] =
    ["Alder Street", "Birch Lane", "Canal Road", "Dover Avenue", "Elm Court", "Foundry Way"];
const CITIES: [(&str, &str); 4] =
    [("Fairhaven", "94110"), ("Port Ellis", "97204"), ("Maple Ridge", "60614"), ("Easton", "02139")];
const DIAGNOSES: [(&str, &str); 10] = [
    ("E11.9", "Type 2 diabetes mellitus without complications"),
    ("I10", "Essential (primary) hypertension"),
    ("J45.909", "Unspecified asthma, uncomplicated"),
    ("F41.1", "Generalized anxiety disorder"),
    ("M54.50", "Low back pain, unspecified"),
    ("K21.9", "Gastro-esophageal reflux disease without esophagitis"),
    ("E78.5", "Hyperlipidemia, unspecified"),
    ("G43.909", "Migraine, unspecified"),
    ("N39.0", "Urinary tract infection, site not specified"),
    ("B20", "Human immunodeficiency virus disease"),
];
pub(crate) const DRUGS: [(&str, &str, &str); 8] = [
    ("00093-1048-01", "metformin", "500 mg twice a day"),
    ("68180-0513-01", "lisinopril", "10 mg once a day"),
    ("00173-0682-20", "albuterol", "2 puffs as needed"),
    ("16714-0612-01", "sertraline", "50 mg once a day"),
    ("00378-2146-01", "cyclobenzaprine", "5 mg at night"),
    ("62175-0118-32", "omeprazole", "20 mg before breakfast"),
    ("00071-0155-23", "atorvastatin", "20 mg once a day"),
    ("65862-0147-36", "sumatriptan", "50 mg at onset"),
];
const ALLERGIES: [&str; 5] = ["penicillin", "latex", "peanut", "ibuprofen", "bee venom"];
const REASONS: [&str; 6] = ["check-up", "follow-up", "vaccination", "blood test", "back pain", "skin rash"];
const TESTS: [(&str, &str); 5] = [
    ("HbA1c", "%"),
    ("LDL cholesterol", "mg/dL"),
    ("Creatinine", "mg/dL"),
    ("TSH", "mIU/L"),
    ("Ferritin", "ng/mL"),
];
const PAYERS: [&str; 3] = ["Northwind Health", "Lakeside Mutual", "Cedar Plan"];
const SPECIALTIES: [(&str, &str); 6] = [
    ("family medicine", "primary-care"),
    ("cardiology", "cardiology"),
    ("dermatology", "outpatient"),
    ("paediatrics", "primary-care"),
    ("radiology", "imaging"),
    ("orthopaedics", "outpatient"),
];

pub(crate) fn clinic() -> Clinic {
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    let mut clinic = Clinic::default();
    clinic.patients = (0..PATIENTS).map(|index| patient(index, &mut rng)).collect();
    clinic.users = users(&clinic.patients);
    clinic.clinicians = (0..18).map(|index| clinician(index, &mut rng)).collect();
    clinic.appointments = (0..APPOINTMENTS).map(|index| appointment(index, &clinic, &mut rng)).collect();
    clinic.prescriptions = (0..PRESCRIPTIONS).map(|index| prescription(index, &clinic, &mut rng)).collect();
    clinic.lab_results = (0..LAB_RESULTS).map(|index| lab_result(index, &clinic, &mut rng)).collect();
    clinic.payments = (0..PAYMENTS).map(|index| payment(index, &clinic, &mut rng)).collect();
    clinic.claims = (0..CLAIMS).map(|index| claim(index, &clinic, &mut rng)).collect();
    clinic.exports = ["2026-08", "2026-09", "2026-10"].map(export).to_vec();
    clinic.record(3001, "user.role", "user 2003".to_owned());
    clinic.record(2001, "patient.create", "patient MRN-0048212".to_owned());
    clinic
}

fn pick<'a, T>(from: &'a [T], rng: &mut ChaCha8Rng) -> &'a T {
    // The tables above are not empty, and `random_range` stays inside them.
    #[allow(clippy::indexing_slicing, reason = "the range is the table's own length")]
    &from[rng.random_range(0..from.len())]
}

/// Row `index` of `rows`, round and round.
fn turn<T>(rows: &[T], index: usize) -> &T {
    #[allow(clippy::indexing_slicing, reason = "the modulus is the table's own length")]
    &rows[index % rows.len()]
}

fn patient(index: usize, rng: &mut ChaCha8Rng) -> Patient {
    let given = *turn(&GIVEN, index);
    let family = *turn(&FAMILY, index * 7 + index / GIVEN.len());
    let (city, postal_code) = *pick(&CITIES, rng);
    // Area 100 to 665, group 1 to 99, serial 1 to 9999: well formed, none of the famous specimens.
    let ssn = format!(
        "{:03}-{:02}-{:04}",
        rng.random_range(300..666),
        rng.random_range(10..100),
        rng.random_range(1000..10_000)
    );
    Patient {
        id: uuid_text(rng.random(), rng.random()),
        mrn: format!("MRN-{:07}", 48_213 + index * 37),
        given_name: given.to_owned(),
        family_name: family.to_owned(),
        birth_date: date(rng.random_range(1938..2019), rng),
        email: format!("{}.{}{index}@mail.example", given.to_lowercase(), family.to_lowercase()),
        phone: format!("+1-{}-555-01{:02}", pick(&["415", "503", "312", "617"], rng), index % 100),
        ssn,
        street: format!("{} {}", rng.random_range(1..400), pick(&STREETS, rng)),
        city: city.to_owned(),
        postal_code: postal_code.to_owned(),
        diagnoses: (0..rng.random_range(1..4)).map(|_| diagnosis(rng)).collect(),
        medications: (0..rng.random_range(1..3))
            .map(|_| {
                let (ndc, name, _) = *pick(&DRUGS, rng);
                Medication { ndc, name }
            })
            .collect(),
        allergies: (0..rng.random_range(0..3)).map(|_| *pick(&ALLERGIES, rng)).collect(),
        insurance: Insurance {
            payer: (*pick(&PAYERS, rng)).to_owned(),
            member_id: format!("XGA{}", rng.random_range(100_000_000..1_000_000_000u32)),
            group_number: format!("GRP-{}", rng.random_range(1000..10_000)),
            valid_until: "2027-06-30".to_owned(),
        },
    }
}

fn date(year: u16, rng: &mut ChaCha8Rng) -> String {
    format!("{year}-{:02}-{:02}", rng.random_range(1..13), rng.random_range(1..29))
}

fn diagnosis(rng: &mut ChaCha8Rng) -> Diagnosis {
    let (code, description) = *pick(&DIAGNOSES, rng);
    Diagnosis { code, description, recorded_on: date(2025, rng) }
}

fn users(patients: &[Patient]) -> Vec<User> {
    let of_patients = (1001..).zip(PATIENT_TOKENS).zip(patients).map(|((user_id, token), patient)| User {
        user_id,
        name: format!("{} {}", patient.given_name, patient.family_name),
        email: patient.email.clone(),
        role: Role::Patient,
        patient_id: Some(patient.id.clone()),
        token: token.to_owned(),
    });
    let staff = (2001..).zip(STAFF_TOKENS).zip(["Nora Vance", "Tomas Reyes", "Ines Calder"]).map(
        |((user_id, token), name)| User {
            user_id,
            name: name.to_owned(),
            email: work_email(name),
            role: Role::Staff,
            patient_id: None,
            token: token.to_owned(),
        },
    );
    let admin = User {
        user_id: 3001,
        name: "Wilma Stone".to_owned(),
        email: work_email("Wilma Stone"),
        role: Role::Admin,
        patient_id: None,
        token: ADMIN_TOKEN.to_owned(),
    };
    of_patients.chain(staff).chain([admin]).collect()
}

fn work_email(name: &str) -> String {
    format!("{}@clinic.example", name.to_lowercase().replace(' ', "."))
}

fn clinician(index: usize, rng: &mut ChaCha8Rng) -> Clinician {
    let name = format!("Dr. {} {}", turn(&GIVEN, index * 3 + 1), turn(&FAMILY, index));
    let (specialty, department) = *turn(&SPECIALTIES, index);
    Clinician {
        slug: name.trim_start_matches("Dr. ").to_lowercase().replace(' ', "-"),
        name,
        specialty,
        npi: npi(rng.random_range(100_000_000..200_000_000)),
        department,
    }
}

/// A National Provider Identifier: nine digits and their Luhn digit under the issuer prefix 80840.
fn npi(base: u32) -> String {
    let sum = luhn_sum(&format!("80840{base}0")).unwrap_or(0);
    format!("{base}{}", (10 - sum % 10) % 10)
}

/// Patients with a sign-in come up often, so that each has something to look at.
fn some_patient<'a>(index: usize, clinic: &'a Clinic, rng: &mut ChaCha8Rng) -> &'a Patient {
    if index.is_multiple_of(2) { turn(&clinic.patients, index / 2 % 8) } else { pick(&clinic.patients, rng) }
}

fn appointment(index: u32, clinic: &Clinic, rng: &mut ChaCha8Rng) -> Appointment {
    let day = rng.random_range(1..29);
    Appointment {
        id: FIRST_APPOINTMENT + index * 3,
        patient_id: some_patient(index as usize, clinic, rng).id.clone(),
        clinician: pick(&clinic.clinicians, rng).slug.clone(),
        starts_at: format!(
            "2026-11-{day:02}T{:02}:{}:00Z",
            rng.random_range(8..17),
            pick(&["00", "30"], rng)
        ),
        reason: (*pick(&REASONS, rng)).to_owned(),
        status: "booked",
    }
}

fn prescription(index: u32, clinic: &Clinic, rng: &mut ChaCha8Rng) -> Prescription {
    let patient = some_patient(index as usize, clinic, rng);
    let (ndc, drug, dosage) = *pick(&DRUGS, rng);
    Prescription {
        id: FIRST_PRESCRIPTION + index,
        patient_id: patient.id.clone(),
        patient_name: format!("{} {}", patient.given_name, patient.family_name),
        ndc: ndc.to_owned(),
        drug: drug.to_owned(),
        dosage: dosage.to_owned(),
        diagnosis_code: pick(&DIAGNOSES, rng).0.to_owned(),
        prescriber_npi: pick(&clinic.clinicians, rng).npi.clone(),
        refills_left: 200,
    }
}

fn lab_result(index: usize, clinic: &Clinic, rng: &mut ChaCha8Rng) -> LabResult {
    let patient = some_patient(index, clinic, rng);
    let (test, unit) = *pick(&TESTS, rng);
    LabResult {
        id: uuid_text(rng.random(), rng.random()),
        patient_id: patient.id.clone(),
        patient_name: format!("{} {}", patient.given_name, patient.family_name),
        birth_date: patient.birth_date.clone(),
        mrn: patient.mrn.clone(),
        test,
        value: format!("{:.1}", rng.random_range(0.5..180.0)),
        unit,
        taken_on: date(2026, rng),
    }
}

fn payment(index: usize, clinic: &Clinic, rng: &mut ChaCha8Rng) -> Payment {
    let (brand, number) = *turn(&CARDS, index);
    let cvv_max = if brand == "amex" { 10_000 } else { 1_000 };
    Payment {
        id: format!("pay_{:016x}", rng.random::<u64>()),
        patient_id: some_patient(index, clinic, rng).id.clone(),
        amount_cents: rng.random_range(1_500..60_000),
        currency: "USD",
        status: "captured",
        brand,
        number: number.to_owned(),
        cvv: rng.random_range(cvv_max / 10..cvv_max).to_string(),
        expiry: format!("{:02}/{}", rng.random_range(1..13), rng.random_range(27..31)),
        created_at: NOW,
    }
}

fn claim(index: u32, clinic: &Clinic, rng: &mut ChaCha8Rng) -> Claim {
    Claim {
        claim_number: format!("CLM-2026-{:06}", 1_204 + index * 11),
        member_id: pick(&clinic.patients, rng).insurance.member_id.clone(),
        diagnosis_code: pick(&DIAGNOSES, rng).0.to_owned(),
        amount_cents: rng.random_range(4_000..400_000),
        service_date: date(2026, rng),
        status: "open",
    }
}

fn export(month: &str) -> Export {
    Export {
        id: format!("exp-{month}"),
        from: format!("{month}-01"),
        to: format!("{month}-28"),
        status: "ready",
        rows: 40,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use crate::input::{is_date, is_email, is_uuid, passes_luhn};

    #[test]
    fn rows_have_the_form_of_real_ones() {
        let clinic = super::clinic();
        for patient in &clinic.patients {
            assert!(is_uuid(&patient.id) && is_date(&patient.birth_date) && is_email(&patient.email));
            let parts: Vec<u16> = patient.ssn.split('-').map(|part| part.parse().unwrap()).collect();
            assert!((1..666).contains(&parts[0]) && parts[1] > 0 && parts[2] > 0, "{}", patient.ssn);
        }
        for clinician in &clinic.clinicians {
            assert!(passes_luhn(&format!("80840{}", clinician.npi)), "{}", clinician.npi);
            assert_eq!(clinician.npi.len(), 10);
        }
        assert!(clinic.payments.iter().all(|payment| passes_luhn(&payment.number)));
        assert!(!passes_luhn("4111111111111112") && !passes_luhn("4111-1111"));
    }

    #[test]
    fn ids_are_unique_and_the_same_every_time() {
        let (clinic, again) = (super::clinic(), super::clinic());
        let patients: BTreeSet<&str> = clinic.patients.iter().map(|it| it.id.as_str()).collect();
        let slugs: BTreeSet<&str> = clinic.clinicians.iter().map(|it| it.slug.as_str()).collect();
        let members: BTreeSet<&str> =
            clinic.patients.iter().map(|it| it.insurance.member_id.as_str()).collect();
        assert_eq!((patients.len(), members.len()), (clinic.patients.len(), clinic.patients.len()));
        assert_eq!(slugs.len(), clinic.clinicians.len());
        assert_eq!(format!("{clinic:?}"), format!("{again:?}"));
    }
}
