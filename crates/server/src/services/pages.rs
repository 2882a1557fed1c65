//! The pages that monitoring has too, of a server and of one account; and what is no page of monitoring.

use martlet_broker::json;
use martlet_monitor::body::Body;
use martlet_monitor::views::{
    AccountStatzOptions, AccountzOptions, ConnzOptions, GatewayzOptions, HealthzOptions, IpqueueszOptions, JszError,
    JszOptions, LeafzOptions, ProfilezOptions, Raftz, RaftzOptions, RoutezOptions, SubszOptions, profilez,
};
use martlet_net::clock;
use serde::Serialize;

use super::answer::{Page, Refusal, page, page_or};
use super::{Request, Service, Services};
use crate::events::statistics;

/// Who a server is.
#[derive(Serialize)]
struct Identity<'a> {
    name: &'a str,
    host: &'a str,
    id: &'a str,
}

impl Services {
    /// Answers with one of the pages.
    // spec: CLU-088 CLU-091
    pub(super) fn show(&self, request: &Request) {
        let monitor = &self.monitor;
        match request.service {
            Service::Varz => self.respond(request, "VarzEventOptions", |_| (), |()| page(&monitor.varz())),
            Service::Subsz => {
                self.respond(request, "SubszEventOptions", SubszOptions::from_body, |o| page_or(monitor.subsz(&o)));
            }
            Service::Connz => {
                self.respond(request, "ConnzEventOptions", ConnzOptions::from_body, |o| page_or(monitor.connz(&o)));
            }
            Service::Routez => {
                self.respond(request, "RoutezEventOptions", RoutezOptions::from_body, |o| page(&monitor.routez(&o)));
            }
            Service::Gatewayz => self
                .respond(request, "GatewayzEventOptions", GatewayzOptions::from_body, |o| page(&monitor.gatewayz(&o))),
            Service::Leafz => {
                self.respond(request, "LeafzEventOptions", LeafzOptions::from_body, |o| page(&monitor.leafz(&o)));
            }
            Service::Accountz => self.respond(request, "AccountzEventOptions", AccountzOptions::from_body, |o| {
                page_or(monitor.accountz(&o))
            }),
            Service::Jsz => {
                self.respond(request, "JszEventOptions", JszOptions::from_body, |o| match monitor.jsz(&o) {
                    Err(JszError::NotLeader) => Err(Refusal::Silence),
                    other => page_or(other),
                });
            }
            _ => self.show_operations(request),
        }
    }

    /// What tells how a server works inside.
    fn show_operations(&self, request: &Request) {
        let monitor = &self.monitor;
        match request.service {
            Service::Healthz => {
                self.respond(request, "HealthzEventOptions", HealthzOptions::from_body, |o| page(&monitor.healthz(&o)));
            }
            Service::Profilez => {
                self.respond(request, "ProfilezEventOptions", ProfilezOptions::from_body, |o| page(&profilez(&o)));
            }
            Service::Expvarz => self.respond(request, "ExpvarzEventOptions", |_| (), |()| page(&monitor.expvarz())),
            Service::Ipqueuesz => self.respond(request, "IpqueueszEventOptions", IpqueueszOptions::from_body, |o| {
                page(&monitor.ipqueuesz(&o))
            }),
            Service::Raftz => {
                self.respond(request, "RaftzEventOptions", RaftzOptions::from_body, |_| page(&Raftz {}));
            }
            Service::AllStatz => {
                let read = AccountStatzOptions::from_body;
                self.respond(request, "AccountStatzEventOptions", read, |o| self.statz(&o));
            }
            _ => self.show_account(request, account_of(&request.subject)),
        }
    }

    fn show_account(&self, request: &Request, account: String) {
        let monitor = &self.monitor;
        match request.service {
            Service::AccountSubsz => self.respond(request, "SubszEventOptions", SubszOptions::from_body, |o| {
                page_or(monitor.subsz(&SubszOptions { subscriptions: true, account, ..o }))
            }),
            Service::AccountConnz => self.respond(request, "ConnzEventOptions", ConnzOptions::from_body, |o| {
                page_or(monitor.connz(&ConnzOptions { account, ..o }))
            }),
            Service::AccountLeafz => self.respond(request, "LeafzEventOptions", LeafzOptions::from_body, |o| {
                page(&monitor.leafz(&LeafzOptions { account, ..o }))
            }),
            Service::AccountJsz => self.respond(request, "JszEventOptions", JszOptions::from_body, |o| {
                page_or(monitor.account_jsz(&account, &o))
            }),
            Service::AccountInfo => {
                self.respond(request, "AccInfoEventOptions", |_| (), |()| page_or(monitor.account_detail(&account)));
            }
            Service::AccountStatz => {
                let read = AccountStatzOptions::from_body;
                self.respond(request, "AccountStatzEventOptions", read, |o| match account.as_str() {
                    // Another service answers to this.
                    "PING" => Err(Refusal::Silence),
                    _ => self.statz(&AccountStatzOptions { accounts: vec![account], ..o }),
                });
            }
            other => log::error!("nobody answers requests for {other:?}"),
        }
    }

    /// A server that has nothing to tell says nothing.
    fn statz(&self, options: &AccountStatzOptions) -> Page {
        let statz = self.monitor.account_statz(options);
        if statz.account_statz.is_empty() && !options.include_unused {
            return Err(Refusal::Silence);
        }
        page(&statz)
    }

    /// Who this server is, without an envelope and whatever the body says.
    pub(super) fn identify(&self, request: &Request) {
        let about = self.broker.site().about();
        let identity = Identity { name: &about.name, host: &about.host, id: &about.id };
        self.publish(&request.reply, b"", &json::to_vec(&identity));
    }

    /// The numbers of this server: to everyone if the request does not say to whom.
    // spec: CLU-088 CLU-094
    pub(super) fn tell_statistics(&self, request: &Request) {
        let read = || statistics(&self.broker, &self.monitor);
        let to_all = request.reply.is_empty();
        match self.understand(request, "StatszEventOptions", |_| ()) {
            Ok(None) => {}
            Ok(Some(())) if to_all => self.broker.publish_statistics(clock::now(), read),
            Ok(Some(())) => self.broker.answer_statistics(&request.reply, clock::now(), read),
            Err(error) if to_all => {
                let everyone = format!("$SYS.SERVER.{}.STATSZ", self.broker.identity().id);
                self.refuse(everyone.as_bytes(), &error);
            }
            Err(error) => self.refuse(&request.reply, &error),
        }
    }

    /// The connections of an account, as they are told when they change. What is wrong is not worth an answer.
    pub(super) fn tell_connections(&self, request: &Request) {
        let account = account_of(&request.subject);
        let Ok(mut body) = Body::parse(&request.payload, "accNumConnsReq") else { return };
        let named = body.some_text("acc", "string");
        if body.finish().is_ok() && named.is_none_or(|named| named == account) {
            self.broker.answer_connections(&account, &request.reply, clock::now());
        }
    }
}

/// The account that is asked about: the fourth token.
fn account_of(subject: &[u8]) -> String {
    let token = subject.split(|byte| *byte == b'.').nth(3).unwrap_or_default();
    String::from_utf8_lossy(token).into_owned()
}
