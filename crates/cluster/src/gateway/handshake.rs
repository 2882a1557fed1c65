//! How a gateway connection begins: who the other side is, and whether it belongs here.
//!
//! Whoever accepts says INFO at once; whoever dials waits for it and answers with CONNECT and its own.

use std::sync::Arc;

use martlet_auth::{Outcome, Reason, admit_server};
use martlet_broker::batch::Batch;
use martlet_broker::driver::Next;
use martlet_broker::gateway::Optimism;
use martlet_broker::link::{Link, Role};
use martlet_broker::link_rules::LinkRules;
use martlet_proto::ClosedReason;
use martlet_proto::Info;
use martlet_proto::link::{GatewayCommand, LinkConnect, encode};

use super::own::LINK_PROTOCOL;
use super::protocol::{GatewayProtocol, despair};
use super::{Mode, Outward};
use crate::channel::Channel;

impl GatewayProtocol {
    /// CONNECT.
    // spec: CLU-012 CLU-041 SEC-101
    pub(super) fn introduced(&mut self, channel: &mut Channel, json: &[u8], batch: &mut Batch) -> Next {
        if self.facts.dialled.is_some() {
            return Next::Close(ClosedReason::ProtocolViolation);
        }
        let connect = match LinkConnect::from_json(json) {
            Ok(connect) => connect,
            Err(error) => {
                log::error!("{} - CONNECT of a gateway that cannot be read: {error}", channel.peer.label());
                return Next::Close(ClosedReason::ProtocolViolation);
            }
        };
        self.auth_deadline = None;
        if connect.gateway.is_empty() {
            return channel.refuse("attempted to connect to gateway port", ClosedReason::WrongPort, batch);
        }
        let checked = match self.admit(&connect) {
            Outcome::Accepted(_) => None,
            Outcome::Denied(_) => {
                return channel.refuse(Reason::CLIENT_TEXT, ClosedReason::AuthenticationViolation, batch);
            }
            Outcome::Costly(check) => Some(check),
        };
        if self.gateways.is_unwelcome(&connect.gateway) {
            log::error!("{} - Rejecting connection from gateway {:?}", channel.peer.label(), connect.gateway);
            let text = format!("Connection to gateway {:?} rejected", self.own.name());
            return channel.refuse(&text, ClosedReason::WrongGateway, batch);
        }
        match checked {
            Some(check) => Next::Verify(Box::new(check)),
            None => self.admitted(channel, batch),
        }
    }

    /// Whether the other side is let in.
    // spec: CLU-012 CFG-285
    fn admit(&self, connect: &LinkConnect) -> Outcome {
        let options = &self.own.options;
        let hosts = options.remotes.iter().flat_map(|remote| &remote.urls).map(|url| url.host.as_str());
        let said = (&*connect.user, &*connect.pass);
        admit_server(options.tls.as_ref(), &options.login, hosts, self.names.as_ref(), said)
    }

    /// The other side may say what it wants.
    pub(super) fn admitted(&mut self, channel: &mut Channel, batch: &Batch) -> Next {
        self.known = true;
        channel.settled(batch.now);
        Next::Read
    }

    /// The first INFO of a connection that was accepted.
    pub(super) fn come_in(&mut self, channel: &mut Channel, info: &Info) -> Next {
        if let Some(refused) = self.check_name(channel, info) {
            return refused;
        }
        self.introduce(channel, info);
        let link = Arc::new(link_to(channel, info));
        channel.join(link.clone());
        let (label, id) = (channel.peer.label(), &info.server_id);
        log::info!("{label} - Inbound gateway connection from {:?} ({id}) registered", info.gateway);
        self.gateways.join_inbound(&link, info);
        Next::Read
    }

    // spec: CLU-009
    fn check_name(&self, channel: &Channel, info: &Info) -> Option<Next> {
        if !self.gateways.is_namesake(&info.server_name) {
            return None;
        }
        log::error!("{} - Remote server has a duplicate name: {:?}", channel.peer.label(), info.server_name);
        Some(Next::Close(ClosedReason::DuplicateServerName))
    }

    fn introduce(&self, channel: &Channel, info: &Info) {
        channel.peer.describe(|d| d.name.clone_from(&info.server_id));
        channel.peer.set_takes_headers(self.own.info.headers && info.headers);
    }

    /// INFO on a connection that was dialled.
    // spec: CLU-041 CLU-042
    pub(super) fn hear(&mut self, channel: &mut Channel, to: &Outward, info: &Info, batch: &mut Batch) -> Next {
        let wanted = &to.cluster;
        if info.gateway.is_empty() {
            let text = format!("Attempt to connect to gateway {wanted:?} using wrong port");
            return channel.refuse(&text, ClosedReason::WrongPort, batch);
        }
        let first = self.outbound.is_none();
        let command = GatewayCommand::from_code(info.gateway_cmd);
        if *info.gateway != **wanted {
            if !first && command == Some(GatewayCommand::Gossip) {
                if !self.gateways.is_unwelcome(&info.gateway) {
                    self.gateways.heard_of(info);
                }
                return Next::Read;
            }
            let (own, found) = (self.own.name(), &info.gateway);
            let label = channel.peer.label();
            log::error!("{label} - Failing connection to gateway {wanted:?}, remote gateway name is {found:?}");
            let text = format!("Connection from {own:?} rejected, wanted to connect to {wanted:?}, this is {found:?}");
            return channel.refuse(&text, ClosedReason::WrongGateway, batch);
        }
        if first {
            return self.go_out(channel, to, info, batch);
        }
        match command {
            None if info.gateway_cmd == 0 => {
                self.gateways.learn(wanted, info);
                Next::Read
            }
            Some(command @ (GatewayCommand::AllSubsStart | GatewayCommand::AllSubsComplete)) => {
                self.switch(channel, command, info, batch)
            }
            _ => {
                log::warn!("Received unknown command {} from gateway {wanted:?}", info.gateway_cmd);
                Next::Read
            }
        }
    }

    /// The first INFO of a connection that was dialled: it is answered, and the connection is up.
    // spec: CLU-043 CLU-198
    fn go_out(&mut self, channel: &mut Channel, to: &Outward, info: &Info, batch: &mut Batch) -> Next {
        if let Some(refused) = self.check_name(channel, info) {
            return refused;
        }
        let mut connect = Vec::new();
        encode::connect(&mut connect, &self.own.connect(&to.url, self.secured));
        channel.say(batch, &connect);
        channel.say(batch, &self.gateways.info());
        self.introduce(channel, info);
        let mut link = link_to(channel, info);
        link.optimism = (!info.gateway_iom).then(Optimism::default);
        let link = Arc::new(link);
        let Some(outbound) = self.gateways.join_outbound(&to.cluster, &link, info) else {
            self.is_final = true;
            return Next::Close(ClosedReason::WrongGateway);
        };
        self.outbound = Some(outbound);
        channel.join(link);
        let label = channel.peer.label();
        log::info!("{label} - Outbound gateway connection to {:?} ({}) registered", to.cluster, info.server_id);
        channel.settled(batch.now);
        if !info.gateway_iom {
            for account in channel.broker.accounts.all() {
                self.hope(channel, account.name());
            }
        }
        self.gateways.learn(&to.cluster, info);
        Next::Read
    }

    /// The other side begins to tell, or has told, all that is wanted in an account.
    // spec: CLU-044 CLU-050
    fn switch(&self, channel: &mut Channel, command: GatewayCommand, info: &Info, batch: &mut Batch) -> Next {
        let starts = command == GatewayCommand::AllSubsStart;
        let Some(outbound) = &self.outbound else { return Next::Read };
        let account = match std::str::from_utf8(&info.gateway_cmd_payload) {
            Ok(account) if !account.is_empty() => account,
            _ => {
                let which = if starts { "start" } else { "complete" };
                let text = format!("Account absent from receive-all-subscriptions-{which} command");
                return channel.refuse(&text, ClosedReason::ProtocolViolation, batch);
            }
        };
        outbound.set_mode(account, if starts { Mode::Transitioning } else { Mode::InterestOnly });
        if !starts {
            despair(channel, account);
        }
        Next::Read
    }
}

/// The link to the server that `info` came from.
fn link_to(channel: &Channel, info: &Info) -> Link {
    let mut link = Link::new(channel.peer.clone(), Role::Gateway);
    link.server_name.clone_from(&info.server_name);
    link.traces = info.proto >= LINK_PROTOCOL;
    link.rules = channel.broker.site().about().jetstream.then(LinkRules::between_clusters);
    link
}
