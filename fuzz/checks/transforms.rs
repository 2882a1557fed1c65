//! Subject transforms from any text: what is accepted can be applied to any subject, and what can be reversed, is.

use martlet_subject::{Transform, is_valid_literal};

/// Source, destination and subject, a line each.
pub(crate) fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut lines = text.splitn(3, '\n');
    let (Some(source), Some(dest), Some(subject)) = (lines.next(), lines.next(), lines.next()) else { return };
    let _ = Transform::check_mapping(source, dest);
    if let Ok(transform) = Transform::new(source, dest) {
        apply(&transform, subject.as_bytes());
    }
    let Ok(import) = Transform::import(source, dest) else { return };
    // Without wildcards an import may name a function that has no way back, and a source may look like one.
    if !source.split('.').any(|token| matches!(token, "*" | ">")) || source.contains(['$', '{']) {
        return;
    }
    let there = apply(&import, subject.as_bytes());
    if let (Some(there), Some(reverse), true) = (there, import.reverse(), is_valid_literal(subject.as_bytes())) {
        assert_eq!(apply(&reverse, &there).as_deref(), Some(subject.as_bytes()), "there and back with {import:?}");
    }
}

fn apply(transform: &Transform, subject: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    transform.apply(subject, &mut |ceiling| ceiling.saturating_sub(1), &mut out).then_some(out)
}
