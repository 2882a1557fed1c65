//! Clusters that are one to their clients, from the first connection to the last message.

#[path = "../support/mod.rs"]
mod support;

mod connections;
mod converge;
mod delivery;
mod interest;
mod peers;
mod replies;

use support::{World, clustered, with_gateway};

/// Servers 0 and 1 in cluster A, 2 and 3 in cluster B; each connected to the other of its cluster and to the other cluster.
pub(crate) fn super_cluster(top: &str) -> World {
    let config = |n: usize| {
        let (cluster, other, to) = if n < 2 { ("A", "B", 2) } else { ("B", "A", 0) };
        let routes: &[usize] = if n % 2 == 1 { &[n - 1] } else { &[] };
        let of = clustered(n, "", routes).replace("name: C,", &format!("name: {cluster},"));
        format!("{of}{}{top}", with_gateway(n, cluster, "", &[(other, to + n % 2)]))
    };
    let world = World::new(&[config(0), config(1), config(2), config(3)], 1);
    world.solicit();
    world.retry_patiently();
    world
}

/// Clusters of one server each, named by letters; `remotes` says who is configured where.
pub(crate) fn lone_clusters(remotes: &[&[usize]], more: &str) -> World {
    let name = |n: usize| ["A", "B", "C", "D"][n];
    let config = |n: usize| {
        let to: Vec<_> = remotes[n].iter().map(|&to| (name(to), to)).collect();
        with_gateway(n, name(n), more, &to)
    };
    let configs: Vec<_> = (0..remotes.len()).map(config).collect();
    let world = World::new(&configs, 1);
    world.solicit();
    world.retry_patiently();
    world
}

/// The clusters that a server has connections to and from.
pub(crate) fn connected(world: &World, server: usize) -> (Vec<String>, Vec<String>) {
    let gateways = world.servers[server].gateways.as_ref().expect("gateways");
    let outbound = gateways.outbound().iter().map(|to| to.cluster.to_string()).collect();
    let mut inbound: Vec<_> = gateways.inbound().iter().map(|from| from.cluster.clone()).collect();
    inbound.sort();
    (outbound, inbound)
}
