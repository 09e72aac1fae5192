//! Segments from outside: what is acknowledged survives, what is lost is said.

mod codec;
mod damage;
mod faults;
mod golden;
mod kills;
mod recording;
mod retention;
mod support;
