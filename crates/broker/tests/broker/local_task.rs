//! What messages leave to do at the end of a turn.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use martlet_broker::Batch;
use martlet_broker::account::Account;
use martlet_broker::interest::Target;
use martlet_broker::internal::{InternalMessage, InternalSubscription, Scope};
use martlet_broker::local_task::{LocalTask, LocalTasks};
use martlet_broker::router::{Message, Origin};

/// Counts how often it is run and put off; leaves itself again for as long as `again` says.
#[derive(Default)]
struct Counting {
    run: AtomicUsize,
    put_off: AtomicUsize,
    again: AtomicUsize,
    /// Where it listens, so that it leaves itself again by a message.
    account: Option<Arc<Account>>,
}

impl LocalTask for Counting {
    fn run(self: Arc<Self>, batch: &mut Batch) {
        self.run.fetch_add(1, SeqCst);
        if self.again.load(SeqCst) > 0
            && let Some(account) = &self.account
        {
            self.again.fetch_sub(1, SeqCst);
            batch.route(account, &Origin::SERVER, &message(b"service"));
        }
    }

    fn put_off(self: Arc<Self>) {
        self.put_off.fetch_add(1, SeqCst);
    }
}

fn message(subject: &[u8]) -> Message<'_> {
    Message {
        subject,
        shown: None,
        reply: b"",
        returns: None,
        header_len: None,
        header_text: b"",
        size_text: b"0",
        body: b"",
        verbatim: &[],
        shared: None,
    }
}

/// An account with a service that leaves a local task for each message.
fn service(again: usize) -> (Arc<Account>, Arc<Counting>) {
    let account = Arc::new(Account::new(1, "A", true));
    let counting = Arc::new(Counting { again: again.into(), account: Some(account.clone()), ..Counting::default() });
    let left = counting.clone();
    let handler = move |_: &InternalMessage<'_>, tasks: &mut LocalTasks| tasks.leave(left.clone());
    let subscription = InternalSubscription {
        subject: b"service"[..].into(),
        sid: "1".into(),
        scope: Scope::ThisServer,
        follows_traces: false,
        handler: Box::new(handler),
    };
    account.add(b"service", Target::Internal(Arc::new(subscription)));
    (account, counting)
}

#[test]
fn a_local_task_is_run_at_the_end_of_its_turn_or_put_off_but_never_lost() {
    let (account, counting) = service(0);
    let seen = || (counting.run.load(SeqCst), counting.put_off.load(SeqCst));
    let mut batch = Batch::new(1);
    batch.route(&account, &Origin::SERVER, &message(b"service"));
    assert_eq!(seen(), (0, 0), "the turn goes on");
    batch.hand_over(None);
    assert_eq!(seen(), (0, 0), "it is handed over early, and goes on");
    batch.finish_turn(None);
    assert_eq!(seen(), (1, 0));
    batch.route(&account, &Origin::SERVER, &message(b"service"));
    batch.finish();
    assert_eq!(seen(), (1, 1), "whoever finishes thus may hold locks");
    batch.route(&account, &Origin::SERVER, &message(b"service"));
    drop(batch);
    assert_eq!(seen(), (1, 2), "the thread ends before the turn does");
}

#[test]
fn local_tasks_that_lead_to_others_do_not_hold_a_turn_up_for_ever() {
    let (account, counting) = service(1_000);
    let mut batch = Batch::new(1);
    batch.route(&account, &Origin::SERVER, &message(b"service"));
    batch.finish_turn(None);
    assert_eq!((counting.run.load(SeqCst), counting.put_off.load(SeqCst)), (32, 1));
}
