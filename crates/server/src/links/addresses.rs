//! Under which addresses this server is told of.

use std::net::{IpAddr, SocketAddr};

use martlet_config::{Options, advertise};

/// The addresses of this machine, without those only itself can reach.
fn reachable() -> Vec<IpAddr> {
    let found = if_addrs::get_if_addrs().unwrap_or_else(|error| {
        log::error!("the addresses of this machine cannot be told: {error}");
        Vec::new()
    });
    found.into_iter().filter(|interface| !interface.is_loopback()).map(|interface| interface.ip()).collect()
}

/// All addresses of this machine with that port.
pub(crate) fn own(port: u16) -> Vec<SocketAddr> {
    let found = if_addrs::get_if_addrs().unwrap_or_default();
    found.into_iter().map(|interface| SocketAddr::new(interface.ip(), port)).collect()
}

/// `host:port`, IPv6 in brackets.
pub(super) fn join(host: &str, port: u32) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// Where clients may connect to this server, for the clients of others.
// spec: CLU-023
pub(crate) fn connect_urls(options: &Options, port: u16) -> Vec<String> {
    if let Some(value) = &options.client_advertise {
        return match advertise::parse(value, port) {
            Ok((host, port)) => vec![join(host, u32::try_from(port).unwrap_or(0))],
            // Settings have said so.
            Err(_) => Vec::new(),
        };
    }
    listed(&options.host, port)
}

/// The address that a listener on `host` is told of by: one of the machine's, where it listens on all.
pub(super) fn one(host: &str) -> String {
    let any = host.parse::<IpAddr>().is_ok_and(|ip| ip.is_unspecified());
    let found = if any { reachable().first().map(IpAddr::to_string) } else { None };
    found.unwrap_or_else(|| host.to_owned())
}

/// The addresses that a listener on `host` is reached by: all of the machine's, where it listens on all.
pub(super) fn listed(host: &str, port: u16) -> Vec<String> {
    let any = host.parse::<IpAddr>().is_ok_and(|ip| ip.is_unspecified());
    let all: Vec<_> =
        if any { reachable().iter().map(|ip| join(&ip.to_string(), port.into())).collect() } else { Vec::new() };
    if all.is_empty() { vec![join(host, port.into())] } else { all }
}

/// The host that a listener on `host` is told of by: an address of the machine where it listens on all.
pub(super) fn told_host(host: &str) -> String {
    let any = host.parse::<IpAddr>().is_ok_and(|ip| ip.is_unspecified());
    let found = if any { reachable().first().map(ToString::to_string) } else { None };
    found.unwrap_or_else(|| host.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_is_told_of_by_its_host() {
        // spec: CLU-023
        assert_eq!(listed("127.0.0.1", 4222), ["127.0.0.1:4222"]);
        assert_eq!(listed("::1", 4222), ["[::1]:4222"]);
        let options = Options { client_advertise: Some("me.example".into()), ..Options::default() };
        assert_eq!(connect_urls(&options, 4222), ["me.example:4222"]);
    }
}
