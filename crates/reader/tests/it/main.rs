//! The reader from outside.

mod public_documents;
