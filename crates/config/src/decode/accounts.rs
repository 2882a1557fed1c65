//! The `accounts` block.

use martlet_subject::is_valid_literal;

use super::Decoder;
use super::users::Owner;
use crate::lang::{Kind, Map, Value};
use crate::nkey;
use crate::options::{Account, AccountLimits, TraceDestination};

/// The account of everyone who has no other (CFG-118).
pub(super) const GLOBAL: &str = "$G";

impl Decoder<'_> {
    // spec: CFG-117
    pub(super) fn accounts(&mut self, value: &Value) {
        match &value.kind {
            Kind::Array(items) => {
                for item in items {
                    self.named_account(item);
                }
            }
            Kind::Map(map) => {
                for entry in map.iter().filter(|entry| !entry.value.used_as_variable) {
                    let Kind::Map(account) = &entry.value.kind else {
                        // spec: CFG-006
                        self.findings.error(&entry.value.span, "Expected map entries for accounts");
                        continue;
                    };
                    if self.may_be_an_account(&entry.key, &entry.value) {
                        self.account(&entry.key, account);
                    }
                }
            }
            _ => drop(self.findings.wrong_type::<()>("accounts", "an array of names or a map", value)),
        }
    }

    /// An account that has a name and nothing else.
    fn named_account(&mut self, item: &Value) {
        let Some(name) = self.string("accounts", item) else { return };
        if !self.may_be_an_account(&name, item) {
            return;
        }
        if self.options.accounts.iter().any(|account| account.name == name) {
            self.findings.error(&item.span, format!("Duplicate Account Entry: {name}"));
        } else {
            self.options.accounts.push(Account { name, ..Account::default() });
        }
    }

    // spec: CFG-118
    fn may_be_an_account(&mut self, name: &str, value: &Value) -> bool {
        let reserved = name == GLOBAL;
        if reserved {
            self.findings.error(&value.span, format!("{name:?} is a Reserved Account"));
        }
        !reserved
    }

    // spec: CFG-119
    fn account(&mut self, name: &str, map: &Map) {
        let at = self.options.accounts.len();
        let mut account = Account { name: name.into(), ..Account::default() };
        self.entries(map, |decoder, key, value| {
            match key {
                "nkey" => account.nkey = decoder.account_nkey(value),
                "users" => account.users = decoder.users(Owner::Account, value),
                "default_permissions" => account.default_permissions = decoder.permissions(value),
                "imports" => account.imports = decoder.imports(at, value),
                "exports" => account.exports = decoder.exports(at, value),
                "jetstream" => account.jetstream = decoder.account_jetstream(value),
                "mappings" | "maps" => account.mappings = decoder.mappings(value),
                "limits" => account.limits = decoder.account_limits(value),
                "msg_trace" | "trace_dest" => account.trace = decoder.message_trace(key, value),
                _ => return false,
            }
            true
        });
        self.options.accounts.push(account);
    }

    // spec: CFG-240
    fn account_nkey(&mut self, value: &Value) -> Option<String> {
        match &value.kind {
            Kind::String(key) if nkey::role(key) == Some(nkey::Role::Account) => Some(key.clone()),
            _ => {
                let text = format!("Not a valid public nkey for an account: {}", value.described());
                self.findings.error(&value.span, text);
                None
            }
        }
    }

    // spec: CFG-121
    fn account_limits(&mut self, value: &Value) -> AccountLimits {
        let mut limits = AccountLimits::default();
        let Some(map) = self.map("limits", value) else { return limits };
        for entry in map.iter() {
            let value = &entry.value;
            match entry.key.to_ascii_lowercase().as_str() {
                key @ ("max_connections" | "max_conn") => limits.max_connections = self.account_limit(key, value),
                key @ ("max_subscriptions" | "max_subs") => limits.max_subscriptions = self.account_limit(key, value),
                key @ ("max_payload" | "max_pay") => limits.max_payload = self.account_limit(key, value),
                key @ ("max_leafnodes" | "max_leafs") => limits.max_leafnodes = self.account_limit(key, value),
                _ if value.used_as_variable => {}
                _ => {
                    let text = format!("Unknown field {:?} parsing account limits", entry.key);
                    self.findings.error(&value.span, text);
                }
            }
        }
        limits
    }

    /// -1 is no limit; other negative numbers refuse everything, as zero does.
    fn account_limit(&mut self, name: &str, value: &Value) -> Option<u32> {
        match self.integer(name, value)? {
            -1 => None,
            number => Some(u32::try_from(number.max(0)).unwrap_or(u32::MAX)),
        }
    }

    /// A subject, or `{dest, sampling}`.
    // spec: CFG-122 CFG-248
    fn message_trace(&mut self, name: &str, value: &Value) -> Option<TraceDestination> {
        let map = match &value.kind {
            Kind::String(_) => {
                return Some(TraceDestination { subject: self.trace_subject(name, value)?, sampling: 100 });
            }
            Kind::Map(map) => map,
            _ => return self.findings.wrong_type(name, "a subject or a map", value),
        };
        let (mut subject, mut sampling) = (None, None);
        for entry in map.iter() {
            match entry.key.to_ascii_lowercase().as_str() {
                "dest" => subject = self.trace_subject("dest", &entry.value),
                "sampling" => sampling = self.percentage("sampling", &entry.value),
                _ if entry.value.used_as_variable => {}
                _ => {
                    let text = format!("Unknown field {:?} parsing account message trace {name:?}", entry.key);
                    self.findings.error(&entry.value.span, text);
                }
            }
        }
        if subject.is_none() && sampling.is_some() {
            self.findings.warn(&value.span, "Trace destination sampling ignored since no destination was set");
        }
        Some(TraceDestination { subject: subject?, sampling: sampling.unwrap_or(100) })
    }

    fn trace_subject(&mut self, name: &str, value: &Value) -> Option<String> {
        let subject = self.string(name, value)?;
        if is_valid_literal(subject.as_bytes()) {
            return Some(subject);
        }
        self.findings.error(&value.span, format!("Trace destination {subject:?} is not valid"));
        None
    }

    /// 1 to 100, as an integer or as `"N%"`.
    pub(super) fn percentage(&mut self, name: &str, value: &Value) -> Option<u8> {
        let percent = match &value.kind {
            Kind::Integer(percent) => u8::try_from(*percent).ok(),
            Kind::String(text) => text.strip_suffix('%').unwrap_or(text).parse().ok(),
            _ => return self.findings.wrong_type(name, "1 to 100 or a percentage such as \"50%\"", value),
        };
        let percent = percent.filter(|percent| (1..=100).contains(percent));
        if percent.is_none() {
            let text = format!("{name:?} is invalid, needs to be [1..100], got {}", value.described());
            self.findings.error(&value.span, text);
        }
        percent
    }
}
