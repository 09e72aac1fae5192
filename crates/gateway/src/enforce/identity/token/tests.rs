//! Tokens made here by the same library that issuers use, and judged by all of it.

mod attacks;
mod bound;
mod encrypted;
mod known;
mod published;
mod support;
