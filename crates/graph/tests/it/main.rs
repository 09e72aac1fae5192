//! The graph from outside: what calls and documents go in, what is known afterwards.

mod template;
