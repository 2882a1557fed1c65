//! What accounts take from each other.

use super::Decoder;
use crate::lang::{Map, Span, Value};
use crate::options::{Import, ImportKind, Shared};
use crate::sharing::Place;

/// An import item as far as it is read.
#[derive(Default)]
struct Item {
    stream: Option<(String, String)>,
    service: Option<(String, String)>,
    to: Option<(String, Span)>,
    prefix: Option<(String, Span)>,
    share: Option<(bool, Span)>,
    allow_trace: Option<(bool, Span)>,
}

impl Decoder<'_> {
    /// The `imports` of the account at `account`.
    // spec: CFG-126
    pub(super) fn imports(&mut self, account: usize, value: &Value) -> Vec<Import> {
        let mut imports = Vec::new();
        for item in self.array("imports", value).unwrap_or_default() {
            let Some(map) = self.map("imports", item) else { continue };
            let before = self.findings.errors.len();
            let fields = self.import_item(map);
            if self.findings.errors.len() > before {
                continue;
            }
            let Some(import) = self.import(&item.span, fields) else { continue };
            if let Some(text) = duplicate_service(&imports, &import) {
                self.findings.error(&item.span, text);
                continue;
            }
            self.references.insert(Place::Import(account, imports.len()), item.span.clone());
            imports.push(import);
        }
        imports
    }

    fn import_item(&mut self, map: &Map) -> Item {
        let mut item = Item::default();
        self.entries(map, |decoder, key, value| {
            let span = value.span.clone();
            match key {
                "stream" => item.stream = decoder.exporter(key, value),
                "service" => item.service = decoder.exporter(key, value),
                "to" => item.to = decoder.text(key, value).map(|to| (to, span)),
                "prefix" => item.prefix = decoder.text(key, value).map(|prefix| (prefix, span)),
                "share" => item.share = decoder.boolean(key, value).map(|share| (share, span)),
                "allow_trace" => item.allow_trace = decoder.boolean(key, value).map(|allow| (allow, span)),
                _ => return false,
            }
            true
        });
        item
    }

    /// `{account, subject}`
    // spec: CFG-270 CFG-271
    fn exporter(&mut self, name: &str, value: &Value) -> Option<(String, String)> {
        let map = self.map(name, value)?;
        let (mut account, mut subject) = (None, None);
        self.entries(map, |decoder, key, value| {
            match key {
                "account" => account = decoder.text(key, value),
                "subject" => subject = decoder.text(key, value),
                _ => return false,
            }
            true
        });
        let found = account.zip(subject);
        if found.is_none() {
            self.findings.error(&value.span, "Expect an account name and a subject");
        }
        found
    }

    /// Puts an item together.
    // spec: CFG-272 CFG-273 CFG-274 CFG-275
    fn import(&mut self, span: &Span, item: Item) -> Option<Import> {
        match (item.stream, item.service) {
            (Some((account, subject)), None) => {
                if let (Some((_, place)), Some(_)) = (&item.to, &item.prefix) {
                    self.findings.error(place, "Stream import can not have a 'prefix' and a 'to' property");
                    return None;
                }
                if let Some((true, place)) = &item.share {
                    self.findings.no_effect("share", place, "only services tell who asked");
                }
                let kind = ImportKind::Stream {
                    to: item.to.map(|to| to.0),
                    prefix: item.prefix.map(|prefix| prefix.0),
                    allow_trace: item.allow_trace.is_some_and(|allow| allow.0),
                };
                Some(Import { account, subject, kind })
            }
            (None, Some((account, subject))) => {
                if let Some((_, place)) = &item.allow_trace {
                    self.findings.error(place, "Detected allow_trace directive on a non-stream");
                    return None;
                }
                if let Some((_, place)) = &item.prefix {
                    self.findings.no_effect("prefix", place, "only streams have one; use \"to\" for a service");
                }
                let kind = ImportKind::Service { to: item.to.map(|to| to.0), share: item.share.is_some_and(|s| s.0) };
                Some(Import { account, subject, kind })
            }
            (Some(_), Some(_)) => {
                self.findings.error(span, "Detected stream but already saw a service");
                None
            }
            (None, None) => {
                self.findings.error(span, "An import needs a \"stream\" or a \"service\"");
                None
            }
        }
    }
}

// spec: CFG-126
fn duplicate_service(earlier: &[Import], import: &Import) -> Option<String> {
    if import.kind.shared() != Shared::Service {
        return None;
    }
    let local = import.local();
    let same = |other: &&Import| {
        other.kind.shared() == Shared::Service && other.account == import.account && other.local() == local
    };
    earlier.iter().find(same).map(|other| {
        format!(
            "Duplicate service import subject {local:?}, previously used in import for account {:?}, subject {:?}",
            other.account, other.subject
        )
    })
}
