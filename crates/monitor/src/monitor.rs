//! The monitor of one server: the views with a clock, and what they need to remember.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use crate::Observe;
use crate::process::Process;
use crate::views;

/// Answers every view of one server. HTTP and `$SYS` share it.
pub struct Monitor {
    server: Arc<dyn Observe>,
    process: Process,
    requests: Requests,
}

/// Requests over HTTP: how often each endpoint was asked, and what was refused.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    by_endpoint: Mutex<BTreeMap<&'static str, u64>>,
    pub(crate) unauthorized: AtomicU64,
    pub(crate) timed_out: AtomicU64,
    pub(crate) connections: AtomicU64,
}

impl Requests {
    /// Counts a request of `endpoint`, which is a path without base path.
    // spec: CLU-100
    pub(crate) fn count(&self, endpoint: &'static str) {
        *self.by_endpoint.lock().unwrap_or_else(PoisonError::into_inner).entry(endpoint).or_default() += 1;
    }

    pub(crate) fn counts(&self) -> BTreeMap<String, u64> {
        let counts = self.by_endpoint.lock().unwrap_or_else(PoisonError::into_inner);
        counts.iter().map(|(&endpoint, &count)| (endpoint.to_owned(), count)).collect()
    }
}

impl Monitor {
    /// A monitor of `server`; processor time is measured from here.
    pub fn new(server: Arc<dyn Observe>) -> Self {
        Self { server, process: Process::new(), requests: Requests::default() }
    }

    /// What is monitored.
    pub fn server(&self) -> &dyn Observe {
        &*self.server
    }

    /// The process, which measures processor time between readings.
    pub fn process(&self) -> &Process {
        &self.process
    }

    pub(crate) fn requests(&self) -> &Requests {
        &self.requests
    }

    /// `/varz`.
    pub fn varz(&self) -> views::Varz {
        views::varz(self.server(), SystemTime::now(), &self.process.usage(), self.requests.counts())
    }

    /// `/connz`.
    pub fn connz(&self, options: &views::ConnzOptions) -> Result<views::Connz, views::ConnzError> {
        views::connz(self.server(), SystemTime::now(), options)
    }

    /// `/subsz`.
    pub fn subsz(&self, options: &views::SubszOptions) -> Result<views::Subsz, views::TestSubjectError> {
        views::subsz(self.server(), SystemTime::now(), options)
    }

    /// `/accountz`.
    pub fn accountz(&self, options: &views::AccountzOptions) -> Result<views::Accountz, views::AccountError> {
        views::accountz(self.server(), SystemTime::now(), options)
    }

    /// Everything about one account.
    pub fn account_detail(&self, name: &str) -> Result<views::AccountDetail, views::AccountError> {
        views::account_detail(self.server(), name)
    }

    /// Variables of the process.
    pub fn expvarz(&self) -> views::Expvarz {
        views::expvarz(&self.process.usage())
    }

    /// `/accstatz`.
    pub fn account_statz(&self, options: &views::AccountStatzOptions) -> views::AccountStatz {
        views::account_statz(self.server(), SystemTime::now(), options)
    }

    /// `/healthz`.
    pub fn healthz(&self, options: &views::HealthzOptions) -> views::HealthStatus {
        views::healthz(self.server(), options)
    }

    /// `/routez`.
    pub fn routez(&self, options: &views::RoutezOptions) -> views::Routez {
        views::routez(self.server(), SystemTime::now(), options)
    }

    /// `/gatewayz`.
    pub fn gatewayz(&self, options: &views::GatewayzOptions) -> views::Gatewayz {
        views::gatewayz(self.server(), SystemTime::now(), options)
    }

    /// `/leafz`.
    pub fn leafz(&self, options: &views::LeafzOptions) -> views::Leafz {
        views::leafz(self.server(), SystemTime::now(), options)
    }

    /// `/jsz`.
    pub fn jsz(&self, options: &views::JszOptions) -> Result<views::Jsz, views::JszError> {
        views::jsz(self.server(), SystemTime::now(), options)
    }

    /// `/jsz` of one account.
    pub fn account_jsz(
        &self,
        account: &str,
        options: &views::JszOptions,
    ) -> Result<views::JszAccount, views::JszError> {
        views::account_jsz(self.server(), account, options)
    }

    /// `/ipqueuesz`.
    pub fn ipqueuesz(&self, options: &views::IpqueueszOptions) -> BTreeMap<String, views::QueueStatus> {
        views::ipqueuesz(self.server(), options)
    }

    /// Requests refused for want of credentials, given up as too slow, and connections open now.
    pub(crate) fn http_numbers(&self) -> [u64; 3] {
        let requests = &self.requests;
        [&requests.unauthorized, &requests.timed_out, &requests.connections]
            .map(|number| number.load(Ordering::Relaxed))
    }
}
