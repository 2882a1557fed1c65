//! Telling systemd how the service is doing, when it asked to be told.

use std::os::unix::net::UnixDatagram;

use log::debug;

/// The socket named by `NOTIFY_SOCKET`, if there is one.
pub(super) struct Notifier {
    path: Option<String>,
}

impl Notifier {
    pub(super) fn from_environment() -> Self {
        Self::to(std::env::var("NOTIFY_SOCKET").ok())
    }

    pub(super) fn to(path: Option<String>) -> Self {
        Self { path: path.filter(|path| !path.is_empty()) }
    }

    pub(super) fn ready(&self) {
        self.send("READY=1");
    }

    /// With the time, as a service of type `notify-reload` has to.
    pub(super) fn reloading(&self) {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        let micros = i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec) / 1_000;
        self.send(&format!("RELOADING=1\nMONOTONIC_USEC={micros}"));
    }

    pub(super) fn stopping(&self) {
        self.send("STOPPING=1");
    }

    fn send(&self, state: &str) {
        let Some(path) = &self.path else { return };
        if let Err(error) = send(path, state) {
            debug!("Could not notify {path:?}: {error}");
        }
    }
}

fn send(path: &str, state: &str) -> std::io::Result<()> {
    let socket = UnixDatagram::unbound()?;
    #[cfg(target_os = "linux")]
    if let Some(name) = path.strip_prefix('@') {
        use std::os::linux::net::SocketAddrExt;
        let address = std::os::unix::net::SocketAddr::from_abstract_name(name)?;
        return socket.send_to_addr(state.as_bytes(), &address).map(drop);
    }
    socket.send_to(state.as_bytes(), path).map(drop)
}
