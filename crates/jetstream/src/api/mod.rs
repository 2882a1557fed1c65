//! The API: requests, answers, errors, validation.
//!
//! | module | what lives there |
//! |---|---|
//! | `errors` | every error, with its codes and words |
//! | `body` | what requests say |
//! | `answer` | what is answered |
//! | `json` | the decoder and encoder that clients were written against |
//!
//! Invariant: nothing here changes a stream or a consumer. It says what is asked, whether it may be, and how it is answered.

use std::borrow::Cow;

pub mod answer;
pub mod body;
pub mod errors;
pub mod json;

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
