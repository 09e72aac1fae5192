use super::*;

#[test]
fn records_providers_plans() {
    table(
        DataClass::MedicalRecord,
        &[
            ("mrn", "00123456"),
            ("patient_mrn", "A-123456"),
            ("medicalRecordNumber", "MR1234"),
            ("x", "MRN-0012345"),
            ("x", "MRN 0012345"),
            ("note", "mrn: 0012345"),
        ],
        &[
            ("mrn", "none"),
            ("mrn", ""),
            ("x", "00123456"),
            ("x", "MRN"),
            ("x", "MRNA-1273"),
            ("recordNumber", "12345"),
        ],
    );
    table(
        DataClass::Npi,
        &[
            ("npi", "1234567893"),
            ("providerNpi", "1245319599"),
            ("npiNumber", "1234567893"),
            ("note", "NPI: 1234567893"),
        ],
        &[
            ("npi", "1234567890"),
            ("npi", "3234567893"),
            ("npi", "123456789"),
            ("x", "1234567893"),
            ("npi", "pending"),
        ],
    );
    table(
        DataClass::HealthPlan,
        &[
            ("healthPlanId", "HP-889-1234"),
            ("insuranceId", "99887766"),
            ("insurance_member_id", "W123456789"),
            ("memberId", "XYZ123456789"),
            ("mbi", "1EG4TE5MK73"),
            ("x", "1EG4-TE5-MK73"),
            ("medicareNumber", "1EG4-TE5-MK73"),
        ],
        &[
            ("memberId", "42"),
            ("memberId", "0b0e6f5e-3c53-4a51-9a0e-3c2f5e0a7d11"),
            ("memberId", "12345678"),
            ("policyNumber", "P-1"),
            ("groupNumber", "12345678"),
            ("x", "XYZ123456789"),
            ("insuranceId", "none"),
            ("insuranceType", "HMO-12345"),
        ],
    );
    let nested = json(r#"{"insurance": {"memberId": "12345678", "planName": "Gold"}}"#);
    assert_eq!(listed(&nested), ["health-plan /insurance/memberId"]);
}

#[test]
fn codes() {
    table(
        DataClass::DiagnosisCode,
        &[
            ("code", "E11.9"),
            ("diagnosis", "E11.9"),
            ("diagnosis", "E119"),
            ("icd10", "I10"),
            ("icd_10_code", "S72.001A"),
            ("diagnosisCode", "U07.1"),
            ("primaryDiagnosis", "C50.911"),
            ("dx", "Z00.00"),
            ("note", "Diagnosis: J45.909, stable"),
        ],
        &[
            ("code", "E119"),
            ("code", "I10"),
            ("code", "A12"),
            ("x", "E11.9"),
            ("code", "E1.9"),
            ("code", "e11.9"),
            ("code", "404"),
            ("errorCode", "E11.9"),
            ("diagnosis", "diabetes"),
            ("version", "V11.2"),
            ("code", "E11.99999"),
        ],
    );
    let nested = json(r#"{"conditions": [{"code": "I10"}]}"#);
    assert_eq!(listed(&nested), ["diagnosis-code /conditions/*/code"]);
    table(
        DataClass::MedicationCode,
        &[
            ("ndc", "0069-2587-10"),
            ("ndc", "12345-1234-12"),
            ("ndcCode", "12345-123-12"),
            ("productNdc", "0069-2587"),
            ("ndc11", "00069258710"),
            ("medicationCode", "00069-2587-10"),
        ],
        &[
            ("x", "0069-2587-10"),
            ("sku", "12345-1234-12"),
            ("ndc", "1-2-3"),
            ("ndc", "aspirin"),
            ("ndc", "123456789"),
            ("medication", "aspirin"),
            ("code", "0069-2587-10"),
        ],
    );
    let nested = json(r#"{"medicationCodeableConcept": {"coding": [{"code": "0069-2587-10"}]}}"#);
    assert_eq!(listed(&nested), ["medication-code /medicationCodeableConcept/coding/*/code"]);
}
