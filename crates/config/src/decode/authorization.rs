//! The top-level `authorization` block.

use super::Decoder;
use super::users::Owner;
use crate::lang::Value;

impl Decoder<'_> {
    // spec: CFG-095 CFG-098 CFG-099 CFG-100 CFG-102
    pub(super) fn authorization(&mut self, value: &Value) {
        let Some(map) = self.map("authorization", value) else { return };
        self.entries(map, |decoder, key, value| {
            match key {
                "user" | "username" => decoder.options.authorization.user = decoder.text(key, value),
                "pass" | "password" => decoder.options.authorization.password = decoder.text(key, value),
                "token" => decoder.options.authorization.token = decoder.text(key, value),
                "timeout" => decoder.options.authorization.timeout = decoder.timeout("authorization", value),
                "users" => {
                    decoder.logins.authorization_lists_users = true;
                    let users = decoder.users(Owner::Authorization, value);
                    decoder.options.authorization.users = users;
                }
                "default_permission" | "default_permissions" | "permissions" => {
                    decoder.options.authorization.default_permissions = decoder.permissions(value);
                }
                "auth_callout" | "auth_hook" => decoder.later_option("auth_callout", value),
                "proxy_required" => {
                    let on = decoder.boolean(key, value);
                    Self::set(&mut decoder.options.authorization.proxy_required, on);
                }
                _ => return false,
            }
            true
        });
        self.logins.authorization = Some(value.span.clone());
    }

    /// What users, single users and tokens have against each other, wherever they were configured.
    // spec: CFG-096 CFG-097 CFG-099 CFG-120
    pub(super) fn check_logins(&mut self) {
        let single = &self.options.authorization;
        let (user, token) = (single.user.is_some(), single.token.is_some());
        let password = single.password.is_some();
        if let Some(span) = &self.logins.authorization {
            if (user || password) && token {
                self.findings.error(span, "Cannot have a user/pass and token");
            } else if self.logins.authorization_lists_users && user {
                self.findings.error(span, "Can not have a single user/pass and a users array");
            } else if self.logins.authorization_lists_users && token {
                self.findings.error(span, "Can not have a token and a users array");
            }
        }
        for span in &self.logins.account_users {
            if user {
                self.findings.error(span, "Can not have a single user/pass and accounts");
            } else if token {
                self.findings.error(span, "Can not have a token and accounts");
            }
        }
        for (kind, name, span) in self.logins.duplicates() {
            self.findings.error(&span, format!("Duplicate {kind} {name:?} detected"));
        }
    }
}
