//! Whatever comes and goes, in the end each server of a tree of leaf nodes knows what is wanted behind each link, and nothing
//! else.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::world::{Peering, World, remote};

const SUBJECTS: [&str; 6] = ["a", "a.b", "a.*", "b.>", "*.c", "d"];
const QUEUES: [Option<&str>; 3] = [None, Some("q"), Some("r")];
const SERVERS: usize = 5;
/// Who is a leaf node of whom: a hub with two, one of which has two itself.
const HUBS: [Option<usize>; SERVERS] = [None, Some(0), Some(0), Some(2), Some(2)];

/// What clients have asked for, by server.
type Model = Vec<BTreeMap<(usize, u32), (&'static str, Option<&'static str>)>>;

fn tree() -> World {
    let config = |server: usize| match (HUBS[server], HUBS.contains(&Some(server))) {
        (None, _) => "leafnodes { listen: 'h:1' }".to_owned(),
        (Some(hub), false) => remote(hub, ""),
        (Some(hub), true) => {
            format!("leafnodes {{ listen: 'h:1', remotes: [ {{ url: 'nats://h:{}' }} ] }}", 7000 + hub)
        }
    };
    // Clients of the test do not answer pings.
    let patient = |server| format!("{}\nping_interval: '24h'", config(server));
    World::new(&(0..SERVERS).map(patient).collect::<Vec<_>>())
}

fn neighbours(server: usize) -> impl Iterator<Item = usize> {
    (0..SERVERS).filter(move |&other| HUBS[other] == Some(server) || HUBS[server] == Some(other))
}

/// The servers on the other side of the link from `here` to `there`.
fn behind(here: usize, there: usize) -> Vec<usize> {
    let further = neighbours(there).filter(|&next| next != here);
    std::iter::once(there).chain(further.flat_map(|next| behind(there, next))).collect()
}

fn agrees(world: &World, model: &Model, context: &str) {
    for here in 0..SERVERS {
        let mut wanted = Vec::new();
        for there in neighbours(here) {
            let mut sums: BTreeMap<(&str, Option<&str>), u32> = BTreeMap::new();
            for (subject, queue) in behind(here, there).iter().flat_map(|&server| model[server].values()) {
                *sums.entry((*subject, *queue)).or_default() += 1;
            }
            // Outside of queue groups a link asks once, for however many.
            wanted.extend(sums.into_iter().map(|((subject, queue), sum)| match queue {
                Some(queue) => format!("{subject} {queue} {sum}"),
                None => subject.to_owned(),
            }));
        }
        wanted.sort();
        assert_eq!(world.wanted_elsewhere(here, "$G"), wanted, "server {here} {context}");
    }
}

#[test]
fn random_subscriptions_and_cuts_leave_no_ghosts() {
    // spec: CLU-055 CLU-056 CLU-205
    for seed in 0..24 {
        let mut dice = fastrand::Rng::with_seed(seed);
        let world = tree();
        let clients: Vec<Vec<Peering<'_>>> =
            (0..SERVERS).map(|server| (0..2).map(|_| world.client(server)).collect()).collect();
        let mut model: Model = vec![BTreeMap::new(); SERVERS];
        for step in 0..120 {
            let (server, client, sid) = (dice.usize(0..SERVERS), dice.usize(0..2), dice.u32(1..5));
            let of = &clients[server][client];
            match dice.u32(0..20) {
                0..=9 if !model[server].contains_key(&(client, sid)) => {
                    let (subject, queue) =
                        (*dice.choice(&SUBJECTS).expect("some"), *dice.choice(&QUEUES).expect("some"));
                    of.send(&format!("SUB {subject} {} {sid}\r\n", queue.unwrap_or_default()));
                    model[server].insert((client, sid), (subject, queue));
                }
                10..=16 => {
                    of.send(&format!("UNSUB {sid}\r\n"));
                    model[server].remove(&(client, sid));
                }
                17 => world.cut(server),
                18 => world.down.borrow_mut().push(server),
                _ => reconnect(&world),
            }
            if step % 10 == 0 {
                reconnect(&world);
                agrees(&world, &model, &format!("seed {seed}, step {step}"));
            }
        }
        reconnect(&world);
        agrees(&world, &model, &format!("seed {seed}, healed"));
        for client in clients.iter().flatten() {
            client.hang_up();
        }
        agrees(&world, &vec![BTreeMap::new(); SERVERS], &format!("seed {seed}, nobody left"));
    }
}

/// All servers can be connected to, and are.
fn reconnect(world: &World) {
    world.down.borrow_mut().clear();
    for _ in 0..4 {
        world.advance(Duration::from_secs(2));
    }
}
