//! TLS to PostgreSQL: verified by default beyond this machine, and by what the URL says.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use probity_store::{Store, StoreError, Target};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

use crate::databases::block_on;
use crate::postgres::{fresh_database, server};

/// An authority, a server certificate for `localhost`, and an authority that signed nothing.
pub fn write_certificates(folder: &Path) {
    let (authority, issuer) = authority("probity test authority");
    let (stranger, _) = self::authority("a stranger");
    let key = KeyPair::generate().unwrap();
    let server =
        CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    fs::write(folder.join("authority.pem"), authority).unwrap();
    fs::write(folder.join("stranger.pem"), stranger).unwrap();
    fs::write(folder.join("server.pem"), server.pem()).unwrap();
    fs::write(folder.join("server.key"), key.serialize_pem()).unwrap();
    fs::set_permissions(folder.join("server.key"), fs::Permissions::from_mode(0o600)).unwrap();
}

fn authority(name: &str) -> (String, Issuer<'static, KeyPair>) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap().pem();
    (certificate, Issuer::new(params, key))
}

/// Over TCP, with `query` after the database's name.
fn open(query: &str) -> Result<Store, StoreError> {
    let url = fresh_database();
    let name = url.split('?').next().unwrap().rsplit('/').next().unwrap();
    let server = server();
    let query = query.replace("FOLDER", &server.folder.display().to_string());
    let target = Target::Postgres(format!("postgres://probity@localhost:{}/{name}{query}", server.port));
    block_on(async {
        let store = Store::open(&target).await?;
        store.put_state("key", b"value").await?;
        store.close().await?;
        Ok(store)
    })
}

#[test]
fn a_url_decides_how_far_the_server_is_verified() {
    let check = |query: &str, expected: bool| match open(query) {
        Ok(_) => assert!(expected, "{query} was accepted"),
        Err(problem) => {
            assert!(!expected, "{query} was refused: {problem:?}");
            assert!(matches!(problem, StoreError::Open { .. }), "{query}: {problem:?}");
        }
    };
    check("", true);
    check("?sslmode=disable", true);
    check("?sslmode=require", true);
    check("?sslmode=verify-full&sslrootcert=FOLDER/authority.pem", true);
    check("?sslmode=verify-full&sslrootcert=FOLDER/stranger.pem", false);
    check("?sslmode=verify-full", false);
}
