//! Messages to and from other clusters: replies on their way back, and the words in which gateways get a message.

use std::borrow::Cow;
use std::sync::Arc;

use martlet_proto::link::encode::{self, Envelope, Prefix};

use crate::account::Account;
use crate::batch::{Batch, Runs};
use crate::forward::Arrived;
use crate::gateway::Returning;
use crate::link::{Link, Role};
use crate::router::{Message, Origin};

impl Batch {
    /// A message on a subject that leads to a server of some cluster; `None` if it is to be routed as any other.
    // spec: CLU-046
    pub(crate) fn route_returning(
        &mut self,
        account: &Account,
        origin: &Origin<'_>,
        returning: &Returning<'_>,
        message: &Message<'_>,
    ) -> Option<usize> {
        let site = account.site().clone();
        let home = site.super_cluster();
        if !origin.link.is_some_and(Arrived::is_from_peers) {
            // Somebody here answers, or behind a leaf node.
            let mut ways = self.ways_to_leafs(account, origin, message.subject);
            ways.extend(home.and_then(|home| home.outbound(returning.cluster)));
            for way in &ways {
                send(&mut self.runs, way, account, message, &[]);
            }
            return Some(ways.len());
        }
        let home = home?;
        // Nothing leads back twice.
        if !home.is_own(returning) || Returning::of(returning.subject).is_some() {
            return Some(0);
        }
        let from_gateway = origin.link.is_some_and(|arrived| arrived.link.role == Role::Gateway);
        if from_gateway
            && !home.is_here(returning)
            && let Some(way) = account.ledger.way_to(returning.server)
        {
            send(&mut self.runs, &way, account, message, &[]);
            return Some(1);
        }
        // It is home, and wherever it came from, everybody may have it.
        Some(self.route(
            account,
            &Origin { link: None, ..*origin },
            &Message { subject: returning.subject, ..*message },
        ))
    }

    /// Leaf nodes that take replies for other clusters.
    fn ways_to_leafs(&mut self, account: &Account, origin: &Origin<'_>, subject: &[u8]) -> Vec<Arc<Link>> {
        self.lookup.find(account, subject);
        let links = self.lookup.found().remotes.iter().map(|remote| &remote.link);
        let other = |link: &&Arc<Link>| !origin.link.is_some_and(|arrived| Arc::ptr_eq(arrived.link, link));
        let may = |link: &&Arc<Link>| link.rules.as_ref().is_none_or(|rules| rules.may_send(subject, None));
        links.filter(|link| link.role.is_leaf()).filter(other).filter(may).cloned().collect()
    }
}

/// Appends a message for another server, which reads headers or gets none.
pub(crate) fn send(runs: &mut Runs, link: &Link, account: &Account, message: &Message<'_>, queues: &[&[u8]]) {
    let peer = &link.peer;
    let headers = message.header_len.filter(|_| peer.takes_headers() || link.role != Role::Gateway);
    let body = if headers.is_some() { message.body } else { message.payload() };
    let reply = message.reply_elsewhere();
    let mut size = itoa::Buffer::new();
    let envelope = Envelope {
        subject: message.subject,
        reply: &reply,
        header_text: headers.map_or(b"", |_| message.header_text),
        size_text: size.format(body.len()).as_bytes(),
    };
    let prefix = Prefix { origin: None, account: link.account.is_none().then(|| account.name().as_bytes()) };
    let head = |out: &mut Vec<u8>| {
        if link.role.is_leaf() {
            encode::leaf_message_head(out, &envelope, queues.iter().copied());
        } else {
            encode::route_message_head(out, prefix, &envelope, queues.iter().copied());
        }
    };
    let room = 64 + message.subject.len() + reply.len() + account.name().len();
    match message.shared.filter(|_| body.len() == message.body.len()) {
        Some(shared) => {
            runs.append_message(peer, room, body.len(), head);
            runs.share(peer, shared);
        }
        None => runs.append_message(peer, room + body.len(), body.len(), |out| {
            head(out);
            out.extend_from_slice(body);
            out.extend_from_slice(b"\r\n");
        }),
    }
}

impl<'a> Message<'a> {
    /// The reply as other servers get it.
    pub(crate) fn reply_elsewhere(&self) -> Cow<'a, [u8]> {
        match (self.returns, self.shown) {
            (Some(returns), _) => Cow::Borrowed(returns),
            (None, Some(shown)) => Cow::Owned([self.reply, b"@", shown].concat()),
            (None, None) => Cow::Borrowed(self.reply),
        }
    }
}
