//! Runs one test body on every database.

use std::future::Future;
use std::sync::{Arc, Mutex};

use probity_store::{Store, Target};
use tempfile::TempDir;

use crate::postgres;

/// An empty database of its own for one test. Clones are the same place.
#[derive(Clone)]
pub struct Place {
    pub target: Target,
    opened: Arc<Mutex<Vec<Store>>>,
    _folder: Option<Arc<TempDir>>,
}

impl Place {
    pub fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let target = Target::Sqlite(folder.path().join("probity.sqlite"));
        Self { _folder: Some(Arc::new(folder)), ..Self::of(target) }
    }

    pub fn memory() -> Self {
        Self::of(Target::Memory)
    }

    pub fn postgres() -> Self {
        Self::of(Target::Postgres(postgres::fresh_database()))
    }

    fn of(target: Target) -> Self {
        Self { target, opened: Arc::default(), _folder: None }
    }

    pub async fn open(&self) -> Store {
        let store = Store::open(&self.target).await.unwrap();
        self.opened.lock().unwrap().push(store.clone());
        store
    }
}

/// Closes what the test opened: SQLite still writes while a connection goes, and its folder goes next.
pub fn run<F: Future<Output = ()>>(place: Place, body: impl FnOnce(Place) -> F) {
    block_on(async {
        body(place.clone()).await;
        let opened = std::mem::take(&mut *place.opened.lock().unwrap());
        for store in opened {
            store.close().await.unwrap();
        }
    });
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
