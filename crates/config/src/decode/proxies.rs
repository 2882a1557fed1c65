//! Trusted proxies.

use super::Decoder;
use crate::lang::Value;
use crate::nkey;

impl Decoder<'_> {
    // spec: CFG-214 CFG-429
    pub(super) fn proxies(&mut self, value: &Value) {
        let Some(map) = self.map("proxies", value) else { return };
        self.entries(map, |decoder, key, value| {
            if key != "trusted" {
                return false;
            }
            for item in decoder.array("trusted", value).unwrap_or_default() {
                let Some(map) = decoder.map("trusted", item) else { continue };
                decoder.entries(map, |decoder, key, value| {
                    if !matches!(key, "key" | "public_key") {
                        return false;
                    }
                    decoder.trusted_proxy(key, value);
                    true
                });
            }
            true
        });
    }

    fn trusted_proxy(&mut self, name: &str, value: &Value) {
        let Some(key) = self.string(name, value) else { return };
        if nkey::role(&key).is_some() {
            self.options.trusted_proxies.push(key);
        } else {
            self.findings.error(&value.span, format!("invalid proxy key {key:?}"));
        }
    }
}
