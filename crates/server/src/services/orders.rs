//! What operators have a server do: reload its configuration, close one client, send one client away.

use std::sync::mpsc;

use martlet_broker::peer::Control;
use martlet_monitor::body::Body;
use martlet_proto::ClosedReason;

use super::{Request, Services};

/// What every order's options are called: it has none but for who is meant.
const OPTIONS: &str = "EventFilterOptions";

impl Services {
    /// Has the process read its configuration file again, as a signal does.
    // spec: CLU-093 SEC-077
    pub(super) fn reload(&self, request: &Request) {
        match self.understand(request, OPTIONS, |_| ()) {
            Ok(None) => {}
            Err(error) => self.refuse(&request.reply, &error),
            Ok(Some(())) => match &self.process {
                // Whoever asks next is to find the new configuration in force.
                Some(process) => {
                    let (tell, told) = mpsc::channel();
                    process.reload(move |result| drop(tell.send(result)));
                    let gone = |_| Err("the server is stopping".into());
                    self.report(request, told.recv().unwrap_or_else(gone));
                }
                None => self.report(request, Err("this server has no configuration file of its own".into())),
            },
        }
    }

    /// Closes the connection of a client.
    // spec: CLU-093 SEC-077
    pub(super) fn kick(&self, request: &Request) {
        self.order(request, |cid| {
            let peer = self.broker.registry.get(cid).ok_or("no such client or leafnode id")?;
            peer.request(Control::Close(ClosedReason::Kicked, None));
            Ok(())
        });
    }

    /// Tells a client to look for another server.
    // spec: CLU-093 SEC-077
    pub(super) fn send_away(&self, request: &Request) {
        self.order(request, |cid| {
            let peer = self.broker.registry.get(cid).ok_or("no such client id")?;
            if !peer.is_established() {
                return Err("client does not support Lame Duck Mode or is not ready to receive the notification");
            }
            peer.request(Control::LameDuck);
            Ok(())
        });
    }

    /// Carries out an order about one client. A body that names none is not worth an answer.
    fn order(&self, request: &Request, carry_out: impl FnOnce(u64) -> Result<(), &'static str>) {
        let Ok(mut body) = Body::parse(&request.payload, OPTIONS) else { return };
        let cid = body.uint("cid");
        if request.payload.is_empty() || body.finish().is_err() {
            return;
        }
        match self.understand(request, OPTIONS, |_| ()) {
            Ok(None) => {}
            Ok(Some(())) => self.report(request, carry_out(cid).map_err(Into::into)),
            Err(error) => self.refuse(&request.reply, &error),
        }
    }
}
