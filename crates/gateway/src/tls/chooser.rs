//! Which certificate a handshake gets: by the name that the client asks for (SNI, RFC 6066), exactly, then by a
//! wildcard, then the default one, unless the listener is strict. Wildcards stand for one label (RFC 9525, 6.3).

use std::collections::HashMap;
use std::sync::Arc;

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

#[derive(Debug, Default)]
pub(super) struct Chooser {
    /// Lower-case names. Of one name several kinds of key may be there: the first that the client can verify serves.
    exact: HashMap<Box<str>, Vec<Arc<CertifiedKey>>>,
    /// What stands behind `*.`.
    wildcard: HashMap<Box<str>, Vec<Arc<CertifiedKey>>>,
    default: Option<Arc<CertifiedKey>>,
    strict: bool,
}

impl Chooser {
    pub fn new(strict: bool) -> Self {
        Self { strict, ..Self::default() }
    }

    /// Adds a certificate under its names; the first one is the default.
    pub fn add(&mut self, key: &Arc<CertifiedKey>, names: &[String]) {
        for name in names {
            let name = name.trim_end_matches('.').to_ascii_lowercase();
            let (map, name) = match name.strip_prefix("*.") {
                Some(rest) => (&mut self.wildcard, rest),
                None => (&mut self.exact, name.as_str()),
            };
            map.entry(name.into()).or_default().push(Arc::clone(key));
        }
        self.default.get_or_insert_with(|| Arc::clone(key));
    }

    fn choose(&self, name: Option<&str>, fits: impl Fn(&CertifiedKey) -> bool) -> Option<Arc<CertifiedKey>> {
        let first = |keys: &[Arc<CertifiedKey>]| keys.iter().find(|key| fits(key)).or(keys.first()).cloned();
        let known = name.and_then(|name| {
            let name = name.to_ascii_lowercase();
            let parent = || name.split_once('.').and_then(|(_, parent)| self.wildcard.get(parent));
            self.exact.get(name.as_str()).or_else(parent).and_then(|keys| first(keys))
        });
        known.or_else(|| self.default.clone().filter(|_| !self.strict))
    }
}

impl ResolvesServerCert for Chooser {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let schemes = hello.signature_schemes();
        self.choose(hello.server_name(), |key| key.key.choose_scheme(schemes).is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A certificate by a label that its chain can be told by.
    fn key(names: &[&str]) -> (Arc<CertifiedKey>, Vec<String>) {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let pair = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::new(names.clone()).unwrap().self_signed(&pair).unwrap();
        let der = rustls::pki_types::PrivateKeyDer::try_from(pair.serialize_der()).unwrap();
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let chain = vec![certificate.der().clone()];
        (Arc::new(CertifiedKey::from_der(chain, der, &provider).unwrap()), names)
    }

    #[test]
    fn names_choose() {
        let all = [key(&["first.example"]), key(&["api.example", "*.api.example"]), key(&["V1.api.example"])];
        for strict in [false, true] {
            let mut chooser = Chooser::new(strict);
            all.iter().for_each(|(key, names)| chooser.add(key, names));
            let unknown = (!strict).then_some(0);
            for (name, expected) in [
                (Some("first.example"), Some(0)),
                (Some("FIRST.example"), Some(0)),
                (Some("api.example"), Some(1)),
                (Some("v2.api.example"), Some(1)),
                (Some("v1.api.example"), Some(2)),
                (Some("deep.v2.api.example"), unknown),
                (Some("example"), unknown),
                (Some("other.example"), unknown),
                (Some("*.api.example"), Some(1)),
                (Some(""), unknown),
                (None, unknown),
            ] {
                let found = chooser.choose(name, |_| true);
                let expected = expected.map(|index: usize| all[index].0.cert[0].clone());
                assert_eq!(found.map(|key| key.cert[0].clone()), expected, "{name:?} strict={strict}");
            }
        }
    }

    #[test]
    fn of_one_name_the_kind_of_key_decides() {
        let (first, second) = (key(&["a.example"]), key(&["a.example"]));
        let mut chooser = Chooser::new(true);
        for (key, names) in [&first, &second] {
            chooser.add(key, names);
        }
        let wanted = Arc::clone(&second.0);
        let found = chooser.choose(Some("a.example"), |key| std::ptr::eq(key, &raw const *wanted));
        assert!(Arc::ptr_eq(&found.unwrap(), &second.0));
        // None fits: the handshake itself says so.
        assert!(Arc::ptr_eq(&chooser.choose(Some("a.example"), |_| false).unwrap(), &first.0));
    }
}
