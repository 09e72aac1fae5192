//! An ordinary exchange, as a gateway in front of a small API makes it.

use probity_model::exchange::{
    Authentication, AuthenticationState, CredentialScheme, Durations, End, PathRef, Protocol, Tls,
    UserAgentClass,
};
use probity_model::{
    ClassHit, DataClass, Exchange, GatewayId, Place, RequestId, ServiceId, Signals, Template, Timestamp,
};

/// The tag stands in `request_bytes`.
pub fn exchange(tag: u64) -> Exchange {
    let [random @ .., _] = (u128::from(tag).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_0c4b)).to_be_bytes();
    let [_, _, _, _, _, random @ ..] = random;
    Exchange {
        sequence: 0,
        request_id: RequestId::from_parts(1_700_000_000_000 + (tag & 0xffff_ffff), random),
        gateway: GatewayId::from("gateway-1"),
        started_at: Timestamp::from_millis(1_700_000_000_000),
        revision: 7,
        service: ServiceId::from("clinic"),
        method: "GET".into(),
        path: PathRef::Template(Template::new("/v2/patients/{id}/appointments")),
        query: vec!["limit".into()],
        status: 200,
        end: End::Complete,
        shape: 0x9e37_79b9_7f4a_7c15,
        shape_fields: None,
        request_type: "".into(),
        response_type: "application/json".into(),
        client: Some([192, 0, 2, 17].into()),
        user_agent: UserAgentClass::Mobile,
        protocol: Protocol::Http11,
        tls: Some(Tls { version: "TLSv1.3".into(), suite: "TLS_AES_128_GCM_SHA256".into() }),
        request_bytes: tag,
        response_bytes: 1834,
        durations: Durations { total_us: 2311, upstream_us: 1990 },
        authentication: Authentication {
            state: AuthenticationState::Verified,
            scheme: CredentialScheme::Bearer,
            identity: Some([9; 16]),
            credential: None,
            key_version: 1,
        },
        classes: vec![ClassHit {
            class: DataClass::Email,
            place: Place::ResponseBody,
            field: "/items/*/email".into(),
            count: 3,
            masked: false,
        }],
        signals: Signals::default(),
        decisions: Vec::new(),
    }
}
