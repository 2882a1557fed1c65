//! What users may publish and subscribe to.

use std::time::Duration;

use martlet_subject::is_valid_pattern;

use super::Decoder;
use crate::lang::{Kind, Map, Value};
use crate::options::{PermissionSubject, Permissions, ResponsePermission, SubjectPermission};

impl Decoder<'_> {
    /// A permissions map.
    // spec: CFG-107 CFG-111 CFG-115
    pub(super) fn permissions(&mut self, value: &Value) -> Option<Permissions> {
        let Kind::Map(map) = &value.kind else {
            let text = format!("Expected permissions to be a map/struct, got {}", value.described());
            self.findings.error(&value.span, text);
            return None;
        };
        let mut permissions = Permissions::default();
        for entry in map.iter() {
            let value = &entry.value;
            match entry.key.to_ascii_lowercase().as_str() {
                "pub" | "publish" | "import" => permissions.publish = self.subject_permission(value, false),
                "sub" | "subscribe" | "export" => permissions.subscribe = self.subject_permission(value, true),
                "allow_responses" | "publish_allow_responses" => {
                    permissions.allow_responses = self.allow_responses(value);
                }
                _ => self.unknown_permission_field(&entry.key, value),
            }
        }
        if permissions.allow_responses.is_some() && permissions.publish.allow.is_none() {
            // Who may only answer may not publish anything else.
            permissions.publish.allow = Some(Vec::new());
        }
        Some(permissions)
    }

    fn unknown_permission_field(&mut self, key: &str, value: &Value) {
        if !value.used_as_variable {
            self.findings.error(&value.span, format!("Unknown field {key:?} parsing permissions"));
        }
    }

    // spec: CFG-112
    fn subject_permission(&mut self, value: &Value, queues: bool) -> SubjectPermission {
        let Kind::Map(map) = &value.kind else {
            return SubjectPermission { allow: self.subjects(value, queues), deny: Vec::new() };
        };
        let mut permission = SubjectPermission::default();
        for entry in map.iter() {
            match entry.key.to_ascii_lowercase().as_str() {
                "allow" => permission.allow = self.subjects(&entry.value, queues),
                "deny" => permission.deny = self.subjects(&entry.value, queues).unwrap_or_default(),
                _ if entry.value.used_as_variable => {}
                _ => {
                    let text = format!(
                        "Unknown field name {:?} parsing subject permissions, only 'allow' or 'deny' are permitted",
                        entry.key
                    );
                    self.findings.error(&entry.value.span, text);
                }
            }
        }
        permission
    }

    /// One subject or many; an empty list is none at all, which restricts nothing.
    pub(super) fn subjects(&mut self, value: &Value, queues: bool) -> Option<Vec<PermissionSubject>> {
        let items = match &value.kind {
            Kind::String(_) => std::slice::from_ref(value),
            Kind::Array(items) => items,
            _ => {
                let text = format!(
                    "Expected subject permissions to be a subject, or array of subjects, got {}",
                    value.described()
                );
                self.findings.error(&value.span, text);
                return None;
            }
        };
        let mut subjects = Vec::new();
        for item in items {
            let Kind::String(text) = &item.kind else {
                let text = format!("Subject in permissions array must be a string, got {}", item.described());
                self.findings.error(&item.span, text);
                continue;
            };
            match permission_subject(text, queues) {
                Ok(subject) => subjects.push(subject),
                Err(text) => self.findings.error(&item.span, text),
            }
        }
        Some(subjects).filter(|subjects| !subjects.is_empty())
    }

    // spec: CFG-114
    fn allow_responses(&mut self, value: &Value) -> Option<ResponsePermission> {
        let map = match &value.kind {
            Kind::Bool(on) => return on.then(ResponsePermission::default),
            Kind::Map(map) => map,
            _ => {
                let text = "error parsing response permissions, expected a boolean or a map";
                self.findings.error(&value.span, format!("{text}, got {}", value.described()));
                return None;
            }
        };
        Some(self.response_permission(map))
    }

    fn response_permission(&mut self, map: &Map) -> ResponsePermission {
        let mut permission = ResponsePermission::default();
        for entry in map.iter() {
            let value = &entry.value;
            match entry.key.to_ascii_lowercase().as_str() {
                key @ ("max" | "max_msgs" | "max_messages" | "max_responses") => match self.integer(key, value) {
                    Some(0) | None => {}
                    Some(max) => permission.max = max,
                },
                "expires" | "expiration" | "ttl" => match self.signed_duration("expires", value) {
                    Some(0) | None => {}
                    // Below zero is without end, which is a zero in the options.
                    Some(nanos) => permission.expires = Duration::from_nanos(u64::try_from(nanos).unwrap_or(0)),
                },
                _ => self.unknown_permission_field(&entry.key, value),
            }
        }
        permission
    }
}

/// A pattern, or where queues mean something a pattern and a queue.
// spec: CFG-113
fn permission_subject(text: &str, queues: bool) -> Result<PermissionSubject, String> {
    if is_valid_pattern(text.as_bytes()) {
        return Ok(PermissionSubject { subject: text.into(), queue: None });
    }
    let invalid = |subject: &str| format!("subject {subject:?} is not a valid subject");
    if !queues {
        return Err(invalid(text));
    }
    let mut fields = text.split_whitespace();
    let (Some(subject), Some(queue), None) = (fields.next(), fields.next(), fields.next()) else {
        return Err(invalid(text));
    };
    if !is_valid_pattern(subject.as_bytes()) {
        return Err(invalid(subject));
    }
    if !is_valid_pattern(queue.as_bytes()) {
        return Err(format!("queue {queue:?} is not a valid queue"));
    }
    Ok(PermissionSubject { subject: subject.into(), queue: Some(queue.into()) })
}
