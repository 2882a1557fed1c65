//! How a route begins: who the other side is, whether it belongs here, and how to speak.
//!
//! Whoever accepts says INFO at once; whoever dials says CONNECT, waits for that INFO, and says its own, so that both know
//! of compression and pools before the second INFO is said. If they agree on compression INFO is said once more on either
//! side.

use martlet_auth::{Outcome, Reason, admit_server};
use martlet_broker::batch::Batch;
use martlet_broker::driver::Next;
use martlet_proto::ClosedReason;
use martlet_proto::Info;
use martlet_proto::link::LinkConnect;

use super::protocol::RouteProtocol;
use crate::channel::Channel;
use crate::compression::{self, Agreed};

impl RouteProtocol {
    /// What is looked at in every INFO: whether the other side is another server, of this cluster.
    // spec: CLU-008 CLU-010
    pub(super) fn check(&mut self, channel: &Channel, info: &Info) -> Option<Next> {
        let own = self.routes.own();
        if info.server_id == own.info.server_id {
            self.remote_id.clone_from(&info.server_id);
            return Some(Next::Close(ClosedReason::DuplicateRoute));
        }
        let (name, dynamic) = own.name();
        if !info.cluster.is_empty() && info.cluster != name {
            if !dynamic || info.cluster_dynamic && *name >= *info.cluster {
                log::error!(
                    "{} - cluster name {:?} of the other side does not match {name:?}",
                    channel.peer.label(),
                    info.cluster
                );
                return Some(Next::Close(ClosedReason::ClusterNameConflict));
            }
            self.routes.take_name(&info.cluster, info.cluster_dynamic, &info.server_id);
        }
        None
    }

    /// The first INFO, or after an agreement on compression the second.
    // spec: CLU-001 CLU-033 CLU-036
    pub(super) fn shake_hands(&mut self, channel: &mut Channel, info: Info, batch: &mut Batch) -> Next {
        let dialled = self.facts.dialled.is_some();
        self.remote_id.clone_from(&info.server_id);
        // spec: CLU-009
        if !dialled && info.server_name == self.own.info.server_name {
            log::error!("{} - Remote server has a duplicate name: {:?}", channel.peer.label(), info.server_name);
            return Next::Close(ClosedReason::DuplicateServerName);
        }
        let owes_info = dialled && self.own.delays_info(self.account());
        if self.agreed.is_none() {
            let agreed = match compression::negotiate(&self.own.options.compression, &info.compression) {
                Ok(agreed) => agreed,
                Err(error) => return channel.refuse(&error.to_string(), ClosedReason::ProtocolViolation, batch),
            };
            self.agreed = Some(agreed.clone());
            if let Agreed::At(mode) = agreed {
                self.level = mode.level(self.rtt(channel, batch.now));
                if dialled {
                    let compression = Some(self.compression_name(channel, batch.now));
                    self.greet(channel, compression, batch);
                }
                return Next::Compress(self.level);
            }
            channel.settled(batch.now);
        }
        self.join(channel, info, owes_info, batch)
    }

    fn account(&self) -> Option<&str> {
        self.facts.dialled.as_ref().and_then(|dialled| dialled.account.as_deref())
    }

    /// Whether the other side is let in.
    // spec: CLU-012
    fn admit(&self, connect: &LinkConnect) -> Outcome {
        let options = &self.own.options;
        let hosts = options.routes.iter().map(|url| url.host.as_str());
        let said = (&*connect.user, &*connect.pass);
        admit_server(options.tls.as_ref(), &options.login, hosts, self.names.as_ref(), said)
    }

    /// CONNECT.
    // spec: CLU-006 CLU-007 CLU-010 CLU-012
    pub(super) fn introduced(&mut self, channel: &mut Channel, json: &[u8], batch: &mut Batch) -> Next {
        let connect = match LinkConnect::from_json(json) {
            Ok(connect) => connect,
            Err(error) => {
                log::error!("{} - CONNECT of a route that cannot be read: {error}", channel.peer.label());
                return Next::Close(ClosedReason::ProtocolViolation);
            }
        };
        self.auth_deadline = None;
        let verdict = self.admit(&connect);
        let checked = match verdict {
            Outcome::Accepted(_) => None,
            Outcome::Denied(_) => {
                return channel.refuse(Reason::CLIENT_TEXT, ClosedReason::AuthenticationViolation, batch);
            }
            Outcome::Costly(check) => Some(check),
        };
        if !connect.lang.is_empty() {
            return channel.refuse("attempted to connect to route port", ClosedReason::WrongPort, batch);
        }
        if !connect.gateway.is_empty() {
            let text = format!("Rejecting connection from gateway {:?} on the Route port", connect.gateway);
            return channel.refuse(&text, ClosedReason::WrongGateway, batch);
        }
        let own = self.routes.own();
        let (name, dynamic) = own.name();
        if connect.cluster != name {
            let yields = dynamic && (!connect.cluster_dynamic || *name < *connect.cluster);
            if !yields {
                let text = format!("Rejecting connection, cluster name {:?} does not match {name:?}", connect.cluster);
                return channel.refuse(&text, ClosedReason::ClusterNameConflict, batch);
            }
            self.routes.take_name(&connect.cluster, connect.cluster_dynamic, &connect.name);
        }
        self.remote_id = connect.name;
        if let Some(check) = checked {
            return Next::Verify(Box::new(check));
        }
        self.known = true;
        Next::Read
    }
}
