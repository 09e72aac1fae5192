use super::*;

#[test]
fn emails() {
    table(
        DataClass::Email,
        &[
            ("email", "ada@example.com"),
            ("x", "ada.lovelace+tag@mail.example.co.uk"),
            ("id", "ada@example.com"),
            ("note", "write to ada@example.com."),
            ("note", "Ada <ada@example.com>, Bob"),
            ("x", "mailto:ada@example.com"),
            ("x", "a***@example.com"),
            ("x", "o'neill@example.ie"),
            ("x", "ada@xn--bcher-kva.example"),
            ("x", "jürgen@example.de"),
            ("x", "from=ada@example.com&to=x"),
            ("x", "1@example.com"),
        ],
        &[
            ("x", "ada@localhost"),
            ("x", "@ada"),
            ("x", "ada@"),
            ("x", "logo@2x.png"),
            ("x", "pkg@1.2.3"),
            ("x", "@scope/pkg@1.2.3"),
            ("x", "git@github.com:org/repo.git"),
            ("x", "https://user@example.com/"),
            ("x", "a@b"),
            ("x", "meet @ 5.pm"),
            ("x", "image@sha256:0123456789abcdef"),
            ("x", "-@-.-"),
        ],
    );
    assert_eq!(listed(&json(r#"{"x": "a***@example.com"}"#)), ["email /x masked"]);
    assert_eq!(listed(&json(r#"{"ada@example.com": {"n": 1}}"#)), ["email /{email}"]);
}

#[test]
fn phones() {
    table(
        DataClass::Phone,
        &[
            ("x", "+14155552671"),
            ("x", "+1 415 555 2671"),
            ("x", "+1 (415) 555-2671"),
            ("x", "+49 30 901820"),
            ("x", "+44-20-7946-0958"),
            ("x", "(415) 555-2671"),
            ("x", "415-555-2671"),
            ("x", "1-800-555-1234"),
            ("phone", "4155552671"),
            ("mobile", "0171 1234567"),
            ("phoneNumber", "030/901820"),
            ("tel", "415.555.2671"),
            ("contactPhone", "415 555 2671 x12"),
            ("note", "call +4930901820, thanks"),
            ("note", "call (415) 555-2671."),
            ("phone", "+1 *** *** 2671"),
        ],
        &[
            ("x", "4155552671"),
            ("x", "415.555.2671"),
            ("x", "115-555-2671"),
            ("x", "415-155-2671"),
            ("x", "+123"),
            ("x", "+00 123 456 789"),
            ("x", "+02:00"),
            ("x", "415-555-26711"),
            ("orderNumber", "415-555-2671"),
            ("phone", "none"),
            ("phone", "12345"),
            ("phoneType", "4155552671"),
            ("x", "1+14155552671"),
            ("x", "2024-555-2671"),
            ("phoneVerified", "true"),
        ],
    );
    assert_eq!(listed(&json(r#"{"phone": 4155552671}"#)), ["phone /phone"]);
    assert_eq!(listed(&json(r#"{"phones": ["+14155552671", "415 5552671"]}"#)), ["phone /phones/* x2"]);
}

#[test]
fn addresses_of_hosts() {
    table(
        DataClass::IpAddress,
        &[
            ("ip", "93.184.216.34"),
            ("clientIp", "10.1.2.3"),
            ("x", "2001:db8::1"),
            ("x", "fe80::1ff:fe23:4567:890a"),
            ("x", "2001:0db8:85a3:0000:0000:8a2e:0370:7334"),
            ("note", "from 93.184.216.34 port 22"),
            ("note", "from 2001:db8::1 port 22"),
            ("x", "http://93.184.216.34/x"),
            ("x", "93.184.216.34:8080"),
            ("x", "::ffff:93.184.216.34"),
        ],
        &[
            ("x", "127.0.0.1"),
            ("x", "0.0.0.0"),
            ("version", "1.2.3.4"),
            ("x", "10.0.0.0/8"),
            ("x", "1.2.3"),
            ("x", "1.2.3.4.5"),
            ("x", "256.1.1.1"),
            ("x", "Mozilla/5.0 Chrome/120.0.0.1"),
            ("x", "::1"),
            ("x", "::"),
            ("x", "10:20:30"),
            ("x", "00:1A:2B:3C:4D:5E"),
            ("x", "dead::beef"),
        ],
    );
}
