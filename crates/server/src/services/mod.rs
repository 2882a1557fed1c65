//! The services of the system account: what operators ask of a server by message.
//!
//! | module | what lives there |
//! |---|---|
//! | `queue` | requests that wait to be answered |
//! | `answer` | who is meant, the envelope of an answer, compression |
//! | `pages` | the pages that monitoring has too |
//! | `orders` | a reload, closing one client, sending one client away |
//! | `servers` | what other servers tell of themselves |
//! | `subscribers` | how many subscribers a subject has |
//!
//! Services are subscriptions in the system account, so that a request from another server is no different from one of this
//! server's own clients: whoever hears it answers.
//!
//! Invariant: the thread of a publisher only copies a request into a queue; answers are made and published elsewhere.

mod answer;
mod orders;
mod pages;
mod queue;
mod servers;
mod subscribers;

use std::sync::Arc;

use martlet_broker::internal::{InternalMessage, InternalSubscription, Scope};
use martlet_broker::local_task::LocalTasks;
use martlet_broker::{Broker, Peer};
use martlet_monitor::Monitor;
use martlet_net::clock;
use martlet_proto::headers;
use memchr::memmem::Finder;
use parking_lot::Mutex;
use tokio::task::spawn_blocking;

use crate::process::Controls;
pub(crate) use queue::Queue;
use queue::Request;
use subscribers::Sums;

/// What can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    Identity,
    Statistics,
    Varz,
    Subsz,
    Connz,
    Routez,
    Gatewayz,
    Leafz,
    Accountz,
    Jsz,
    Healthz,
    Profilez,
    Expvarz,
    Ipqueuesz,
    Raftz,
    AccountSubsz,
    AccountConnz,
    AccountLeafz,
    AccountJsz,
    AccountInfo,
    AccountStatz,
    AccountConns,
    AllStatz,
    UserInfo,
    Nsubs,
    Subscribers,
    Reload,
    Kick,
    LameDuck,
    /// Another server tells its numbers.
    ServerIsThere,
    /// Another server tells the connections of an account.
    ServerCounts,
    /// Another server goes.
    ServerGoes,
    /// Another server answers to this one.
    Sum,
}

impl Service {
    /// Whether another server tells something, and asks for nothing.
    fn is_told(self) -> bool {
        matches!(self, Self::ServerIsThere | Self::ServerCounts | Self::ServerGoes | Self::Sum)
    }
}

/// What is asked of one server by its id, or of all of them by PING.
// spec: CLU-088
const OF_SERVERS: [(&str, Service); 15] = [
    ("IDZ", Service::Identity),
    ("STATSZ", Service::Statistics),
    ("VARZ", Service::Varz),
    ("SUBSZ", Service::Subsz),
    ("CONNZ", Service::Connz),
    ("ROUTEZ", Service::Routez),
    ("GATEWAYZ", Service::Gatewayz),
    ("LEAFZ", Service::Leafz),
    ("ACCOUNTZ", Service::Accountz),
    ("JSZ", Service::Jsz),
    ("HEALTHZ", Service::Healthz),
    ("PROFILEZ", Service::Profilez),
    ("EXPVARZ", Service::Expvarz),
    ("IPQUEUESZ", Service::Ipqueuesz),
    ("RAFTZ", Service::Raftz),
];

/// What is asked of one server by its id only.
// spec: CLU-093
const OF_ONE_SERVER: [(&str, Service); 3] =
    [("RELOAD", Service::Reload), ("KICK", Service::Kick), ("LDM", Service::LameDuck)];

/// What is asked about one account.
// spec: CLU-091
const OF_ACCOUNTS: [(&str, Service); 7] = [
    ("SUBSZ", Service::AccountSubsz),
    ("CONNZ", Service::AccountConnz),
    ("LEAFZ", Service::AccountLeafz),
    ("JSZ", Service::AccountJsz),
    ("INFO", Service::AccountInfo),
    ("STATZ", Service::AccountStatz),
    ("CONNS", Service::AccountConns),
];

/// Everything that is listened on by the server that is called `id`.
fn subjects(id: &str) -> Vec<(String, Scope, Service)> {
    let everywhere = |subject: String, service: &Service| (subject, Scope::Everywhere, *service);
    let mut all = vec![everywhere("$SYS.REQ.SERVER.PING".into(), &Service::Statistics)];
    for (name, service) in &OF_SERVERS {
        all.push(everywhere(format!("$SYS.REQ.SERVER.{id}.{name}"), service));
        all.push(everywhere(format!("$SYS.REQ.SERVER.PING.{name}"), service));
    }
    all.extend(OF_ONE_SERVER.iter().map(|(name, s)| everywhere(format!("$SYS.REQ.SERVER.{id}.{name}"), s)));
    all.extend(OF_ACCOUNTS.iter().map(|(name, s)| everywhere(format!("$SYS.REQ.ACCOUNT.*.{name}"), s)));
    all.push(everywhere("$SYS.REQ.ACCOUNT.PING.STATZ".into(), &Service::AllStatz));
    all.push(everywhere("$SYS.REQ.ACCOUNT.NSUBS".into(), &Service::Nsubs));
    for (subject, service) in [
        ("$SYS.SERVER.*.STATSZ".into(), Service::ServerIsThere),
        ("$SYS.SERVER.*.SHUTDOWN".into(), Service::ServerGoes),
        ("$SYS.SERVER.*.LAMEDUCK".into(), Service::ServerGoes),
        ("$SYS.SERVER.ACCOUNT.*.CONNS".into(), Service::ServerCounts),
        (format!("$SYS._INBOX_.{id}"), Service::ServerCounts),
        (subscribers::inbox(id, "*"), Service::Sum),
    ] {
        all.push(everywhere(subject, &service));
    }
    // Only the server that a client is connected to knows what it may do, and only one is to count subscribers.
    all.push(("$SYS.REQ.USER.*.INFO".into(), Scope::ThisServer, Service::UserInfo));
    all.push(("$SYS.DEBUG.SUBSCRIBERS".into(), Scope::ThisServer, Service::Subscribers));
    all
}

/// The queues of a server: large answers do not hold up those that other servers wait for.
#[derive(Debug)]
pub(crate) struct Queues {
    pages: Arc<Queue>,
    pings: Arc<Queue>,
}

impl Queues {
    /// Empty queues.
    pub(crate) fn new() -> Self {
        Self { pages: Arc::new(Queue::new("System recvQ")), pings: Arc::new(Queue::new("System recvQ Pings")) }
    }

    pub(crate) fn all(&self) -> [&Queue; 2] {
        [&self.pages, &self.pings]
    }

    /// Where requests for `service` wait.
    fn of(&self, service: Service) -> &Arc<Queue> {
        match service {
            Service::Statistics => &self.pings,
            service if service.is_told() => &self.pings,
            _ => &self.pages,
        }
    }
}

/// Answers requests.
pub(crate) struct Services {
    broker: Arc<Broker>,
    monitor: Arc<Monitor>,
    /// The process, which reads the configuration file again; without one a reload is refused.
    process: Option<Controls>,
    sums: Mutex<Sums>,
}

impl Services {
    /// Listens for requests from now on, if there is a system account.
    pub(crate) fn new(broker: Arc<Broker>, monitor: Arc<Monitor>, process: Option<Controls>, queues: &Queues) -> Self {
        for ((subject, scope, service), sid) in subjects(&broker.identity().id).into_iter().zip(1..) {
            let (queue, own) = (queues.of(service).clone(), Finder::new(&broker.identity().id).into_owned());
            let handler = Box::new(move |asked: &InternalMessage<'_>, _: &mut LocalTasks| {
                // What this server tells of itself it hears too, and it may tell of many connections at once.
                let is_own = service == Service::ServerCounts && own.find(asked.payload).is_some();
                if !is_own {
                    receive(&queue, service, asked);
                }
            });
            let sid = format!("{sid}").into();
            let subject = subject.into_bytes().into();
            broker.listen(InternalSubscription { subject, sid, scope, follows_traces: false, handler });
        }
        Self { broker, monitor, process, sums: Mutex::default() }
    }

    /// Answers for as long as it is polled.
    pub(crate) async fn serve(self, queues: Arc<Queues>) {
        let services = Arc::new(self);
        tokio::join!(services.serve_queue(&queues.pages), services.serve_queue(&queues.pings));
    }

    /// Works on a thread of its own while there is something to do: a large page takes its time.
    async fn serve_queue(self: &Arc<Self>, queue: &Arc<Queue>) {
        loop {
            queue.wake.notified().await;
            let (services, queue) = (self.clone(), queue.clone());
            let work = move || queue.work(|request| services.answer(&request));
            if let Err(error) = spawn_blocking(work).await {
                log::error!("a request of the system account could not be answered: {error}");
            }
        }
    }

    fn answer(self: &Arc<Self>, request: &Request) {
        match request.service {
            Service::Identity => self.identify(request),
            Service::Statistics => self.tell_statistics(request),
            Service::AccountConns => self.tell_connections(request),
            Service::Nsubs => self.count_for_another(request),
            Service::Subscribers => self.count_for_client(request),
            Service::UserInfo => {
                let body = self.broker.user_info(&request.headers, request.permissions.as_deref(), clock::now());
                self.publish(&request.reply, b"", &body);
            }
            Service::Reload => self.reload(request),
            Service::Kick => self.kick(request),
            Service::LameDuck => self.send_away(request),
            Service::ServerIsThere | Service::ServerCounts => self.hear(request),
            Service::ServerGoes => self.see_off(request),
            Service::Sum => self.add(request),
            _ => self.show(request),
        }
    }

    /// Publishes an answer of the server's own.
    fn publish(&self, reply: &[u8], headers: &[u8], body: &[u8]) {
        if let Some(system) = &self.broker.site().about().system_account {
            self.broker.publish_internal(system, (reply, b""), (headers, body), clock::now());
        }
    }
}

/// Takes a request in, unless it can have no answer. Those for the server's numbers can: to everyone.
fn receive(queue: &Queue, service: Service, asked: &InternalMessage<'_>) {
    if asked.reply.is_empty() && !service.is_told() && service != Service::Statistics {
        return;
    }
    // What comes from another account says from where; of one that another server passed on, only that is known.
    let account = || asked.from.and_then(Peer::account).map_or(0, |account| account.id());
    let guest = headers::get(asked.headers, b"Nats-Request-Info").map(|_| account());
    // Nothing is copied that would be dropped.
    let size = asked.subject.len() + asked.reply.len() + asked.headers.len() + asked.payload.len();
    if !queue.has_room(guest, size) {
        return;
    }
    let permissions = asked.from.filter(|_| service == Service::UserInfo).and_then(Peer::permissions);
    queue.push(Request {
        service,
        subject: asked.subject.into(),
        reply: asked.reply.into(),
        headers: asked.headers.into(),
        payload: asked.payload.into(),
        guest,
        permissions,
    });
}
