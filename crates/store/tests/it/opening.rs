//! Opening: twice, at once, a newer schema, and what is no database at all.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use probity_store::{Store, StoreError, Target};
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection};

use crate::databases::{Place, block_on, run};

on_each_database!(
    opening_twice_is_fine,
    two_that_open_at_once_make_one_schema,
    a_newer_schema_is_refused_and_left_alone,
    what_cannot_be_read_is_named,
    a_closed_store_says_so,
);

async fn opening_twice_is_fine(place: Place) {
    let first = place.open().await;
    let second = place.open().await;
    first.put_state("key", b"from the first").await.unwrap();
    assert_eq!(second.state("key").await.unwrap().as_deref(), Some(&b"from the first"[..]));
    second.put_state("key", b"from the second").await.unwrap();
    assert_eq!(first.state("key").await.unwrap().as_deref(), Some(&b"from the second"[..]));
    second.close().await.unwrap();
    assert_eq!(first.clone().state("key").await.unwrap().as_deref(), Some(&b"from the second"[..]));
}

async fn two_that_open_at_once_make_one_schema(place: Place) {
    let opened = tokio::join!(place.open(), place.open(), place.open(), place.open());
    for store in [opened.0, opened.1, opened.2, opened.3] {
        store.put_state("key", b"value").await.unwrap();
    }
}

/// Around the store, as another program would.
async fn connect(target: &Target) -> DatabaseConnection {
    let url = match target {
        Target::Sqlite(path) => format!("sqlite://{}", path.display()),
        Target::Postgres(url) => url.clone(),
        Target::Memory => panic!("a database in memory has one user"),
    };
    Database::connect(ConnectOptions::new(url)).await.unwrap()
}

async fn execute(target: &Target, sql: &str) {
    let connection = connect(target).await;
    connection.execute_unprepared(sql).await.unwrap();
    connection.close().await.unwrap();
}

async fn a_newer_schema_is_refused_and_left_alone(place: Place) {
    let store = place.open().await;
    store.put_state("key", b"value").await.unwrap();
    store.close().await.unwrap();
    let newer = "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m9999_from_the_future', 0)";
    execute(&place.target, newer).await;
    let refused = Store::open(&place.target).await;
    let Err(StoreError::NewerSchema { found, newest, .. }) = &refused else { panic!("{refused:?}") };
    assert_eq!((found.as_str(), newest.as_str()), ("m9999_from_the_future", "m0002_callers"));
    let text = refused.unwrap_err().to_string();
    assert!(text.starts_with(&place.target.to_string()) && text.contains("run the newer version"), "{text}");
    execute(&place.target, "DELETE FROM seaql_migrations WHERE version = 'm9999_from_the_future'").await;
    assert_eq!(place.open().await.state("key").await.unwrap().as_deref(), Some(&b"value"[..]));
}

async fn what_cannot_be_read_is_named(place: Place) {
    let store = place.open().await;
    store.put_operation_settings(&"clinic GET /".into(), &Default::default()).await.unwrap();
    execute(&place.target, "UPDATE operation_settings SET document = '{\"settings\": 1}'").await;
    let refused = store.operation_settings().await;
    assert!(matches!(refused, Err(StoreError::Unreadable { .. })), "{refused:?}");
    let text = refused.unwrap_err().to_string();
    assert!(text.contains("`operation_settings`") && text.contains("`clinic GET /`"), "{text}");
}

async fn a_closed_store_says_so(place: Place) {
    let store = place.open().await;
    let clone = store.clone();
    store.close().await.unwrap();
    let refused = clone.state("key").await;
    assert!(matches!(refused, Err(StoreError::Query { doing: "read state", .. })), "{refused:?}");
    assert!(clone.put_state("key", b"").await.is_err());
    store.close().await.unwrap();
}

#[test]
fn a_database_in_memory_is_one_for_all_clones_and_gone_when_closed() {
    run(Place::memory(), async |place| {
        let store = place.open().await;
        let clone = store.clone();
        clone.put_state("key", b"value").await.unwrap();
        assert_eq!(store.state("key").await.unwrap().as_deref(), Some(&b"value"[..]));
        let other = place.open().await;
        assert_eq!(other.state("key").await.unwrap(), None);
    });
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn only_the_owner_reads_the_files_of_sqlite() {
    run(Place::sqlite(), async |place| {
        let Target::Sqlite(path) = &place.target else { panic!("not SQLite") };
        let store = place.open().await;
        store.put_state("key", b"value").await.unwrap();
        for ending in ["", "-wal", "-shm"] {
            let file = path.with_file_name(format!("probity.sqlite{ending}"));
            assert_eq!(mode(&file), 0o600, "{}", file.display());
        }
        store.close().await.unwrap();
        let left: Vec<_> =
            fs::read_dir(path.parent().unwrap()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(left, ["probity.sqlite"], "a closed database is one file");
    });
}

#[test]
fn what_is_no_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("notes.txt");
    fs::write(&text, "these are notes, and no database at all; ".repeat(200)).unwrap();
    let check = |target: Target, expected: &[&str]| {
        let refused = block_on(Store::open(&target)).unwrap_err();
        let said = refused.to_string();
        assert!(!format!("{refused:?}").contains("secret"), "{refused:?}");
        for part in expected {
            assert!(said.contains(part), "{said}");
        }
    };
    check(Target::Sqlite(text.clone()), &["notes.txt", "expected a SQLite database"]);
    assert!(fs::read_to_string(&text).unwrap().starts_with("these are notes"));
    check(Target::Sqlite(folder.path().to_owned()), &["expected a SQLite database"]);
    let nowhere = folder.path().join("nowhere/probity.sqlite");
    check(Target::Sqlite(nowhere), &["cannot create", "nowhere/probity.sqlite", "expected a folder"]);
    check(Target::Postgres("mysql://u:secret@h/d".to_owned()), &["`mysql`", "expected `postgres://"]);
    check(Target::Postgres("postgres://u:secret@h:port/d".to_owned()), &["expected `postgres://"]);
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("postgres://someone:secret@127.0.0.1:{closed}/control");
    check(
        Target::Postgres(url),
        &["cannot open the PostgreSQL database", "/control", "expected a PostgreSQL server"],
    );
}

#[test]
fn a_target_is_read_from_text_and_never_says_its_password() {
    let check = |text: &str, expected: Result<Target, &str>| match (Target::parse(text), expected) {
        (Ok(target), Ok(expected)) => assert_eq!(target, expected),
        (Err(problem), Err(expected)) => assert!(problem.to_string().contains(expected), "{problem}"),
        (found, expected) => panic!("{text}: {found:?}, expected {expected:?}"),
    };
    check("/var/lib/probity/probity.sqlite", Ok(Target::Sqlite("/var/lib/probity/probity.sqlite".into())));
    check("probity.sqlite", Ok(Target::Sqlite("probity.sqlite".into())));
    check(":memory:", Ok(Target::Memory));
    check("postgres://u:p@h/d", Ok(Target::Postgres("postgres://u:p@h/d".to_owned())));
    check("postgresql://u@h/d", Ok(Target::Postgres("postgresql://u@h/d".to_owned())));
    check("mysql://u:p@h/d", Err("scheme `mysql` names no known database"));
    let target = Target::parse("postgres://someone:secret@db.example:6432/control").unwrap();
    assert_eq!(target.to_string(), "the PostgreSQL database `db.example:6432/control`");
    assert_eq!(format!("{target:?}"), "Target(the PostgreSQL database `db.example:6432/control`)");
}

#[test]
fn a_database_that_cannot_hold_every_letter_is_refused() {
    let server = crate::postgres::server();
    server.execute(
        "CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C' LOCALE_PROVIDER 'libc'",
    );
    let refused = block_on(Store::open(&Target::Postgres(server.url("latin"))));
    assert!(matches!(&refused, Err(StoreError::Encoding { found, .. }) if found == "LATIN1"), "{refused:?}");
}
