//! Runs one test body on every database.

use std::future::Future;

use probity_store::{Store, Target};
use tempfile::TempDir;

use crate::postgres;

/// An empty database of its own for one test.
pub struct Place {
    pub target: Target,
    _folder: Option<TempDir>,
}

impl Place {
    pub fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { target: Target::Sqlite(folder.path().join("probity.sqlite")), _folder: Some(folder) }
    }

    pub fn memory() -> Self {
        Self { target: Target::Memory, _folder: None }
    }

    pub fn postgres() -> Self {
        Self { target: Target::Postgres(postgres::fresh_database()), _folder: None }
    }

    pub async fn open(&self) -> Store {
        Store::open(&self.target).await.unwrap()
    }
}

pub fn run<F: Future<Output = ()>>(place: Place, body: impl FnOnce(Place) -> F) {
    block_on(body(place));
}

pub fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

/// Each name is an `async fn(Place)` of the module that calls this: one test for each database.
macro_rules! on_each_database {
    ($($name:ident),+ $(,)?) => {
        on_each_database!(in sqlite: $($name),+);
        on_each_database!(in postgres: $($name),+);
    };
    (in $database:ident: $($name:ident),+) => {
        mod $database {
            $(#[test]
            fn $name() {
                $crate::databases::run($crate::databases::Place::$database(), super::$name);
            })+
        }
    };
}
