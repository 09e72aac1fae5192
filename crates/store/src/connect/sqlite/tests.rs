use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};

use crate::Target;
use crate::connect::Connections;

async fn pragma(connection: &DatabaseConnection, name: &str) -> String {
    let statement = Statement::from_string(connection.get_database_backend(), format!("PRAGMA {name}"));
    let row = connection.query_one_raw(statement).await.unwrap().unwrap();
    row.try_get_by_index::<String>(0)
        .or_else(|_| row.try_get_by_index::<i64>(0).map(|number| number.to_string()))
        .or_else(|_| row.try_get_by_index::<i32>(0).map(|number| number.to_string()))
        .unwrap()
}

#[tokio::test]
async fn a_file_is_durable_for_its_writer_and_closed_to_writes_of_its_readers() {
    let folder = tempfile::tempdir().unwrap();
    let open = Connections::open(&Target::Sqlite(folder.path().join("a"))).await.unwrap();
    let check = async |connection: &DatabaseConnection, name: &str, expected: &str| {
        assert_eq!(pragma(connection, name).await, expected, "{name}");
    };
    check(&open.writer, "journal_mode", "wal").await;
    check(&open.reader, "journal_mode", "wal").await;
    // 2 is FULL: the log is synced at every commit.
    check(&open.writer, "synchronous", "2").await;
    check(&open.writer, "foreign_keys", "1").await;
    check(&open.writer, "busy_timeout", "30000").await;
    check(&open.reader, "busy_timeout", "30000").await;
    check(&open.writer, "journal_size_limit", super::LOG_BYTES).await;
    open.writer.execute_unprepared("CREATE TABLE t (x)").await.unwrap();
    let refused = open.reader.execute_unprepared("INSERT INTO t VALUES (1)").await.unwrap_err();
    assert!(refused.to_string().contains("readonly"), "{refused}");
}
