//! Messages on their way from and to other servers.
//!
//! What clients get of a message is `router`'s; here is decided which other servers get it, for which queue groups, and in
//! which words. A server gets one copy of a message, with the names of the queue groups it was chosen for.
//!
//! Invariant: a message never goes back over the link it came from, nor to the leaf node's cluster it comes from, and one
//! that a member of the cluster sent goes to no other member, but where a queue group has nobody left here.

use std::sync::Arc;

use martlet_events::Time;
use martlet_proto::link::Queues;
use martlet_proto::link::encode::{self, Envelope, Prefix};
use smallvec::SmallVec;

use crate::account::Account;
use crate::gateway::Optimism;
use crate::interest::Group;
use crate::link::{Link, RemoteSubscription, Role};
use crate::request_info;
use crate::returning;
use crate::rewritten::Rewritten;
use crate::router::{Message, Origin, Turned};
use crate::trace::{Egress, Onward};

/// How a message came from another server.
#[derive(Debug, Clone, Copy)]
pub struct Arrived<'a> {
    /// The link.
    pub link: &'a Arc<Link>,
    /// The leaf node's cluster that it comes from, as the other server says.
    pub origin: Option<&'a [u8]>,
    /// The queue groups that this server was chosen for; those it does not name get nothing.
    pub queues: Queues<'a>,
    /// The message is mapped to another subject here: groups of that are chosen from here where none were named.
    pub mapped: bool,
}

impl Arrived<'_> {
    /// Whether the other server is a member of this cluster or of one beside it: it has done what is done once for all.
    pub(crate) fn is_from_peers(&self) -> bool {
        matches!(self.link.role, Role::Route | Role::Gateway)
    }

    /// The leaf node's cluster that the message comes from.
    fn cluster(&self) -> Option<&[u8]> {
        if self.link.role.is_leaf() { self.link.cluster.as_deref() } else { self.origin }
    }
}

/// Replies of services, which go back to where the request came from.
const SERVICE_REPLIES: &[u8] = b"_R_.";

/// One server that gets the message.
struct Hop<'m> {
    link: &'m Arc<Link>,
    remote: &'m RemoteSubscription,
    queues: SmallVec<[&'m [u8]; 4]>,
}

impl Hop<'_> {
    /// Whether another cluster has objected to what it is sent unasked.
    // spec: CLU-044
    fn is_unwanted(&self, account: &Account, message: &Message<'_>) -> bool {
        let objects = |optimism: &Optimism| optimism.objects_to(account.name(), message.subject);
        self.queues.is_empty() && self.link.optimism.as_ref().is_some_and(objects)
    }

    /// Whether the server may have the message now, and with which headers. A trace hears of it either way.
    fn admit(&self, turn: &mut Turned<'_>, message: &Message<'_>) -> Admitted {
        let peer = &self.link.peer;
        let queue = self.remote.queue();
        let denied = match &self.link.rules {
            Some(rules) => (!rules.may_send(message.subject, queue)).then_some(Egress::PubDenied),
            None => (peer.is_restricted() && !peer.may_receive(message.subject, queue)).then_some(Egress::SubDenied),
        };
        let hindered = denied.or(peer.is_closing().then_some(Egress::ClientClosed));
        let Some(tracer) = turn.tracer.as_mut() else {
            return if hindered.is_some() { Admitted::Not } else { Admitted::AsItIs };
        };
        match tracer.onward(self.link, hindered, message) {
            Onward::Withheld => Admitted::Not,
            Onward::Sent(rewritten) => Admitted::Traced(rewritten),
        }
    }

    /// Whether a leaf node gets the message under another subject, or without its headers.
    fn needs_words_of_its_own(&self, message: &Message<'_>) -> bool {
        self.link.role.is_leaf()
            && (self.remote.import.is_some() || message.header_len.is_some() && !self.link.peer.takes_headers())
    }

    fn forward_as_it_is(
        &self,
        turn: &mut Turned<'_>,
        account: &Account,
        origin: Option<&[u8]>,
        reply: &[u8],
        message: &Message<'_>,
    ) {
        let peer = &self.link.peer;
        let header_text = message.header_len.map_or(b"".as_slice(), |_| message.header_text);
        let envelope = Envelope { subject: message.subject, reply, header_text, size_text: message.size_text };
        let prefix = Prefix {
            origin: origin.filter(|_| self.link.takes_origins),
            account: self.link.account.is_none().then(|| account.name().as_bytes()),
        };
        let queues = || self.queues.iter().copied();
        let head = |out: &mut Vec<u8>| {
            if self.link.role.is_leaf() {
                encode::leaf_message_head(out, &envelope, queues());
            } else {
                encode::route_message_head(out, prefix, &envelope, queues());
            }
        };
        let room = 64 + message.subject.len() + reply.len() + account.name().len();
        match message.shared {
            Some(body) => {
                turn.runs.append_message(peer, room, message.body.len(), head);
                turn.runs.share(peer, body);
            }
            None => turn.runs.append_message(peer, room + message.body.len(), message.body.len(), |out| {
                head(out);
                out.extend_from_slice(message.body);
                out.extend_from_slice(b"\r\n");
            }),
        }
    }

    #[cold]
    fn forward_rewritten(&self, turn: &mut Turned<'_>, reply: &[u8], message: &Message<'_>) {
        let peer = &self.link.peer;
        let local = self.remote.import.as_ref().and_then(|import| import.local_subject(message.subject));
        let headers = message.header_len.filter(|_| peer.takes_headers());
        let body = if headers.is_some() { message.body } else { message.payload() };
        let mut size = itoa::Buffer::new();
        let envelope = Envelope {
            subject: local.as_deref().unwrap_or(message.subject),
            reply,
            header_text: headers.map_or(b"", |_| message.header_text),
            size_text: size.format(body.len()).as_bytes(),
        };
        let room = 64 + envelope.subject.len() + reply.len() + body.len();
        let queues = self.queues.iter().copied();
        turn.runs.append_message(peer, room, body.len(), |out| encode::leaf_message(out, &envelope, queues, body));
    }
}

/// Whether a server may have a message.
enum Admitted {
    Not,
    AsItIs,
    Traced(Rewritten),
}

/// The servers that get one message.
pub(crate) struct Hops<'m> {
    arrived: Option<&'m Arrived<'m>>,
    /// The message has come through a service import: what it is now has not been where it came from.
    crossed: bool,
    /// The other server has named no groups because it does not know the subject.
    any_group: bool,
    is_service_reply: bool,
    chosen: SmallVec<[Hop<'m>; 8]>,
}

impl<'m> Hops<'m> {
    /// None yet, for a message on `subject` that came like this.
    pub(crate) fn new(origin: &Origin<'m>, subject: &[u8]) -> Self {
        let unnamed =
            |arrived: &Arrived<'_>| (arrived.mapped || origin.hops > 0) && arrived.queues.iter().next().is_none();
        Self {
            arrived: origin.link,
            crossed: origin.hops > 0,
            any_group: origin.link.is_some_and(unnamed),
            is_service_reply: subject.starts_with(SERVICE_REPLIES),
            chosen: SmallVec::new(),
        }
    }

    /// Whether one member of a queue group is to get the message from this server at all.
    pub(crate) fn serves(&self, queue: &[u8]) -> bool {
        self.any_group || self.arrived.is_none_or(|arrived| arrived.queues.iter().any(|named| named == queue))
    }

    /// A server wants the message outside queue groups.
    pub(crate) fn add(&mut self, remote: &'m RemoteSubscription) {
        if self.may_go(&remote.link) {
            self.hop(remote);
        }
    }

    fn may_go(&self, to: &Arc<Link>) -> bool {
        let Some(arrived) = self.arrived else { return true };
        let from = arrived.link;
        if Arc::ptr_eq(from, to) {
            return false;
        }
        match to.role {
            Role::Route => !matches!(from.role, Role::Route | Role::Hub),
            // What another member of the cluster sends it tells the hub itself.
            Role::Hub => (from.role != Role::Route || self.is_service_reply) && !self.is_home(to),
            Role::Spoke => !self.is_home(to),
            // Another cluster gets it from where it comes in.
            Role::Gateway => from.role.is_leaf(),
        }
    }

    /// Whether the message comes from the cluster behind `link`.
    fn is_home(&self, link: &Link) -> bool {
        link.role.is_leaf()
            && !self.crossed
            && link.cluster.is_some()
            && self.arrived.is_some_and(|a| a.cluster() == link.cluster.as_deref())
    }

    fn hop(&mut self, remote: &'m RemoteSubscription) -> &mut Hop<'m> {
        let link = &remote.link;
        let at = self.chosen.iter().position(|hop| Arc::ptr_eq(hop.link, link)).unwrap_or_else(|| {
            self.chosen.push(Hop { link, remote, queues: SmallVec::new() });
            self.chosen.len() - 1
        });
        &mut self.chosen[at]
    }

    fn hop_for(&mut self, remote: &'m RemoteSubscription, group: &'m Group) {
        self.hop(remote).queues.push(&group.queue);
    }

    /// Where a member of `group` is to be tried first among those here; `None` if another server was chosen instead.
    ///
    /// Members of the cluster count with their members, leaf nodes only where there is nobody else.
    pub(crate) fn choose(&mut self, group: &'m Group, rng: &mut fastrand::Rng) -> Option<usize> {
        let here = group.members.len();
        let weight = |r: &RemoteSubscription| if self.is_equal(r) { r.weight() as usize } else { 0 };
        let all = here + group.remotes.iter().map(|r| weight(r)).sum::<usize>();
        let at = if all <= 1 { 0 } else { rng.usize(0..all) };
        if at < here || all == 0 {
            return Some(at);
        }
        let remote = at_weight(&group.remotes, at - here, |r| weight(r))?;
        self.hop_for(remote, group);
        None
    }

    /// Whether a server's members of a group count like those here.
    fn is_equal(&self, remote: &RemoteSubscription) -> bool {
        match self.arrived.map(|arrived| arrived.link.role) {
            // What a member of the cluster sends is meant for those here.
            Some(Role::Route) => false,
            Some(Role::Hub) if remote.link.role == Role::Route => false,
            Some(Role::Gateway) if remote.link.role.is_leaf() => remote.link.cluster.is_none(),
            _ => remote.link.role == Role::Route && remote.origin().is_none(),
        }
    }

    /// Nobody here can take a message for `group`: the next best server gets it.
    pub(crate) fn choose_elsewhere(&mut self, group: &'m Group, rng: &mut fastrand::Rng) {
        let from = self.arrived.map(|arrived| arrived.link.role);
        let cluster = self.arrived.filter(|_| !self.crossed).and_then(Arrived::cluster);
        let may = |r: &&'m Arc<RemoteSubscription>| {
            self.arrived.is_none_or(|arrived| !Arc::ptr_eq(arrived.link, &r.link))
                && r.link.role != Role::Gateway
                && !self.is_home(&r.link)
                && (cluster.is_none() || r.origin() != cluster)
                && !(from == Some(Role::Hub) && r.link.role == Role::Route)
        };
        let candidates: SmallVec<[&Arc<RemoteSubscription>; 8]> = group.remotes.iter().filter(may).collect();
        if from == Some(Role::Route) {
            // Each leaf node has the same chance; back to a member of the cluster only where there is no leaf node.
            let leafs: SmallVec<[_; 8]> = candidates.iter().filter(|r| r.link.role.is_leaf()).collect();
            let found = match leafs.len() {
                0 => candidates.first(),
                n => Some(leafs[rng.usize(0..n)]),
            };
            return found.into_iter().for_each(|remote| self.hop_for(remote, group));
        }
        let all: usize = candidates.iter().map(|r| r.weight() as usize).sum();
        let at = if all > 1 { rng.usize(0..all) } else { 0 };
        if let Some(remote) = at_weight(candidates, at, |r| r.weight() as usize) {
            self.hop_for(remote, group);
        }
    }

    /// Nobody in this cluster can: the nearest cluster with members gets it.
    // spec: CLU-048
    pub(crate) fn choose_gateway(&mut self, group: &'m Group) {
        let is_served = |hop: &Hop<'_>| hop.queues.iter().any(|queue| **queue == *group.queue);
        if self.chosen.iter().any(is_served) {
            return;
        }
        let gateways = group.remotes.iter().filter(|r| r.link.role == Role::Gateway && self.may_go(&r.link));
        if let Some(nearest) = gateways.min_by_key(|r| (r.link.peer.rtt(), r.link.peer.cid())) {
            self.hop_for(nearest, group);
        }
    }

    /// Sends the message to every server chosen; gives their number.
    pub(crate) fn forward(self, turn: &mut Turned<'_>, account: &Account, message: &Message<'_>) -> usize {
        let origin = self.arrived.filter(|arrived| arrived.link.role.is_leaf()).and_then(Arrived::cluster);
        let mut sent = 0;
        let reply = message.reply_elsewhere();
        let mut returns = None;
        for hop in &self.chosen {
            let peer = &hop.link.peer;
            if self.is_home(hop.link) || hop.is_unwanted(account, message) {
                continue;
            }
            let traced = match hop.admit(turn, message) {
                Admitted::Not => continue,
                Admitted::AsItIs => None,
                Admitted::Traced(rewritten) => Some(rewritten),
            };
            let traced = traced.as_ref().map(|rewritten| rewritten.in_place_of(message));
            let message = traced.as_ref().unwrap_or(message);
            // spec: SEC-049
            let renamed = (message.header_len.is_some() && hop.link.role.is_leaf() && account.site().renames())
                .then(|| request_info::for_leaf(account, message))
                .flatten();
            let renamed = renamed.as_ref().map(|rewritten| rewritten.in_place_of(message));
            let message = renamed.as_ref().unwrap_or(message);
            if peer.tracks_replies() && !reply.is_empty() {
                peer.note_reply(&reply, turn.now);
            }
            if hop.needs_words_of_its_own(message) {
                hop.forward_rewritten(turn, &reply, message);
            } else if hop.link.role == Role::Gateway {
                let returns = returns.get_or_insert_with(|| returning_reply(account, message, &reply, turn.now));
                let message = Message { returns: returns.as_deref().or(message.returns), ..*message };
                returning::send(turn.runs, hop.link, account, &message, &hop.queues);
            } else {
                hop.forward_as_it_is(turn, account, origin, &reply, message);
            }
            sent += 1;
        }
        sent
    }
}

/// Whose turn it is where each has as many as it weighs: the one at `at`, counted from 0.
fn at_weight<R>(all: impl IntoIterator<Item = R>, mut at: usize, weight: impl Fn(&R) -> usize) -> Option<R> {
    all.into_iter().find(|one| {
        let weight = weight(one);
        let found = at < weight;
        at = at.saturating_sub(weight);
        found
    })
}

/// What a reply is called in other clusters, if the subscription to it is new.
// spec: CLU-046
fn returning_reply(account: &Account, message: &Message<'_>, reply: &[u8], now: Time) -> Option<Vec<u8>> {
    let is_new = message.returns.is_none() && !reply.is_empty() && account.recent.covers(message.reply, now);
    account.site().super_cluster().filter(|_| is_new).map(|home| home.returning(reply))
}
