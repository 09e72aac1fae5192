use super::*;

/// Business documents full of digits: exactly what is listed may be found.
fn check(body: &str, expected: &[&str]) {
    let found = json(body);
    assert_eq!(listed(&found), expected, "{body}");
    assert_eq!(found.signals, Signals::default(), "{body}");
}

#[test]
fn business_documents_stay_silent() {
    check(
        r##"{"orderId": "4539578763621486", "orderNumber": "112-4455667-8899001", "status": "shipped", "currency": "EUR",
            "total": 129.95, "placedAt": "2026-07-30T10:15:30.123Z", "updatedAt": 1785406530123, "version": "1.14.2",
            "lines": [{"sku": "MUG-BLUE-0042", "ean": "4006381333931", "gtin": "00012345600012", "quantity": 2, "price": "64.97"},
                      {"sku": "B07XJ8C8F5", "upc": "012345678905", "quantity": 1, "price": 12}],
            "shipment": {"carrier": "UPS", "trackingNumber": "1Z999AA10123456784", "trackingNumbers": ["9400110200881234567890", "123456789012"]}}"##,
        &[],
    );
    check(
        r##"{"id": 1234567890123456789, "snowflake": "1234567890123456789", "epochMicros": 1700000000000000,
            "epochNanos": 1700000000000000000, "ts": 1700000000, "created": "Thu, 30 Jul 2026 10:15:30 GMT",
            "duration": "PT1H30M", "window": "10:15-11:45", "build": "2026.07.30.1200", "semver": "10.20.30.40-beta.1",
            "commit": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "etag": "\"33a64df551425fcc55e4d42a148795d9f25f89d4\""}"##,
        &[],
    );
    check(
        r##"{"uuid": "0b0e6f5e-3c53-4a51-9a0e-3c2f5e0a7d11", "guid": "{6F9619FF-8B86-D011-B42D-00CF4FC964FF}",
            "location": {"lat": 52.520008, "lng": 13.404954, "geohash": "u33dc0cpke6v", "wkt": "POINT(13.404954 52.520008)"},
            "bbox": [13.0883, 52.3382, 13.7611, 52.6755], "elevation": "34.000000000000001", "plusCode": "9F4MGC24+25"}"##,
        &[],
    );
    check(
        r##"{"items": [{"name": "Espresso Machine", "model": "EC-685.M", "color": "#ff8800", "dimensions": "330x149x303 mm",
              "weight": "4.2 kg", "rating": 4.6, "reviews": 12034, "category": "Home & Kitchen > Coffee", "image": "https://cdn.example.com/img/5105105105105100.jpg?w=1200&h=800"}],
            "page": {"number": 1, "size": 50, "total": 4111111111111111, "next": "https://api.example.com/items?page=2&cursor=eyJpZCI6NDJ9"},
            "nextPageToken": "CAUQAA1234567890abcdefGHIJKLMNOP"}"##,
        &[],
    );
    check(
        r##"{"flight": "LH 455", "pnr": "X7K9PQ", "gate": "B42", "seat": "12A", "invoice": "INV-2026-000123456",
            "reference": "RF18539007547034", "poNumber": "4500012345", "batch": "L20260730-0001", "serialNumber": "5CG1234XYZ",
            "imei": "490154203237518", "iccid": "8944500102198304826", "vin": "1HGCM82633A004352", "isbn": "978-3-16-148410-0",
            "hsCode": "8516.71.00", "customsNumber": "DE123456789", "score": "0.9876543210123456", "ratio": 0.4111111111111111}"##,
        &[],
    );
    check(
        r##"{"runner": {"os": "linux", "kernel": "6.1.0-18-amd64", "agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.6099.109 Safari/537.36"},
            "network": {"cidr": "10.0.0.0/16", "mac": "00:1a:2b:3c:4d:5e", "port": 8443, "host": "api.example.com"},
            "image": "registry.example.com/team/app@sha256:3fc9b689459d738f8c88a3a48aa9e33542016b7a4052e001aaa536fca74813cb",
            "packages": ["@scope/pkg@1.2.3", "left-pad@1.3.0"], "cron": "*/5 * * * *", "range": "1-800", "asset": "logo@2x.png"}"##,
        &[],
    );
    check(
        r##"{"summary": "Meeting at 10:30 in room 4.12, see ticket 1234-5678 and RFC 9457; budget 1,234,567.89 EUR (Q3/2026), call 5 people",
            "description": "Version 2.0.1 fixes 12 issues, among them #4711 and #4712; 99.99 % uptime from 2026-01-01 to 2026-06-30.",
            "tags": ["beta", "2026", "v2"], "code": "ABC-123", "statusCode": 200, "errorCode": "E1042", "zip": "10115", "countryCode": "DE"}"##,
        &[],
    );
}

#[test]
fn what_is_really_there_is_found_and_no_more() {
    check(
        r##"{"id": "cus_9s6XKzkNRiz8i3", "object": "customer", "created": 1483565364, "email": "ada@example.com", "phone": "+14155552671",
            "name": "Ada Lovelace", "livemode": false, "default_source": "card_19YqhN2eZvKYlo2CGPXvSSIK",
            "sources": {"data": [{"brand": "Visa", "last4": "4242", "exp_month": 8, "exp_year": 2027, "fingerprint": "Xt5EWLLDS7FJjR1c"}]},
            "shipping": {"address": {"line1": "12 Main Street", "city": "Springfield", "postal_code": "12345"}}}"##,
        &["email /email", "phone /phone", "postal-address /shipping/address/line1"],
    );
    check(
        r##"{"resourceType": "Patient", "id": "example", "identifier": [{"system": "urn:oid:1.2.36.146.595.217.0.1", "value": "12345"}],
            "name": [{"use": "official", "family": "Chalmers", "given": ["Peter"]}], "birthDate": "1974-12-25",
            "telecom": [{"system": "phone", "value": "(415) 555-2671"}], "mrn": "MRN-0012345"}"##,
        &[
            "date-of-birth /birthDate",
            "medical-record /mrn",
            "person-name /name/*/family",
            "person-name /name/*/given/*",
            "phone /telecom/*/value",
        ],
    );
}
