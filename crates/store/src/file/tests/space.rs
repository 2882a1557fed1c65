//! What is gone takes no room for long, and what rots is found before it is read.

use super::*;
use crate::file::segment::{HEADER, name_of};
use crate::file::summary;
use crate::sim::Unsynced;

const UNBOUNDED: Options<'static> = Options {
    limits: Limits { max_msgs: 0, max_bytes: 0, max_msgs_per_subject: 0, discard_old: false },
    scrub_period: std::time::Duration::from_secs(1000),
    ..OPTIONS
};

const UNBOUNDED_S2: Options<'static> = Options { compresses: true, ..UNBOUNDED };

fn settle(life: &mut Life) {
    life.sync().unwrap();
    life.apply();
    for _ in 0..40 {
        life.checkpoint().unwrap();
        life.sync().unwrap();
        while life.store.maintain(WallTime::from_nanos(1)).unwrap() {}
    }
}

fn filled(disk: &SimDisk, messages: u64) -> Life {
    filled_with(disk, UNBOUNDED, messages)
}

fn filled_with(disk: &SimDisk, options: Options<'_>, messages: u64) -> Life {
    let mut life = Life::begin(disk, options, 3);
    for _ in 0..messages {
        let deed = life.message();
        life.append(&[deed]).unwrap();
    }
    life
}

#[test]
fn a_segment_that_is_mostly_waste_is_written_anew() {
    // What is compressed was small before, and the last segment is as it was.
    for (options, tenths) in [(UNBOUNDED, 5), (UNBOUNDED_S2, 7), (Options { encryption: Some(KEY), ..UNBOUNDED }, 6)] {
        write_anew(options, tenths);
    }
}

fn write_anew(options: Options<'_>, tenths: u64) {
    let disk = SimDisk::default();
    let mut life = filled_with(&disk, options, 300);
    settle(&mut life);
    let before = disk.used();
    let every_fourth_stays = (1..=life.last_seq).filter(|seq| seq % 4 > 0).map(|seq| seq..=seq).collect();
    life.append(&[Deed::Remove(every_fourth_stays, false)]).unwrap();
    settle(&mut life);
    assert!(disk.used() * 10 < before * tenths, "{} of {before} bytes", disk.used());
    life.check(life.models.last().unwrap(), "compacted");
    for unsynced in [Unsynced::Dropped, Unsynced::Kept] {
        let (back, opened) = Life::resume(&disk.restart(unsynced), options, &life.models, 1);
        assert_eq!(opened.damage, Vec::<String>::new());
        back.check(back.models.last().unwrap(), "compacted and opened");
    }
}

#[test]
fn a_segment_in_which_nothing_is_left_is_dropped() {
    let disk = SimDisk::default();
    let mut life = filled(&disk, 300);
    life.append(&[Deed::Remove(vec![1..=life.last_seq - 2], false)]).unwrap();
    settle(&mut life);
    assert!(disk.used() < 12_000, "{} bytes", disk.used());
    life.check(life.models.last().unwrap(), "dropped");
    let (back, opened) = Life::resume(&disk.restart(Unsynced::Dropped), UNBOUNDED, &life.models, 1);
    assert_eq!(opened.damage, Vec::<String>::new());
    back.check(back.models.last().unwrap(), "dropped and opened");
}

#[test]
fn a_message_that_is_erased_leaves_no_bytes() {
    for (options, is_closed) in [(UNBOUNDED, false), (UNBOUNDED_S2, false), (UNBOUNDED_S2, true)] {
        erase(options, is_closed);
    }
}

fn erase(options: Options<'_>, is_closed: bool) {
    let disk = SimDisk::default();
    let mut life = filled_with(&disk, options, 20);
    let secret = b"do not keep this";
    let mut message = |payload: &[u8]| {
        life.last_seq += 1;
        let (subject, payload) = (b"s.1".to_vec(), payload.to_vec());
        Deed::Message(life.last_seq, Kept { time: 1, subject, headers: vec![], payload, expires: None })
    };
    let deeds = [message(&[b'x'; 300]), message(secret), message(&[b'y'; 300]), Deed::Note(1)];
    let seq = life.last_seq - 1;
    life.append(&deeds).unwrap();
    life.append(&[Deed::Remove(vec![seq..=seq], true)]).unwrap();
    let has_secret = |disk: &SimDisk| {
        let bytes: Vec<u8> = (1..9).filter_map(|number| disk.bytes(&name_of(number))).flatten().collect();
        bytes.windows(secret.len()).any(|window| window == secret)
    };
    assert!(has_secret(&disk));
    if is_closed {
        life.sync().unwrap();
        life.apply();
        let notes = life.owner.notes.clone();
        life.store.close(&notes).unwrap();
    } else {
        settle(&mut life);
    }
    assert!(!has_secret(&disk), "{options:?}");
    let (mut back, opened) = Life::resume(&disk.restart(Unsynced::Dropped), options, &life.models, 1);
    assert_eq!(opened.damage, Vec::<String>::new());
    back.check(back.models.last().unwrap(), "erased and opened");
    for _ in 0..20 {
        back.step().unwrap();
    }
    settle(&mut back);
    back.check(back.models.last().unwrap(), "erased, opened and gone on");
}

#[test]
fn messages_that_are_erased_together_are_made_durable_together() {
    let disk = SimDisk::default();
    let options = Options { segment_bytes: 1 << 20, ..UNBOUNDED };
    let mut life = Life::begin(&disk, options, 3);
    let secret = |seq: u64| format!("secret {seq:06}").into_bytes();
    for seq in 1..=400 {
        let (subject, payload) = (b"s".to_vec(), secret(seq));
        life.append(&[Deed::Message(seq, Kept { time: 1, subject, headers: vec![], payload, expires: None })]).unwrap();
    }
    settle(&mut life);
    let gone = 10..=309;
    life.append(&[Deed::Remove(vec![gone.clone()], true)]).unwrap();
    life.sync().unwrap();
    life.apply();
    life.checkpoint().unwrap();
    life.sync().unwrap();
    let before = disk.operations();
    while life.store.maintain(WallTime::from_nanos(1)).unwrap() {}
    let operations = disk.operations() - before;
    assert!((300..308).contains(&operations), "{operations} writes and syncs for 300 messages");
    let disk = disk.restart(Unsynced::Dropped);
    let bytes = disk.bytes(&name_of(1)).unwrap();
    let is_there = |seq| bytes.windows(13).any(|window| window == secret(seq));
    assert!((1..=400).all(|seq| is_there(seq) != gone.contains(&seq)), "just their bytes are gone for good");
    let (back, opened) = Life::resume(&disk, options, &life.models, 1);
    assert_eq!(opened.damage, Vec::<String>::new());
    back.check(life.models.last().unwrap(), "erased and opened");
}

#[test]
// spec: JS-121
fn small_entries_are_compressed_when_their_segment_is_full() {
    let plain = SimDisk::default();
    settle(&mut filled(&plain, 400));
    let disk = SimDisk::default();
    let mut life = filled_with(&disk, UNBOUNDED_S2, 400);
    settle(&mut life);
    assert!(disk.used() * 3 < plain.used(), "{} of {} bytes", disk.used(), plain.used());
    life.check(life.models.last().unwrap(), "compressed");
    let (mut back, opened) = Life::resume(&disk.restart(Unsynced::Dropped), UNBOUNDED_S2, &life.models, 1);
    assert_eq!(opened.damage, Vec::<String>::new());
    back.check(back.models.last().unwrap(), "compressed and opened");
    // Once is enough.
    let operations = disk.operations();
    settle(&mut back);
    assert_eq!(disk.operations(), operations);
}

#[test]
// spec: JS-057 JS-121
fn compression_is_changed_for_what_comes() {
    let disk = SimDisk::default();
    let mut life = filled(&disk, 30);
    let segment = disk.bytes(&name_of(1)).unwrap();
    for (round, on) in [true, false, true].into_iter().enumerate() {
        life.store.set_compression(on);
        for _ in 0..5 {
            let deeds: Vec<Deed> = (0..30).map(|_| life.message()).collect();
            let before = life.store.used();
            life.append(&deeds).unwrap();
            assert!(life.store.used() >= before);
        }
        life.sync().unwrap();
        life.apply();
        life.check(life.models.last().unwrap(), &format!("round {round}"));
    }
    assert_eq!(disk.bytes(&name_of(1)).unwrap()[..2000], segment[..2000]);
    let (back, opened) = Life::resume(&disk.restart(Unsynced::Dropped), UNBOUNDED, &life.models, 1);
    assert_eq!(opened.damage, Vec::<String>::new());
    back.check(back.models.last().unwrap(), "opened");
}

#[test]
fn what_rots_in_a_cold_segment_is_found_within_the_period() {
    let disk = SimDisk::default();
    let mut life = filled(&disk, 100);
    settle(&mut life);
    let name = name_of(2);
    let mut bytes = disk.bytes(&name).unwrap();
    bytes[HEADER as usize + 700] ^= 1;
    disk.set_bytes_in_place(&name, &bytes);
    assert_eq!(life.store.state().unreadable, 0);
    for second in 0..=1100_u64 {
        life.store.maintain(WallTime::from_nanos(1 + second * 1_000_000_000)).unwrap();
    }
    assert!(life.store.state().unreadable > 0);
    let damage = life.store.take_damage();
    assert!(damage.len() == 1 && damage[0].what.contains(&name), "{damage:?}");
}

/// Maintains a store until there is nothing more to do, and gives the most bytes that were read in one turn, and all of them.
fn scrub(life: &mut Life, disk: &SimDisk, second: u64) -> (u64, u64) {
    let now = WallTime::from_nanos(second * 1_000_000_000);
    let (mut most, begun) = (0, disk.bytes_read());
    loop {
        let before = disk.bytes_read();
        let more = life.store.maintain(now).unwrap();
        most = most.max(disk.bytes_read() - before);
        if !more {
            return (most, disk.bytes_read() - begun);
        }
    }
}

#[test]
fn a_segment_is_looked_through_in_pieces() {
    const MIB: u64 = 1 << 20;
    let disk = SimDisk::default();
    let options = Options { segment_bytes: MIB, ..UNBOUNDED };
    let mut life = Life::begin(&disk, options, 3);
    while disk.bytes(&name_of(2)).is_none() {
        let mut deeds: Vec<Deed> = (0..100).map(|_| life.message()).collect();
        for deed in &mut deeds {
            let Deed::Message(seq, kept) = deed else { continue };
            kept.subject = format!("{:016x}.{:060}", seq.wrapping_mul(0x9e37_79b9_7f4a_7c15), 1).into_bytes();
        }
        life.append(&deeds).unwrap();
    }
    settle(&mut life);
    let summary = disk.bytes(&summary::name_of(1)).unwrap().len() as u64;
    assert!(summary > 128 << 10, "{summary}");

    let (most, all) = scrub(&mut life, &disk, 20_000);
    assert!(most < 300 << 10, "{most} bytes are read in a turn");
    assert!(all > MIB * 9 / 10 + summary, "{all} bytes are read");
    assert_eq!(life.store.take_damage(), []);

    // Damage is found wherever it is, also while a segment is looked through.
    let rot = |name: &str, at: usize| {
        let mut bytes = disk.bytes(name).unwrap();
        bytes[at] ^= 1;
        disk.set_bytes_in_place(name, &bytes);
    };
    let end = disk.bytes(&name_of(1)).unwrap().len();
    let places = [(name_of(1), 20), (summary::name_of(1), 70), (summary::name_of(1), summary as usize - 1)];
    for (nth, (name, at)) in (3..).zip(places) {
        rot(&name, at);
        scrub(&mut life, &disk, nth * 10_000);
        let damage = life.store.take_damage();
        assert!(damage.iter().all(|damage| damage.what.contains(&name)) && damage.len() == 1, "{damage:?}");
        if name == name_of(1) {
            rot(&name, at);
        }
        settle(&mut life);
    }
    assert!(life.store.maintain(WallTime::from_nanos(100_000 * 1_000_000_000)).unwrap(), "it is begun");
    rot(&name_of(1), end - 10);
    scrub(&mut life, &disk, 100_000);
    assert_eq!(life.store.state().unreadable, 1);
}

#[test]
fn a_quiet_stream_is_small() {
    let disk = SimDisk::default();
    let options = Options::for_limits(Limits::default(), 1);
    let mut life = Life::begin(&disk, options, 1);
    assert_eq!(disk.used(), 0);
    let deed = life.message();
    life.append(&[deed]).unwrap();
    assert!(life.store.used() < 300 << 10, "{} bytes", life.store.used());
    assert_eq!(life.store.used(), disk.used());
}
