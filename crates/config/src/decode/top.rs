//! The top level of a file, group by group.

use super::Decoder;
use crate::lang::{Kind, Map, Value};
use crate::options::Syslog;

impl Decoder<'_> {
    pub(super) fn top_level(&mut self, map: &Map) {
        self.entries(map, |decoder, key, value| {
            decoder.identity(key, value)
                || decoder.limits(key, value)
                || decoder.timing(key, value)
                || decoder.lame_duck(key, value)
                || decoder.switches(key, value)
                || decoder.monitoring(key, value)
                || decoder.logging(key, value)
                || decoder.log_files(key, value)
                || decoder.security(key, value)
                || decoder.links(key, value)
                || decoder.later_feature(key, value)
        });
        let monitoring = &self.options.monitoring;
        if let (Some((user, password)), Some(value)) =
            (&monitoring.basic_auth, map.get("http_user").or_else(|| map.get("http_password")))
            && (user.is_empty() || password.is_empty())
        {
            self.findings.error(
                &value.span,
                "\"http_user\" and \"http_password\" belong together: set both, or none to leave monitoring open",
            );
        }
    }

    /// Who this server is and where it listens.
    fn identity(&mut self, key: &str, value: &Value) -> bool {
        match key {
            // spec: CFG-023
            "listen" => {
                if let Some((host, port)) = self.listen(key, value) {
                    self.set_host(host);
                    self.set_port(port);
                }
            }
            // spec: CFG-024
            "host" | "net" => {
                if let Some(host) = self.string(key, value) {
                    self.set_host(host);
                }
            }
            // spec: CFG-025
            "port" => {
                if let Some(port) = self.number(key, value) {
                    self.set_port(port);
                }
            }
            // spec: CFG-026
            "client_advertise" => self.options.client_advertise = self.text(key, value),
            // spec: CFG-027
            "server_name" => self.server_name(value),
            // spec: CFG-069
            "server_tags" => {
                for tag in self.strings(key, value).unwrap_or_default() {
                    let tag = tag.trim().to_lowercase();
                    if !tag.is_empty() && !self.options.server_tags.contains(&tag) {
                        self.options.server_tags.push(tag);
                    }
                }
            }
            // spec: CFG-070
            "server_metadata" => {
                for entry in self.map(key, value).into_iter().flat_map(Map::iter) {
                    if let Some(text) = self.string(&entry.key, &entry.value) {
                        self.options.server_metadata.insert(entry.key.clone(), text);
                    }
                }
            }
            "feature_flags" => self.feature_flags(value),
            _ => return false,
        }
        true
    }

    fn set_host(&mut self, host: String) {
        if !host.is_empty() {
            self.options.host = host;
        }
    }

    fn set_port(&mut self, port: i32) {
        if port != 0 {
            self.options.port = port;
        }
    }

    fn server_name(&mut self, value: &Value) {
        let Some(name) = self.text("server_name", value) else { return };
        if name.contains(' ') {
            self.findings.error(&value.span, "server name cannot contain spaces");
        } else {
            self.options.server_name = Some(name);
        }
    }

    // spec: CFG-071
    fn feature_flags(&mut self, value: &Value) {
        for entry in self.map("feature_flags", value).into_iter().flat_map(Map::iter) {
            let Some(on) = self.boolean(&entry.key, &entry.value) else { continue };
            self.options.feature_flags.insert(entry.key.clone(), on);
            self.findings.no_effect(&entry.key, &entry.value.span, "this server has no such feature flag");
        }
    }

    /// Limits of connections and messages.
    fn limits(&mut self, key: &str, value: &Value) -> bool {
        match key {
            // spec: CFG-048 CFG-092
            "max_connections" | "max_conn" => {
                if let Some(max) = self.integer(key, value) {
                    self.options.limits.max_connections = if max == 0 { -1 } else { max };
                }
            }
            // spec: CFG-049
            "max_subscriptions" | "max_subs" => {
                let max = self.limit_or_none(key, value);
                Self::set(&mut self.options.limits.max_subscriptions, max);
            }
            // spec: CFG-050
            "max_sub_tokens" | "max_subscription_tokens" => {
                let max = self.number(key, value);
                if max == Some(0) {
                    self.findings
                        .error(&value.span, format!("{key} value must be 1 to 255; leave it out for no limit"));
                }
                Self::set(&mut self.options.limits.max_sub_tokens, max);
            }
            "max_control_line" => {
                let max = self.size32(key, value);
                Self::set(&mut self.options.limits.max_control_line, max);
            }
            "max_payload" => {
                let max = self.size32(key, value);
                Self::set(&mut self.options.limits.max_payload, max);
            }
            // spec: CFG-053
            "max_pending" => {
                let max = self.number_or_default(key, value);
                Self::set(&mut self.options.limits.max_pending, max);
            }
            // spec: CFG-055
            "max_closed_clients" => {
                let max = self.number_or_default(key, value);
                Self::set(&mut self.options.limits.max_closed_clients, max);
            }
            _ => return false,
        }
        true
    }

    /// Pings, deadlines and reports.
    fn timing(&mut self, key: &str, value: &Value) -> bool {
        match key {
            // spec: CFG-056
            "ping_interval" => {
                let interval = self.duration(key, value);
                Self::set(&mut self.options.timing.ping_interval, interval);
            }
            // spec: CFG-057
            "ping_max" => {
                let max = self.number_or_default(key, value);
                Self::set(&mut self.options.timing.ping_max, max);
            }
            // spec: CFG-058
            "write_deadline" => {
                let deadline = self.duration(key, value);
                Self::set(&mut self.options.timing.write_deadline, deadline);
            }
            // spec: CFG-059
            "write_timeout" => {
                let policy = self.write_timeout(key, value);
                Self::set(&mut self.options.timing.write_timeout, policy);
            }
            // spec: CFG-067
            "connect_error_reports" => {
                let every = self.number_or_default(key, value);
                Self::set(&mut self.options.timing.connect_error_reports, every);
            }
            // spec: CFG-068
            "reconnect_error_reports" => {
                let every = self.number_or_default(key, value);
                Self::set(&mut self.options.timing.reconnect_error_reports, every);
            }
            _ => return false,
        }
        true
    }

    fn lame_duck(&mut self, key: &str, value: &Value) -> bool {
        match key {
            // spec: CFG-060
            "lame_duck_duration" => {
                let Some(nanos) = self.signed_duration(key, value) else { return true };
                match u64::try_from(nanos).map(std::time::Duration::from_nanos) {
                    Ok(duration) if duration.as_secs() >= 30 => self.options.timing.lame_duck_duration = duration,
                    short => {
                        let shown = match short {
                            Ok(duration) => crate::duration::format(duration),
                            Err(_) => format!("{nanos}ns"),
                        };
                        let text = format!("invalid lame_duck_duration of {shown}, minimum is 30 seconds");
                        self.findings.error(&value.span, text);
                    }
                }
            }
            // spec: CFG-061
            "lame_duck_grace_period" => {
                let Some(nanos) = self.signed_duration(key, value) else { return true };
                match u64::try_from(nanos) {
                    Ok(0) => {}
                    Ok(nanos) => {
                        self.options.timing.lame_duck_grace_period = std::time::Duration::from_nanos(nanos);
                    }
                    Err(_) => {
                        self.findings.error(&value.span, "invalid lame_duck_grace_period, needs to be positive");
                    }
                }
            }
            _ => return false,
        }
        true
    }

    /// Behaviour that is on or off.
    fn switches(&mut self, key: &str, value: &Value) -> bool {
        let switches = &mut self.options.switches;
        let switch = match key {
            "no_header_support" => &mut switches.no_header_support, // spec: CFG-062
            "disable_sublist_cache" | "no_sublist_cache" => &mut switches.disable_sublist_cache, // spec: CFG-063
            "no_fast_producer_stall" => &mut switches.no_fast_producer_stall, // spec: CFG-064
            "proxy_protocol" => &mut switches.proxy_protocol,       // spec: CFG-065
            "allow_non_tls" => &mut switches.allow_non_tls,         // spec: CFG-081
            "no_system_account" | "no_system" | "no_sys_acc" => &mut switches.no_system_account, // spec: CFG-074
            _ => return false,
        };
        if let Kind::Bool(on) = value.kind {
            *switch = on;
        } else {
            self.boolean(key, value);
        }
        true
    }

    /// The monitoring listener and what else looks into the server.
    fn monitoring(&mut self, key: &str, value: &Value) -> bool {
        match key {
            // spec: CFG-043
            "http" => {
                if let Some((host, port)) = self.listen(key, value) {
                    self.options.monitoring.host = host;
                    self.options.monitoring.http_port = port;
                }
            }
            // spec: CFG-044
            "https" => {
                if let Some((host, port)) = self.listen(key, value) {
                    self.options.monitoring.host = host;
                    self.options.monitoring.https_port = port;
                }
            }
            // spec: CFG-045
            "http_port" | "monitor_port" => {
                let port = self.number(key, value);
                Self::set(&mut self.options.monitoring.http_port, port);
            }
            // spec: CFG-046
            "https_port" => {
                let port = self.number(key, value);
                Self::set(&mut self.options.monitoring.https_port, port);
            }
            // spec: CFG-047
            "http_base_path" => {
                let path = self.string(key, value);
                Self::set(&mut self.options.monitoring.base_path, path);
            }
            // Martlet's own: whoever asks the monitoring port has to know these.
            "http_user" => {
                let user = self.string(key, value).unwrap_or_default();
                self.options.monitoring.basic_auth.get_or_insert_default().0 = user;
            }
            "http_password" => {
                let password = self.string(key, value).unwrap_or_default();
                self.options.monitoring.basic_auth.get_or_insert_default().1 = password;
            }
            // spec: CFG-041 CFG-042
            "prof_port" | "prof_block_rate" => {
                let number = self.number(key, value).unwrap_or_default();
                if key == "prof_port" {
                    self.options.monitoring.prof_port = number;
                }
                if number != 0 {
                    self.findings.no_effect(key, &value.span, "this server has no Go profiler");
                }
            }
            _ => return false,
        }
        true
    }

    /// What is logged.
    fn logging(&mut self, key: &str, value: &Value) -> bool {
        match key {
            // spec: CFG-028
            "debug" => {
                let on = self.boolean(key, value);
                Self::set(&mut self.options.log.debug, on);
            }
            // spec: CFG-029 CFG-030 CFG-031
            "trace" | "trace_verbose" | "trace_headers" => {
                let on = self.boolean(key, value);
                let log = &mut self.options.log;
                match key {
                    "trace" => Self::set(&mut log.trace, on),
                    "trace_verbose" => Self::set(&mut log.trace_verbose, on),
                    _ => Self::set(&mut log.trace_headers, on),
                }
                // Both of the finer ones switch tracing on; none of them, being off, switches it off again.
                log.trace |= on == Some(true);
            }
            // spec: CFG-032
            "logtime" => {
                let on = self.boolean(key, value);
                Self::set(&mut self.options.log.time, on);
            }
            // spec: CFG-033
            "logtime_utc" => {
                let on = self.boolean(key, value);
                Self::set(&mut self.options.log.time_utc, on);
            }
            // spec: CFG-054
            "max_traced_msg_len" => {
                let max = self.limit_or_none(key, value);
                Self::set(&mut self.options.log.max_traced_msg_len, max);
            }
            // Martlet's own.
            "log_format" => match self.string(key, value).as_deref() {
                Some("json") => self.options.log.json = true,
                Some("text") => self.options.log.json = false,
                Some(other) => {
                    self.findings.error(&value.span, format!("log_format must be 'text' or 'json', got {other:?}"));
                }
                None => {}
            },
            _ => return false,
        }
        true
    }

    /// Where it is logged, and the other files a server writes.
    fn log_files(&mut self, key: &str, value: &Value) -> bool {
        match key {
            // spec: CFG-034
            "logfile" | "log_file" => self.options.log.file = self.text(key, value).map(Into::into),
            // spec: CFG-035
            "logfile_size_limit" | "log_size_limit" => {
                let limit = self.limit_or_none(key, value);
                Self::set(&mut self.options.log.file_size_limit, limit);
            }
            // spec: CFG-036
            "logfile_max_num" | "log_max_num" => {
                let max = self.limit_or_none(key, value);
                Self::set(&mut self.options.log.file_max_num, max);
            }
            // spec: CFG-037
            "syslog" => match self.boolean(key, value) {
                Some(true) if self.options.log.syslog.is_none() => self.options.log.syslog = Some(Syslog::Local),
                Some(false) if self.options.log.syslog == Some(Syslog::Local) => self.options.log.syslog = None,
                _ => {}
            },
            // spec: CFG-038
            "remote_syslog" => {
                if let Some(address) = self.text(key, value) {
                    self.options.log.syslog = Some(Syslog::Remote(address));
                }
            }
            // spec: CFG-039
            "pidfile" | "pid_file" => self.options.pid_file = self.text(key, value).map(Into::into),
            // spec: CFG-040
            "ports_file_dir" => self.options.ports_file_dir = self.text(key, value).map(Into::into),
            _ => return false,
        }
        true
    }

    /// Other servers.
    // spec: CFG-084
    fn links(&mut self, key: &str, value: &Value) -> bool {
        match key {
            "cluster" => self.cluster(value),
            "gateway" => self.gateway(value),
            "jetstream" => self.jetstream(value),
            "store_dir" | "storedir" => self.store_dir(key, value),
            "leafnodes" | "leaf" => self.leafnodes(value),
            _ => return false,
        }
        true
    }

    /// Who may connect, and as whom.
    fn security(&mut self, key: &str, value: &Value) -> bool {
        match key {
            // spec: CFG-073
            "system_account" | "system" => match &value.kind {
                Kind::String(name) => self.options.system_account = Some(name.clone()).filter(|n| !n.is_empty()),
                _ => self.findings.error(&value.span, "system account name must be a string"),
            },
            // spec: CFG-075
            "no_auth_user" => self.options.no_auth_user = self.text(key, value),
            // spec: CFG-077
            "mappings" | "maps" => {
                let mappings = self.mappings(value);
                self.options.mappings.extend(mappings);
            }
            // spec: CFG-078
            "accounts" => self.accounts(value),
            // spec: CFG-079
            "authorization" => self.authorization(value),
            // spec: CFG-080
            "tls" => self.options.tls = self.tls(value),
            // spec: CFG-066
            "proxies" => self.proxies(value),
            _ => return false,
        }
        true
    }
}
