//! Disks that cannot do something just now: nothing is damaged by that, and nothing is lost.

use super::damage::{UNBOUNDED, lived, segments};
use super::*;
use crate::sim::{Failing, Unsynced};
use crate::store::ReadError;

/// Without files, what is open can still be read; without memory, nothing can.
const PASSING: [Failing; 2] = [Failing::Files, Failing::Memory];

/// Forgets all that is in memory, and closes what is only read.
fn forget(life: &mut Life) {
    for _ in 0..2 {
        while life.store.maintain(WallTime::from_nanos(1)).unwrap() {}
    }
    life.store.windows.clear();
}

fn is_not_now<T>(result: &Result<T, ReadError>) -> bool {
    matches!(result, Err(ReadError::NotNow(_)))
}

#[test]
fn what_cannot_be_read_now_is_read_later() {
    for (options, failing) in [(UNBOUNDED, PASSING[0]), (UNBOUNDED, PASSING[1]), (S2, PASSING[0]), (S2, PASSING[1])] {
        let options = Options { limits: UNBOUNDED.limits, scrub_period: std::time::Duration::ZERO, ..options };
        let (disk, models) = lived(options, 4, false);
        let (mut life, _) = Life::resume(&disk, options, &models, 1);
        let (model, mut buffer) = (models.last().unwrap(), Vec::new());
        forget(&mut life);
        disk.fail(Some(failing));
        let first = *model.messages.first_key_value().unwrap().0;
        assert!(is_not_now(&life.store.get(first, &mut buffer)), "{failing:?}");
        assert!(is_not_now(&life.store.next(&Filter::default(), 0, &mut buffer)), "{failing:?}");
        // Nobody is led past what may be meant: who is told of a message is told of the right one.
        let mut told = [0, 0];
        for (filter, from) in
            [&b"s.3"[..], b"t.1.x", b"t.*.x", b"*.none"].iter().flat_map(|f| (0..80).map(move |n| (f, n)))
        {
            let filter = Filter::new([*filter]);
            let wanted = model.messages.iter().find(|(seq, kept)| **seq >= from && filter.matches(&kept.subject));
            match life.store.next(&filter, from, &mut buffer) {
                Ok(found) => {
                    assert_eq!(found.map(|found| found.seq), wanted.map(|(seq, _)| *seq), "{filter:?}, {from}");
                }
                Err(ReadError::NotNow(_)) => told[0] += 1,
                Err(error) => panic!("{error}"),
            }
            told[1] += 1;
        }
        assert!(told[0] > told[1] / 4, "{told:?}");
        life.store.subject(b"s.3");
        life.store.last(&Filter::new([&b"s.*"[..]]), u64::MAX);
        life.store.apply(0, &mut life.owner);
        assert_eq!((life.store.state().unreadable, life.store.take_damage()), (0, Vec::new()));
        disk.fail(None);
        life.check(model, &format!("{failing:?}, later"));
    }
}

#[test]
fn the_scrub_comes_back_to_what_it_could_not_read() {
    let options = Options { scrub_period: std::time::Duration::from_secs(1), ..UNBOUNDED };
    for failing in PASSING {
        let (disk, models) = lived(options, 1, false);
        let (mut life, _) = Life::resume(&disk, options, &models, 1);
        forget(&mut life);
        let (name, used) = segments(&disk)[0].clone();
        let mut bytes = disk.bytes(&name).unwrap();
        bytes[used / 2] ^= 1;
        disk.set_bytes_in_place(&name, &bytes);
        disk.fail(Some(failing));
        let scrub = |life: &mut Life, seconds: std::ops::Range<u64>| {
            for second in seconds {
                while life.store.maintain(WallTime::from_nanos(second * 1_000_000_000)).unwrap() {}
            }
            life.store.take_damage().len()
        };
        assert_eq!(scrub(&mut life, 1..20), 0, "{failing:?}");
        assert_eq!(life.store.state().unreadable, 0);
        disk.fail(None);
        assert!(scrub(&mut life, 20..60) > 0, "{failing:?}");
    }
}

/// Messages that go while they cannot be read are gone, and count no more when they can be.
#[test]
fn what_goes_unread_is_accounted_for_later() {
    for failing in PASSING {
        let disk = SimDisk::default();
        let mut life = Life::begin(&disk, UNBOUNDED, 3);
        for _ in 0..300 {
            let deed = life.message();
            life.append(&[deed]).unwrap();
        }
        life.sync().unwrap();
        life.apply();
        life.checkpoint().unwrap();
        life.sync().unwrap();
        forget(&mut life);
        disk.fail(Some(failing));
        let expires = life.clock;
        for deed in
            [Deed::Remove(vec![3..=9, 40..=40], false), Deed::Expire(expires), Deed::Remove(vec![60..=62], true)]
        {
            life.append(&[deed]).unwrap();
        }
        life.sync().unwrap();
        life.apply();
        let mut buffer = Vec::new();
        assert!(life.store.get(5, &mut buffer).unwrap().is_none() && is_not_now(&life.store.get(2, &mut buffer)));
        let refused = life.checkpoint().unwrap_err();
        assert!(matches!(refused, StoreError::Full { .. }) && life.store.fenced().is_none(), "{refused}");
        while life.store.maintain(WallTime::from_nanos(2)).unwrap() {}
        // Killed now, the next start finds what it should.
        let (back, opened) = Life::resume(&disk.restart(Unsynced::Kept), UNBOUNDED, &life.models, 5);
        assert_eq!(opened.damage, Vec::<String>::new());
        back.check(back.models.last().unwrap(), "killed");
        disk.fail(None);
        // What was due goes the next time that something is.
        life.append(&[Deed::Expire(expires)]).unwrap();
        life.sync().unwrap();
        life.apply();
        life.checkpoint().unwrap();
        life.check(life.models.last().unwrap(), &format!("{failing:?}, later"));
        assert_eq!((life.store.state().unreadable, life.store.take_damage()), (0, Vec::new()));
        life.sync().unwrap();
        while life.store.maintain(WallTime::from_nanos(3)).unwrap() {}
        let notes = life.owner.notes.clone();
        life.store.close(&notes).unwrap();
        let (back, opened) = Life::resume(&disk, UNBOUNDED, &life.models, 5);
        assert_eq!(opened.damage, Vec::<String>::new());
        back.check(back.models.last().unwrap(), "started again");
    }
}

/// A bound takes the oldest, not all that cannot be read.
#[test]
fn bounds_wait_for_what_they_would_take() {
    let limits = Limits { max_msgs: 0, max_bytes: 40_000, max_msgs_per_subject: 0, discard_old: true };
    let options = Options { limits, segment_bytes: 16_384, ..OPTIONS };
    for failing in PASSING {
        let disk = SimDisk::default();
        let mut life = Life::begin(&disk, options, 3);
        let fill = |life: &mut Life, messages: u64| {
            for _ in 0..messages {
                let deed = life.message();
                life.append(&[deed]).unwrap();
            }
            life.sync().unwrap();
            life.apply();
        };
        fill(&mut life, 400);
        life.checkpoint().unwrap();
        life.sync().unwrap();
        forget(&mut life);
        let before = life.store.state();
        assert!(before.bytes <= 40_000 && before.messages > 50, "{before:?}");
        disk.fail(Some(failing));
        fill(&mut life, 5);
        let meanwhile = life.store.state();
        assert_eq!((meanwhile.first_seq, meanwhile.messages), (before.first_seq, before.messages + 5), "{failing:?}");
        disk.fail(None);
        fill(&mut life, 1);
        let after = life.store.state();
        assert!(after.bytes <= 40_000 && after.bytes + 1_000 > 40_000, "{after:?}");
    }
}

/// Where no file can be had for the next segment, publishers are refused until there is one.
#[test]
// spec: JS-122
fn what_cannot_be_written_now_is_written_later() {
    let disk = SimDisk::default();
    let mut life = Life::begin(&disk, UNBOUNDED, 1);
    for _ in 0..30 {
        life.step().unwrap();
    }
    life.sync().unwrap();
    life.apply();
    disk.fail(Some(Failing::Files));
    let mut refused = 0;
    for _ in 0..40 {
        let (deed, last_seq) = (life.message(), life.last_seq);
        match life.append(&[deed]) {
            Ok(_) => {}
            Err(StoreError::Full { .. }) => (life.last_seq, refused) = (last_seq - 1, refused + 1),
            Err(error) => panic!("{error}"),
        }
        life.sync().unwrap();
        life.apply();
        let _ = life.checkpoint();
        while life.store.maintain(WallTime::from_nanos(1)).unwrap() {}
    }
    assert!(refused > 0);
    disk.fail(None);
    for _ in 0..20 {
        life.step().expect("there are files again");
    }
    life.sync().unwrap();
    life.apply();
    life.check(life.models.last().unwrap(), "after all");
}
