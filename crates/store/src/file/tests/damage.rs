//! Files rot, shrink, vanish and change places.

use super::*;
use crate::file::checkpoint::Checkpoint;
use crate::file::segment::{HEADER, number_of};
use crate::file::{OpenError, subjects, summary};
use crate::sim::Unsynced;
use crate::store::ReadError;

pub(super) const UNBOUNDED: Options<'static> =
    Options { limits: Limits { max_msgs: 0, max_bytes: 0, max_msgs_per_subject: 0, discard_old: false }, ..OPTIONS };

/// The lives that files are spoilt of: how the store is opened, a seed, and whether it was closed in the end.
const LIVES: [(Options<'static>, u64, bool); 6] = [
    (UNBOUNDED, 1, false),
    (UNBOUNDED, 2, true),
    (UNBOUNDED, 3, false),
    (Options { compresses: true, ..UNBOUNDED }, 3, true),
    (Options { limits: UNBOUNDED.limits, ..SEALED }, 5, true),
    (Options { limits: UNBOUNDED.limits, ..BOTH }, 6, false),
];

/// A disk after some life; all but the last entry are known to have been durable.
pub(super) fn lived(options: Options<'_>, seed: u64, is_closed: bool) -> (SimDisk, Vec<Model>) {
    let disk = SimDisk::default();
    let mut life = Life::begin(&disk, options, seed);
    for _ in 0..70 {
        life.step().expect("a disk that works");
    }
    // Nothing is still to be overwritten: damage to that is of no interest to anybody.
    life.sync().unwrap();
    life.apply();
    for _ in 0..3 {
        life.checkpoint().unwrap();
        life.sync().unwrap();
        while life.store.maintain(WallTime::default()).unwrap() {}
    }
    life.checkpoint().unwrap();
    for _ in 0..12 {
        let deed = life.message();
        life.append(&[deed]).unwrap();
    }
    for _ in 0..2 {
        life.sync().unwrap();
        life.apply();
        life.append(&[Deed::Note(1)]).unwrap();
    }
    life.sync().unwrap();
    life.apply();
    if is_closed {
        let notes = life.owner.notes.clone();
        life.store.close(&notes).unwrap();
    }
    let models = life.models.clone();
    (disk.restart(Unsynced::Dropped), models)
}

/// What a damaged store still has to keep to. `files` are those of which one at least has to be named.
fn check(options: Options<'_>, disk: &SimDisk, models: &[Model], files: &[&str], must_be_found: bool, context: &str) {
    let (mut back, opened) = Life::resume(disk, options, models, 5);
    // After a clean stop the log is not read on opening, but looked through by and by.
    for second in 1..30 {
        back.store.maintain(WallTime::from_nanos(second * 1_000_000_000)).unwrap();
    }
    let model = models.last().unwrap();
    let mut buffer = Vec::new();
    let mut unreadable = 0;
    for (seq, message) in &model.messages {
        match back.store.get(*seq, &mut buffer) {
            Ok(found) => assert_eq!(found.map(kept).as_ref(), Some(message), "message {seq}, {context}, {opened:?}"),
            Err(ReadError::Unreadable(range)) => {
                assert!(range.seqs.contains(seq), "{range:?}, {context}");
                unreadable += 1;
            }
            Err(error) => panic!("{error}, {context}"),
        }
    }
    let mut damage = opened.damage;
    damage.extend(back.store.take_damage().iter().map(ToString::to_string));
    assert!(back.store.state().unreadable >= unreadable, "{context}");
    if unreadable > 0 || must_be_found {
        let is_named = damage.iter().any(|damage| files.iter().any(|file| damage.contains(file)));
        assert!(is_named, "{files:?} in {damage:?}, {context}");
    }
    // It goes on working, and still knows the next time.
    let last_seq = back.store.state().last_seq;
    back.models = vec![Model::default(); usize::try_from(back.store.appended()).unwrap() + 1];
    back.last_seq = last_seq;
    back.clock = 1_000_000_000;
    let deed = back.message();
    let seq = back.last_seq;
    back.append(std::slice::from_ref(&deed)).unwrap_or_else(|error| panic!("{error}, {context}"));
    back.sync().unwrap();
    back.apply();
    let found = back.store.get(seq, &mut buffer).expect(context).map(kept);
    let Deed::Message(_, wanted) = deed else { unreachable!() };
    assert_eq!(found, Some(wanted), "{context}");
    let state = back.store.state();
    let (again, _) = Life::resume(disk, options, &back.models, 6);
    assert_eq!(again.store.state().last_seq, seq, "{context}");
    assert_eq!(again.store.state().unreadable, state.unreadable, "{context}");
}

pub(super) fn segments(disk: &SimDisk) -> Vec<(String, usize)> {
    use crate::disk::Disk;
    let names = disk.list().unwrap().into_iter().filter(|name| number_of(name).is_some());
    let used = |bytes: Vec<u8>| bytes.len() - bytes.iter().rev().take_while(|byte| **byte == 0).count();
    names.map(|name| (name.clone(), used(disk.bytes(&name).unwrap()))).collect()
}

#[test]
fn a_flipped_bit_is_found_wherever_it_is() {
    for (options, seed, is_closed) in LIVES {
        let (disk, models) = lived(options, seed, is_closed);
        let last = segments(&disk).last().unwrap().0.clone();
        for (name, used) in segments(&disk) {
            for at in (0..used).step_by(37) {
                let disk = disk.fork();
                let mut bytes = disk.bytes(&name).unwrap();
                bytes[at] ^= 1 << (at % 8);
                disk.set_bytes(&name, bytes);
                // What is not sealed and need not be read is not looked through. Whether a header's last entry was
                // durable nothing tells.
                let must_be_found = name != last || (!is_closed && at + 200 < used);
                check(
                    options,
                    &disk,
                    &models,
                    &[&name],
                    must_be_found,
                    &format!("seed {seed}, {name}, bit of byte {at}"),
                );
            }
        }
    }
}

#[test]
fn what_was_cut_off_or_zeroed_is_missed() {
    for (options, seed, is_closed) in LIVES {
        let (disk, models) = lived(options, seed, is_closed);
        let all = segments(&disk);
        for (position, (name, used)) in all.iter().enumerate() {
            let is_last = position + 1 == all.len();
            let next = all.get(position + 1).map_or("no such name", |(name, _)| name);
            for at in (0..*used).step_by(101) {
                let must_be_found = !is_last || is_closed;
                let context = |what: &str| format!("seed {seed}, closed {is_closed}, {name} of {used}, {what} at {at}");
                let short = disk.fork();
                short.set_bytes(name, disk.bytes(name).unwrap()[..at].to_vec());
                if must_be_found {
                    check(options, &short, &models, &[name, next], must_be_found, &context("cut"));
                }
                let zeroed = disk.fork();
                let mut bytes = disk.bytes(name).unwrap();
                let end = (at + 300).min(bytes.len());
                bytes[at..end].fill(0);
                let is_changed = Some(&bytes) != disk.bytes(name).as_ref();
                zeroed.set_bytes(name, bytes);
                if is_changed && (must_be_found || end + 200 < *used) {
                    check(options, &zeroed, &models, &[name, next], !is_last, &context("zeroed"));
                }
            }
        }
    }
}

#[test]
fn a_file_that_is_missing_or_another_one_is_missed() {
    for (options, seed, is_closed) in LIVES {
        let (disk, models) = lived(options, seed, is_closed);
        let (other, _) = lived(Options { salt: 0x0dd, ..UNBOUNDED }, 9, false);
        let all = segments(&disk);
        for (position, (name, _)) in all.iter().enumerate() {
            let is_last = position + 1 == all.len();
            if is_last && !is_closed {
                continue; // Nothing tells that it was there.
            }
            let context = |what: &str| format!("seed {seed}, closed {is_closed}, {name} {what}");
            let missing = disk.fork();
            missing.lose(name);
            check(options, &missing, &models, &[name], true, &context("missing"));
            let swapped = disk.fork();
            let with = &all[(position + 1) % all.len()].0;
            swapped.set_bytes(name, disk.bytes(with).unwrap());
            check(options, &swapped, &models, &[name], true, &context("swapped"));
            let foreign = disk.fork();
            foreign.set_bytes(name, other.bytes(&segments(&other)[0].0).unwrap());
            check(options, &foreign, &models, &[name], true, &context("of another stream"));
        }
    }
}

#[test]
fn an_entry_in_the_place_of_an_earlier_one_costs_but_that() {
    let disk = SimDisk::default();
    let mut life = Life::begin(&disk, UNBOUNDED, 1);
    let kept = |seq| Kept {
        time: 5,
        subject: b"s".to_vec(),
        headers: Vec::new(),
        payload: format!("{seq:09}").into_bytes(),
        expires: None,
    };
    for seq in 1..=20 {
        life.append(&[Deed::Message(seq, kept(seq))]).unwrap();
    }
    life.sync().unwrap();
    life.append(&[Deed::Message(21, kept(21))]).unwrap();
    life.sync().unwrap();
    let name = segments(&disk)[0].0.clone();
    let mut bytes = disk.bytes(&name).unwrap();
    let len = crate::frame::parse_header(&bytes[HEADER as usize..]).unwrap().frame_len();
    let place = |entry: usize| HEADER as usize + (entry - 1) * len..HEADER as usize + entry * len;
    bytes.copy_within(place(15), place(5).start);
    disk.set_bytes(&name, bytes);
    let (back, opened) = Life::resume(&disk, UNBOUNDED, &life.models, 2);
    assert_eq!(
        opened.damage,
        [format!(
            "{name} has an entry that belongs elsewhere at byte {}; messages 5 to 5 cannot be read",
            place(5).start
        )]
    );
    let mut buffer = Vec::new();
    for seq in (1..=21).filter(|seq| *seq != 5) {
        assert_eq!(back.store.get(seq, &mut buffer).unwrap().map(super::kept), Some(kept(seq)));
    }
    assert!(matches!(back.store.get(5, &mut buffer), Err(ReadError::Unreadable(_))));
}

/// After a clean stop a checkpoint says which sequence was the last, whatever can still be read of the last entry.
#[test]
fn no_more_is_lost_of_a_log_that_was_closed_than_it_had() {
    let disk = SimDisk::default();
    let mut life = Life::begin(&disk, UNBOUNDED, 1);
    let messages: Vec<Deed> = (0..4).map(|_| life.message()).collect();
    let last_seq = life.last_seq;
    life.append(&messages).unwrap();
    life.sync().unwrap();
    life.apply();
    let mut records = Vec::new();
    for seq in 1..=last_seq {
        life.store.view().message(seq, &mut |found| records.push(found.at as usize));
    }
    life.store.close(b"").unwrap();
    let name = segments(&disk)[0].0.clone();
    let mut bytes = disk.bytes(&name).unwrap();
    for record in [0, 1, 3] {
        bytes[records[record]] ^= 1;
    }
    disk.set_bytes(&name, bytes);
    for start in 1..4 {
        let (mut back, _) = Life::resume(&disk, UNBOUNDED, &life.models, start);
        // The first start has not read the log: whoever reads tells the next one.
        let unreadable = (1..=last_seq).filter(|seq| back.store.get(*seq, &mut Vec::new()).is_err()).count();
        back.store.apply(0, &mut back.owner);
        let state = back.store.state();
        assert_eq!((state.messages, state.last_seq, unreadable), (4, last_seq, 3), "start {start}");
        back.store.close(b"").unwrap();
    }
}

/// What a file says counts for nothing if it cannot be, whatever its checksum says.
#[test]
fn counts_that_cannot_be_are_damage() {
    let (disk, models) = lived(UNBOUNDED, 2, true);
    let names = ["checkpoint.0", "checkpoint.1"];
    let generation = |name: &str| Checkpoint::decode(&disk.bytes(name).unwrap(), None).unwrap().generation;
    let newest = *names.iter().max_by_key(|name| generation(name)).unwrap();
    let says = Checkpoint::decode(&disk.bytes(newest).unwrap(), None).unwrap();
    let spoil: [fn(&mut Checkpoint); 5] = [
        |says| says.state.messages += 1,
        |says| says.state.first_seq = says.state.last_seq + 2,
        |says| says.state.last_seq = u64::MAX,
        |says| says.deleted.insert(0, 0..=1),
        |says| says.next_number = 1,
    ];
    for spoil in spoil {
        let mut says = says.clone();
        spoil(&mut says);
        let disk = disk.fork();
        disk.set_bytes(newest, says.encode(None));
        let (back, opened) = Life::resume(&disk, UNBOUNDED, &models, 5);
        assert!(opened.damage.contains(&format!("{newest} is damaged")), "{:?}", opened.damage);
        assert_eq!(back.store.state().messages, models.last().unwrap().messages.len() as u64);
    }

    let mut bytes = disk.bytes(subjects::NAME).unwrap();
    // The last number is how many messages the last subject has, and the two bits.
    *bytes.last_mut().unwrap() += 4;
    crate::probe::seal(subjects::NAME, &mut bytes);
    disk.set_bytes(subjects::NAME, bytes);
    let (back, opened) = Life::resume(&disk, UNBOUNDED, &models, 5);
    assert_eq!(opened.damage, ["subjects is damaged; the log says the same"]);
    back.check(models.last().unwrap(), "what subjects have was wrong");
}

#[test]
fn a_spoilt_checkpoint_is_named_and_the_messages_stay() {
    for (options, seed, is_closed) in LIVES {
        let (disk, models) = lived(options, seed, is_closed);
        for name in ["checkpoint.0", "checkpoint.1"] {
            // What is behind it is left of a longer one.
            let bytes = disk.bytes(name).unwrap();
            let len = 20 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
            for at in (0..len).step_by(7) {
                let context = format!("seed {seed}, {name}, byte {at}");
                let flipped = disk.fork();
                let mut bytes = disk.bytes(name).unwrap();
                bytes[at] ^= 0x10;
                flipped.set_bytes(name, bytes);
                check(options, &flipped, &models, &[name], false, &context);
                let short = disk.fork();
                short.set_bytes(name, disk.bytes(name).unwrap()[..at].to_vec());
                check(options, &short, &models, &[name], true, &context);
            }
        }
        let none = disk.fork();
        none.lose("checkpoint.0");
        none.lose("checkpoint.1");
        check(options, &none, &models, &["checkpoint"], true, "no checkpoint");
    }
}

/// The files that say what segments say, too.
fn derived(disk: &SimDisk) -> Vec<String> {
    use crate::disk::Disk;
    let is_derived = |name: &String| summary::number_of(name).is_some() || name == subjects::NAME;
    disk.list().unwrap().into_iter().filter(is_derived).collect()
}

/// Whoever opens a store finds all of it, whatever became of a file that it can do without; gives the damage that is named.
fn whole(options: Options<'_>, disk: &SimDisk, models: &[Model], context: &str) -> Vec<String> {
    let (mut back, opened) = Life::resume(disk, options, models, 5);
    let mut damage = opened.damage;
    back.check(back.models.last().unwrap(), context);
    for second in 1..30 {
        back.store.maintain(WallTime::from_nanos(second * 1_000_000_000)).unwrap();
    }
    damage.extend(back.store.take_damage().iter().map(ToString::to_string));
    while back.store.maintain(WallTime::from_nanos(30_000_000_000)).unwrap() {}
    back.check(back.models.last().unwrap(), context);
    let (back, opened) = Life::resume(disk, options, models, 6);
    assert_eq!(opened.damage, Vec::<String>::new(), "{context}");
    back.check(back.models.last().unwrap(), &format!("again, {context}"));
    damage
}

#[test]
fn a_spoilt_summary_is_named_and_costs_nothing_but_time() {
    for (options, seed, is_closed) in LIVES {
        let (disk, models) = lived(options, seed, is_closed);
        let (other, _) = lived(Options { salt: 0x0dd, ..options }, 9, is_closed);
        let all = derived(&disk);
        assert!(all.len() > 1 && all.contains(&subjects::NAME.to_owned()) == is_closed, "{all:?}");
        let of_segments = &all[..all.len() - usize::from(is_closed)];
        for (position, name) in all.iter().enumerate() {
            let context = |what: &str| format!("seed {seed}, closed {is_closed}, {name} {what}");
            let with = |bytes: Option<Vec<u8>>| {
                let disk = disk.fork();
                bytes.map_or_else(|| disk.lose(name), |bytes| disk.set_bytes(name, bytes));
                disk
            };
            let bytes = disk.bytes(name).unwrap();
            // Of the last segment, to which more may be added, nothing is looked through that need not be read.
            let is_read = !is_closed || Some(name) != of_segments.last();
            for at in (0..bytes.len()).step_by(41) {
                let mut flipped = bytes.clone();
                flipped[at] ^= 0x20;
                let damage = whole(options, &with(Some(flipped)), &models, &context(&format!("bit of byte {at}")));
                // A length that is wrong looks as if it had been cut off.
                let is_named = damage.iter().any(|damage| damage.contains(&**name));
                assert!(is_named || !is_read || (8..16).contains(&at), "{damage:?}, {}", context(&format!("{at}")));
                let short = with(Some(bytes[..at].to_vec()));
                whole(options, &short, &models, &context(&format!("cut at {at}")));
            }
            for bytes in [None, Some(Vec::new()), Some(vec![0; bytes.len()])] {
                whole(options, &with(bytes), &models, &context("missing"));
            }
            if position < of_segments.len() {
                let next = &of_segments[(position + 1) % of_segments.len()];
                for (bytes, what) in [(disk.bytes(next), "swapped"), (other.bytes(&derived(&other)[0]), "foreign")] {
                    let is_another = bytes != disk.bytes(name);
                    let damage = whole(options, &with(bytes), &models, &context(what));
                    assert!(
                        !is_another || damage.iter().any(|damage| damage.contains(&**name)),
                        "{damage:?}, {}",
                        context(what)
                    );
                }
            }
        }
    }
}

#[test]
fn what_a_stop_has_left_is_good_for_one_start() {
    let (disk, models) = lived(UNBOUNDED, 2, true);
    // One of an earlier stop says nothing about now.
    let (mut life, _) = Life::resume(&disk, UNBOUNDED, &models, 5);
    life.append(&[Deed::Remove(vec![1..=u64::MAX], false)]).unwrap();
    life.sync().unwrap();
    life.apply();
    let (back, _) = Life::resume(&disk.restart(Unsynced::Dropped), UNBOUNDED, &life.models, 5);
    back.check(back.models.last().unwrap(), "a tail behind the summary");
}

#[test]
fn a_file_with_the_number_of_a_segment_far_ahead_costs_nothing() {
    for name in
        ["999999999999.log", "000000099999.log", "1000000000000.log", "18446744073709551615.log", "000000000000.log"]
    {
        let (disk, models) = lived(UNBOUNDED, 2, false);
        disk.set_bytes(name, b"a file of somebody else, of some bytes: more than the header of a segment has".to_vec());
        let (back, opened) = Life::resume(&disk, UNBOUNDED, &models, 5);
        assert_eq!(opened.damage, Vec::<String>::new(), "{name}");
        back.check(models.last().unwrap(), name);
        // It looks like a segment that was begun when the power went, or like nothing of ours.
        assert_eq!(disk.bytes(name).is_some(), number_of(name).is_none(), "{name}");
    }
}

#[test]
fn whatever_the_files_are_opening_ends() {
    use crate::disk::Disk;
    let lives = LIVES.map(|(options, seed, is_closed)| (options, lived(options, seed, is_closed)));
    let mut chance = Chance(77);
    for round in 0..400 {
        let (options, (disk, models)) = &lives[round % lives.len()];
        let disk = disk.fork();
        let names = disk.list().unwrap();
        for _ in 0..=chance.below(4) {
            let name = &names[chance.below(names.len() as u64) as usize];
            let other = &names[chance.below(names.len() as u64) as usize];
            let mut bytes = disk.bytes(name).unwrap_or_default();
            let at = chance.below(bytes.len() as u64 + 1) as usize;
            match chance.below(6) {
                0 => bytes.truncate(at),
                1 => bytes = disk.bytes(other).unwrap_or_default(),
                2 => bytes.splice(at..at, (0..chance.below(600)).map(|n| (n * 7) as u8)).for_each(drop),
                3 => drop(bytes.drain(at..(at + chance.below(900) as usize).min(bytes.len()))),
                4 => bytes[at..].iter_mut().step_by(97).for_each(|byte| *byte ^= 0x11),
                _ => {
                    disk.lose(name);
                    continue;
                }
            }
            disk.set_bytes(name, bytes);
        }
        let opened = FileStore::open(Arc::new(disk.fork()), *options, &mut Owner::default());
        if matches!(opened, Err(OpenError::KeyLost { .. } | OpenError::WrongKey)) {
            continue;
        }
        let (mut life, _) = Life::resume(&disk, *options, models, 1);
        let (last_seq, mut buffer) = (life.store.state().last_seq.min(500), Vec::new());
        for seq in 0..=last_seq + 1 {
            let _ = life.store.get(seq, &mut buffer);
            let _ = life.store.next(&Filter::new([&b"s.*"[..]]), seq, &mut buffer);
            life.store.last(&Filter::new([&b"t.>"[..]]), seq);
        }
        life.store.maintain(WallTime::from_nanos(5)).expect("the disk works");
        life.store.close(b"x").expect("the disk works");
    }
}
