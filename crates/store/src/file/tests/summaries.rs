//! Segments have summaries: what they are good for, and that they say nothing that is not so.

use super::*;
use crate::disk::Disk;
use crate::file::segment::{HEADER, name_of, number_of};
use crate::file::summary;
use crate::sim::Unsynced;

const UNBOUNDED: Options<'static> = Options {
    limits: Limits { max_msgs: 0, max_bytes: 0, max_msgs_per_subject: 0, discard_old: false },
    scrub_period: std::time::Duration::from_secs(1000),
    ..OPTIONS
};

const KINDS: [Options<'static>; 3] =
    [UNBOUNDED, Options { compresses: true, ..UNBOUNDED }, Options { encryption: Some(KEY), ..UNBOUNDED }];

fn message(life: &mut Life, subject: &str, payload: &[u8]) -> Deed {
    life.last_seq += 1;
    let (subject, payload) = (subject.as_bytes().to_vec(), payload.to_vec());
    Deed::Message(life.last_seq, Kept { time: 1000 + life.last_seq, subject, headers: vec![], payload, expires: None })
}

/// Everything is written that is to be written by and by.
fn settle(life: &mut Life) {
    for _ in 0..5 {
        life.sync().unwrap();
        life.apply();
        life.checkpoint().unwrap();
        life.sync().unwrap();
        while life.store.maintain(WallTime::from_nanos(1)).unwrap() {}
    }
    life.sync().unwrap();
}

/// A store with two subjects that are rare among many messages.
fn filled(disk: &SimDisk, options: Options<'_>) -> Life {
    let mut life = Life::begin(disk, options, 3);
    for nth in 0..400_u64 {
        let subject = if nth % 150 == 7 { "rare.one".to_owned() } else { format!("s.{}", nth % 40) };
        let deed = message(&mut life, &subject, &nth.to_le_bytes().repeat(12));
        life.append(&[deed]).unwrap();
    }
    settle(&mut life);
    life
}

fn summaries(disk: &SimDisk) -> Vec<u64> {
    disk.list().unwrap().iter().filter_map(|name| summary::number_of(name)).collect()
}

fn segments(disk: &SimDisk) -> Vec<u64> {
    disk.list().unwrap().iter().filter_map(|name| number_of(name)).collect()
}

#[test]
fn every_segment_has_one_but_the_one_that_is_written() {
    for options in KINDS {
        let disk = SimDisk::default();
        let mut life = filled(&disk, options);
        let all = segments(&disk);
        assert!(all.len() > 3, "{all:?}");
        assert_eq!(summaries(&disk), all[..all.len() - 1]);
        assert_eq!(life.store.used(), disk.used() - key_bytes(&disk));
        // A segment that goes takes its own along.
        life.append(&[Deed::Remove(vec![1..=200], false)]).unwrap();
        settle(&mut life);
        assert!(segments(&disk).len() < all.len());
        assert_eq!(summaries(&disk), segments(&disk)[..segments(&disk).len() - 1]);
        life.check(life.models.last().unwrap(), "what is left");
    }
}

fn key_bytes(disk: &SimDisk) -> u64 {
    ["key.0", "key.1"].iter().filter_map(|name| disk.bytes(name)).map(|bytes| bytes.len() as u64).sum()
}

#[test]
fn a_start_after_a_kill_reads_what_no_summary_covers() {
    for options in KINDS {
        let disk = SimDisk::default();
        let life = filled(&disk, options);
        let disk = disk.restart(Unsynced::Dropped);
        // What is not read is not found to be damaged.
        let all = segments(&disk);
        for number in &all[..all.len() - 1] {
            let mut bytes = disk.bytes(&name_of(*number)).unwrap();
            bytes[HEADER as usize..].fill(0x55);
            disk.set_bytes(&name_of(*number), bytes);
        }
        let mut owner = Owner::default();
        let opened = FileStore::open(Arc::new(disk.clone()), options, &mut owner).unwrap();
        assert_eq!(opened.damage, []);
        let (store, model) = (opened.store, life.models.last().unwrap());
        assert_eq!(store.state().messages, model.messages.len() as u64);
        assert_eq!(store.state().subjects, 41);
        // But it is by whoever reads it, and named.
        assert!(store.get(1, &mut Vec::new()).is_err());
    }
}

#[test]
fn the_messages_of_a_rare_subject_are_found_without_reading_what_lies_between() {
    for options in KINDS {
        let disk = SimDisk::default();
        let life = filled(&disk, options);
        let wanted: Vec<u64> = life
            .models
            .last()
            .unwrap()
            .messages
            .iter()
            .filter(|(_, m)| m.subject == b"rare.one")
            .map(|(s, _)| *s)
            .collect();
        let [first, second, third] = wanted[..] else { panic!("{wanted:?}") };
        // Whoever read this would stumble.
        let holders: Vec<usize> = wanted
            .iter()
            .map(|seq| life.store.log.segments.partition_point(|segment| segment.last_seq < *seq))
            .collect();
        for (position, segment) in life.store.log.segments.iter().enumerate().rev().skip(1) {
            let is_near =
                |seq: &u64| segment.has_any(&(*seq..=*seq + 70)) || segment.has_any(&(seq.saturating_sub(70)..=*seq));
            if !holders.contains(&position) && !wanted.iter().any(is_near) {
                let name = segment.name();
                let mut bytes = disk.bytes(&name).unwrap();
                bytes[HEADER as usize..].fill(0x55);
                disk.set_bytes_in_place(&name, &bytes);
            }
        }
        let (filter, mut buffer) = (Filter::new([&b"rare.one"[..]]), Vec::new());
        let mut next = |from| life.store.next(&filter, from, &mut buffer).unwrap().map(|message| message.seq);
        assert_eq!(
            [next(0), next(first + 1), next(second + 1), next(third + 1)],
            [Some(first), Some(second), Some(third), None]
        );
        assert_eq!(life.store.last(&filter, third - 1), Some(second));
        assert_eq!(life.store.last(&filter, second - 1), Some(first));
        assert_eq!(life.store.unreadable(), []);
    }
}

#[test]
fn the_messages_of_a_subject_are_counted_without_reading_them() {
    for options in KINDS {
        let disk = SimDisk::default();
        let mut life = Life::begin(&disk, options, 3);
        for nth in 0..600_u64 {
            let deed = message(&mut life, &format!("s.{}", nth % 3), &nth.to_le_bytes().repeat(12));
            life.append(&[deed]).unwrap();
        }
        life.append(&[Deed::Remove(vec![100..=130, 301..=301], false)]).unwrap();
        settle(&mut life);
        let last = life.store.log.segments.len() - 1;
        for segment in &life.store.log.segments[1..last] {
            let mut bytes = disk.bytes(&segment.name()).unwrap();
            if !segment.has_any(&(1..=150)) && !segment.has_any(&(450..=600)) {
                bytes[HEADER as usize..].fill(0x55);
            }
            disk.set_bytes_in_place(&segment.name(), &bytes);
        }
        let model = life.models.last().unwrap();
        for from in [150, 200, 250, 300, 302, 350, 400, 450] {
            let wanted = model.messages.range(from..).filter(|(_, message)| message.subject == b"s.1").count();
            let count = life.store.count(&Filter::new([&b"s.1"[..]]), from, false);
            assert_eq!(count, wanted as u64, "from {from}");
        }
        assert_eq!(life.store.unreadable(), []);
    }
}

#[test]
fn a_summary_is_made_in_pieces() {
    let disk = SimDisk::default();
    let options = Options { segment_bytes: 1 << 20, ..UNBOUNDED };
    let mut life = Life::begin(&disk, options, 3);
    while segments(&disk).len() < 2 {
        let deeds: Vec<Deed> = (0..100).map(|nth| message(&mut life, &format!("s.{nth}"), &[7; 500])).collect();
        life.append(&deeds).unwrap();
    }
    life.sync().unwrap();
    life.apply();
    let mut pieces = 1;
    while life.store.maintain(WallTime::from_nanos(1)).unwrap() {
        pieces += 1;
        // More comes meanwhile.
        let deed = message(&mut life, "s.1", b"more");
        life.append(&[deed]).unwrap();
    }
    assert!(pieces > 8, "{pieces}");
    assert_eq!(summaries(&disk), [1]);
}

#[test]
fn the_owner_is_asked_for_a_checkpoint_when_a_segment_is_full() {
    let disk = SimDisk::default();
    let mut life = Life::begin(&disk, UNBOUNDED, 3);
    for round in 0..3 {
        assert!(!life.store.wants_checkpoint(), "round {round}");
        let before = segments(&disk).len();
        while segments(&disk).len() < before + 2 {
            let deed = message(&mut life, "s.1", &[1; 300]);
            life.append(&[deed]).unwrap();
        }
        assert!(!life.store.wants_checkpoint(), "what is not applied cannot be in one");
        life.sync().unwrap();
        life.apply();
        assert!(life.store.wants_checkpoint(), "round {round}");
        life.checkpoint().unwrap();
    }
}

#[test]
fn the_subject_of_a_message_that_is_erased_stays_nowhere() {
    for options in [KINDS[0], KINDS[1]] {
        for is_closed in [false, true] {
            let disk = SimDisk::default();
            let mut life = filled(&disk, options);
            let secret = message(&mut life, "secret.subject", &[9; 300]);
            let seq = life.last_seq;
            life.append(&[secret]).unwrap();
            for nth in 0..60 {
                let deed = message(&mut life, &format!("later.{}", nth % 3), &[8; 200]);
                life.append(&[deed]).unwrap();
            }
            let notes = life.owner.notes.clone();
            settle(&mut life);
            life.store.close(&notes).unwrap();
            let has_secret = |disk: &SimDisk| -> Vec<String> {
                let has = |name: &String| disk.bytes(name).unwrap().windows(5).any(|window| window == b"ecret");
                disk.list().unwrap().into_iter().filter(has).collect()
            };
            assert!(has_secret(&disk).iter().any(|name| summary::number_of(name).is_some()), "{:?}", has_secret(&disk));
            assert!(has_secret(&disk).contains(&"subjects".to_owned()));
            let (mut life, _) = Life::resume(&disk, options, &life.models, 3);
            life.append(&[Deed::Remove(vec![seq..=seq], true)]).unwrap();
            life.sync().unwrap();
            life.apply();
            if is_closed {
                let notes = life.owner.notes.clone();
                life.store.close(&notes).unwrap();
            } else {
                settle(&mut life);
                let all = segments(&disk);
                assert_eq!(summaries(&disk), all[..all.len() - 1]);
            }
            assert_eq!(has_secret(&disk), Vec::<String>::new());
            let (back, opened) = Life::resume(&disk.restart(Unsynced::Dropped), options, &life.models, 1);
            assert_eq!(opened.damage, Vec::<String>::new());
            back.check(back.models.last().unwrap(), "erased and opened");
        }
    }
}
