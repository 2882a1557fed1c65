//! Whole lives, without accidents.

use super::*;
use crate::sim::Unsynced;

#[test]
fn a_store_holds_what_it_should() {
    for seed in 0..20 {
        let disk = SimDisk::default();
        let mut life = Life::begin(&disk, [OPTIONS, S2, SEALED, BOTH][seed as usize % 4], seed);
        for step in 0..300 {
            life.step().expect("a disk that works");
            if step % 20 == 0 {
                let applied = usize::try_from(life.store.applied()).unwrap();
                life.check(&life.models[applied], &format!("seed {seed}, step {step}"));
            }
        }
    }
}

#[test]
fn a_store_that_was_closed_comes_back_as_it_was() {
    for seed in 0..20 {
        let disk = SimDisk::default();
        let options = if seed % 3 == 0 { SEALED } else { OPTIONS };
        let mut life = Life::begin(&disk, options, seed);
        for round in 0..4 {
            // What was written before stays as it is, and is read.
            life.store.set_compression((seed + round) % 2 == 0);
            for _ in 0..60 {
                life.step().expect("a disk that works");
            }
            life.sync().unwrap();
            life.apply();
            let notes = life.owner.notes.clone();
            life.store.close(&notes).expect("a disk that works");
            let context = format!("seed {seed}, round {round}");
            let (back, opened) =
                Life::resume(&disk.restart(Unsynced::Dropped), options, &life.models, seed * 10 + round);
            assert_eq!(opened.damage, Vec::<String>::new(), "{context}");
            assert_eq!(back.models.len(), life.models.len(), "{context}");
            back.check(back.models.last().unwrap(), &context);
            // Goes on on the same disk.
            drop(back);
            life = Life::resume(&disk, options, &life.models, seed * 10 + round).0;
        }
    }
}
