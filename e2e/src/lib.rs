//! Tests of the executable as its users meet it. Nothing is here; the tests are in `tests/it`.
