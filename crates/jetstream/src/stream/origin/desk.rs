//! What origins want done, in order.

use std::collections::VecDeque;
use std::time::Duration;

use super::request::Request;
use crate::out::Out;

/// What an origin wants done by whoever has a connection to the account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Whatever comes on this subject is for [`Stream::from_origin`](crate::stream::Stream::from_origin), with this key.
    Listen {
        /// Of this subscription.
        key: u32,
        /// What is listened on.
        subject: Box<[u8]>,
    },
    /// Nothing more is listened for there.
    Ignore {
        /// What was listened on.
        subject: Box<[u8]>,
    },
    /// A message is sent.
    Send {
        /// Where to.
        subject: Box<[u8]>,
        /// Where the answer goes; empty for none.
        reply: Box<[u8]>,
        /// Its headers.
        headers: Box<[u8]>,
        /// Its payload.
        payload: Box<[u8]>,
    },
    /// From now on the stream answers direct gets for the stream that it mirrors.
    AnswerFor {
        /// The stream.
        origin: String,
    },
    /// It does so no longer.
    AnswerNoMore {
        /// The stream.
        origin: String,
    },
    /// Somebody should know this.
    Tell(String),
}

/// Actions that wait to be run.
#[derive(Debug, Default)]
pub(super) struct Actions {
    pub(super) waiting: VecDeque<Action>,
    last_key: u32,
}

/// Where an origin leaves what it wants done.
pub(super) struct Desk<'a> {
    pub(super) actions: &'a mut Actions,
    pub(super) out: &'a mut dyn Out,
}

impl Desk<'_> {
    /// Listens; gives the key of what comes.
    pub(super) fn listen(&mut self, subject: &[u8]) -> u32 {
        self.actions.last_key = self.actions.last_key.wrapping_add(1);
        let key = self.actions.last_key;
        self.actions.waiting.push_back(Action::Listen { key, subject: subject.into() });
        key
    }

    pub(super) fn ignore(&mut self, subject: &[u8]) {
        self.actions.waiting.push_back(Action::Ignore { subject: subject.into() });
    }

    pub(super) fn send(&mut self, request: Request, reply: &[u8]) {
        self.actions.waiting.push_back(Action::Send {
            subject: request.subject.into_bytes().into(),
            reply: reply.into(),
            headers: request.headers.into(),
            payload: request.body.into(),
        });
    }

    pub(super) fn tell(&mut self, text: String) {
        self.actions.waiting.push_back(Action::Tell(text));
    }

    /// Eight random letters and digits.
    pub(super) fn unique(&mut self) -> String {
        const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        let mut random = self.out.random();
        (0..8)
            .map(|_| {
                let digit = DIGITS[(random % 62) as usize];
                random /= 62;
                char::from(digit)
            })
            .collect()
    }

    /// So that not everybody asks at once.
    pub(super) fn jitter(&mut self) -> Duration {
        Duration::from_millis(self.out.random() % 100)
    }
}
