//! A client's session as an event loop drives it.

use std::sync::Arc;

use bytes::Bytes;
use martlet_auth::{Identity, Reason};
use martlet_events::Time;
use martlet_proto::ClosedReason;

use super::Session;
use crate::batch::Batch;
use crate::driver::{Driver, Next, Progress, Secured, WriteRules};
use crate::peer::Peer;

impl Driver for Session {
    #[inline]
    fn peer(&self) -> &Arc<Peer> {
        Self::peer(self)
    }

    fn write_rules(&self) -> WriteRules {
        let timing = &self.broker.settings().0.timing;
        WriteRules { deadline: timing.write_deadline, timeout: timing.write_timeout }
    }

    fn open(&mut self, batch: &mut Batch) -> Next {
        Self::open(self, batch)
    }

    #[inline]
    fn on_bytes(&mut self, input: &[u8], batch: &mut Batch) -> Progress {
        Self::on_bytes(self, input, batch)
    }

    #[inline]
    fn on_large(&mut self, line: &[u8], body: &Bytes, batch: &mut Batch) -> Next {
        Self::on_large(self, line, body, batch)
    }

    #[inline]
    fn on_wake(&mut self, batch: &mut Batch) -> Next {
        Self::on_wake(self, batch)
    }

    fn on_timer(&mut self, batch: &mut Batch) -> Next {
        Self::on_timer(self, batch)
    }

    #[inline]
    fn due(&self) -> Time {
        Self::due(self)
    }

    fn on_verified(&mut self, result: Result<Identity, Reason>, batch: &mut Batch) -> Next {
        Self::on_verified(self, result, batch)
    }

    fn on_secured(&mut self, found: Secured, batch: &mut Batch) -> Next {
        self.peer.describe(|d| d.tls = Some(found.tls));
        if let Some(names) = found.names {
            self.set_certificate(names);
        }
        self.restart_auth_deadline(batch.now);
        Next::Read
    }

    fn end(&mut self, reason: ClosedReason, now: Time) {
        Self::end(self, reason, now);
    }
}
