//! Waiting for something to come true: looked at again and again until a moment when it is surely broken.

use std::fmt::Display;
use std::time::{Duration, Instant};

/// Far more than anything here takes on a machine that does other work as well; reached only when something is broken.
pub const PATIENCE: Duration = Duration::from_secs(60);
const BETWEEN: Duration = Duration::from_millis(20);

/// The first `Some` that `look` gives.
pub fn wait_for<T>(what: impl Display, look: impl FnMut() -> Option<T>) -> T {
    within(PATIENCE, look).unwrap_or_else(|| panic!("waited in vain for {what}"))
}

/// The first `Some` that `look` gives before `patience` is at its end.
pub fn within<T>(patience: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + patience;
    loop {
        if let Some(found) = look() {
            return Some(found);
        }
        if Instant::now() > end {
            return None;
        }
        std::thread::sleep(BETWEEN);
    }
}
