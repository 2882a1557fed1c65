//! Exports and imports against each other, once every account is known: what is wrong is told where it stands.
//!
//! Invariant: nothing is checked while there are other errors; half an account would only give misleading ones.

use std::collections::HashMap;

use super::Decoder;
use crate::lang::Span;
use crate::sharing::{self, Place};

/// Where exports and imports stand.
pub(super) type References = HashMap<Place, Span>;

impl Decoder<'_> {
    pub(super) fn check_sharing(&mut self) {
        if !self.findings.errors.is_empty() {
            return;
        }
        for (place, error) in sharing::check(&self.options) {
            self.findings.error(&self.references[&place], error.to_string());
        }
    }
}
