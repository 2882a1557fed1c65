//! What streams send, and ask of the account they are in.

use martlet_broker::account::Account;
use martlet_broker::batch::Batch;
use martlet_broker::router::{Message, Origin};
use martlet_jetstream::{Out, Outgoing};

/// The account of a stream, and the turn of the thread it runs on.
pub(super) struct InAccount<'a> {
    pub(super) account: &'a Account,
    pub(super) batch: &'a mut Batch,
    pub(super) body: &'a mut Vec<u8>,
}

impl Out for InAccount<'_> {
    fn publish(&mut self, message: &Outgoing<'_>) -> usize {
        self.body.clear();
        self.body.extend_from_slice(message.headers);
        self.body.extend_from_slice(message.payload);
        let (mut header_digits, mut size_digits) = (itoa::Buffer::new(), itoa::Buffer::new());
        let sent = Message {
            subject: message.subject,
            shown: message.shown,
            reply: message.reply,
            returns: None,
            header_len: (!message.headers.is_empty()).then_some(message.headers.len()),
            header_text: header_digits.format(message.headers.len()).as_bytes(),
            size_text: size_digits.format(self.body.len()).as_bytes(),
            body: self.body,
            verbatim: &[],
            shared: None,
        };
        let delivered = self.batch.route(self.account, &Origin::SERVER, &sent);
        if self.batch.is_full() {
            self.batch.finish();
        }
        delivered
    }

    fn is_wanted(&mut self, subject: &[u8]) -> bool {
        self.batch.is_wanted(self.account, subject)
    }

    fn is_listened_on(&mut self, subject: &[u8], group: &[u8]) -> bool {
        self.account.interest.is_listened_on(subject, (!group.is_empty()).then_some(group))
    }

    fn random(&mut self) -> u64 {
        self.batch.random()
    }
}
