//! Whether there are streams: a reload may turn them on and off while the server runs.

use std::sync::Arc;

use martlet_config::Options;
use parking_lot::RwLock;

use super::JetStream;

/// `JetStream`, or that there is none. Shared by everybody who asks.
#[derive(Debug, Default, Clone)]
pub(crate) struct Switch(Arc<RwLock<Option<Arc<JetStream>>>>);

impl Switch {
    /// With what a start has given.
    pub(crate) fn new(jetstream: Option<JetStream>) -> Self {
        Self(Arc::new(RwLock::new(jetstream.map(Arc::new))))
    }

    /// What there is.
    pub(crate) fn get(&self) -> Option<Arc<JetStream>> {
        self.0.read().clone()
    }

    /// Other options are in force. `fresh` is what was prepared for them, if it was off.
    // spec: CFG-184
    pub(crate) fn reload(&self, options: &Options, fresh: Option<JetStream>) {
        let current = self.get();
        match (current, fresh) {
            (Some(jetstream), _) if options.jetstream.is_none() => {
                *self.0.write() = None;
                jetstream.close();
            }
            (Some(jetstream), _) => jetstream.reload(options),
            (None, Some(jetstream)) => {
                jetstream.serve(options);
                *self.0.write() = Some(Arc::new(jetstream));
            }
            (None, None) => {}
        }
    }
}
