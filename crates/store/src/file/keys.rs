//! The key of a stream that is encrypted, wrapped, in two files that say the same: without it nothing can be read.
//!
//! Invariant: one of the two is whole at any moment.

use std::sync::Arc;

use super::checkpoint::{self, PREFIX, body_of, finish, read_all};
use super::open::{Damage, OpenError};
use crate::disk::Disk;
use crate::seal::{Encryption, Vault};

/// The first bytes of a key's file.
const MAGIC: [u8; 8] = *b"MartKey\x01";
/// The two files.
pub(crate) const NAMES: [&str; 2] = ["key.0", "key.1"];
/// What one of them is called before it is whole.
const TEMPORARY: &str = "key.tmp";

/// What a store is encrypted with, if it is: the key that it has, or a new one if it has none and should.
pub(super) fn open(
    disk: &dyn Disk,
    names: &[String],
    encryption: Option<&Encryption<'_>>,
    damage: &mut Vec<Damage>,
) -> Result<Option<Arc<Vault>>, OpenError> {
    let kept = [load(disk, names, NAMES[0])?, load(disk, names, NAMES[1])?];
    let is_known = kept.iter().any(|key| !matches!(key, Kept::Nowhere));
    let Some(encryption) = encryption else {
        let is_needed = is_known || checkpoint::is_sealed(disk, names)?;
        return if is_needed { Err(OpenError::NoKey) } else { Ok(None) };
    };
    let has_data = names.iter().any(|name| !NAMES.contains(&&**name) && name != TEMPORARY);
    if is_known && has_data {
        return choose(disk, names, kept, encryption, damage).map(Some);
    }
    if checkpoint::is_sealed(disk, names)? {
        return Err(OpenError::KeyLost { why: "key.0 is missing, key.1 is missing".to_owned() });
    }
    let (vault, wrapped) = Vault::create(encryption);
    write_both(disk, names, &wrapped)?;
    Ok(Some(Arc::new(vault)))
}

/// The key that is kept, if it opens; the files say the same afterwards.
fn choose(
    disk: &dyn Disk,
    names: &[String],
    kept: [Kept; 2],
    encryption: &Encryption<'_>,
    damage: &mut Vec<Damage>,
) -> Result<Arc<Vault>, OpenError> {
    let (mut opened, mut spoilt, mut is_right) = (Vec::new(), Vec::new(), true);
    for (name, key) in NAMES.into_iter().zip(kept) {
        let why = match key {
            Kept::Nowhere => "is missing",
            Kept::Spoilt(why) => why,
            Kept::Whole(wrapped) => match Vault::unwrap(&wrapped, encryption) {
                None => {
                    is_right = false;
                    continue;
                }
                Some((vault, _)) if !checkpoint::opens_with(disk, names, &vault)? => "is of another stream",
                Some((vault, again)) => {
                    opened.push((vault, again.is_some(), again.unwrap_or(wrapped)));
                    continue;
                }
            },
        };
        spoilt.push((name, why));
    }
    // After a change of the key that was cut off, one of them opens with the new key, the other one with the key before.
    opened.sort_by_key(|(_, is_old, _)| *is_old);
    let is_one = matches!(&opened[..], [(_, false, first), (_, false, second)] if first == second);
    let Some((vault, _, wrapped)) = opened.into_iter().next() else {
        let why = spoilt.iter().map(|(name, why)| format!("{name} {why}")).collect::<Vec<_>>().join(", ");
        return Err(if is_right {
            OpenError::KeyLost { why: why.replacen("is ", "are ", 1) }
        } else {
            OpenError::WrongKey
        });
    };
    for (name, why) in spoilt {
        damage.push(Damage { what: format!("{name} {why}; it is written anew, as the other one is"), seqs: None });
    }
    if !is_one {
        write_both(disk, names, &wrapped)?;
    }
    Ok(Arc::new(vault))
}

/// What is there of a wrapped key.
enum Kept {
    Whole(Vec<u8>),
    Spoilt(&'static str),
    Nowhere,
}

fn load(disk: &dyn Disk, names: &[String], name: &str) -> Result<Kept, OpenError> {
    if !names.iter().any(|there| there == name) {
        return Ok(Kept::Nowhere);
    }
    let bytes = disk.open(name).and_then(|file| read_all(&*file)).map_err(OpenError::io(&format!("read {name}")))?;
    Ok(match body_of(&bytes, MAGIC) {
        Ok(wrapped) => Kept::Whole(wrapped.to_vec()),
        Err(why) => Kept::Spoilt(why),
    })
}

/// Writes one, and when that is durable the other; each beside what is there, so that what has the name is whole.
fn write_both(disk: &dyn Disk, names: &[String], wrapped: &[u8]) -> Result<(), OpenError> {
    let mut bytes = vec![0; PREFIX];
    bytes.extend_from_slice(wrapped);
    finish(&mut bytes, MAGIC);
    let mut is_there = names.iter().any(|there| there == TEMPORARY);
    for name in NAMES {
        let file = if is_there { disk.open(TEMPORARY) } else { disk.create(TEMPORARY) };
        let written = file.and_then(|file| {
            file.write_at(&[&bytes], 0)?;
            file.truncate(bytes.len() as u64)?;
            file.sync()?;
            disk.rename(TEMPORARY, name)?;
            disk.sync_names()
        });
        written.map_err(OpenError::io(&format!("write {name}")))?;
        is_there = false;
    }
    Ok(())
}
