//! The checkpoint: what cannot be had from the log alone, or only slowly. Two files take turns, so that one of them is
//! whole at any moment.
//!
//! Invariant: a checkpoint that is not known to be durable is written over before the other one is.

use std::borrow::Cow;
use std::ops::RangeInclusive;
use std::sync::Arc;

use martlet_events::WallTime;

use super::log::{Log, is_full};
use super::open::OpenError;
use crate::codec::{Reader, checksum, put_bytes, put_varint};
use crate::disk::{Disk, File};
use crate::frame::MAX_BODY;
use crate::seal::{Purpose, Vault};
use crate::store::{Limits, State, StoreError};

/// The first bytes of a checkpoint.
const MAGIC: [u8; 8] = *b"MartChk\x01";
/// The first bytes of one that is encrypted.
const SEALED: [u8; 8] = *b"MartChk\x02";
/// Magic, length and checksum.
pub(crate) const PREFIX: usize = 20;
/// The two files.
pub(crate) const NAMES: [&str; 2] = ["checkpoint.0", "checkpoint.1"];

/// What a checkpoint says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    /// Grows from one to the next.
    pub generation: u64,
    /// The log's own number.
    pub salt: u32,
    /// The entry up to which it stands.
    pub index: u64,
    /// The counters there.
    pub state: State,
    /// When the first message was taken in.
    pub first_time: Option<WallTime>,
    /// The bounds in force there.
    pub limits: Limits,
    /// The number of the first segment that it does not know of.
    pub next_number: u64,
    /// The numbers of the segments that are needed.
    pub segments: Vec<u64>,
    /// Sequences from the first to the last that are no messages.
    pub deleted: Vec<RangeInclusive<u64>>,
    /// Messages that are gone, and whose bytes are still to be overwritten.
    pub erase: Vec<u64>,
    /// What the owner gave.
    pub owner: Vec<u8>,
}

impl Checkpoint {
    /// Whether its owner has kept something in it, or nothing on purpose.
    pub(super) fn has_owner(&self) -> bool {
        self.index > 0 || !self.owner.is_empty()
    }

    /// Its bytes, encrypted if there is something to encrypt them with.
    pub(crate) fn encode(&self, vault: Option<&Vault>) -> Vec<u8> {
        let mut out = vec![0; PREFIX];
        out.extend_from_slice(&self.salt.to_le_bytes());
        let State { messages, bytes, first_seq, last_seq, last_time, .. } = self.state;
        let time = |time: Option<WallTime>| time.map_or(0, |time| time.as_nanos().saturating_add(1));
        for number in
            [self.generation, self.index, messages, bytes, first_seq, time(self.first_time), last_seq, time(last_time)]
        {
            put_varint(&mut out, number);
        }
        let Limits { max_msgs, max_bytes, max_msgs_per_subject, discard_old } = self.limits;
        for number in [max_msgs, max_bytes, max_msgs_per_subject, u64::from(discard_old), self.next_number] {
            put_varint(&mut out, number);
        }
        put_varint(&mut out, self.segments.len() as u64);
        let mut last = 0;
        for &number in &self.segments {
            put_varint(&mut out, number - last);
            last = number;
        }
        put_varint(&mut out, self.deleted.len() as u64);
        last = 0;
        for range in &self.deleted {
            put_varint(&mut out, range.start() - last);
            put_varint(&mut out, range.end() - range.start());
            last = *range.end();
        }
        put_varint(&mut out, self.erase.len() as u64);
        self.erase.iter().for_each(|seq| put_varint(&mut out, *seq));
        put_bytes(&mut out, &self.owner);
        complete(out, [MAGIC, SEALED], vault)
    }

    /// Reads one.
    pub(crate) fn decode(bytes: &[u8], vault: Option<&Vault>) -> Result<Self, &'static str> {
        let body = open_body(bytes, [MAGIC, SEALED], vault)?;
        Self::parse(Reader(&body)).filter(Self::goes_together).ok_or("is damaged")
    }

    /// Whether its numbers can be those of one stream: what goes by them counts on it.
    fn goes_together(&self) -> bool {
        let State { messages, first_seq, last_seq, .. } = self.state;
        let has_ends = self.index < u64::MAX && last_seq < u64::MAX && first_seq <= last_seq + 1;
        let is_next = self.segments.last().is_none_or(|last| *last < self.next_number);
        let is_growing =
            self.segments.is_sorted_by(|a, b| a < b) && self.deleted.is_sorted_by(|a, b| a.end() < b.start());
        let is_within = |range: &RangeInclusive<u64>| first_seq < *range.start() && *range.end() <= last_seq;
        let gone = || self.deleted.iter().map(|range| range.end() - range.start() + 1).sum::<u64>();
        let has_all = || messages == 0 || (messages - 1).checked_add(first_seq + gone()) == Some(last_seq);
        has_ends && is_next && is_growing && self.deleted.iter().all(is_within) && has_all()
    }

    fn parse(mut reader: Reader<'_>) -> Option<Self> {
        let salt = reader.u32()?;
        let mut number = || reader.varint();
        let (generation, index) = (number()?, number()?);
        let (messages, bytes, first_seq) = (number()?, number()?, number()?);
        let time = |nanos: u64| nanos.checked_sub(1).map(WallTime::from_nanos);
        let first_time = time(number()?);
        let (last_seq, last_time) = (number()?, time(number()?));
        let (max_msgs, max_bytes, max_msgs_per_subject) = (number()?, number()?, number()?);
        let discard_old = number()? != 0;
        let next_number = number()?;
        let mut checkpoint = Self {
            generation,
            salt,
            index,
            state: State { messages, bytes, first_seq, last_seq, last_time, ..State::default() },
            first_time,
            limits: Limits { max_msgs, max_bytes, max_msgs_per_subject, discard_old },
            next_number,
            ..Self::default()
        };
        let mut last = 0_u64;
        for _ in 0..reader.count()? {
            last = last.checked_add(reader.varint()?)?;
            checkpoint.segments.push(last);
        }
        last = 0;
        for _ in 0..reader.count()? {
            let start = last.checked_add(reader.varint()?)?;
            last = start.checked_add(reader.varint()?)?;
            checkpoint.deleted.push(start..=last);
        }
        for _ in 0..reader.count()? {
            checkpoint.erase.push(reader.varint()?);
        }
        checkpoint.owner = reader.bytes()?.to_vec();
        Some(checkpoint)
    }
}

/// Makes a file's bytes of a prefix left empty and a body: plain with the first magic, encrypted with the second.
pub(crate) fn complete(mut out: Vec<u8>, [plain, sealed]: [[u8; 8]; 2], vault: Option<&Vault>) -> Vec<u8> {
    let Some(vault) = vault else {
        finish(&mut out, plain);
        return out;
    };
    let mut bytes = vec![0; PREFIX];
    vault.seal(Purpose::State, &sealed, &out[PREFIX..], &mut bytes);
    finish(&mut bytes, sealed);
    bytes
}

/// The body of such a file, checked and in plain.
pub(crate) fn open_body<'b>(
    bytes: &'b [u8],
    [plain, sealed]: [[u8; 8]; 2],
    vault: Option<&Vault>,
) -> Result<Cow<'b, [u8]>, &'static str> {
    if bytes.get(..8) != Some(&sealed) {
        return body_of(bytes, plain).map(Cow::Borrowed);
    }
    let body = body_of(bytes, sealed)?;
    let mut opened = Vec::new();
    let is_open = vault.and_then(|vault| vault.open(Purpose::State, &sealed, body, &mut opened));
    is_open.map(|()| Cow::Owned(opened)).ok_or("does not open with the key of the stream")
}

/// Whether there is a checkpoint that is encrypted.
pub(crate) fn is_sealed(disk: &dyn Disk, names: &[String]) -> Result<bool, OpenError> {
    for name in NAMES.into_iter().filter(|name| names.iter().any(|there| there == name)) {
        let mut magic = [0; 8];
        let read = disk.open(name).and_then(|file| file.read_at(&mut magic, 0));
        read.map_err(OpenError::io(&format!("read {name}")))?;
        if magic == SEALED {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a checkpoint opens with a key, where one is encrypted and whole.
pub(crate) fn opens_with(disk: &dyn Disk, names: &[String], vault: &Vault) -> Result<bool, OpenError> {
    let mut is_locked = false;
    for name in NAMES.into_iter().filter(|name| names.iter().any(|there| there == name)) {
        let bytes =
            disk.open(name).and_then(|file| read_all(&*file)).map_err(OpenError::io(&format!("read {name}")))?;
        if body_of(&bytes, SEALED).is_ok() {
            if open_body(&bytes, [SEALED, SEALED], Some(vault)).is_ok() {
                return Ok(true);
            }
            is_locked = true;
        }
    }
    Ok(!is_locked)
}

/// Fills in what stands before a body: magic, its length, and a checksum of all.
pub(crate) fn finish(out: &mut [u8], magic: [u8; 8]) {
    out[..8].copy_from_slice(&magic);
    let len = (out.len() - PREFIX) as u64;
    out[8..16].copy_from_slice(&len.to_le_bytes());
    let sum = checksum(checksum(0, &out[..16]), &out[PREFIX..]);
    out[16..PREFIX].copy_from_slice(&sum.to_le_bytes());
}

/// The body of a file that begins like that, checked.
pub(crate) fn body_of(bytes: &[u8], magic: [u8; 8]) -> Result<&[u8], &'static str> {
    let (prefix, rest) = bytes.split_at_checked(PREFIX).ok_or("ends within its header")?;
    let mut reader = Reader(&prefix[8..]);
    let (len, sum) = (reader.u64().unwrap_or_default(), reader.u32().unwrap_or_default());
    let body = usize::try_from(len).ok().and_then(|len| rest.get(..len)).ok_or("is cut short")?;
    if checksum(checksum(0, &prefix[..16]), body) != sum {
        return Err("is damaged");
    }
    if prefix[..8] != magic {
        return Err("is of a version that this server does not know");
    }
    Ok(body)
}

/// Where the checkpoints are.
#[derive(Debug, Default)]
pub(crate) struct Slots {
    files: [Option<Arc<dyn File>>; 2],
    /// The length of each file.
    lens: [u64; 2],
    /// Which one was written last.
    last: usize,
    /// The generation written last.
    pub written: u64,
    /// Whether it was since written over in vain: the one before is in force again.
    is_spoilt: bool,
}

impl Slots {
    /// Goes on from the checkpoint in file `slot`.
    pub(crate) fn resume(slot: usize, generation: u64) -> Self {
        Self { last: slot, written: generation, ..Self::default() }
    }

    /// Bytes of both.
    pub(crate) fn used(&self) -> u64 {
        self.lens.iter().sum()
    }

    /// Whether the checkpoint written last is known to be durable.
    pub(crate) fn is_durable(&self, log: &Log) -> bool {
        log.durable_generation >= self.written && !self.is_spoilt
    }

    /// Writes a checkpoint; it is durable when the log's next job is done.
    pub(crate) fn write(&mut self, checkpoint: &Checkpoint, log: &mut Log) -> Result<(), StoreError> {
        let slot = if self.is_durable(log) { 1 - self.last } else { self.last };
        let vault = log.packer.vault.clone();
        let bytes = checkpoint.encode(vault.as_deref());
        let result = self.open(slot, log).and_then(|file| {
            file.write_at(&[&bytes], 0)?;
            if vault.is_some() {
                // What is left behind it of a longer one may be in plain.
                file.truncate(bytes.len() as u64)?;
            }
            Ok(file)
        });
        match result {
            Ok(file) => {
                self.lens[slot] = self.lens[slot].max(bytes.len() as u64);
                (self.last, self.written, self.is_spoilt) = (slot, checkpoint.generation, false);
                log.generation = checkpoint.generation;
                log.mark_dirty(&file);
                Ok(())
            }
            Err(error) if is_full(&error) => {
                self.is_spoilt |= slot == self.last;
                Err(StoreError::Full { what: NAMES[slot].to_owned() })
            }
            Err(error) => Err(log.fence(&format!("write {} beside", NAMES[slot]), &error)),
        }
    }

    fn open(&mut self, slot: usize, log: &mut Log) -> std::io::Result<Arc<dyn File>> {
        if let Some(file) = &self.files[slot] {
            return Ok(Arc::clone(file));
        }
        let file = match log.disk.open(NAMES[slot]) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let file = log.disk.create(NAMES[slot])?;
                log.mark_names_dirty();
                file
            }
            opened => opened?,
        };
        self.lens[slot] = file.len()?;
        self.files[slot] = Some(Arc::clone(&file));
        Ok(file)
    }
}

/// What is wrong with a file of a checkpoint.
#[derive(Debug)]
pub(crate) struct Spoilt {
    pub file: &'static str,
    pub why: String,
}

/// A checkpoint, and which of the files it is in.
pub(crate) type InSlot = (usize, Checkpoint);

/// Reads both files; gives the newer checkpoint, and what is wrong with them.
pub(crate) fn load(
    disk: &dyn Disk,
    names: &[String],
    vault: Option<&Vault>,
) -> std::io::Result<(Option<InSlot>, Vec<Spoilt>)> {
    let (mut best, mut spoilt): (Option<InSlot>, Vec<Spoilt>) = (None, Vec::new());
    for (slot, name) in NAMES.into_iter().enumerate() {
        if !names.iter().any(|there| there == name) {
            continue;
        }
        let bytes = read_all(&*disk.open(name)?)?;
        match Checkpoint::decode(&bytes, vault) {
            Ok(checkpoint) => {
                if best.as_ref().is_none_or(|(_, other)| other.generation < checkpoint.generation) {
                    best = Some((slot, checkpoint));
                }
            }
            Err(why) => spoilt.push(Spoilt { file: name, why: why.to_owned() }),
        }
    }
    Ok((best, spoilt))
}

/// All bytes of a file, as far as one may be long.
pub(crate) fn read_all(file: &dyn File) -> std::io::Result<Vec<u8>> {
    let mut bytes = vec![0; len_of(file.len()?)];
    let len = file.read_at(&mut bytes, 0)?;
    bytes.truncate(len);
    Ok(bytes)
}

/// Bytes to read of a file that says it has so many: no file of a store has more than a segment and an entry of the largest kind.
pub(crate) fn len_of(len: u64) -> usize {
    const LONGEST: u64 = 3 * MAX_BODY;
    usize::try_from(len.min(LONGEST)).expect("three times as many as an entry may have")
}
