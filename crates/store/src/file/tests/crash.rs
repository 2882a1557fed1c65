//! The power goes at every operation there is.

use super::*;
use crate::sim::Unsynced;

/// Lives until the power goes after `cut` operations; gives what was durable then.
fn live_until(disk: &SimDisk, options: Options<'_>, seed: u64, steps: usize, cut: u64) -> (Life, u64) {
    let mut life = Life::begin(disk, options, seed);
    disk.cut_at(cut.max(disk.operations()));
    for _ in 0..steps {
        if life.step().is_err() {
            break;
        }
    }
    let durable = life.store.durable();
    (life, durable)
}

fn cut_everywhere(options: Options<'_>, seed: u64, steps: usize) -> u64 {
    let disk = SimDisk::default();
    live_until(&disk, options, seed, steps, u64::MAX);
    let mut cuts = 0;
    for cut in 0..=disk.operations() {
        let disk = SimDisk::default();
        let (life, durable) = live_until(&disk, options, seed, steps, cut);
        let torn = [Unsynced::Torn(cut + 1), Unsynced::Torn(cut + 7777)];
        for unsynced in [Unsynced::Dropped, Unsynced::Kept].into_iter().chain(torn) {
            let context = format!("seed {seed}, cut at {cut}, {unsynced:?}");
            let disk = disk.restart(unsynced);
            let (mut back, opened) = Life::resume(&disk, options, &life.models, seed + cut);
            let appended = back.store.appended();
            assert!(appended >= durable, "{appended} entries are there, {durable} were durable, {context}, {opened:?}");
            assert!(appended < life.models.len() as u64 + 1, "{context}");
            assert_eq!(back.store.unreadable(), [], "{context}, {opened:?}");
            back.check(back.models.last().unwrap(), &context);
            let only_checkpoints = opened.damage.iter().all(|damage| damage.starts_with("checkpoint."));
            assert!(only_checkpoints, "{context}, {opened:?}");
            go_on(&mut back, &context);
            cuts += 1;
        }
    }
    cuts
}

/// A store that came back goes on working, and comes back again.
fn go_on(life: &mut Life, context: &str) {
    for _ in 0..6 {
        life.step().unwrap_or_else(|error| panic!("{error}, {context}"));
    }
    life.sync().expect(context);
    life.apply();
    life.check(life.models.last().unwrap(), &format!("later, {context}"));
}

#[test]
fn nothing_durable_is_lost_and_nothing_is_there_by_half() {
    let lives = [(OPTIONS, 1), (OPTIONS, 2), (S2, 3), (SEALED, 4), (BOTH, 5)];
    let cuts: u64 = lives.into_iter().map(|(options, seed)| cut_everywhere(options, seed, 60)).sum();
    assert!(cuts >= 1000, "only {cuts} cuts");
}
