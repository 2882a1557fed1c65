//! What a replay makes of any bytes. For the fuzzer alone.

use std::io;
use std::sync::Arc;

use super::frame::{SECTOR, seal};
use super::{NAMES, replay};
use crate::disk::{Disk, File};
use crate::sim::SimDisk;

/// A file that has room for everything, and keeps nothing.
#[derive(Debug)]
struct Endless;

impl File for Endless {
    fn len(&self) -> io::Result<u64> {
        Ok(u64::MAX)
    }
    fn read_at(&self, into: &mut [u8], _: u64) -> io::Result<usize> {
        Ok(into.len())
    }
    fn write_at(&self, parts: &[&[u8]], offset: u64) -> io::Result<()> {
        let len: usize = parts.iter().map(|part| part.len()).sum();
        offset.checked_add(len as u64).map(drop).ok_or_else(|| io::ErrorKind::FileTooLarge.into())
    }
    fn allocate(&self, _: u64) -> io::Result<()> {
        Ok(())
    }
    fn truncate(&self, _: u64) -> io::Result<()> {
        Ok(())
    }
    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

/// Takes bytes for the journal's files, and makes the checksums right of all that could be rounds.
pub(crate) fn journal(slots: [&[u8]; 2]) {
    let disk = SimDisk::default();
    for (name, bytes) in NAMES.into_iter().zip(slots) {
        let mut bytes = bytes.to_vec();
        for sector in (0..bytes.len()).step_by(SECTOR).rev() {
            seal(&mut bytes[sector..]);
        }
        disk.set_bytes(name, bytes);
    }
    let open = |path: &str| {
        assert!(!path.starts_with('/') && !path.split('/').any(|part| part == ".."), "{path} is not below");
        Ok(path.len().is_multiple_of(2).then(|| Arc::new(Endless) as Arc<dyn File>))
    };
    let replayed = replay(&disk, &open).expect("nothing fails");
    assert!(replayed.lost.iter().all(|lost| lost.from <= lost.through));
    assert_eq!(disk.list().expect("a list"), [""; 0], "the journal is gone");
}
