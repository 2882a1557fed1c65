//! How a connection begins that this server has dialled: it waits for INFO, then for TLS and compression as INFO asks,
//! says CONNECT, and is up when INFO has answered that.

use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use martlet_auth::nkey::KeyPair;
use martlet_broker::batch::Batch;
use martlet_broker::driver::Next;
use martlet_broker::link::Role;
use martlet_broker::link_rules::LinkRules;
use martlet_config::options::{LeafRemote, PermissionSubject, SubjectPermission};
use martlet_proto as proto;
use martlet_proto::ClosedReason;
use martlet_proto::Info;
use martlet_proto::errors::ErrorText;
use martlet_proto::link::{LeafConnect, encode};

use super::accepted::SPACES;
use super::protocol::{LeafProtocol, Overdue};
use crate::channel::Channel;

/// How long the other side may take to answer CONNECT.
const ANSWER: Duration = Duration::from_secs(2);

impl LeafProtocol {
    /// The first INFO, or after an agreement on compression the second.
    // spec: CLU-064
    pub(super) fn greeted(&mut self, channel: &mut Channel, info: Info, batch: &mut Batch) -> Next {
        let Some(dialled) = self.dialled.clone() else { return Next::Read };
        if dialled.remote.needs_tls(info.tls_required) && !self.secured {
            self.unread = Some(info);
            self.deadline = None;
            return Next::Secure;
        }
        // Nobody else says both.
        if self.agreed.is_none() && (info.client_id == 0 || info.leafnode_urls.is_empty()) {
            log::error!("{} - attempted to connect to wrong port", channel.peer.label());
            return Next::Close(ClosedReason::WrongPort);
        }
        self.estimate_rtt(channel, batch.now);
        if let Some(next) = self.negotiate(channel, &info.compression, batch) {
            return next;
        }
        if info.cluster.contains(' ') {
            return channel.refuse(SPACES, ClosedReason::ProtocolViolation, batch);
        }
        let name = if info.server_name.is_empty() { &info.server_id } else { &info.server_name };
        self.known.name.clone_from(name);
        self.known.cluster.clone_from(&info.cluster);
        channel.peer.set_takes_headers(self.own.headers && info.headers);
        dialled.remote.learn(&info.leafnode_urls);
        let connect = match self.connect_to(channel, &info, batch) {
            Ok(connect) => connect,
            Err(error) => {
                log::error!("{} - Remote nkey has malformed seed: {error}", channel.peer.label());
                return Next::Close(ClosedReason::WriteError);
            }
        };
        let mut line = Vec::new();
        encode::leaf_connect(&mut line, &connect);
        self.deadline = Some(batch.now + ANSWER);
        self.overdue = Overdue::Answer;
        if info.info_on_connect {
            channel.say(batch, &line);
            self.info = Some(info);
            return Next::Read;
        }
        // What is told of interest is queued at once, and must come behind it.
        channel.peer.outbox.push(&line);
        channel.peer.wire().wake();
        self.info = Some(info.clone());
        self.finish(channel, &info, batch)
    }

    // spec: CLU-051 CLU-202
    fn connect_to(
        &self,
        channel: &Channel,
        info: &Info,
        batch: &Batch,
    ) -> Result<LeafConnect, martlet_auth::nkey::NkeyError> {
        let Some(dialled) = &self.dialled else { return Ok(LeafConnect::default()) };
        let remote = dialled.remote.options();
        let identity = channel.broker.identity();
        let mut connect = LeafConnect {
            version: identity.version.into(),
            server_id: identity.id.clone(),
            name: identity.name.clone(),
            is_hub: remote.hub,
            cluster: channel.broker.site().about().cluster.clone().unwrap_or_default(),
            headers: channel.peer.takes_headers(),
            deny_pub: remote.deny_imports.clone(),
            isolate: remote.request_isolation,
            compress_mode: self.compression_name(channel, batch.now).into(),
            remote_account: remote.account().into(),
            protocol: self.own.info.proto,
            ..LeafConnect::default()
        };
        if let Some(seed) = &remote.seed {
            let pair = KeyPair::from_seed(seed.expose())?;
            connect.nkey = pair.public();
            connect.sig = BASE64URL_NOPAD.encode(&pair.sign(info.nonce.as_bytes()));
        }
        if let Some((user, password)) = dialled.remote.login(&dialled.url) {
            match password {
                Some(password) => password.expose().clone_into(&mut connect.pass),
                None => connect.auth_token.clone_from(&user),
            }
            connect.user = user;
        }
        Ok(connect)
    }

    /// INFO that answers CONNECT, or tells later of other servers to connect to.
    pub(super) fn on_news(&mut self, channel: &mut Channel, info: &Info, batch: &mut Batch) -> Next {
        if let Some(dialled) = &self.dialled {
            dialled.remote.learn(&info.leafnode_urls);
        }
        if info.connect_info && channel.link.is_none() {
            return self.finish(channel, info, batch);
        }
        Next::Read
    }

    /// CONNECT is answered: binds the connection to the local account.
    // spec: CLU-054 CLU-203
    fn finish(&mut self, channel: &mut Channel, info: &Info, batch: &mut Batch) -> Next {
        let Some(dialled) = self.dialled.clone() else { return Next::Read };
        let remote = dialled.remote.options();
        self.known.account.clone_from(&info.remote_account);
        let Some(account) = channel.broker.accounts.get(remote.account()) else {
            let name = remote.account();
            log::error!("Unable to lookup account {name} for solicited leafnode connection: account missing");
            return Next::Close(ClosedReason::MissingAccount);
        };
        if self.leafs.has_spoke(&account, &self.known.cluster) {
            self.account = None;
            return self.on_loop(channel, Some(batch));
        }
        let system = Self::is_system(&channel.broker, &account);
        if !self.bind(channel, account, batch.now) {
            let text = ErrorText::MaxAccountConnections.to_string();
            return channel.refuse(&text, ClosedReason::MaxAccountConnectionsExceeded, batch);
        }
        // spec: SEC-049
        channel.broker.site().set_name_at_hub(remote.account(), &info.remote_account);
        let role = if remote.hub { Role::Spoke } else { Role::Hub };
        let rules = rules(info, &remote, system);
        self.join(channel, role, rules, Vec::new(), batch)
    }
}

// spec: CLU-057
fn rules(info: &Info, remote: &LeafRemote, system: bool) -> LinkRules {
    let heard = (heard(info.import.as_ref()), heard(info.export.as_ref()));
    LinkRules::of_dialled(heard, (&remote.deny_imports, &remote.deny_exports), system)
}

/// What is permitted, as INFO has told it; nothing that is no pattern.
fn heard(told: Option<&proto::SubjectPermission>) -> SubjectPermission {
    let Some(told) = told else { return SubjectPermission::default() };
    let subject = |text: &String| {
        let (subject, queue) = text.split_once(' ').map_or((text.as_str(), None), |(s, q)| (s, Some(q.to_owned())));
        martlet_subject::is_valid_pattern(subject.as_bytes())
            .then(|| PermissionSubject { subject: subject.to_owned(), queue })
    };
    let list = |texts: &[String]| texts.iter().filter_map(subject).collect::<Vec<_>>();
    let allow = Some(list(&told.allow)).filter(|_| !told.allow.is_empty());
    SubjectPermission { allow, deny: list(&told.deny) }
}
