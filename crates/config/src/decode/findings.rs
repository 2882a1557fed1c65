//! Errors, warnings and notices, as they are found.

use crate::diagnostic::{Diagnostic, Severity};
use crate::lang::{Span, Value};

/// What has been found so far.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) errors: Vec<Diagnostic>,
    pub(super) warnings: Vec<Diagnostic>,
}

impl Findings {
    /// Something that keeps the file from being used.
    pub(super) fn error(&mut self, span: &Span, text: impl Into<String>) {
        self.errors.push(Diagnostic { severity: Severity::Error, span: Some(span.clone()), text: text.into() });
    }

    /// Something to be mended about a field.
    // spec: CFG-002
    pub(super) fn warn_field(&mut self, field: &str, span: &Span, reason: &str) {
        self.warn(span, format!("invalid use of field {field:?}: {reason}"));
    }

    /// Something to be mended.
    pub(super) fn warn(&mut self, span: &Span, text: impl Into<String>) {
        self.warnings.push(Diagnostic { severity: Severity::Warning, span: Some(span.clone()), text: text.into() });
    }

    /// Something to be mended in no particular place.
    pub(super) fn warn_plain(&mut self, text: String) {
        self.warnings.push(Diagnostic { severity: Severity::Warning, span: None, text });
    }

    /// An option that is accepted but does nothing here.
    pub(super) fn no_effect(&mut self, field: &str, span: &Span, reason: &str) {
        let text = format!("{field:?} has no effect: {reason}");
        self.warnings.push(Diagnostic { severity: Severity::Notice, span: Some(span.clone()), text });
    }

    /// Links of some kind that trust whoever answers.
    // spec: CFG-287
    pub(super) fn insecure(&mut self, span: &Span, links: &str) {
        let text = format!(
            "TLS certificate chain and hostname of solicited {links} will not be verified. DO NOT USE IN PRODUCTION!"
        );
        self.warnings.push(Diagnostic { severity: Severity::Notice, span: Some(span.clone()), text });
    }

    /// A value of the wrong type. Answers `None`, as the caller has nothing either.
    // spec: CFG-007
    pub(super) fn wrong_type<T>(&mut self, field: &str, expected: &str, value: &Value) -> Option<T> {
        self.error(&value.span, format!("{field:?} must be {expected}, got {}", value.described()));
        None
    }
}
