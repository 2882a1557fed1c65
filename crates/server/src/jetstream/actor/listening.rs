//! What a stream hears: its subjects, its API of messages and acks, and whether anybody listens where it delivers.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::AcqRel;

use martlet_broker::internal::{InternalMessage, InternalSubscription, Scope};
use martlet_broker::local_task::LocalTasks;
use martlet_jetstream::stream::{Changed, Done, Stream};

use super::StreamActor;
use crate::jetstream::consumers;
use crate::jetstream::inbox::What;

impl StreamActor {
    /// Listens on `pattern` for what is `what` to the stream.
    pub(in crate::jetstream) fn listen(&self, pattern: &[u8], what: What, scope: Scope) {
        let (this, room) = (self.this.clone(), self.shared.room);
        let handler = Box::new(move |message: &InternalMessage<'_>, tasks: &mut LocalTasks| {
            if let Some(actor) = this.upgrade() {
                actor.inbox.lock().push(what, message, room);
                if actor.turn.ask() {
                    tasks.leave(actor);
                }
            }
        });
        let sid = format!("{}", self.shared.next_sid()).into();
        let listening = self.account.listen(InternalSubscription {
            subject: pattern.into(),
            sid,
            scope,
            follows_traces: what == What::Message,
            handler,
        });
        self.subscriptions.lock().push(listening);
    }

    /// Listens no longer on `pattern`.
    pub(in crate::jetstream) fn ignore(&self, pattern: &[u8]) {
        let mut subscriptions = self.subscriptions.lock();
        if let Some(place) = subscriptions.iter().position(|listening| listening.subject() == pattern) {
            self.account.ignore(subscriptions.swap_remove(place));
        }
    }

    /// The account may import other streams than before.
    pub(in crate::jetstream) fn renew_imports(&self) {
        for listening in &mut *self.subscriptions.lock() {
            self.account.renew_imports(listening);
        }
    }

    /// Has a consumer told when somebody begins or ceases to listen where it delivers: it looks once, however often that has happened
    /// before it comes to look.
    pub(in crate::jetstream) fn watch(&self, consumer: &str, subject: &str) {
        let (this, name) = (self.this.clone(), consumer.to_owned());
        let will_look = Arc::new(AtomicBool::new(false));
        let told = Arc::new(move || {
            if let Some(actor) = this.upgrade()
                && !will_look.swap(true, AcqRel)
            {
                let (name, will_look) = (name.clone(), Arc::clone(&will_look));
                actor.command(move |life, now, out| {
                    // What happens from here on is to be looked at again.
                    will_look.swap(false, AcqRel);
                    if let Some(stream) = &mut life.stream {
                        stream.interest(&name, now, out);
                    }
                });
            }
        });
        let watch = self.account.watch(subject.as_bytes(), told);
        let before = self.watches.lock().insert(consumer.to_owned(), watch);
        if let Some(before) = before {
            self.account.unwatch(&before);
        }
    }

    /// Watches for a consumer no longer.
    pub(in crate::jetstream) fn forget(&self, consumer: &str) {
        if let Some(watch) = self.watches.lock().remove(consumer) {
            self.account.unwatch(&watch);
        }
    }

    /// Listens as what has changed of consumers wants it.
    pub(super) fn follow(&self, stream: Option<&Stream>, done: &Done) {
        match &done.result {
            Ok(Changed::ConsumerCreated(name)) => {
                if let Some(consumer) = stream.and_then(|stream| stream.consumer(name)) {
                    consumers::open(self, name, consumer.config());
                }
            }
            Ok(Changed::ConsumerUpdated(config)) => {
                consumers::close(self, &config.name);
                consumers::open(self, &config.name, config);
            }
            Ok(Changed::ConsumerDeleted(name)) => consumers::close(self, name),
            _ => {}
        }
    }

    /// Listens to nothing any more.
    pub(in crate::jetstream) fn ignore_all(&self) {
        for listening in self.subscriptions.lock().drain(..) {
            self.account.ignore(listening);
        }
        for (_, watch) in self.watches.lock().drain() {
            self.account.unwatch(&watch);
        }
    }
}
