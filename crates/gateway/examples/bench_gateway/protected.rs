//! The controls of the protected service: a token, a scope, limits, a contract both ways, a leak scan, the usual fields.

use std::sync::Arc;
use std::time::SystemTime;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use probity_model::bundle::Protection;
use probity_model::bundle::answers::AnswerPolicy;
use probity_model::bundle::authorization::{AccessRule, AuthorizationPolicy};
use probity_model::bundle::contract::*;
use probity_model::bundle::identity::token::{
    ClaimMap, JwksPolicy, KeySource, SignatureAlgorithm, TokenPolicy,
};
use probity_model::bundle::identity::{IdentityPolicy, Issuer, Need, ServiceIdentity};
use probity_model::bundle::leaks::{BodyBounds, LeakAction, LeakPolicy, LeakRule, Operations};
use probity_model::bundle::limits::{Limit, LimitAlgorithm, LimitCost, LimitKey, LimitMatch, LimitPolicy};
use probity_model::{DataClass, EnforcementMode};

const BLOCK: EnforcementMode = EnforcementMode::Block;
const ISSUER: &str = "https://id.example";
const SEED: [u8; 32] = [3; 32];

const LIST: &str = r#"{"type":"object","required":["items","page"],"additionalProperties":false,"properties":{
"items":{"type":"array","maxItems":100,"items":{"type":"object","required":["id","name"],"additionalProperties":false,"properties":{
"id":{"type":"integer","minimum":0},"name":{"type":"string","maxLength":80},"email":{"type":"string","maxLength":120},
"phone":{"type":"string","maxLength":40},"balance":{"type":"number"},"active":{"type":"boolean"}}}},
"page":{"type":"object","properties":{"next":{"type":"string"},"total":{"type":"integer"}}}}}"#;
const IDENTIFIER: &str = r#"{"type":"integer","minimum":1}"#;
const COUNT: &str = r#"{"type":"integer","minimum":1,"maximum":100}"#;

fn pair() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&SEED).unwrap()
}

/// A token that is good for an hour; the same within the same hour.
pub fn token() -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let hour = now - now % 3_600;
    let header = r#"{"alg":"EdDSA","kid":"bench","typ":"at+jwt"}"#;
    let claims = format!(
        r#"{{"iss":"{ISSUER}","aud":"api","sub":"ada","client_id":"web","iat":{hour},"exp":{},"jti":"t1","scope":"items:read items:write","roles":["staff"]}}"#,
        hour + 7_200
    );
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(pair().sign(message.as_bytes()).as_ref()))
}

pub fn identity() -> IdentityPolicy {
    let public = URL_SAFE_NO_PAD.encode(pair().public_key().as_ref());
    let keys = format!(
        r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","kid":"bench","use":"sig","alg":"EdDSA","x":"{public}"}}]}}"#
    );
    let issuer = Issuer {
        name: "main".into(),
        issuer: ISSUER.into(),
        audiences: vec!["api".into()],
        algorithms: vec![SignatureAlgorithm::EdDSA],
        types: Vec::new(),
        keys: KeySource::Inline(keys),
        clock_skew_s: 30,
        max_lifetime_s: None,
        jwks: JwksPolicy::default(),
        claims: ClaimMap::default(),
        sender_constrained: false,
        introspection: None,
        decryption: Vec::new(),
        encrypted_only: false,
        allow_private: false,
        ca_file: None,
    };
    IdentityPolicy {
        tokens: Some(TokenPolicy { issuers: vec![issuer], ..TokenPolicy::default() }),
        ..IdentityPolicy::default()
    }
}

/// For operations that stand in the order `GET item`, `GET items`, `POST items`, again and again.
pub fn protection(operations: u32) -> Protection {
    Protection {
        network: None,
        identity: Some(ServiceIdentity {
            mode: BLOCK,
            needs: vec![Need::default()],
            operations: vec![0; operations as usize],
            ..ServiceIdentity::default()
        }),
        limits: Some(limits()),
        authorization: Some(authorization(operations)),
        contract: Some(contract(operations)),
        leaks: Some(leaks()),
        answers: Some(AnswerPolicy {
            mode: BLOCK,
            errors: Default::default(),
            banners: true,
            headers: Default::default(),
            cookies: Default::default(),
            cors: None,
        }),
    }
}

fn limits() -> LimitPolicy {
    let limit = |name: &str, by, algorithm| Limit {
        name: name.into(),
        mode: BLOCK,
        by: vec![by],
        applies: LimitMatch::default(),
        algorithm,
        cost: LimitCost::default(),
    };
    let many = 1_000_000_000;
    LimitPolicy {
        mode: BLOCK,
        limits: vec![
            limit(
                "caller",
                LimitKey::Consumer,
                LimitAlgorithm::TokenBucket { burst: many, rate: many, per_ms: 60_000 },
            ),
            limit(
                "address",
                LimitKey::Address,
                LimitAlgorithm::SlidingWindow { limit: many, window_ms: 60_000 },
            ),
        ],
        announce: false,
        sign_in: Vec::new(),
        escalations: Vec::new(),
        challenge: None,
    }
}

fn authorization(operations: u32) -> AuthorizationPolicy {
    let rule = |name: &str, scope: &str, which: fn(u32) -> bool| AccessRule {
        name: name.into(),
        mode: BLOCK,
        operations: (0..operations).filter(|operation| which(*operation)).collect(),
        scopes: vec![vec![scope.into()]],
        ..AccessRule::default()
    };
    AuthorizationPolicy {
        mode: BLOCK,
        access: vec![
            rule("readers", "items:read", |operation| operation % 3 < 2),
            rule("writers", "items:write", |operation| operation % 3 == 2),
        ],
        ..AuthorizationPolicy::default()
    }
}

fn contract(operations: u32) -> ContractPolicy {
    let parameter = |name: &str, place, required, schema| ParameterContract {
        name: name.into(),
        place,
        required,
        style: match place {
            ParameterPlace::Query => ParameterStyle::Form,
            _ => ParameterStyle::Simple,
        },
        explode: false,
        allow_reserved: false,
        allow_empty: false,
        content: None,
        schema: Some(schema),
    };
    let json = || {
        vec![MediaContract { media_type: "application/json".into(), schema: Some(0), encoding: Vec::new() }]
    };
    let count = || parameter("limit", ParameterPlace::Query, false, 2);
    let of = |parameters, request| OperationContract {
        parameters,
        request,
        responses: vec![ResponseContract { status: "200".into(), content: json() }],
    };
    let contracts = [
        of(vec![parameter("id", ParameterPlace::Path, true, 1), count()], None),
        of(vec![count()], None),
        of(Vec::new(), Some(RequestContract { required: true, content: json() })),
    ]
    .map(|contract| Some(TabledContract { table: 0, contract: Arc::new(contract) }));
    ContractPolicy {
        mode: BLOCK,
        responses: BLOCK,
        unknown_fields: Unknown::Refuse,
        unknown_response_fields: Unknown::Refuse,
        unknown_parameters: Unknown::Refuse,
        tables: vec![SchemaTable(vec![Arc::from(LIST), Arc::from(IDENTIFIER), Arc::from(COUNT)].into())],
        operations: contracts.iter().cycle().take(operations as usize).cloned().collect(),
        ..ContractPolicy::default()
    }
}

fn leaks() -> LeakPolicy {
    let rule = |class, action| LeakRule {
        classes: vec![class],
        roles: Vec::new(),
        operations: Operations::All,
        action,
    };
    LeakPolicy {
        mode: BLOCK,
        responses: vec![
            rule(DataClass::CardNumber, LeakAction::Mask),
            rule(DataClass::CardVerificationCode, LeakAction::Drop),
        ],
        requests: Vec::new(),
        detokenise: None,
        bodies: BodyBounds::default(),
        card_bin: 6,
    }
}
