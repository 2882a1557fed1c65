//! One token of a pattern as the trie keeps it.

/// The longest token kept without its own allocation. A client's inbox identifier is exactly this long.
const INLINE: usize = 22;

/// A token's bytes: 24 bytes in place, and a heap block only beyond [`INLINE`].
pub(super) enum Token {
    Inline { len: u8, bytes: [u8; INLINE] },
    Heap(Box<[u8]>),
}

impl Token {
    pub(super) fn new(token: &[u8]) -> Self {
        match u8::try_from(token.len()) {
            Ok(len) if token.len() <= INLINE => {
                let mut bytes = [0; INLINE];
                bytes[..token.len()].copy_from_slice(token);
                Self::Inline { len, bytes }
            }
            _ => Self::Heap(token.into()),
        }
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Inline { len, bytes } => &bytes[..usize::from(*len)],
            Self::Heap(bytes) => bytes,
        }
    }

    pub(super) fn is(&self, token: &[u8]) -> bool {
        self.as_bytes() == token
    }
}
