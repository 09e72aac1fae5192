//! What a request's head shows.

use std::sync::Mutex;

use probity_http1::RequestHead;
use probity_model::exchange::{Authentication, Protocol, UserAgentClass};
use probity_model::{Signal, Signals};

use super::credential::{CredentialCache, presented};
use super::{ContentType, Observer};
use crate::watch::lock;

/// Bytes of a `User-Agent` that are looked at.
const MAX_AGENT: usize = 256;

/// Gathered when the head is read, before anything goes upstream.
#[derive(Debug, Clone)]
pub(crate) struct RequestFacts {
    pub authentication: Authentication,
    pub user_agent: UserAgentClass,
    pub content_type: ContentType,
    /// The body is in a coding that is not inspected.
    pub encoded: bool,
    pub signals: Signals,
}

/// The last `User-Agent` of a connection, by a hash of it.
#[derive(Debug, Default)]
pub(crate) struct AgentCache(Mutex<Option<(u64, UserAgentClass)>>);

impl RequestFacts {
    pub fn gather(
        observer: &Observer,
        head: &RequestHead,
        own_credentials: &[Box<[u8]>],
        credentials: &CredentialCache,
        agents: &AgentCache,
    ) -> Self {
        let (mut agent, mut content_type, mut encoded) = (None, None, false);
        for (name, value) in head.headers() {
            match name.len() {
                10 if name.eq_ignore_ascii_case(b"user-agent") => agent = Some(value),
                12 if name.eq_ignore_ascii_case(b"content-type") => content_type = Some(value),
                16 if name.eq_ignore_ascii_case(b"content-encoding") => {
                    encoded |= !value.eq_ignore_ascii_case(b"identity");
                }
                _ => {}
            }
        }
        let presented = presented(head, own_credentials);
        let mut signals = Signals::default();
        signals.set(Signal::CredentialInUrl, presented.in_url());
        let content_type =
            if content_type.is_none() && head.framing().is_empty() { Some(&b""[..]) } else { content_type };
        Self {
            authentication: presented.authentication(observer, credentials),
            user_agent: agent.map_or(UserAgentClass::None, |agent| agents.class(observer, agent)),
            content_type: ContentType::of(content_type),
            encoded,
            signals,
        }
    }
}

impl AgentCache {
    fn class(&self, observer: &Observer, agent: &[u8]) -> UserAgentClass {
        let hash = observer.local_hash(agent);
        if let Some((known, class)) = *lock(&self.0)
            && known == hash
        {
            return class;
        }
        let class = agent_class(agent);
        *lock(&self.0) = Some((hash, class));
        class
    }
}

/// By marks in lower case; the first list that fits decides.
const AGENTS: [(UserAgentClass, &[&str]); 6] = [
    (
        UserAgentClass::Scanner,
        &[
            "sqlmap",
            "nikto",
            "nuclei",
            "nmap",
            "zgrab",
            "masscan",
            "burp",
            "owasp",
            "zaproxy",
            "ffuf",
            "gobuster",
            "dirbuster",
            "wpscan",
            "acunetix",
            "nessus",
            "qualys",
            "feroxbuster",
            "wfuzz",
            "schemathesis",
        ],
    ),
    (UserAgentClass::Bot, &["bot", "crawl", "spider", "slurp", "facebookexternalhit", "preview"]),
    (
        UserAgentClass::CommandLine,
        &["curl/", "wget/", "httpie/", "xh/", "powershell", "grpcurl", "hey/", "wrk"],
    ),
    (
        UserAgentClass::Mobile,
        &["android", "iphone", "ipad", "okhttp/", "cfnetwork", "dalvik", "darwin/", "alamofire", "dart/"],
    ),
    (UserAgentClass::Browser, &["mozilla/", "opera/"]),
    (
        UserAgentClass::Library,
        &[
            "python",
            "java/",
            "go-http-client",
            "axios",
            "node",
            "undici",
            "ruby",
            "php",
            "guzzle",
            "apache-httpclient",
            "libwww",
            "reqwest",
            "hyper",
            "aiohttp",
            "httpx",
            "urllib",
            "requests",
            "grpc-",
            "postman",
            "insomnia",
            "http-client",
            "restsharp",
            "dotnet",
            "faraday",
        ],
    ),
];

fn agent_class(agent: &[u8]) -> UserAgentClass {
    let lower = agent.get(..MAX_AGENT).unwrap_or(agent).to_ascii_lowercase();
    let has = |mark: &&str| memchr::memmem::find(&lower, mark.as_bytes()).is_some();
    match AGENTS.iter().find(|(_, marks)| marks.iter().any(has)) {
        Some((class, _)) => *class,
        None if lower.is_empty() => UserAgentClass::None,
        None => UserAgentClass::Other,
    }
}

/// The protocol as the client spoke it; gRPC and upgrades have names of their own.
pub(crate) fn protocol(head: &RequestHead, h2: bool) -> Protocol {
    match (h2, head.version()) {
        (true, _) if is_grpc(head) => Protocol::Grpc,
        (true, _) => Protocol::Http2,
        (false, probity_http1::Version::Http10) => Protocol::Http10,
        (false, probity_http1::Version::Http11) => Protocol::Http11,
    }
}

pub(crate) fn is_grpc(head: &RequestHead) -> bool {
    head.header(b"content-type").is_some_and(|value| {
        value.get(..16).is_some_and(|start| start.eq_ignore_ascii_case(b"application/grpc"))
            && !value.get(16..20).is_some_and(|rest| rest.eq_ignore_ascii_case(b"-web"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agents() {
        for (agent, expected) in [
            ("", UserAgentClass::None),
            ("curl/8.5.0", UserAgentClass::CommandLine),
            ("Mozilla/5.0 (X11; Linux x86_64) Chrome/140", UserAgentClass::Browser),
            ("Mozilla/5.0 (Linux; Android 15) Mobile", UserAgentClass::Mobile),
            ("ClinicApp/3.1 CFNetwork/1494 Darwin/23.4", UserAgentClass::Mobile),
            ("python-requests/2.32", UserAgentClass::Library),
            ("Mozilla/5.0 (compatible; Googlebot/2.1)", UserAgentClass::Bot),
            ("sqlmap/1.8", UserAgentClass::Scanner),
            ("partner-sync", UserAgentClass::Other),
        ] {
            assert_eq!(agent_class(agent.as_bytes()), expected, "{agent}");
        }
    }
}
