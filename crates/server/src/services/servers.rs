//! What other servers tell of themselves: that they are there, and that they go.

use martlet_broker::servers::News;
use martlet_net::clock;
use serde::Deserialize;

use super::{Request, Service, Services};
use crate::events::statistics;

/// What of a server's message tells who it is.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Told {
    server: Teller,
    /// The account whose connections are told, and how many it has.
    acc: String,
    conns: u32,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Teller {
    id: String,
    seq: u64,
}

impl Services {
    /// Another server has told its numbers, or the connections of an account. One that is new hears of this one at once.
    // spec: CLU-094 CLU-095
    pub(super) fn hear(&self, request: &Request) {
        let Ok(told) = serde_json::from_slice::<Told>(&request.payload) else {
            return log::debug!("Another server tells of itself what cannot be read");
        };
        let id = &told.server.id;
        let concerns_nobody = request.service == Service::ServerCounts && self.broker.accounts.get(&told.acc).is_none();
        if id.is_empty() || *id == self.broker.identity().id || concerns_nobody {
            return;
        }
        let news = self.broker.servers.saw(id, told.server.seq, clock::now());
        if request.service == Service::ServerCounts {
            self.broker.count_elsewhere(id, &told.acc, told.conns);
        }
        match news {
            News::New => self.broker.publish_statistics(clock::now(), || statistics(&self.broker, &self.monitor)),
            News::StillThere => {}
            News::OutOfOrder => log::error!("Received out of order remote server update from: {id:?}"),
            News::TooMany => log::error!("There are too many servers to know {id:?} too"),
        }
    }

    /// Another server has said that it goes. What it says must be an object.
    // spec: CLU-094 CLU-095
    pub(super) fn see_off(&self, request: &Request) {
        if serde_json::from_slice::<Teller>(&request.payload).is_ok() {
            let id = request.subject.split(|byte| *byte == b'.').nth(2).unwrap_or_default();
            self.broker.server_goes(&String::from_utf8_lossy(id));
        }
    }
}
