//! What may pass between a hub and one leaf node, and between the clusters of servers with streams.
//!
//! Both ends of a leaf node link keep to the same rules: the permissions that the leaf node's user has on the hub, what
//! either side denies, and the streams' own subjects, which never leave their domain. To other clusters they do not go
//! either: those may have streams of their own, and a request is meant for one of them.
//!
//! Invariant: rules are compiled once, when the link comes up.

use martlet_auth::{Permissions, Subscribe};
use martlet_config::options::{self, PermissionSubject, SubjectPermission};

/// Where streams of a domain are reached; every account has its own behind a leaf node.
// spec: CLU-057 JS-137
const STREAMS: [&str; 3] = ["$JS.API.>", "$KV.>", "$OBJ.>"];
/// The same in the system account, with what the members of a domain tell each other.
// spec: CLU-057
const STREAM_SERVERS: [&str; 5] = ["$JSC.>", "$NRG.>", "$JS.API.>", "$KV.>", "$OBJ.>"];

/// Interest and messages that are never asked about: loop detection, and replies on their way through gateways.
const FREE_INTEREST: [&[u8]; 3] = [b"$LDS.", b"_GR_.", b"$GR."];
/// Replies of services, and acknowledgements: they go where they were asked for.
const FREE_MESSAGES: [&[u8]; 2] = [b"_R_.", b"$JS.ACK."];
/// Sessions of MQTT clients, which no list of what is allowed has to name.
const MQTT: &[u8] = b"$MQTT.";

/// What may pass over one link, as one end sees it.
#[derive(Debug)]
pub struct LinkRules {
    /// Publishing is sending messages to the other side, subscribing is asking it for some.
    outward: Permissions,
    /// What the user may do that the other side has logged in as.
    user: Option<Permissions>,
    /// Nothing is denied outward but subjects that begin with `$`.
    only_internal: bool,
    /// Nothing is denied of what the other side sends but subjects that begin with `$`.
    takes_all: bool,
    /// What the other side sends is judged by what its user may publish.
    judges: bool,
}

impl LinkRules {
    /// As whoever accepted the connection sees them, of a user that may do `user` and wants nothing of `deny`. The hub
    /// `judges` what the user sends.
    // spec: CLU-057 SEC-042
    #[must_use]
    pub fn of_accepted(user: Option<&options::Permissions>, deny: &[String], system: bool, judges: bool) -> Self {
        let user_publish = user.map(|user| SubjectPermission {
            // Whoever may only answer may ask for nothing else.
            allow: user.publish.allow.clone().or_else(|| user.allow_responses.map(|_| Vec::new())),
            ..user.publish.clone()
        });
        let publish = user.map(|user| without_queues(&user.subscribe)).unwrap_or_default();
        let mut rules = Self::new(publish, user_publish.unwrap_or_default(), deny, &[], system);
        rules.judges = judges;
        rules.user = user.map(Permissions::compile);
        rules.takes_all &= !judges || user.is_none();
        rules.only_internal &= user.is_none_or(|user| user.subscribe.deny.is_empty());
        rules
    }

    /// As whoever dialled sees them: the other side has told `import` and `export`.
    #[must_use]
    pub fn of_dialled(
        (import, export): (SubjectPermission, SubjectPermission),
        (deny_imports, deny_exports): (&[String], &[String]),
        system: bool,
    ) -> Self {
        Self::new(export, import, deny_exports, deny_imports, system)
    }

    /// As a server with streams of its own sees a connection to or from another cluster.
    // spec: JS-137 CLU-057
    #[must_use]
    pub fn between_clusters() -> Self {
        Self::new(SubjectPermission::default(), SubjectPermission::default(), &[], &[], false)
    }

    fn new(
        mut publish: SubjectPermission,
        mut subscribe: SubjectPermission,
        deny_sent: &[String],
        deny_asked: &[String],
        system: bool,
    ) -> Self {
        let streams: &[&str] = if system { &STREAM_SERVERS } else { &STREAMS };
        let whole = |subject: &str| PermissionSubject { subject: subject.into(), queue: None };
        publish.deny.extend(deny_sent.iter().map(|subject| whole(subject)));
        subscribe.deny.extend(deny_asked.iter().map(|subject| whole(subject)));
        let is_free = |of: &SubjectPermission| of.allow.is_none() && of.deny.iter().all(|s| s.subject.starts_with('$'));
        let (only_internal, takes_all) = (is_free(&publish), is_free(&subscribe));
        publish.deny.extend(streams.iter().map(|subject| whole(subject)));
        subscribe.deny.extend(streams.iter().map(|subject| whole(subject)));
        let outward = Permissions::compile(&options::Permissions { publish, subscribe, allow_responses: None });
        Self { outward, user: None, only_internal, takes_all, judges: false }
    }

    /// Whether a message may be sent to the other side, for a queue group of it or for all.
    #[must_use]
    pub(crate) fn may_send(&self, subject: &[u8], queue: Option<&[u8]>) -> bool {
        if self.only_internal && subject.first() != Some(&b'$') {
            return true;
        }
        let subject = unrouted(subject);
        self.outward.may_publish_over_link(subject, MQTT)
            && self.user.as_ref().is_none_or(|user| !user.is_denied(subject, queue))
    }

    /// Whether the other side may be asked for what `pattern` selects.
    #[must_use]
    pub fn may_ask(&self, pattern: &[u8]) -> bool {
        FREE_INTEREST.iter().any(|free| pattern.starts_with(free)) || self.outward.may_ask(pattern, MQTT)
    }

    /// Whether the other side may ask for `pattern`: the hub takes no interest in what it would not send. What reaches
    /// further than that is looked at message by message.
    #[must_use]
    pub fn may_be_asked(&self, pattern: &[u8]) -> bool {
        !martlet_subject::is_valid_literal(pattern)
            || FREE_INTEREST.iter().any(|free| pattern.starts_with(free))
            || self.outward.may_publish_over_link(pattern, MQTT)
    }

    /// Whether the other side may send a message; `answered` says whether it answers one that it got.
    #[must_use]
    pub fn may_take(&self, subject: &[u8], answered: impl FnOnce() -> bool) -> bool {
        if self.takes_all && subject.first() != Some(&b'$') {
            return true;
        }
        let plain = unrouted(subject);
        if FREE_MESSAGES.iter().any(|free| plain.starts_with(free)) {
            return true;
        }
        if self.judges {
            return self.user.as_ref().is_none_or(|user| user.may_publish_over_link(plain, MQTT) || answered());
        }
        plain.len() != subject.len()
            || plain.starts_with(MQTT) && !self.outward.is_denied(plain, None)
            || self.outward.may_subscribe(plain, None) != Subscribe::Denied
    }
}

/// The subject behind the prefix of a reply that goes through gateways.
fn unrouted(subject: &[u8]) -> &[u8] {
    // `_GR_.cluster.server.subject`, `$GR.cluster.subject`
    let prefix = match subject {
        [b'_', b'G', b'R', b'_', b'.', ..] => 3,
        [b'$', b'G', b'R', b'.', ..] => 2,
        _ => return subject,
    };
    memchr::memchr_iter(b'.', subject).nth(prefix - 1).map_or(subject, |at| &subject[at + 1..])
}

/// Subscriptions in queue groups do not allow messages outside of them.
fn without_queues(permission: &SubjectPermission) -> SubjectPermission {
    let plain = |list: &[PermissionSubject]| list.iter().filter(|s| s.queue.is_none()).cloned().collect();
    SubjectPermission { allow: permission.allow.as_deref().map(plain), deny: plain(&permission.deny) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permission(allow: Option<&[&str]>, deny: &[&str]) -> SubjectPermission {
        let subjects = |list: &[&str]| {
            list.iter().map(|s| PermissionSubject { subject: (*s).into(), queue: None }).collect::<Vec<_>>()
        };
        SubjectPermission { allow: allow.map(subjects), deny: subjects(deny) }
    }

    #[test]
    fn streams_stay_in_their_domain() {
        // spec: CLU-057
        let own = LinkRules::of_accepted(None, &[], false, true);
        let system = LinkRules::of_accepted(None, &[], true, true);
        for (subject, account, in_system) in [
            ("a", true, true),
            ("$JS.API.INFO", false, false),
            ("$KV.b.k", false, false),
            ("$OBJ.b", false, false),
            ("$JSC.x", true, false),
            ("$NRG.x", true, false),
            ("$SYS.x", true, true),
            ("$LDS.x", true, true),
        ] {
            for (rules, may) in [(&own, account), (&system, in_system)] {
                assert_eq!(rules.may_send(subject.as_bytes(), None), may, "{subject}");
                assert_eq!(rules.may_ask(subject.as_bytes()), may, "{subject}");
                assert!(rules.may_take(subject.as_bytes(), || false), "the sender denies itself {subject}");
            }
        }
        assert!(own.may_ask(b">"), "what reaches further is filtered");
    }

    #[test]
    fn what_streams_are_asked_goes_to_no_other_cluster() {
        // spec: CLU-057 JS-137
        let rules = LinkRules::between_clusters();
        for (subject, may) in [
            ("a", true),
            ("$JS.API.INFO", false),
            ("$KV.b.k", false),
            ("$OBJ.b", false),
            ("$JS.here.API.INFO", true),
            ("$JS.ACK.S.C.1", true),
            ("$JSC.R.x", true),
            ("$SYS.REQ.SERVER.PING", true),
        ] {
            let subject = subject.as_bytes();
            assert_eq!((rules.may_send(subject, None), rules.may_take(subject, || false)), (may, may));
            assert_eq!(rules.may_ask(subject), may);
        }
    }

    #[test]
    fn a_users_permissions_hold_in_both_directions() {
        // spec: CLU-057 SEC-042
        let user = options::Permissions {
            publish: permission(Some(&["pub.*"]), &["pub.no"]),
            subscribe: permission(Some(&["sub.>"]), &["sub.no"]),
            allow_responses: None,
        };
        let hub = LinkRules::of_accepted(Some(&user), &["sub.denied".into()], false, true);
        let told = (user.subscribe.clone(), user.publish.clone());
        let leaf = LinkRules::of_dialled(told, (&["sub.denied".into()], &[]), false);
        for (subject, leaf_publishes, leaf_gets) in [
            ("pub.a", true, false),
            ("pub.no", false, false),
            ("sub.a", false, true),
            ("sub.no", false, false),
            ("sub.denied", false, false),
            ("other", false, false),
            ("$MQTT.x", true, true),
            ("_R_.x", false, false),
        ] {
            let s = subject.as_bytes();
            assert_eq!((leaf.may_send(s, None), leaf.may_ask(s)), (leaf_publishes, leaf_gets), "{subject}");
            assert_eq!((hub.may_ask(s), hub.may_send(s, None)), (leaf_publishes, leaf_gets), "{subject}");
            assert_eq!(hub.may_be_asked(s), leaf_gets, "{subject}");
            let is_reply = subject.starts_with("_R_.");
            assert_eq!(hub.may_take(s, || false), leaf_publishes || is_reply, "{subject}");
            assert_eq!(leaf.may_take(s, || false), leaf_gets || is_reply, "{subject}");
        }
        assert!(hub.may_take(b"other", || true), "an answer");
        assert!(hub.may_be_asked(b"*.a"), "filtered later");
        assert!(leaf.may_ask(b"*.a"), "some of it is allowed");
        assert!(!leaf.may_ask(b"pub.>"), "nothing of it is allowed");
        assert!(leaf.may_send(b"_GR_.abcdef.ghijkl.pub.a", None), "the prefix does not count");
        assert!(leaf.may_take(b"_GR_.abcdef.ghijkl.other", || false));
    }

    #[test]
    fn what_a_remote_denies_is_denied() {
        // spec: CLU-057 CFG-172
        let denied = (&["in.>".to_owned()][..], &["out.>".to_owned()][..]);
        let leaf = LinkRules::of_dialled(Default::default(), denied, false);
        assert!(!leaf.may_send(b"out.a", None) && leaf.may_send(b"in.a", None));
        assert!(leaf.may_ask(b"out.a") && !leaf.may_ask(b"in.a"));
        assert!(!leaf.may_take(b"in.a", || true) && leaf.may_take(b"out.a", || false));
    }
}
