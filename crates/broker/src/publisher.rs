//! What the server publishes itself.

use martlet_events::Time;
use parking_lot::Mutex;

use crate::account::Account;
use crate::batch::Batch;
use crate::protocol_log::ProtocolLog;
use crate::router::{Message, Origin};

/// Publishes messages of the server's own.
#[derive(Debug)]
pub(crate) struct Publisher {
    batch: Mutex<Batch>,
}

impl Default for Publisher {
    fn default() -> Self {
        Self { batch: Mutex::new(Batch::new(0)) }
    }
}

impl Publisher {
    /// Publishes in `account`; gives the number of destinations.
    pub(crate) fn publish(
        &self,
        account: &Account,
        (subject, reply): (&[u8], &[u8]),
        (headers, payload): (&[u8], &[u8]),
        log: Option<ProtocolLog>,
        now: Time,
    ) -> usize {
        let body = [headers, payload].concat();
        let (header_text, size_text) = (headers.len().to_string(), body.len().to_string());
        let message = Message {
            subject,
            reply,
            header_len: (!headers.is_empty()).then_some(headers.len()),
            header_text: header_text.as_bytes(),
            size_text: size_text.as_bytes(),
            body: &body,
            ..Message::default()
        };
        if let Some(log) = log {
            log.internal(&message);
        }
        let publish = |batch: &mut Batch| {
            batch.now = now;
            batch.protocol_log = log;
            let delivered = batch.route(account, &Origin::SERVER, &message);
            batch.finish();
            delivered
        };
        match self.batch.try_lock() {
            Some(mut batch) => publish(&mut batch),
            // Another thread publishes, or this one does already: a service was asked by a service. Neither may wait.
            None => publish(&mut Batch::new(now.as_nanos())),
        }
    }
}
