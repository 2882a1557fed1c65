//! Disks that fail, and files that rot while the store is open.

use super::damage::{UNBOUNDED, lived, segments};
use super::*;
use crate::file::segment::HEADER;
use crate::sim::{Failing, Unsynced};
use crate::store::ReadError;

#[test]
fn what_rots_while_the_store_is_open_is_found_by_reading() {
    for options in [UNBOUNDED, Options { compresses: true, ..UNBOUNDED }] {
        rot_while_open(options);
    }
}

fn rot_while_open(options: Options<'_>) {
    let (disk, models) = lived(options, 4, true);
    let (mut life, _) = Life::resume(&disk, options, &models, 1);
    let (name, used) = segments(&disk).into_iter().max_by_key(|(_, used)| *used).unwrap();
    let mut bytes = disk.bytes(&name).unwrap();
    for at in (HEADER as usize + 200..used).step_by(900) {
        bytes[at] ^= 4;
    }
    disk.set_bytes_in_place(&name, &bytes);
    let (mut buffer, mut unreadable) = (Vec::new(), 0);
    for (seq, message) in &models.last().unwrap().messages {
        match life.store.get(*seq, &mut buffer) {
            Ok(found) => assert_eq!(found.map(kept).as_ref(), Some(message), "message {seq}"),
            Err(ReadError::Unreadable(range)) => {
                assert!(range.why.contains(&name), "{range:?}");
                unreadable += 1;
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert!(unreadable > 0);
    life.store.apply(0, &mut life.owner);
    assert_eq!(life.store.state().unreadable, unreadable);
    assert!(life.store.take_damage().iter().all(|damage| damage.what.contains(&name)));
    // Who walks along comes upon each range once, and past it.
    let (mut from, mut passed, mut errors) = (0, 0, 0);
    for _ in 0..10_000 {
        match life.store.next(&Filter::new([&b"s.*"[..]]), from, &mut buffer) {
            Ok(Some(message)) => (from, passed) = (message.seq + 1, passed + 1),
            Ok(None) => break,
            Err(ReadError::Unreadable(range)) => (from, errors) = (range.seqs.end() + 1, errors + 1),
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(errors, life.store.unreadable().len());
    assert!(passed > 0);
}

#[test]
fn a_page_that_was_read_serves_until_nothing_is_asked_of_the_store_any_more() {
    let (disk, models) = lived(UNBOUNDED, 4, true);
    let (mut life, _) = Life::resume(&disk, UNBOUNDED, &models, 1);
    let messages: Vec<u64> = models.last().unwrap().messages.keys().copied().collect();
    let (mut buffer, [first, .., last]) = (Vec::new(), &messages[..]) else { panic!("there are some") };
    for seq in [*first, *last, *first] {
        // Here and there, so that none of them reads on.
        assert!(life.store.get(seq, &mut buffer).unwrap().is_some());
    }
    for (name, used) in segments(&disk) {
        let mut bytes = disk.bytes(&name).unwrap();
        bytes[HEADER as usize..used].fill(0x55);
        disk.set_bytes_in_place(&name, &bytes);
    }
    for seq in [*last, *first] {
        assert!(life.store.get(seq, &mut buffer).unwrap().is_some(), "it was read before");
    }
    for _ in 0..2 {
        while life.store.maintain(WallTime::default()).unwrap() {}
    }
    life.store.get(*first, &mut buffer).expect_err("it is gone from the disk");
}

#[test]
fn what_the_disk_does_not_give_takes_along_no_more_than_that() {
    let disk = SimDisk::default();
    let options = Options { segment_bytes: 1 << 16, scrub_period: std::time::Duration::from_secs(1), ..UNBOUNDED };
    let mut life = Life::begin(&disk, options, 7);
    while segments(&disk).len() < 3 {
        let deed = life.message();
        life.append(&[deed]).unwrap();
    }
    life.sync().unwrap();
    life.apply();
    life.checkpoint().unwrap();
    life.sync().unwrap();
    while life.store.maintain(WallTime::from_nanos(1)).unwrap() {}
    let name = segments(&disk)[0].0.clone();
    let (model, mut buffer) = (life.models.last().unwrap().clone(), Vec::new());
    let lost = |store: &FileStore, buffer: &mut Vec<u8>| -> Vec<u64> {
        let wanted = model.messages.iter();
        let lost = wanted.filter_map(|(seq, message)| match store.get(*seq, buffer) {
            Ok(found) => {
                assert_eq!(found.map(kept).as_ref(), Some(message), "message {seq}");
                None
            }
            Err(ReadError::Unreadable(range)) => {
                assert!(range.seqs.contains(seq) && range.why.contains("the sector cannot be read"), "{range:?}");
                Some(*seq)
            }
            Err(error) => panic!("{error}"),
        });
        lost.collect()
    };
    assert_eq!(lost(&life.store, &mut buffer), Vec::<u64>::new());
    life.store.windows.clear();

    disk.refuse(&name, 16_384..20_480);
    let unreadable = lost(&life.store, &mut buffer);
    // A page of 4 KiB, and what is in it by half.
    assert!(!unreadable.is_empty() && unreadable.len() < 60 && unreadable.is_sorted(), "{unreadable:?}");
    assert!(unreadable.windows(2).all(|pair| pair[0] + 1 >= pair[1] || !model.messages.contains_key(&(pair[0] + 1))));
    // Whoever reads on comes upon it once, and then on what is behind.
    let behind = unreadable.last().unwrap() + 1;
    assert!(life.store.next(&Filter::default(), unreadable[0], &mut buffer).is_err());
    assert!(life.store.next(&Filter::default(), behind, &mut buffer).is_ok_and(|found| found.is_some()));
    life.store.maintain(WallTime::from_nanos(2)).unwrap();
    assert_eq!(life.store.take_damage().len(), 1);
    assert_eq!(life.store.state().unreadable, unreadable.len() as u64);

    // So it is with the next start, and with the scrub.
    for is_known in [true, false] {
        let opened = FileStore::open(Arc::new(disk.clone()), options, &mut Owner::default()).unwrap();
        assert_eq!(opened.damage.is_empty(), !is_known, "{:?}", opened.damage);
        let mut back = opened.store;
        for second in 1..9 {
            while back.maintain(WallTime::from_nanos(second * 1_000_000_000)).unwrap() {}
        }
        assert_eq!(back.state().unreadable, unreadable.len() as u64);
        if is_known {
            // As if nobody had read it yet.
            disk.refuse(&name, 0..0);
            let mut store = FileStore::open(Arc::new(disk.clone()), options, &mut Owner::default()).unwrap().store;
            while store.maintain(WallTime::from_nanos(1)).unwrap() {}
            assert_eq!(store.state().unreadable, 0);
            disk.refuse(&name, 16_384..20_480);
        }
    }

    // Of the end of the log it is not known what is there.
    let end = segments(&disk).last().unwrap().0.clone();
    disk.refuse(&end, 100..101);
    let error = FileStore::open(Arc::new(disk), options, &mut Owner::default()).unwrap_err();
    assert!(error.to_string().contains(&end), "{error}");
}

#[test]
fn files_that_are_only_read_do_not_stay_open() {
    let options = Options { segment_bytes: 512, scrub_period: std::time::Duration::ZERO, ..UNBOUNDED };
    let (disk, models) = lived(options, 2, false);
    let (mut life, _) = Life::resume(&disk, options, &models, 3);
    let open = |life: &Life| life.store.log.segments.iter().filter(|segment| segment.file.get().is_some()).count();
    life.check(models.last().unwrap(), "all of it is read");
    assert!(open(&life) > 20, "{}", open(&life));
    while life.store.maintain(WallTime::from_nanos(1)).unwrap() {}
    life.store.maintain(WallTime::from_nanos(1)).unwrap();
    assert!(open(&life) <= 1, "{}", open(&life));
    life.check(models.last().unwrap(), "they are opened again");
}

#[test]
fn a_full_disk_refuses_and_takes_again() {
    let disk = SimDisk::default();
    let mut life = Life::begin(&disk, UNBOUNDED, 1);
    for _ in 0..30 {
        life.step().unwrap();
    }
    for room in [0, 1, 100, 4096] {
        disk.fail(Some(Failing::FullAt(disk.used() + room)));
        let mut refused = 0;
        for _ in 0..40 {
            let last_seq = life.last_seq;
            let deeds = life.deeds();
            match life.append(&deeds) {
                Ok(_) => {}
                Err(StoreError::Full { .. }) => (life.last_seq, refused) = (last_seq, refused + 1),
                Err(error) => panic!("{error}"),
            }
        }
        assert!(refused > 0);
        disk.fail(None);
        for _ in 0..5 {
            life.step().expect("there is room again");
        }
    }
    life.sync().unwrap();
    life.apply();
    life.check(life.models.last().unwrap(), "after all");
    let (back, opened) = Life::resume(&disk.restart(Unsynced::Dropped), UNBOUNDED, &life.models, 1);
    assert_eq!(opened.damage, Vec::<String>::new());
    back.check(back.models.last().unwrap(), "after that");
}

#[test]
// spec: JS-122
fn a_failed_write_or_sync_fences() {
    for failing in [Failing::Write, Failing::Sync, Failing::Allocate] {
        let disk = SimDisk::default();
        let mut life = Life::begin(&disk, UNBOUNDED, 1);
        for _ in 0..30 {
            life.step().unwrap();
        }
        life.sync().unwrap();
        life.apply();
        disk.fail(Some(failing));
        let failed = (0..40).find_map(|_| life.step().err()).expect("it fails");
        assert!(matches!(failed, StoreError::Failed { .. }), "{failed}");
        disk.fail(None);
        assert!(life.store.fenced().is_some());
        assert!(matches!(life.append(&[Deed::Note(1)]), Err(StoreError::Failed { .. })), "{failing:?}");
        assert!(life.store.sync_job().is_none());
        // Reading goes on.
        let applied = usize::try_from(life.store.applied()).unwrap();
        life.check(&life.models[applied].clone(), "fenced");
    }
}
