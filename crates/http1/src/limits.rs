//! Bounds on what a peer may make us hold. Bodies have none here: they stream.

/// The most header fields that any configuration can allow in one head or trailer block.
pub const MAX_HEADERS: usize = 128;

/// Bounds that every parse obeys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a head, from the first of the start line to the last of the empty line.
    pub head_bytes: usize,
    /// Header fields in one head; at most [`MAX_HEADERS`] whatever is set here.
    pub headers: usize,
    /// Bytes of a request target.
    pub target_bytes: usize,
    /// Bytes of all chunk extensions of one body together.
    pub chunk_extension_bytes: usize,
    /// Bytes of a trailer block.
    pub trailer_bytes: usize,
    /// Fields in a trailer block; at most [`MAX_HEADERS`] whatever is set here.
    pub trailers: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head_bytes: 32 * 1024,
            headers: 100,
            target_bytes: 8 * 1024,
            chunk_extension_bytes: 1024,
            trailer_bytes: 8 * 1024,
            trailers: 32,
        }
    }
}
