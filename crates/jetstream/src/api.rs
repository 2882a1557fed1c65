//! The API: requests, answers, errors, validation.

use std::borrow::Cow;

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
