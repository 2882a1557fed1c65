//! How a connection begins that somebody else has dialled: INFO, perhaps another one about compression, CONNECT, and INFO
//! that says what the user may do and which account it is in.

use martlet_auth::{Identity, Outcome, Reason, Request};
use martlet_broker::batch::Batch;
use martlet_broker::driver::Next;
use martlet_broker::link::Role;
use martlet_broker::link_rules::LinkRules;
use martlet_config::options::{self, ConnectionType, LeafVersion, PermissionSubject, SubjectPermission};
use martlet_events::Time;
use martlet_proto as proto;
use martlet_proto::ClosedReason;
use martlet_proto::Info;
use martlet_proto::errors::ErrorText;
use martlet_proto::link::LeafConnect;

use super::own::{Greeting, info_line, offered};
use super::protocol::LeafProtocol;
use crate::channel::Channel;
use crate::compression::Agreed;

/// What a leaf node is told whose cluster has the name of the hub's.
pub(super) const SAME_CLUSTER: &str = "remote leafnode has same cluster name";
/// What one is told that is too old.
pub(super) const TOO_OLD: &str = "connection rejected since minimum version required is";
/// Names of clusters are words.
pub(super) const SPACES: &str = "cluster name cannot contain spaces";

impl LeafProtocol {
    /// Says who this is, and begins TLS where it has not begun by itself.
    // spec: CLU-202
    pub(super) fn greet(&mut self, channel: &Channel, batch: &mut Batch) -> Next {
        let compression = offered(&self.own.options.compression);
        let what = Greeting { compression, cid: channel.peer.cid(), nonce: Some(self.nonce) };
        channel.say(batch, &info_line(&self.own.info(&channel.broker, what)));
        if self.own.options.tls.is_some() && !self.secured { Next::Secure } else { Next::Read }
    }

    /// CONNECT.
    pub(super) fn introduced(&mut self, channel: &mut Channel, json: &[u8], batch: &mut Batch) -> Next {
        if self.dialled.is_some() || self.connect.is_some() {
            log::error!("{} - CONNECT out of turn", channel.peer.label());
            return Next::Close(ClosedReason::ProtocolViolation);
        }
        let connect = match LeafConnect::from_json(json) {
            Ok(connect) => connect,
            Err(error) => {
                log::error!("{} - CONNECT of a leaf node that cannot be read: {error}", channel.peer.label());
                return Next::Close(ClosedReason::ProtocolViolation);
            }
        };
        self.deadline = None;
        self.introduce(channel, &connect, batch.now);
        let outcome = self.authenticate(channel, &connect);
        self.connect = Some(connect);
        match outcome {
            Outcome::Accepted(identity) => self.admitted(channel, identity, batch),
            Outcome::Denied(reason) => Self::deny(channel, reason, batch),
            Outcome::Costly(check) => Next::Verify(Box::new(check)),
        }
    }

    /// What the other side says of itself, true or not, until more is known.
    fn introduce(&self, channel: &Channel, connect: &LeafConnect, now: Time) {
        let user = match (connect.nkey.as_str(), connect.user.as_str(), connect.auth_token.as_str()) {
            ("", "", "") => "",
            ("", "", _) => "[REDACTED]",
            ("", user, _) => user,
            (nkey, ..) => nkey,
        };
        channel.peer.describe(|d| {
            user.clone_into(&mut d.user);
            d.name.clone_from(&connect.name);
            d.version.clone_from(&connect.version);
        });
        self.estimate_rtt(channel, now);
    }

    // spec: CLU-064
    fn authenticate(&self, channel: &Channel, connect: &LeafConnect) -> Outcome {
        let nonce = martlet_auth::nkey::nonce(self.nonce);
        let request = Request {
            nonce: &nonce,
            user: &connect.user,
            pass: &connect.pass,
            auth_token: &connect.auth_token,
            nkey: &connect.nkey,
            sig: &connect.sig,
            proxy_sig: &connect.proxy_sig,
            certificate: self.certificate.as_ref(),
            ..Request::new(ConnectionType::Leafnode)
        };
        let own = self.leafs.own();
        let mapped = own.options.tls.as_ref().is_some_and(|tls| tls.map);
        channel.broker.settings().0.directory.admit_leaf(&own.options.authorization, mapped, &request)
    }

    /// The other side is not who it says, or may not come in this way.
    // spec: SEC-005
    pub(super) fn deny(channel: &Channel, reason: Reason, batch: &mut Batch) -> Next {
        log::error!("{} - authentication error: {reason}", channel.peer.label());
        let closed = match reason {
            Reason::ProxyNotTrusted => ClosedReason::ProxyNotTrusted,
            Reason::ProxyRequired => ClosedReason::ProxyRequired,
            _ => ClosedReason::AuthenticationViolation,
        };
        channel.broker.tell_refused(&channel.peer, false, closed, batch.now);
        channel.refuse(Reason::CLIENT_TEXT, closed, batch)
    }

    /// The other side is who it says: binds it to its account, if it can be a leaf node here.
    // spec: SEC-054 SEC-102
    pub(super) fn admitted(&mut self, channel: &mut Channel, identity: Identity, batch: &mut Batch) -> Next {
        let connect = self.connect.clone().unwrap_or_default();
        let Some(account) = channel.broker.accounts.get(&identity.account) else {
            log::error!("{} - account {:?} of a leaf node does not exist", channel.peer.label(), identity.account);
            return channel.refuse(Reason::CLIENT_TEXT, ClosedReason::AuthenticationViolation, batch);
        };
        channel.peer.describe(|d| {
            identity.label.authorized_user().clone_into(&mut d.user);
            identity.nkey.as_deref().unwrap_or_default().clone_into(&mut d.nkey);
            d.proxy = identity.proxy.as_deref().map(str::to_owned);
        });
        let is_clients_user = identity.permissions.is_some() || identity.nkey.is_some();
        self.identity = Some(identity);
        if !self.bind(channel, account, batch.now) {
            log::error!("{} - maximum account active connections exceeded", channel.peer.label());
            let text = ErrorText::MaxAccountConnections.to_string();
            return if is_clients_user || self.own.options.authorization == options::LeafAuthorization::default() {
                channel.refuse(&text, ClosedReason::MaxAccountConnectionsExceeded, batch)
            } else {
                channel.refuse(Reason::CLIENT_TEXT, ClosedReason::AuthenticationViolation, batch)
            };
        }
        if let Some(refused) = self.refused(channel, &connect, batch) {
            return refused;
        }
        self.known.name.clone_from(&connect.name);
        self.known.cluster.clone_from(&connect.cluster);
        self.known.account.clone_from(&connect.remote_account);
        if self.agreed.is_none() {
            let unable = connect.compress_mode.is_empty() || connect.compress_mode == "not supported";
            self.agreed = Some(if unable { Agreed::NotSupported } else { Agreed::Off });
        }
        channel.peer.set_takes_headers(self.own.headers && connect.headers);
        let role = if connect.is_hub { Role::Hub } else { Role::Spoke };
        let permissions = self.permissions();
        let system = self.account.as_ref().is_some_and(|account| Self::is_system(&channel.broker, account));
        let rules = LinkRules::of_accepted(permissions.as_ref(), &connect.deny_pub, system, role == Role::Spoke);
        let greeting = info_line(&self.answer(channel));
        self.join(channel, role, rules, greeting, batch)
    }

    /// Why the other side cannot be a leaf node of this server.
    // spec: CLU-053 CLU-054
    fn refused(&self, channel: &Channel, connect: &LeafConnect, batch: &mut Batch) -> Option<Next> {
        if !connect.lang.is_empty() {
            return Some(channel.refuse(&ErrorText::LeafNodePort.to_string(), ClosedReason::WrongPort, batch));
        }
        if connect.cluster.contains(' ') {
            return Some(channel.refuse(SPACES, ClosedReason::ProtocolViolation, batch));
        }
        let own = channel.broker.site().about().cluster.clone().unwrap_or_default();
        if !own.is_empty() && connect.cluster == own {
            return Some(channel.refuse(SAME_CLUSTER, ClosedReason::ClusterNamesIdentical, batch));
        }
        if !connect.gateway.is_empty() {
            let text = format!("Rejecting connection from gateway {:?} on the leafnode port", connect.gateway);
            return Some(channel.refuse(&text, ClosedReason::WrongGateway, batch));
        }
        let wanted = self.own.options.min_version.filter(|wanted| version(&connect.version) < Some(*wanted))?;
        channel.say(batch, &info_line(&self.answer(channel)));
        let text = format!("{TOO_OLD} \"{wanted}\"");
        Some(channel.refuse(&text, ClosedReason::MinimumVersionRequired, batch))
    }

    fn permissions(&self) -> Option<options::Permissions> {
        self.identity.as_ref()?.permissions.as_ref().map(|permissions| permissions.source().clone())
    }

    /// INFO that answers CONNECT.
    // spec: CLU-052 CLU-203
    fn answer(&self, channel: &Channel) -> Info {
        let what = Greeting { cid: channel.peer.cid(), ..Greeting::default() };
        let permissions = self.permissions();
        let account = self.account.as_ref();
        Info {
            connect_info: true,
            remote_account: account.map(|account| account.name().to_string()).unwrap_or_default(),
            acc_is_sys: account.is_some_and(|account| Self::is_system(&channel.broker, account)),
            import: permissions.as_ref().and_then(|p| told(&p.subscribe)),
            export: permissions.as_ref().and_then(|p| told(&p.publish)),
            ..self.own.info(&channel.broker, what)
        }
    }

    /// Whether the other side would still be let in, with what it was told; the way out if not.
    // spec: SEC-041
    pub(super) fn review(&self, channel: &Channel, batch: &mut Batch) -> Option<Next> {
        let connect = self.connect.as_ref()?;
        let identity = match self.authenticate(channel, connect) {
            Outcome::Accepted(identity) => identity,
            Outcome::Denied(reason) => return Some(Self::deny(channel, reason, batch)),
            // The password was right, and its hash is looked at again when it connects again.
            Outcome::Costly(_) => return None,
        };
        let before = self.permissions();
        let now = identity.permissions.as_ref().map(|permissions| permissions.source());
        let moved = self.account.as_ref().is_none_or(|account| **account.name() != *identity.account);
        // It has been told what it may do, and connects again to hear of it.
        (moved || before.as_ref() != now).then_some(Next::Close(ClosedReason::ClientClosed))
    }
}

/// What is permitted, as INFO has it.
fn told(permission: &SubjectPermission) -> Option<proto::SubjectPermission> {
    let text = |of: &PermissionSubject| match &of.queue {
        Some(queue) => format!("{} {queue}", of.subject),
        None => of.subject.clone(),
    };
    let texts = |list: &[PermissionSubject]| list.iter().map(text).collect();
    (*permission != SubjectPermission::default()).then(|| proto::SubjectPermission {
        allow: permission.allow.as_deref().map(texts).unwrap_or_default(),
        deny: texts(&permission.deny),
    })
}

/// A version as servers tell it; what follows the numbers does not count.
fn version(text: &str) -> Option<LeafVersion> {
    let mut numbers = text.trim_start_matches('v').splitn(3, '.').map(|part| {
        let digits = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        part[..digits].parse().ok()
    });
    let major = numbers.next()??;
    let mut more = || numbers.next().map_or(Some(0), |number| number);
    Some(LeafVersion { major, minor: more()?, patch: more()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_their_numbers() {
        // spec: CLU-053
        let at = |major, minor, patch| Some(LeafVersion { major, minor, patch });
        for (text, expected) in [
            ("2.15.1", at(2, 15, 1)),
            ("v2.12.0-preview.1", at(2, 12, 0)),
            ("2.8", at(2, 8, 0)),
            ("3", at(3, 0, 0)),
            ("", None),
            ("x", None),
        ] {
            assert_eq!(version(text), expected, "{text}");
        }
        assert!(version("2.9.10") > version("2.9.9") && version("2.10.0") > version("2.9.9"));
        assert!(version("") < at(0, 0, 0), "who tells none is too old");
    }
}
