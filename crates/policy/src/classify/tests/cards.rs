use super::*;

#[test]
fn card_numbers() {
    table(
        DataClass::CardNumber,
        &[
            ("pan", "4111111111111111"),
            ("value", "4111111111111111"),
            ("x", "4111 1111 1111 1111"),
            ("x", "4111-1111-1111-1111"),
            ("x", "5555555555554444"),
            ("x", "2223003122003222"),
            ("x", "378282246310005"),
            ("x", "3782 822463 10005"),
            ("x", "6011111111111117"),
            ("x", "30569309025904"),
            ("x", "3056 930902 5904"),
            ("x", "3530111333300000"),
            ("x", "6200000000000005"),
            ("x", "6759649826438453"),
            ("note", "paid with 4111 1111 1111 1111 12/27 123 yesterday"),
            ("note", "card=4111111111111111;"),
            ("note", "(4111111111111111)."),
            ("cardNumber", "4222222222222"),
            ("card_number", "6304000000000000"),
            ("id", "4111-1111-1111-1111"),
        ],
        &[
            ("x", "4111111111111112"),
            ("x", "1234567890123452"),
            ("id", "4111111111111111"),
            ("orderId", "4111111111111111"),
            ("tracking_number", "4111111111111111"),
            ("createdAt", "1700000000000"),
            ("x", "1700000000000000"),
            ("x", "4111-11111111-1111"),
            ("x", "4111 1111-1111 1111"),
            ("x", "ORD-4111111111111111"),
            ("x", "41111111111111110000000"),
            ("x", "0.4111111111111111"),
            ("x", "https://cdn.example/4111111111111111.jpg"),
            ("x", "a4111111111111111"),
            ("x", "4111111111111111_2"),
            ("x", "4111-1111-1111-1111-2"),
            ("x", "0000000000000000"),
            ("x", "+4411111111111111"),
            ("pan", "0000000000000000"),
            ("pan", "41111"),
        ],
    );
}

#[test]
fn card_numbers_in_json_numbers_and_nested() {
    assert_eq!(listed(&json(r#"{"pan": 4111111111111111}"#)), ["card-number /pan"]);
    assert_eq!(listed(&json(r#"{"x": [4111111111111111, 5555555555554444]}"#)), ["card-number /x/* x2"]);
    assert_eq!(listed(&json(r#"{"card": {"number": "4111111111111111"}}"#)), ["card-number /card/number"]);
    assert_eq!(listed(&json(r#"{"id": 4111111111111111}"#)), [] as [&str; 0]);
    assert_eq!(listed(&json(r#"{"x": 4111111111111111.0}"#)), [] as [&str; 0]);
    assert_eq!(listed(&json(r#"{"raw": "{\"card\":\"4111111111111111\"}"}"#)), ["card-number /raw"]);
    assert_eq!(listed(&json("{\"x\": \"\\u0034111111111111111\"}")), ["card-number /x"]);
    assert_eq!(listed(&json("{\"p\\u0061n\": \"6304000000000000\"}")), ["card-number /pan"]);
}

#[test]
fn masked_card_numbers() {
    let check = |key: &str, value: &str, expected: &[&str]| {
        let body = serde_json::json!({ key: value }).to_string();
        assert_eq!(listed(&json(&body)), expected, "{key}: {value}");
    };
    check("x", "411111******1111", &["card-number /x masked"]);
    check("x", "4111 11** **** 1111", &["card-number /x masked"]);
    check("x", "41111111****1111", &["card-number /x masked"]);
    check("x", "**** **** **** 1111", &["card-number /x masked"]);
    check("x", "•••• •••• •••• 1111", &["card-number /x masked"]);
    check("x", "************1111", &["card-number /x masked"]);
    check("x", "XXXX-XXXX-XXXX-1111", &["card-number /x masked"]);
    check("pan", "411111xxxxxx1111", &["card-number /pan masked"]);
    check("cardNumber", "**** 1111", &["card-number /cardNumber masked"]);
    check("card", "**** 1111", &["card-number /card masked"]);
    check("note", "charged **** **** **** 1111 today", &["card-number /note masked"]);
    // More than BIN and last four in clear.
    check("pan", "411111111****111", &["card-number /pan"]);
    check("x", "****", &[]);
    check("x", "********", &[]);
    check("x", "1111 ****", &[]);
    check("x", "#1234", &[]);
    check("x", "**bold** 1234", &[]);
}

#[test]
fn verification_codes() {
    table(
        DataClass::CardVerificationCode,
        &[
            ("cvv", "123"),
            ("CVV2", "123"),
            ("cvc", "1234"),
            ("card_cvc", "123"),
            ("securityCode", "123"),
            ("cardSecurityCode", "123"),
            ("card-verification-code", "999"),
            ("cvvNumber", "123"),
            ("csc", "123"),
            ("cvv", "***"),
            ("cvn", "000"),
            ("cardVerificationValue", "0123"),
        ],
        &[
            ("cvv", "12"),
            ("cvv", "12345"),
            ("cvv", "yes"),
            ("cvv", ""),
            ("cvvResult", "M"),
            ("cvvCheck", "123"),
            ("code", "123"),
            ("areaCode", "123"),
            ("statusCode", "404"),
            ("x", "123"),
            ("amount", "123"),
            ("cid", "123"),
        ],
    );
    assert_eq!(listed(&json(r#"{"cvv": 123}"#)), ["card-verification-code /cvv"]);
}

#[test]
fn track_data() {
    table(
        DataClass::CardTrack,
        &[
            ("x", "%B4111111111111111^DOE/JOHN^27121010000000000000?"),
            ("x", ";4111111111111111=27121010000012345678?"),
            ("x", "4111111111111111=27121010000012345678"),
            ("track2", "4111111111111111=2712101"),
            ("track2", "4111111111111111D27121010000012345678"),
            ("track1", "B4111111111111111^DOE/JOHN^2712101"),
            ("note", "swiped ;4111111111111111=27121010000012345678? ok"),
        ],
        &[
            ("x", "%B4111111111111112^DOE/JOHN^27121010000000000000?"),
            ("x", "4111111111111111=27"),
            ("x", "4111111111111112=27121010000012345678"),
            ("x", "4111111111111111=27991010000012345678"),
            ("track", "Never Gonna Give You Up"),
            ("x", "a=27121010000012345678"),
            ("track1", "4"),
        ],
    );
}

#[test]
fn ibans() {
    table(
        DataClass::Iban,
        &[
            ("x", "DE89370400440532013000"),
            ("x", "DE89 3704 0044 0532 0130 00"),
            ("x", "GB82WEST12345698765432"),
            ("x", "GB82 WEST 1234 5698 7654 32"),
            ("x", "FR1420041010050500013M02606"),
            ("x", "NL91ABNA0417164300"),
            ("x", "CH9300762011623852957"),
            ("x", "NO9386011117947"),
            ("x", "MT84MALT011000012345MTLCAST001S"),
            ("x", "BE68539007547034"),
            ("x", "ES9121000418450200051332"),
            ("note", "send to DE89 3704 0044 0532 0130 00, please"),
            ("id", "AT611904300234573201"),
            ("iban", "de89370400440532013000"),
            ("iban", "DE89 **** **** **** **** 00"),
        ],
        &[
            ("x", "DE89370400440532013001"),
            ("x", "DE8937040044053201300"),
            ("x", "DE893704004405320130000"),
            ("x", "ZZ89370400440532013000"),
            ("x", "de89370400440532013000"),
            ("x", "DE89-ORDER-2024-0001"),
            ("x", "US64SVBKUS6S3300958879"),
            ("x", "GB82WEST1234569876543Z"),
            ("x", "DEADBEEF00112233445566"),
            ("x", "AB12"),
            ("x", "XDE89370400440532013000"),
            ("iban", "pending"),
            ("x", "IT 60 X0542811101000000123456"),
        ],
    );
}
