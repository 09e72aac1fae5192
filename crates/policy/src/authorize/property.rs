//! Properties: fields of a body that a caller may not read or write.

use probity_model::bundle::authorization::Fields;

use super::json::{self, Hit, Malformed, Pointers};

/// Fields compiled.
#[derive(Clone, Debug)]
pub struct Properties {
    pointers: Pointers,
    only: bool,
}

impl Properties {
    pub fn new(fields: &Fields) -> Self {
        match fields {
            Fields::Only(pointers) => Self { pointers: Pointers::new(pointers), only: true },
            Fields::Except(pointers) => Self { pointers: Pointers::new(pointers), only: false },
        }
    }

    /// The fields of a text that are not allowed.
    ///
    /// # Errors
    /// What cannot be judged: it is no JSON, or a plain value where only some fields are allowed.
    pub fn forbidden(&self, text: &[u8]) -> Result<Vec<Hit>, Malformed> {
        if !self.only {
            return self.pointers.find(text);
        }
        if !json::has_fields(text) {
            return Err(Malformed::At(0));
        }
        self.pointers.others(text)
    }
}
