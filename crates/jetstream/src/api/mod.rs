//! The API: requests, answers, errors, validation.
//!
//! | module | what lives there |
//! |---|---|
//! | `endpoint` | what can be asked, by subject |
//! | `request` | what is asked, from subject, headers and body |
//! | `status` | pull requests and direct gets, which are answered by status lines |
//! | `validate` | what makes a configuration of what a request says |
//! | `metadata` | what the server writes into metadata |
//! | `errors` | every error, with its codes and words |
//! | `body` | what requests say |
//! | `answer` | what is answered |
//! | `json` | the decoder and encoder that clients were written against |
//!
//! Invariant: nothing here changes a stream or a consumer. It says what is asked, whether it may be, and how it is answered.

use std::borrow::Cow;

pub mod answer;
pub mod body;
mod endpoint;
pub mod errors;
pub mod json;
pub mod metadata;
pub mod request;
pub mod status;
pub mod validate;

pub use answer::Answer;
pub use endpoint::{Endpoint, Outcome};
pub use request::{Parsed, Request};

/// What is wrong with a request, as its answer says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// As in HTTP.
    pub code: u16,
    /// Which one.
    pub err_code: u16,
    /// In words.
    pub description: Cow<'static, str>,
}

/// Whether a group of pull requests may be called so.
// spec: JS-095
pub(crate) fn is_valid_group(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'_' | b'=' | b'-');
    (1..=16).contains(&name.len()) && name.bytes().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::is_valid_group;

    #[test]
    fn what_groups_of_pull_requests_are_called() {
        // spec: JS-095
        for byte in 0..=u8::MAX {
            let name = format!("a{}", char::from(byte));
            let allowed = byte.is_ascii_alphanumeric() || b"-_/=".contains(&byte);
            assert_eq!(is_valid_group(&name), allowed, "{name:?}");
        }
        for (len, allowed) in [(0, false), (1, true), (16, true), (17, false)] {
            assert_eq!(is_valid_group(&"a".repeat(len)), allowed, "{len}");
        }
    }
}
