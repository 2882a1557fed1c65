//! Messages that cross into another account: requests to a service there, and replies on their way back.

use std::sync::Arc;

use martlet_config::options::ResponseType;
use martlet_proto::headers;
use martlet_subject::Mapped;

use crate::account::Account;
use crate::batch::Batch;
use crate::imports::ServiceImport;
use crate::latency::Outcome;
use crate::request_info;
use crate::responses::Response;
use crate::rewritten::Rewritten;
use crate::router::{Message, Origin};
use crate::trace;

/// Accounts that one message may cross (SEC-051 refuses cycles in the configuration; this bounds what is left).
const MAX_HOPS: u8 = 16;
/// Acknowledgements go to the subject they name, wherever they come from.
const ACK_PREFIX: &[u8] = b"$JS.ACK.";

/// Where a message arrives.
struct Arrival<'a> {
    account: &'a Account,
    subject: &'a [u8],
    reply: &'a [u8],
    /// The import that a message trace may follow.
    traced: Option<&'a Arc<ServiceImport>>,
}

impl Batch {
    /// A request that leaves its account for a service of another.
    // spec: SEC-047
    pub(crate) fn route_service(
        &mut self,
        import: &Arc<ServiceImport>,
        origin: &Origin<'_>,
        message: &Message<'_>,
    ) -> usize {
        let Some(exporter) = import.exporter.upgrade().filter(|_| origin.hops < MAX_HOPS) else { return 0 };
        import.count();
        let Some(subject) = self.subject_there(import, &exporter, message.subject) else { return 0 };
        let measured = self.measure(import, origin, message);
        // What nobody there listens to needs no reply, and nobody has to be described to.
        let may_be_kept = measured.is_some() || self.tracer.is_some() || subject.starts_with(b"_");
        if !may_be_kept && !self.is_wanted(&exporter, &subject) {
            return 0;
        }
        let mut reply = Vec::new();
        let unanswerable = measured.as_ref().filter(|_| message.reply.is_empty());
        if let Some(measured) = unanswerable {
            self.publish_latency(&exporter, import, measured, Outcome::BadRequest);
        } else {
            let response = Response {
                import: import.clone(),
                reply: message.returns.unwrap_or(message.reply).into(),
                to_exporter: false,
                reports: false,
                measured: measured.map(Box::new),
            };
            self.await_reply(&exporter, response, &mut reply);
        }
        let info = request_info::describe(import, &exporter, origin, message);
        let traced = import.allow_trace.then_some(import);
        let arrival = Arrival { account: &exporter, subject: &subject, reply: &reply, traced };
        let share = if origin.hops > 0 { origin.share } else { import.share };
        let onward = Origin { hops: origin.hops + 1, share, ..*origin };
        let delivered = self.cross(&arrival, &onward, message, Some(&info));
        let traced_only = self.tracer.as_ref().is_some_and(|t| t.only());
        if delivered == 0 || traced_only {
            let given_up = exporter.responses.forget(&reply);
            if let Some(measured) = given_up.as_ref().and_then(|r| r.measured.as_ref()).filter(|_| !traced_only) {
                self.publish_latency(&exporter, import, measured, Outcome::Unserved);
            }
        }
        delivered
    }

    /// A reply on its way back.
    pub(crate) fn route_reply(&mut self, account: &Account, origin: &Origin<'_>, message: &Message<'_>) -> usize {
        let Some(response) = account.responses.take(message.subject, self.now) else { return 0 };
        let Some(target) = response.account().filter(|_| origin.hops < MAX_HOPS) else { return 0 };
        let import = &response.import;
        let mut reply = Vec::new();
        let back = Response {
            import: import.clone(),
            reply: message.returns.unwrap_or(message.reply).into(),
            to_exporter: !response.to_exporter,
            reports: false,
            measured: None,
        };
        self.await_reply(&target, back, &mut reply);
        let arrival = Arrival { account: &target, subject: &response.reply, reply: &reply, traced: None };
        let onward = Origin { hops: origin.hops + 1, share: import.share, ..*origin };
        let delivered = self.cross(&arrival, &onward, message, None);
        if delivered == 0 {
            target.responses.forget(&reply);
        }
        // An empty message is the last one.
        if import.response != ResponseType::Singleton && (delivered == 0 || message.body.is_empty()) {
            account.responses.forget(message.subject);
        }
        if let Some(measured) = &response.measured {
            self.publish_latency(account, import, measured, Outcome::Answered(origin.peer.map(|p| &**p)));
        }
        delivered
    }

    /// The subject that a request on `published` has in the exporter, whose mappings apply.
    fn subject_there(&mut self, import: &ServiceImport, exporter: &Account, published: &[u8]) -> Option<Vec<u8>> {
        let mut subject = Vec::new();
        if !import.exporter_subject(published, &mut subject) {
            return None;
        }
        if !exporter.maps() {
            return Some(subject);
        }
        let mut mapped = Vec::new();
        match exporter.map(exporter.site().about().cluster.as_deref(), &subject, &mut self.rng, &mut mapped) {
            Mapped::Unchanged => Some(subject),
            Mapped::To => Some(mapped),
            Mapped::Dropped => None,
        }
    }

    /// The reply subject that a message has in `account`, appended to `out`: one of the server's own, except for none
    /// and for acknowledgements.
    fn await_reply(&mut self, account: &Account, response: Response, out: &mut Vec<u8>) {
        if response.reply.starts_with(ACK_PREFIX) {
            out.extend_from_slice(&response.reply);
        } else if !response.reply.is_empty() {
            account.new_reply_subject(&mut self.rng, out, self.now);
            account.responses.expect(out, response, self.now);
        }
    }

    /// Routes a message where it arrives, with `info` about the requester if there is any. A trace follows, or is put
    /// aside for as long, and its headers say so.
    // spec: CORE-130 CORE-133 SEC-052
    fn cross(
        &mut self,
        arrival: &Arrival<'_>,
        onward: &Origin<'_>,
        message: &Message<'_>,
        info: Option<&[u8]>,
    ) -> usize {
        let mut set: Vec<(&str, &[u8])> = info.map(|info| (request_info::HEADER, info)).into_iter().collect();
        let mut destination = Vec::new();
        let mut aside = None;
        if let Some(tracer) = &mut self.tracer {
            tracer.service_import(arrival.account, message.subject, arrival.subject);
            if let Some(import) = arrival.traced {
                let named = headers::get(message.headers(), trace::DESTINATION.as_bytes());
                let before = named.unwrap_or_else(|| tracer.destination());
                arrival.account.new_reply_subject(&mut self.rng, &mut destination, self.now);
                let back = Response::to_reports(import.clone(), before);
                arrival.account.responses.expect(&destination, back, self.now);
            } else if tracer.only() {
                return 0;
            } else {
                destination.extend_from_slice(trace::DISABLED.as_bytes());
                aside = self.tracer.take();
            }
            set.push((trace::DESTINATION, &destination));
        }
        let delivered = if set.is_empty() {
            let there = Message { subject: arrival.subject, reply: arrival.reply, returns: None, ..*message };
            self.route(arrival.account, onward, &there)
        } else {
            let rewritten = Rewritten::new(message, &set);
            self.route(arrival.account, onward, &rewritten.message(arrival.subject, arrival.reply))
        };
        if aside.is_some() {
            self.tracer = aside;
        } else if arrival.traced.is_some() && self.tracer.as_ref().is_some_and(|tracer| !tracer.goes_on()) {
            // Nobody else will report.
            arrival.account.responses.forget(&destination);
        }
        delivered
    }
}
