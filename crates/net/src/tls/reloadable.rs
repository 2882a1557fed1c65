//! The configuration in force, which a reload replaces.

use std::sync::Arc;

use martlet_config::options::Tls;
use parking_lot::RwLock;

use super::{Server, TlsError};

/// Holds the configuration of a listener. Handshakes take what is in force when they begin and keep it;
/// connections that are up never notice a change.
#[derive(Debug)]
pub struct Reloadable {
    current: RwLock<Arc<Server>>,
}

impl Reloadable {
    /// Loads the first configuration.
    pub fn new(tls: &Tls) -> Result<Self, TlsError> {
        Ok(Self { current: RwLock::new(Arc::new(Server::load(tls)?)) })
    }

    /// What the next handshake uses.
    #[must_use]
    pub fn current(&self) -> Arc<Server> {
        self.current.read().clone()
    }

    /// Reads files and options anew. An error leaves everything as it was.
    pub fn reload(&self, tls: &Tls) -> Result<(), TlsError> {
        let loaded = Arc::new(Server::load(tls)?);
        *self.current.write() = loaded;
        Ok(())
    }
}
