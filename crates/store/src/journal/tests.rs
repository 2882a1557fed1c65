//! Streams that share a journal lose power at every operation, and nothing that was durable.

use std::io;
use std::sync::Arc;

use super::{Journal, JournaledDisk, NAMES, Replayed, replay};
use crate::disk::{Disk, File};
use crate::file::Options;
use crate::file::tests::{BOTH, Chance, Life, OPTIONS, SEALED};
use crate::sim::{Failing, SimDisk, Unsynced};
use crate::store::Store;

/// A directory below the disk's.
#[derive(Debug)]
struct Below {
    disk: SimDisk,
    directory: String,
}

impl Below {
    fn at(&self, name: &str) -> String {
        format!("{}/{name}", self.directory)
    }
}

impl Disk for Below {
    fn create(&self, name: &str) -> io::Result<Arc<dyn File>> {
        self.disk.create(&self.at(name))
    }
    fn open(&self, name: &str) -> io::Result<Arc<dyn File>> {
        self.disk.open(&self.at(name))
    }
    fn list(&self) -> io::Result<Vec<String>> {
        let below = self.at("");
        Ok(self.disk.list()?.iter().filter_map(|name| Some(name.strip_prefix(&below)?.to_owned())).collect())
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.disk.rename(&self.at(from), &self.at(to))
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        self.disk.remove(&self.at(name))
    }
    fn sync_names(&self) -> io::Result<()> {
        self.disk.sync_names()
    }
}

const STREAMS: usize = 3;
const SLOT_BYTES: u64 = 8 << 10;

/// Segments are so long that they are added to for a while.
const fn longer(options: Options<'static>) -> Options<'static> {
    Options { segment_bytes: 16 << 10, ..options }
}

/// Streams of one server.
struct Server {
    disk: SimDisk,
    journal: Arc<Journal>,
    streams: Vec<Life>,
    /// The one that is being removed.
    going: Option<usize>,
    chance: Chance,
    /// Syncs that were part of a round.
    journaled: usize,
}

fn directory(disk: &SimDisk, number: usize) -> Below {
    Below { disk: disk.clone(), directory: format!("streams/S{number}") }
}

fn journaled(disk: &SimDisk, journal: &Arc<Journal>, number: usize) -> Arc<dyn Disk> {
    let below = directory(disk, number);
    let path = below.directory.clone();
    Arc::new(JournaledDisk::new(Arc::new(below), Arc::clone(journal), path))
}

fn replayed(disk: &SimDisk) -> Replayed {
    let open = |path: &str| match disk.open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        opened => opened.map(Some),
    };
    replay(disk, &open).expect("a disk that works")
}

impl Server {
    fn begin(disk: &SimDisk, options: Options<'_>, seed: u64) -> Self {
        let journal = Arc::new(Journal::with_size(Arc::new(disk.clone()), SLOT_BYTES));
        let stream = |number| {
            let disk = journaled(disk, &journal, number);
            Life::begin_on(disk, options, seed * 10 + number as u64).expect("an empty disk")
        };
        let streams = (0..STREAMS).map(stream).collect();
        Self { disk: disk.clone(), journal, streams, going: None, chance: Chance(seed * 2 + 1), journaled: 0 }
    }

    /// Has what streams wrote synced: in a round, what can be.
    fn round(&mut self) -> Result<(), String> {
        let jobs: Vec<_> =
            self.streams.iter_mut().enumerate().filter_map(|(of, life)| Some((of, life.store.sync_job()?))).collect();
        let files: Vec<&dyn File> = jobs.iter().filter_map(|(_, job)| job.journaled()).collect();
        // An error is the journal's: the files are synced by themselves.
        let round = self.journal.commit(&files).unwrap_or_default();
        let mut durable = round.durable.iter().copied();
        for (of, job) in &jobs {
            let is_durable = job.journaled().is_some() && durable.next().unwrap_or(false);
            self.journaled += usize::from(is_durable);
            let result = if is_durable { Ok(()) } else { job.run() };
            self.streams[*of].store.synced(job.through, result).map_err(|error| error.to_string())?;
            self.streams[*of].apply();
        }
        if round.is_full && self.chance.below(3) > 0 {
            self.journal.settle().map_err(|error| error.to_string())
        } else {
            Ok(())
        }
    }

    /// A stream goes, and another of its name comes.
    fn replace(&mut self, number: usize, options: Options<'_>) -> Result<(), String> {
        self.going = Some(number);
        let below = directory(&self.disk, number);
        for name in below.list().map_err(|error| error.to_string())? {
            below.remove(&name).map_err(|error| error.to_string())?;
        }
        below.sync_names().map_err(|error| error.to_string())?;
        let (disk, seed) = (journaled(&self.disk, &self.journal, number), self.chance.below(1000));
        self.streams[number] = Life::begin_on(disk, options, seed).map_err(|error| error.to_string())?;
        self.going = None;
        Ok(())
    }

    fn step(&mut self, options: Options<'_>) -> Result<(), String> {
        let number = usize::try_from(self.chance.below(STREAMS as u64)).expect("few");
        match self.chance.below(120) {
            0 => self.replace(number, options),
            1..=50 => self.round(),
            51..=52 => self.journal.settle().map_err(|error| error.to_string()),
            53..=70 => self.streams[number].step().map_err(|error| error.to_string()),
            _ => {
                let life = &mut self.streams[number];
                let (deeds, last_seq) = (life.deeds(), life.last_seq);
                life.append(&deeds)
                    .map(drop)
                    .inspect_err(|_| life.last_seq = last_seq)
                    .map_err(|error| error.to_string())
            }
        }
    }

    /// Lives until the power goes after `cut` operations.
    fn live_until(disk: &SimDisk, options: Options<'_>, seed: u64, steps: usize, cut: u64) -> Self {
        let mut server = Self::begin(disk, options, seed);
        disk.cut_at(cut.max(disk.operations()));
        for _ in 0..steps {
            if server.step(options).is_err() {
                break;
            }
        }
        server
    }

    /// All that was durable is there on a disk that the power came back to.
    fn check(&self, disk: &SimDisk, options: Options<'_>, context: &str) {
        for (number, life) in self.streams.iter().enumerate().filter(|(number, _)| self.going != Some(*number)) {
            let context = format!("stream {number}, {context}");
            let (back, opened) = Life::resume_on(Arc::new(directory(disk, number)), options, &life.models, 1);
            let (appended, durable) = (back.store.appended(), life.store.durable());
            assert!(appended >= durable, "{appended} entries are there, {durable} were durable, {context}, {opened:?}");
            assert_eq!(back.store.unreadable(), [], "{context}, {opened:?}");
            back.check(back.models.last().expect("one at least"), &context);
            let only_checkpoints = opened.damage.iter().all(|damage| damage.starts_with("checkpoint."));
            assert!(only_checkpoints, "{context}, {opened:?}");
        }
    }
}

fn cut_everywhere(options: Options<'_>, seed: u64, steps: usize) -> u64 {
    let disk = SimDisk::default();
    let whole = Server::live_until(&disk, options, seed, steps, u64::MAX);
    assert!(whole.journaled >= steps / 8, "{} syncs were journaled", whole.journaled);
    let mut cuts = 0;
    for cut in (0..=disk.operations()).step_by(3) {
        let disk = SimDisk::default();
        let server = Server::live_until(&disk, options, seed, steps, cut);
        for unsynced in [Unsynced::Dropped, Unsynced::Kept, Unsynced::Torn(cut + 1)] {
            let context = format!("seed {seed}, cut at {cut}, {unsynced:?}");
            let disk = disk.restart(unsynced);
            // The power goes once more, while the journal is written to its files.
            let again = disk.fork();
            again.cut_at(cut % 13);
            let _ = replay(&again, &|path| Ok(again.open(path).ok()));
            let again = again.restart(unsynced);
            for disk in [disk, again] {
                assert_eq!(replayed(&disk).lost, [], "{context}");
                assert_eq!(replayed(&disk), Replayed::default(), "it is done, {context}");
                server.check(&disk, options, &context);
                cuts += 1;
            }
        }
    }
    cuts
}

#[test]
fn nothing_durable_is_lost_with_the_power() {
    let lives = [(OPTIONS, 1), (longer(OPTIONS), 2), (longer(OPTIONS), 3), (longer(SEALED), 4), (longer(BOTH), 5)];
    let cuts: u64 = lives.into_iter().map(|(options, seed)| cut_everywhere(options, seed, 120)).sum();
    assert!(cuts >= 1000, "only {cuts} cuts");
}

/// A file of a stream that has a journal.
fn log_in(disk: &SimDisk, journal: &Arc<Journal>) -> Arc<dyn File> {
    let file = journaled(disk, journal, 0).create(LOG).expect("a new file");
    file.allocate(4096).expect("room");
    file.sync().expect("a disk that works");
    disk.sync_names().expect("a disk that works");
    file
}

const LOG: &str = "000000000001.log";
const PATH: &str = "streams/S0/000000000001.log";

fn journal_on(disk: &SimDisk) -> Arc<Journal> {
    Arc::new(Journal::with_size(Arc::new(disk.clone()), SLOT_BYTES))
}

/// Adds to a file, and has the journal make it durable.
fn add(journal: &Journal, file: &dyn File, bytes: &[u8], at: u64) {
    file.write_at(&[bytes], at).expect("written");
    assert_eq!(journal.commit(&[file]).expect("a disk that works").durable, [true]);
}

/// What a file has when the power has come back.
fn after_power_cut(disk: &SimDisk) -> (Vec<u8>, Replayed) {
    let disk = disk.restart(Unsynced::Dropped);
    let replayed = replayed(&disk);
    (disk.bytes(PATH).expect("it is there"), replayed)
}

#[test]
fn damage_is_named_and_the_rest_is_replayed() {
    let disk = SimDisk::default();
    let journal = journal_on(&disk);
    let file = log_in(&disk, &journal);
    for (number, bytes) in [b"one..", b"two..", b"three"].iter().enumerate() {
        add(&journal, &*file, *bytes, number as u64 * 5);
    }
    let (bytes, whole) = after_power_cut(&disk);
    assert_eq!((&bytes[..15], whole.rounds, whole.writes), (&b"one..two..three"[..], 3, 3));
    // Whatever happens to a round that others follow: it is missed.
    let journal = disk.bytes(NAMES[0]).expect("a journal");
    for place in 512..512 + 70 {
        let mut spoilt = journal.clone();
        spoilt[place] ^= 0x10;
        disk.set_bytes(NAMES[0], spoilt);
        let (bytes, replayed) = after_power_cut(&disk);
        assert_eq!(
            replayed.lost.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["rounds 2 to 2 of the journal are missing or damaged"]
        );
        assert_eq!(&bytes[..15], b"one..\0\0\0\0\0three", "byte {place}");
    }
}

#[test]
fn files_of_earlier_versions_are_replayed() {
    let disk = SimDisk::default();
    disk.set_bytes(NAMES[0], include_bytes!("../../tests/golden/v1-journal/journal.0").to_vec());
    disk.set_bytes(PATH, vec![0; 20]);
    let (bytes, replayed) = after_power_cut(&disk);
    assert_eq!((replayed.rounds, replayed.writes, replayed.lost), (2, 3, vec![]));
    assert_eq!(bytes, b"\0\0first, then second\0"[..20].to_vec());
}

#[test]
fn another_file_of_the_same_name_gets_nothing_of_the_first() {
    let disk = SimDisk::default();
    let journal = journal_on(&disk);
    let first = log_in(&disk, &journal);
    add(&journal, &*first, b"first", 0);
    // A directory is removed and another takes its place, which the journal is told of, and not of each file.
    disk.remove(PATH).expect("removed");
    journal.replace_below("streams/S0").expect("a disk that works");
    disk.set_bytes(PATH, b"other".to_vec());
    // Who still has the first adds to that, and not to the other.
    first.write_at(&[b"still"], 5).expect("written");
    assert_eq!(journal.commit(&[&*first]).expect("a disk that works").durable, [false]);
    assert_eq!(after_power_cut(&disk).0, b"other");
}

#[test]
fn what_is_overwritten_is_not_left_in_the_journal() {
    let disk = SimDisk::default();
    let journal = journal_on(&disk);
    let file = log_in(&disk, &journal);
    let has_secret =
        || NAMES.iter().any(|name| disk.bytes(name).is_some_and(|bytes| bytes.windows(6).any(|six| six == b"secret")));
    add(&journal, &*file, b"a secret", 0);
    assert!(has_secret());
    file.write_at(&[b"......"], 2).expect("written");
    assert!(!has_secret());
    file.sync().expect("a disk that works");
    file.write_at(&[b" more"], 8).expect("written");
    assert_eq!(journal.commit(&[&*file]).expect("a disk that works").durable, [false], "it does more than grow");
    file.sync().expect("a disk that works");
    let (bytes, replayed) = after_power_cut(&disk);
    assert_eq!((&bytes[..13], replayed.writes), (&b"a ...... more"[..], 0));
}

#[test]
fn nor_when_it_has_been_closed_in_between() {
    let disk = SimDisk::default();
    let journal = journal_on(&disk);
    let file = log_in(&disk, &journal);
    let has_secret = || {
        let has = |name| disk.bytes(name).is_some_and(|bytes: Vec<u8>| bytes.windows(6).any(|six| six == b"secret"));
        NAMES.into_iter().any(has)
    };
    add(&journal, &*file, b"a secret", 0);
    // The journal's file that has it is full, and everything is in its place.
    let (mut at, filler) = (8, vec![7; 3000]);
    for _ in 0..3 {
        add(&journal, &*file, &filler, at);
        at += filler.len() as u64;
    }
    journal.settle().expect("a disk that works");
    drop(file);
    let file = journaled(&disk, &journal, 0).open(LOG).expect("it is there");
    assert!(has_secret());
    file.write_at(&[b"......"], 2).expect("written");
    assert!(!has_secret());
}

#[test]
fn a_disk_that_fails_is_told_of_by_the_file() {
    let disk = SimDisk::default();
    let journal = journal_on(&disk);
    let file = log_in(&disk, &journal);
    add(&journal, &*file, b"kept", 0);
    let filler = vec![7; 3000];
    let mut at = 4;
    let round = loop {
        file.write_at(&[&filler], at).expect("written");
        at += filler.len() as u64;
        let round = journal.commit(&[&*file]).expect("a disk that works");
        if round.is_full {
            break round;
        }
    };
    assert_eq!(round.durable, [true]);
    disk.fail(Some(Failing::Sync));
    journal.settle().expect_err("the sync fails");
    disk.fail(None);
    file.write_at(&[b"more"], at).expect("written");
    assert_eq!(journal.commit(&[&*file]).expect("a disk that works").durable, [false]);
    assert_eq!(file.sync().expect_err("it failed").to_string(), "the sync failed");
    let error = journal.replace_below("streams/S0").expect_err("it has what is nowhere else");
    assert_eq!(error.kind(), io::ErrorKind::ResourceBusy);
    assert_eq!(error.to_string(), format!("the journal has what cannot be synced to {PATH}: the sync failed"));
    assert_eq!(&after_power_cut(&disk).0[..4], b"kept", "the journal has it");
}

#[test]
fn without_a_journal_files_are_synced_by_themselves() {
    for failing in [Failing::FullAt(8192), Failing::Files, Failing::Sync] {
        let disk = SimDisk::default();
        let journal = journal_on(&disk);
        let file = log_in(&disk, &journal);
        disk.fail(Some(failing));
        file.write_at(&[b"some"], 0).expect("written");
        let round = journal.commit(&[&*file]);
        match failing {
            Failing::Sync => drop(round.expect_err("the sync fails")),
            _ => assert_eq!(round.expect("not an error").durable, [false]),
        }
        disk.fail(None);
        let is_journaled = journal.commit(&[&*file]).expect("not an error").durable;
        assert_eq!(is_journaled, [!matches!(failing, Failing::Sync)], "one that failed takes nothing any more");
        file.sync().expect("a disk that works");
        assert_eq!(&after_power_cut(&disk).0[..4], b"some");
    }
}

#[test]
fn a_file_of_the_journal_is_written_over_when_what_it_has_is_in_its_place() {
    let disk = SimDisk::default();
    let journal = journal_on(&disk);
    let file = log_in(&disk, &journal);
    let filler = vec![7; 3000];
    let mut at = 0;
    let mut next = || {
        file.write_at(&[&filler], at).expect("written");
        at += filler.len() as u64;
        let round = journal.commit(&[&*file]).expect("a disk that works");
        (round.durable[0], round.is_full)
    };
    let both = (0..4).map(|_| next()).collect::<Vec<_>>();
    assert_eq!(both, [(true, false), (true, false), (true, true), (true, false)], "told once");
    assert_eq!(next(), (false, false), "no room");
    file.sync().expect("a disk that works");
    journal.settle().expect("a disk that works");
    let more = (0..3).map(|_| next()).collect::<Vec<_>>();
    assert_eq!(more, [(true, true), (true, false), (false, false)]);
    let (bytes, replayed) = after_power_cut(&disk);
    assert_eq!((&bytes[..21_000], replayed.lost), (&vec![7; 21_000][..], vec![]));
}

#[test]
fn a_round_and_what_it_takes_of_a_file_have_bounds() {
    let disk = SimDisk::default();
    let journal = journal_on(&disk);
    let files: Vec<_> = (0..4).map(|of| journaled(&disk, &journal, of).create(LOG).expect("a new file")).collect();
    for (file, len) in files.iter().zip([3000, 65 << 10, 3000, 3000]) {
        file.write_at(&[&vec![7; len]], 0).expect("written");
    }
    let round = journal.commit(&files.iter().map(|file| &**file).collect::<Vec<_>>()).expect("a disk that works");
    assert_eq!(round.durable, [true, false, true, false], "the second is too long, and the fourth one too many");
}

#[test]
fn a_clean_stop_leaves_nothing() {
    let disk = SimDisk::default();
    let journal = journal_on(&disk);
    let file = log_in(&disk, &journal);
    add(&journal, &*file, b"some", 0);
    journal.close().expect("a disk that works");
    assert_eq!(disk.list().expect("a list"), [PATH]);
    let (bytes, replayed) = after_power_cut(&disk);
    assert_eq!((&bytes[..4], replayed), (&b"some"[..], Replayed::default()));
}
