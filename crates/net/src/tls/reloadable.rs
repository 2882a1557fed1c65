//! The configuration in force, which a reload replaces.

use std::sync::Arc;

use martlet_config::options::Tls;
use parking_lot::RwLock;

use super::{Client, Server, TlsError};

/// What is built from a `tls` block and the files it names.
pub trait Loaded: Sized {
    /// Reads the files and builds it.
    fn load(tls: &Tls) -> Result<Self, TlsError>;
}

impl Loaded for Server {
    fn load(tls: &Tls) -> Result<Self, TlsError> {
        Self::load(tls)
    }
}

impl Loaded for Client {
    fn load(tls: &Tls) -> Result<Self, TlsError> {
        Self::load(tls)
    }
}

/// Holds the configuration of a listener, or of what is dialled. Handshakes take what is in force when they begin and keep
/// it; connections that are up never notice a change.
#[derive(Debug)]
pub struct Reloadable<T = Server> {
    current: RwLock<Arc<T>>,
}

impl<T: Loaded> Reloadable<T> {
    /// Loads the first configuration.
    pub fn new(tls: &Tls) -> Result<Self, TlsError> {
        Ok(Self { current: RwLock::new(Arc::new(T::load(tls)?)) })
    }

    /// What the next handshake uses.
    #[must_use]
    pub fn current(&self) -> Arc<T> {
        self.current.read().clone()
    }

    /// Reads files and options anew. An error leaves everything as it was.
    pub fn reload(&self, tls: &Tls) -> Result<(), TlsError> {
        let loaded = Arc::new(T::load(tls)?);
        *self.current.write() = loaded;
        Ok(())
    }
}
