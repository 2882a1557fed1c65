//! What a journal says after a crash is written to the files.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::io;
use std::sync::Arc;

use super::NAMES;
use super::frame::{self, HEADER, Header, SECTOR};
use super::writer::{remove, zero};
use crate::disk::{Disk, File};

/// Bytes looked through at once.
const PIECE: usize = 1 << 20;

/// Gives the file at a path; `None` if it has been removed.
pub type OpenFile<'o> = &'o dyn Fn(&str) -> io::Result<Option<Arc<dyn File>>>;

/// What a replay did.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Rounds that counted.
    pub rounds: u64,
    /// Writes in them whose files are there.
    pub writes: u64,
    /// Rounds that are missing.
    pub lost: Vec<Lost>,
}

/// Rounds that should be there. What they made durable may be missing where it was written first, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lost {
    /// The first.
    pub from: u64,
    /// The last.
    pub through: u64,
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rounds {} to {} of the journal are missing or damaged", self.from, self.through)
    }
}

/// Where a round is.
struct Place {
    slot: usize,
    at: u64,
    header: Header,
}

/// Writes what counts of a directory's journal to the files that `open` gives, makes
/// that durable, and removes the journal. To be done before the files are looked at.
pub fn replay(disk: &dyn Disk, open: OpenFile<'_>) -> io::Result<Replayed> {
    let slots = [existing(disk, NAMES[0])?, existing(disk, NAMES[1])?];
    let mut rounds = BTreeMap::new();
    for (slot, file) in slots.iter().enumerate().filter_map(|(slot, file)| Some((slot, file.as_ref()?))) {
        scan(&**file, |at, header| {
            rounds.insert(header.round, Place { slot, at, header });
        })?;
    }
    let mut replayed = Replayed::default();
    if let Some((last, newest)) = rounds.last_key_value() {
        let mut files = Files { open, files: HashMap::new() };
        let mut next = newest.header.valid_from;
        for (round, place) in rounds.range(next..=*last) {
            if *round > next {
                replayed.lost.push(Lost { from: next, through: round - 1 });
            }
            next = round.saturating_add(1);
            let file = slots[place.slot].as_ref().expect("it was found in it");
            let bytes = read(&**file, place.at, place.header.len)?;
            replayed.rounds += 1;
            for write in frame::writes(&bytes) {
                replayed.writes += u64::from(files.write(&write)?);
            }
        }
        files.sync()?;
    }
    let last = rounds.last_key_value().map_or(0, |(round, _)| *round);
    let files: Vec<&dyn File> = slots.iter().flatten().map(|file| &**file).collect();
    if let Some(first) = files.first() {
        void(*first, last.saturating_add(1))?;
        for (number, file) in files.iter().enumerate() {
            zero(*file, if number == 0 { SECTOR as u64 } else { 0 }..file.len()?)?;
            file.sync()?;
        }
        remove(disk)?;
    }
    Ok(replayed)
}

/// Says that nothing counts any more: if the power went while bytes are cleared, it would look like damage.
fn void(file: &dyn File, round: u64) -> io::Result<()> {
    let mut bytes = vec![0; HEADER];
    frame::finish(&mut bytes, round, round);
    // One sector: it is there or not, and if not, all is as it was.
    file.write_at(&[&bytes], 0)?;
    file.sync()
}

fn existing(disk: &dyn Disk, name: &str) -> io::Result<Option<Arc<dyn File>>> {
    match disk.open(name) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The files that are written to, each opened once.
struct Files<'o> {
    open: OpenFile<'o>,
    files: HashMap<String, Option<Arc<dyn File>>>,
}

impl Files<'_> {
    /// Whether there is a file to write to.
    fn write(&mut self, write: &frame::Write<'_>) -> io::Result<bool> {
        if !self.files.contains_key(write.path) {
            self.files.insert(write.path.to_owned(), (self.open)(write.path)?);
        }
        let Some(file) = &self.files[write.path] else { return Ok(false) };
        file.write_at(&[write.bytes], write.offset)?;
        Ok(true)
    }

    fn sync(&self) -> io::Result<()> {
        self.files.values().flatten().try_for_each(|file| file.sync())
    }
}

/// Finds the rounds in a file, those that do not count any more among them.
fn scan(file: &dyn File, mut found: impl FnMut(u64, Header)) -> io::Result<()> {
    let len = file.len()?;
    let (mut piece, mut from) = (vec![0; PIECE], 0);
    while from < len {
        let read = file.read_at(&mut piece, from)?;
        if read == 0 {
            break;
        }
        for at in (0..read).step_by(SECTOR) {
            let (place, bytes) = (from + at as u64, &piece[at..read]);
            let Some(header) = frame::header(bytes).filter(|header| header.len as u64 <= len - place) else { continue };
            let is_whole = match bytes.get(..header.len) {
                Some(round) => frame::is_whole(&header, round),
                None => frame::is_whole(&header, &self::read(file, place, header.len)?),
            };
            if is_whole {
                found(place, header);
            }
        }
        from += read as u64;
    }
    Ok(())
}

fn read(file: &dyn File, at: u64, len: usize) -> io::Result<Vec<u8>> {
    debug_assert!(len >= HEADER);
    let mut bytes = vec![0; len];
    let read = file.read_at(&mut bytes, at)?;
    bytes.truncate(read);
    Ok(bytes)
}
