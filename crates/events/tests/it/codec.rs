//! Any exchange round-trips; any bytes are refused without a panic.

use std::net::IpAddr;
use std::sync::Arc;

use probity_events::format::{Header, PartHead, decode_trailer};
use probity_events::{Reader, decode_record, encode_record};
use probity_model::exchange::{
    Authentication, AuthenticationState, CredentialScheme, Durations, End, PathRef, Protocol, Tls,
    UserAgentClass,
};
use probity_model::{
    Action, ClassHit, DataClass, Decision, EnforcementMode, Exchange, Place, RequestId, Segment, Signals,
    Template, Timestamp, decision::DecisionInput,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use crate::support::{exchange, keys};

fn text() -> impl Strategy<Value = Arc<str>> {
    ".{0,24}".prop_map(Arc::from)
}

fn class() -> impl Strategy<Value = DataClass> {
    prop_oneof![
        Just(DataClass::CardNumber),
        Just(DataClass::Email),
        "[a-z]{1,8}".prop_map(|text| DataClass::parse(&format!("custom-{text}"))),
    ]
}

fn place() -> impl Strategy<Value = Place> {
    prop_oneof![Just(Place::RequestPath), Just(Place::RequestBody), Just(Place::ResponseHeader)]
}

fn path() -> impl Strategy<Value = PathRef> {
    prop_oneof![
        ".{0,40}".prop_map(|text| PathRef::Template(Template::new(text))),
        vec((".{0,20}", any::<u64>()), 0..8).prop_map(|segments| {
            PathRef::Segments(segments.iter().map(|(raw, hash)| Segment::of(raw, *hash)).collect())
        }),
    ]
}

fn decision() -> impl Strategy<Value = Decision> {
    (text(), text(), option::of(place()), option::of(class()), any::<u64>()).prop_map(
        |(check, found, place, class, revision)| Decision {
            check: (*check).into(),
            rule: (*found).into(),
            mode: EnforcementMode::Block,
            action: Action::Refuse,
            input: DecisionInput { place, field: found.to_string(), class, found: check.to_string() },
            revision,
        },
    )
}

fn any_exchange() -> impl Strategy<Value = Exchange> {
    let heads = (any::<[u8; 16]>(), any::<i64>(), any::<u64>(), text(), text(), path(), vec(text(), 0..5));
    let ends = (any::<u16>(), 0..7usize, any::<u64>(), option::of(vec(text(), 0..5)), text(), text());
    let peers = (option::of(any::<IpAddr>()), 0..8usize, 0..7usize, option::of((text(), text())));
    let sizes = (any::<u64>(), any::<u64>(), any::<u64>(), any::<u64>());
    let authentication = (0..3usize, option::of(any::<[u8; 16]>()), option::of(any::<[u8; 16]>()));
    let found = (
        vec((class(), place(), ".{0,16}", any::<u32>(), any::<bool>()), 0..4),
        any::<u64>(),
        vec(decision(), 0..4),
    );
    (heads, ends, peers, sizes, authentication, found).prop_map(
        |(heads, ends, peers, sizes, authentication, found)| {
            let (id, started, revision, service, method, path, query) = heads;
            let (status, end, shape, shape_fields, request_type, response_type) = ends;
            let (client, agent, protocol, tls) = peers;
            let (state, identity, credential) = authentication;
            Exchange {
                sequence: 0,
                request_id: RequestId::parse(&hex(&id)).unwrap(),
                gateway: (*method).into(),
                started_at: Timestamp(started),
                revision,
                service: (*service).into(),
                method,
                path,
                query,
                status,
                end: [
                    End::Complete,
                    End::Refused,
                    End::ClientAborted,
                    End::UpstreamUnreachable,
                    End::UpstreamTimeout,
                    End::UpstreamAborted,
                    End::UpstreamInvalid,
                ][end],
                shape,
                shape_fields,
                request_type,
                response_type,
                client,
                user_agent: [
                    UserAgentClass::None,
                    UserAgentClass::Browser,
                    UserAgentClass::Mobile,
                    UserAgentClass::Library,
                    UserAgentClass::CommandLine,
                    UserAgentClass::Bot,
                    UserAgentClass::Scanner,
                    UserAgentClass::Other,
                ][agent],
                protocol: [
                    Protocol::Http10,
                    Protocol::Http11,
                    Protocol::Http2,
                    Protocol::Grpc,
                    Protocol::Websocket,
                    Protocol::Upgraded,
                    Protocol::Unknown,
                ][protocol],
                tls: tls.map(|(version, suite)| Tls { version, suite }),
                request_bytes: sizes.0,
                response_bytes: sizes.1,
                durations: Durations { total_us: sizes.2, upstream_us: sizes.3 },
                authentication: Authentication {
                    state: [
                        AuthenticationState::None,
                        AuthenticationState::Presented,
                        AuthenticationState::Verified,
                    ][state],
                    scheme: CredentialScheme::Cookie,
                    identity,
                    credential,
                    key_version: status,
                },
                classes: found
                    .0
                    .into_iter()
                    .map(|(class, place, field, count, masked)| ClassHit {
                        class,
                        place,
                        field,
                        count,
                        masked,
                    })
                    .collect(),
                signals: signals(found.1),
                decisions: found.2,
            }
        },
    )
}

/// Through the binary form, so that every bit is tried.
fn signals(bits: u64) -> Signals {
    postcard::from_bytes(&postcard::to_stdvec(&bits).unwrap()).unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_exchange_round_trips(exchange in any_exchange(), sequence in any::<u64>()) {
        let mut bytes = Vec::new();
        encode_record(&exchange, &mut bytes).unwrap();
        let read = decode_record(&bytes, sequence).unwrap();
        prop_assert_eq!(read, Exchange { sequence, ..exchange });
    }

    #[test]
    fn altered_records_never_panic(tag in 0..64u64, at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<prop::sample::Index>()) {
        let mut bytes = Vec::new();
        encode_record(&exchange(tag), &mut bytes).unwrap();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = decode_record(&bytes, 1);
        let _ = decode_record(&bytes[..cut.index(bytes.len())], 1);
    }

    #[test]
    fn random_bytes_never_panic(bytes in vec(any::<u8>(), 0..512)) {
        let _ = decode_record(&bytes, 1);
        let _ = Header::decode(&bytes);
        let _ = PartHead::decode(&bytes);
        if let Some(trailer) = bytes.first_chunk::<16>() {
            let _ = decode_trailer(trailer);
        }
        // And as a whole file.
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("segment-0000000000000001.events"), &bytes).unwrap();
        prop_assert!(Reader::open(dir.path(), keys(), 1).unwrap().all(|record| record.is_err()));
    }
}

#[test]
fn a_record_with_bytes_after_it_is_refused() {
    let mut bytes = Vec::new();
    encode_record(&exchange(1), &mut bytes).unwrap();
    bytes.push(0);
    assert_eq!(
        decode_record(&bytes, 1).unwrap_err().to_string(),
        "1 bytes follow the exchange, expected none"
    );
}
