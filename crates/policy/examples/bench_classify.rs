//! Scans four answers of 2 KiB, N times in turn: `bench_classify N [fresh] [patients | record | order | events]`. For `valgrind --tool=callgrind`, where the
//! cost of one scan is (Ir[2N] - Ir[N]) / N. With `fresh` each scan begins with new findings, which know no field yet.

use std::error::Error;
use std::hint::black_box;
use std::io::Write;
use std::time::Instant;

use probity_model::Place;
use probity_policy::classify::{Content, Findings, Scanner};

/// A dense list of patients, one patient's record as FHIR has it, an order, a page of log entries; each with what such
/// answers really hold.
fn documents() -> [String; 4] {
    [patients(), record(), order(), events()].map(|text| text.chars().take(2048).collect())
}

fn patients() -> String {
    let one = |n: u32| {
        format!(
            r#"{{"id":"0b0e6f5e-3c53-4a51-9a0e-3c2f5e0a7d{n:02}","mrn":"MRN-00{n:05}","firstName":"Ada","lastName":"Lovelace","dateOfBirth":"1980-12-{n:02}","email":"ada{n}@example.com","phone":"+1415555{n:04}","address":{{"line1":"{n} Main Street","city":"Springfield","state":"IL","zip":"627{n:02}"}},"insurance":{{"memberId":"W{n:09}","payer":"Acme Health"}},"active":true,"updatedAt":"2026-07-30T10:15:{n:02}Z"}}"#
        )
    };
    let list: Vec<String> = (10..20).map(one).collect();
    format!(r#"{{"data":[{}],"page":1,"size":10,"total":10}}"#, list.join(","))
}

fn record() -> String {
    r#"{
  "resourceType": "Patient",
  "id": "0b0e6f5e-3c53-4a51-9a0e-3c2f5e0a7d11",
  "meta": {
    "versionId": "3",
    "lastUpdated": "2026-07-30T10:15:30.123Z",
    "profile": ["http://hl7.org/fhir/us/core/StructureDefinition/us-core-patient"]
  },
  "text": {
    "status": "generated",
    "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\"><p>Ada Lovelace, seen for a yearly check, no complaints, next visit in a year.</p></div>"
  },
  "identifier": [
    {
      "use": "usual",
      "type": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "MR"}]},
      "system": "urn:oid:1.2.36.146.595.217.0.1",
      "value": "12345",
      "period": {"start": "2001-05-06"},
      "assigner": {"display": "Acme Healthcare"}
    }
  ],
  "active": true,
  "name": [
    {"use": "official", "family": "Lovelace", "given": ["Ada", "Augusta"]},
    {"use": "usual", "given": ["Ada"]}
  ],
  "telecom": [
    {"use": "home", "system": "email", "value": "ada@example.com"},
    {"system": "phone", "value": "(415) 555-2671", "use": "work", "rank": 1}
  ],
  "gender": "female",
  "birthDate": "1974-12-25",
  "deceasedBoolean": false,
  "address": [
    {
      "use": "home",
      "type": "both",
      "text": "534 Erewhon Street, Pleasantville, Rainbow, Vic 3999",
      "line": ["534 Erewhon Street"],
      "city": "Pleasantville",
      "district": "Rainbow",
      "state": "Vic",
      "postalCode": "3999",
      "period": {"start": "1974-12-25"}
    }
  ],
  "contact": [
    {
      "relationship": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0131", "code": "N"}]}],
      "name": {"family": "Byron", "given": ["Anne"]},
      "telecom": [{"system": "phone", "value": "+33 1 42 68 53 00"}]
    }
  ],
  "managingOrganization": {"reference": "Organization/1"},
  "generalPractitioner": [{"reference": "Practitioner/0c0e6f5e-3c53-4a51-9a0e-3c2f5e0a7d12"}],
  "communication": [{"language": {"coding": [{"system": "urn:ietf:bcp:47", "code": "en"}]}, "preferred": true}]
}
"#
    .into()
}

fn order() -> String {
    let line = |n: u32| {
        format!(
            r#"    {{"sku": "MUG-{n:04}", "name": "Blue mug number {n}", "quantity": {n}, "unitPrice": 12.{n:02}, "taxRate": 0.19, "image": "https://cdn.example.com/images/{n}/mug.jpg?w=400&h=400"}}"#
        )
    };
    let lines: Vec<String> = (10..30).map(line).collect();
    format!(
        "{{\n  \"orderId\": \"4539578763621486\",\n  \"status\": \"shipped\",\n  \"currency\": \"EUR\",\n  \"total\": 129.95,\n  \"placedAt\": 1785406530123,\n  \"card\": {{\"brand\": \"visa\", \"number\": \"411111******1111\", \"expiry\": \"12/27\"}},\n  \"tracking\": \"1Z999AA10123456784\",\n  \"lines\": [\n{}\n  ]\n}}\n",
        lines.join(",\n")
    )
}

fn events() -> String {
    let entry = |n: u32| {
        format!(
            r#"{{"timestamp":"2026-07-30T10:15:{n}.123456Z","level":"info","service":"billing","traceId":"4bf92f3577b34da6a3ce929d0e0e47{n}","clientIp":"93.184.216.{n}","message":"charge {n} settled for customer in 1{n} ms, next retry not needed","durationMs":1{n},"labels":{{"region":"eu-central-1","pod":"billing-7d9c5b6f4-x2x{n}"}}}}"#
        )
    };
    let list: Vec<String> = (10..20).map(entry).collect();
    format!("[{}]", list.join(","))
}

fn main() -> Result<(), Box<dyn Error>> {
    let rounds: u64 = std::env::args().nth(1).map_or(Ok(30_000), |n| n.parse())?;
    let fresh = std::env::args().any(|word| word == "fresh");
    let only = ["patients", "record", "order", "events"]
        .iter()
        .position(|name| std::env::args().any(|word| word == *name));
    let scanner = Scanner::new(&[])?;
    let mut documents = documents().to_vec();
    if let Some(only) = only {
        documents = documents.split_off(only);
        documents.truncate(1);
    }
    let mut findings = Findings::new();
    let (mut hits, mut bytes) = (0, 0);
    let start = Instant::now();
    for document in documents.iter().cycle().take(usize::try_from(rounds)?) {
        match fresh {
            true => findings = Findings::new(),
            false => findings.clear(),
        }
        scanner.scan(Content::Json, Place::ResponseBody, document.as_bytes(), false, &mut findings);
        black_box(findings.shape(200, "application/json"));
        hits += findings.hits.len();
        bytes += document.len();
    }
    let nanos = start.elapsed().as_nanos() / u128::from(rounds.max(1));
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        r#"{{"bench":"classify","rounds":{rounds},"fresh":{fresh},"ns_per_document":{nanos},"bytes":{bytes},"hits":{hits}}}"#
    )?;
    Ok(())
}
