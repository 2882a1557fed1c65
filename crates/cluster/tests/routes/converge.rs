//! Whatever comes and goes, in the end every server knows what the others want, and nothing else.

use std::collections::BTreeMap;

use crate::support::{Client, World};

const SUBJECTS: [&str; 6] = ["a", "a.b", "a.*", "b.>", "*.c", "d"];
const QUEUES: [Option<&str>; 3] = [None, Some("q"), Some("r")];

/// What clients have asked for, by server.
type Model = Vec<BTreeMap<(usize, u32), (&'static str, Option<&'static str>)>>;

fn agrees(world: &World, model: &Model, up: &[bool], context: &str) {
    for here in 0..model.len() {
        if !up[here] {
            continue;
        }
        let mut wanted: BTreeMap<(String, Option<String>, bool), u32> = BTreeMap::new();
        for (at, subscriptions) in model.iter().enumerate().filter(|(at, _)| up[*at]) {
            let mut plain = Vec::new();
            for (subject, queue) in subscriptions.values() {
                let key = ((*subject).to_owned(), queue.map(str::to_owned), at != here);
                if at == here || queue.is_some() {
                    *wanted.entry(key).or_default() += 1;
                } else if !plain.contains(subject) {
                    // Outside queue groups a server asks once, for however many.
                    plain.push(*subject);
                    *wanted.entry(key).or_default() += 1;
                }
            }
        }
        let mut expected: Vec<_> = wanted.into_iter().map(|((p, q, r), n)| (p, q, n, r)).collect();
        expected.sort();
        assert_eq!(world.interest(here, "$G"), expected, "server {here} {context}");
    }
}

#[test]
fn random_subscriptions_and_partitions_leave_no_ghosts() {
    // spec: CLU-030
    for seed in 0..40 {
        let mut dice = fastrand::Rng::with_seed(seed);
        let count = dice.usize(2..5);
        let world = World::mesh(count, "", "", seed);
        let clients: Vec<Vec<Client<'_>>> =
            (0..count).map(|server| (0..2).map(|_| world.quiet(server)).collect()).collect();
        let mut model: Model = vec![BTreeMap::new(); count];
        let mut parted = Vec::new();
        for step in 0..120 {
            let (server, client, sid) = (dice.usize(0..count), dice.usize(0..2), dice.u32(1..5));
            let of = &clients[server][client];
            match dice.u32(0..20) {
                0..=9 if !model[server].contains_key(&(client, sid)) => {
                    let (subject, queue) =
                        (*dice.choice(&SUBJECTS).expect("some"), *dice.choice(&QUEUES).expect("some"));
                    let line = format!("SUB {subject} {} {sid}\r\n", queue.unwrap_or_default());
                    // Sometimes many lines come before anybody else acts.
                    if dice.bool() {
                        of.send(&line);
                    } else {
                        of.arrive(line.as_bytes());
                    }
                    model[server].insert((client, sid), (subject, queue));
                }
                10..=16 => {
                    let line = format!("UNSUB {sid}\r\n");
                    if dice.bool() {
                        of.send(&line);
                    } else {
                        of.arrive(line.as_bytes());
                    }
                    model[server].remove(&(client, sid));
                }
                17 if parted.is_empty() => {
                    let other = (server + 1) % count;
                    world.part(server, other);
                    parted.push((server, other));
                }
                18 => {
                    for (a, b) in parted.drain(..) {
                        world.heal(a, b);
                        world.retry_patiently();
                    }
                }
                _ => {}
            }
            if parted.is_empty() && step % 10 == 0 {
                world.settle();
                agrees(&world, &model, &vec![true; count], &format!("seed {seed}, step {step}"));
            }
        }
        for (a, b) in parted.drain(..) {
            world.heal(a, b);
            world.retry_patiently();
        }
        world.settle();
        agrees(&world, &model, &vec![true; count], &format!("seed {seed}, healed"));
        let mut up = vec![true; count];
        up[0] = false;
        world.kill(0);
        agrees(&world, &model, &up, &format!("seed {seed}, one killed"));
        for client in clients.iter().skip(1).flatten() {
            client.hang_up();
        }
        for server in 1..count {
            assert_eq!(world.interest(server, "$G"), [], "seed {seed}: nobody is left");
        }
    }
}

#[test]
fn a_link_that_is_slow_catches_up() {
    // spec: CLU-030
    let world = World::mesh(2, "", "", 3);
    let (here, there) = (world.quiet(0), world.quiet(1));
    world.hold(0, 1);
    here.send("SUB foo 1\r\nUNSUB 1\r\nSUB foo 2\r\nSUB bar q 3\r\nSUB bar q 4\r\nUNSUB 3\r\n");
    there.send("PUB foo 1\r\nx\r\n");
    assert_eq!(here.received(), "");
    world.release(0, 1);
    there.send("PUB foo 1\r\ny\r\nPUB bar 1\r\nz\r\n");
    assert_eq!(here.payloads(), ["y", "z"]);
}
