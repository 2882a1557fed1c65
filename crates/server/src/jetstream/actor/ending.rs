//! How a stream that runs comes to its end: the server stops, it is deleted, or it broke.

use martlet_broker::batch::Batch;
use martlet_jetstream::consumer::Closing;
use martlet_jetstream::stream::Stream;
use martlet_net::clock;

use super::{Life, StreamActor};
use crate::jetstream::now;
use crate::jetstream::out::InAccount;

impl StreamActor {
    /// Tells whoever waits for messages that the server stops.
    pub(in crate::jetstream) fn announce_shutdown(&self, batch: &mut Batch) {
        let mut life = self.life.lock();
        let now = now(batch.now);
        let mut body = std::mem::take(&mut life.body);
        if let Some(stream) = &mut life.stream {
            let mut out = InAccount { account: &self.account, batch, body: &mut body };
            stream.close_consumers(Closing::Shutdown, now, &mut out);
        }
        life.body = body;
    }

    /// Leaves everything so that the next start is quick; the stream is gone afterwards.
    pub(in crate::jetstream) fn close(&self) {
        self.ignore_all();
        let mut life = self.life.lock();
        // What the disk said last counts: whoever still waits for it is answered.
        let (mut batch, mut body) = (Batch::new(clock::now().as_nanos()), Vec::new());
        batch.now = clock::now();
        let now = now(batch.now);
        self.take_synced(&mut life, now, &mut InAccount { account: &self.account, batch: &mut batch, body: &mut body });
        batch.finish();
        if let Some(mut stream) = life.stream.take() {
            self.release(&mut life, &stream);
            let Err(error) = stream.close() else { return };
            log::error!("Stream '{} > {}' could not be closed: {error}", self.account.name(), self.name);
        }
    }

    /// Ends it without a trace; its store is to be removed.
    pub(in crate::jetstream) fn abandon(&self) {
        self.ignore_all();
        let mut life = self.life.lock();
        if let Some(stream) = life.stream.take() {
            self.release(&mut life, &stream);
        }
    }

    /// A stream that is gone uses nothing.
    pub(in crate::jetstream) fn release(&self, life: &mut Life, stream: &Stream) {
        for usage in [&*self.usage, &self.shared.usage] {
            usage.change(stream.config().storage, life.counted, 0);
        }
        life.counted = 0;
        // Nobody will be told any more: requests are not in hand because of that.
        life.endings.clear();
        self.shared.open.change(std::mem::take(&mut life.batches), [0, 0]);
    }
}
