//! Whatever comes and goes, in the end each server knows what the other clusters want, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use crate::interest::wanted_elsewhere;
use crate::super_cluster;
use crate::support::{Client, World};

const SUBJECTS: [&str; 6] = ["a", "a.b", "a.*", "b.>", "*.c", "d"];
const QUEUES: [Option<&str>; 3] = [None, Some("q"), Some("r")];
/// Servers 0 and 1 are one cluster, 2 and 3 the other.
const SERVERS: usize = 4;

fn cluster(server: usize) -> usize {
    server / 2
}

/// What clients have asked for, by server.
type Model = Vec<BTreeMap<(usize, u32), (&'static str, Option<&'static str>)>>;

fn agrees(world: &World, model: &Model, context: &str) {
    for here in (0..SERVERS).filter(|&server| world.servers[server].is_up.get()) {
        // Another cluster's subject counts once, and once for each queue group, wherever in it that is wanted.
        let others = (0..SERVERS).filter(|&other| cluster(other) != cluster(here));
        let wanted: BTreeSet<_> = others.flat_map(|other| model[other].values()).collect();
        let mut wanted: Vec<_> = wanted.iter().map(|(s, q)| ((*s).to_owned(), q.map(str::to_owned))).collect();
        wanted.sort();
        assert_eq!(wanted_elsewhere(world, here), wanted, "server {here} {context}");
    }
}

fn change(client: &Client<'_>, line: &str, at_once: bool) {
    // Sometimes many lines come before anybody else acts.
    if at_once {
        client.send(line);
    } else {
        client.arrive(line.as_bytes());
    }
}

#[test]
fn random_subscriptions_and_partitions_leave_no_ghosts() {
    // spec: CLU-044 CLU-200 CLU-201
    for seed in 0..24 {
        let mut dice = fastrand::Rng::with_seed(seed);
        let world = super_cluster("");
        let clients: Vec<Vec<Client<'_>>> =
            (0..SERVERS).map(|server| (0..2).map(|_| world.quiet(server)).collect()).collect();
        let mut model: Model = vec![BTreeMap::new(); SERVERS];
        let mut parted = Vec::new();
        for step in 0..120 {
            let (server, client, sid) = (dice.usize(0..SERVERS), dice.usize(0..2), dice.u32(1..5));
            let of = &clients[server][client];
            match dice.u32(0..20) {
                0..=9 if !model[server].contains_key(&(client, sid)) => {
                    let (subject, queue) =
                        (*dice.choice(&SUBJECTS).expect("some"), *dice.choice(&QUEUES).expect("some"));
                    change(of, &format!("SUB {subject} {} {sid}\r\n", queue.unwrap_or_default()), dice.bool());
                    model[server].insert((client, sid), (subject, queue));
                }
                10..=15 => {
                    change(of, &format!("UNSUB {sid}\r\n"), dice.bool());
                    model[server].remove(&(client, sid));
                }
                // Within a cluster or between the two.
                16 | 17 if parted.is_empty() => {
                    let other = (server + dice.usize(1..SERVERS)) % SERVERS;
                    world.part(server, other);
                    parted.push((server, other));
                }
                18 => heal(&world, &mut parted),
                _ => {}
            }
            if parted.is_empty() && step % 10 == 0 {
                world.settle();
                agrees(&world, &model, &format!("seed {seed}, step {step}"));
            }
        }
        heal(&world, &mut parted);
        world.settle();
        agrees(&world, &model, &format!("seed {seed}, healed"));
        world.kill(0);
        model[0].clear();
        world.retry_patiently();
        agrees(&world, &model, &format!("seed {seed}, one killed"));
        for client in clients.iter().skip(1).flatten() {
            client.hang_up();
        }
        agrees(&world, &vec![BTreeMap::new(); SERVERS], &format!("seed {seed}, nobody left"));
    }
}

fn heal(world: &World, parted: &mut Vec<(usize, usize)>) {
    for (a, b) in parted.drain(..) {
        world.heal(a, b);
        world.retry_patiently();
    }
}
