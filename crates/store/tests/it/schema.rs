//! The tables as they are on each database, against the committed files. A change here needs a new migration; an
//! edit of one that was released would leave older databases behind.

use std::fs;
use std::path::Path;

use probity_store::Target;
use sea_orm::{ConnectOptions, ConnectionTrait, Database, Statement};

use crate::databases::Place;

on_each_database!(tables_are_as_committed);

const SQLITE: &str =
    "SELECT sql || ';' FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY name";
const POSTGRES: &str = "SELECT line FROM (
    SELECT table_name || ' ' || column_name || ' ' || data_type || ' '
        || CASE is_nullable WHEN 'NO' THEN 'not null' ELSE 'null' END || coalesce(' collate ' || collation_name, '') AS line
    FROM information_schema.columns WHERE table_schema = 'public'
    UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
    UNION ALL SELECT conrelid::regclass || ' ' || pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'f'
) AS lines ORDER BY line COLLATE \"C\"";

async fn tables_are_as_committed(place: Place) {
    place.open().await.close().await.unwrap();
    let (url, query, file) = match &place.target {
        Target::Sqlite(path) => (format!("sqlite://{}", path.display()), SQLITE, "schema.sqlite.txt"),
        Target::Postgres(url) => (url.clone(), POSTGRES, "schema.postgres.txt"),
        Target::Memory => panic!("not asked for"),
    };
    let raw = Database::connect(ConnectOptions::new(url)).await.unwrap();
    let rows = raw.query_all_raw(Statement::from_string(raw.get_database_backend(), query)).await.unwrap();
    raw.close().await.unwrap();
    let lines = rows.iter().map(|row| row.try_get_by_index::<String>(0).unwrap() + "\n");
    compare(file, &lines.collect::<String>());
}

fn compare(file: &str, found: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(file);
    if std::env::var_os("PROBITY_BLESS").is_some() {
        fs::write(&path, found).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap();
    assert_eq!(found, expected, "{file}: a new migration, then PROBITY_BLESS=1");
}
