//! Tar archives as they come: the form of snapshots before 2.15.
//!
//! Only what such an archive consists of is read: regular files with short relative names, some with an extended header
//! before them. A file is given when all of it is there.

use crate::ArchiveError;

const BLOCK: usize = 512;
/// The longest extended header.
const MAX_EXTENDED: usize = 64 << 10;
/// The largest file.
const MAX_FILE: usize = 64 << 20;

/// Reads files as they come.
#[derive(Debug, Default)]
pub(crate) struct Tar {
    buffer: Vec<u8>,
    /// What of it has been read.
    at: usize,
    /// What was read before `buffer`.
    passed: u64,
    /// What an extended header says of the next file: its name and size.
    extended: (Option<String>, Option<u64>),
    is_over: bool,
}

/// A header.
struct Head {
    name: String,
    kind: u8,
    size: u64,
}

impl Tar {
    /// Takes more bytes; [`Self::take_next`] then, until there is none.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        if self.at > 0 {
            self.passed += self.at as u64;
            self.buffer.drain(..self.at);
            self.at = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next file that is all there: its name and content.
    pub(crate) fn take_next(&mut self) -> Result<Option<(String, &[u8])>, ArchiveError> {
        while !self.is_over {
            let Some(block) = self.buffer[self.at..].first_chunk::<BLOCK>() else { return Ok(None) };
            if block.iter().all(|byte| *byte == 0) {
                // Two of them end an archive; one is said by nothing else.
                self.is_over = true;
                break;
            }
            let head = Head::read(block).map_err(|why| self.damaged(why))?;
            let size = self.extended.1.unwrap_or(head.size);
            let most = if matches!(head.kind, b'x' | b'g') { MAX_EXTENDED } else { MAX_FILE };
            let size = usize::try_from(size).ok().filter(|size| *size <= most);
            let size = size.ok_or(ArchiveError::TooLarge { what: "a file", len: head.size, max: most })?;
            let (begin, padded) = (self.at + BLOCK, size.next_multiple_of(BLOCK));
            if self.buffer.len() < begin + padded {
                return Ok(None);
            }
            self.at = begin + padded;
            match head.kind {
                b'x' => {
                    self.extended = extended(&self.buffer[begin..begin + size]).map_err(|why| self.damaged(why))?;
                }
                b'g' => {}
                b'0' | 0 => {
                    let (name, _) = std::mem::take(&mut self.extended);
                    return Ok(Some((name.unwrap_or(head.name), &self.buffer[begin..begin + size])));
                }
                _ => {
                    let expected = "a regular file";
                    return Err(ArchiveError::Unexpected { found: head.name, expected });
                }
            }
        }
        Ok(None)
    }

    /// Whether the archive has said that it is over.
    pub(crate) fn is_over(&self) -> bool {
        self.is_over
    }

    fn damaged(&self, why: &'static str) -> ArchiveError {
        ArchiveError::Damaged { at: self.passed + self.at as u64, why }
    }
}

impl Head {
    fn read(block: &[u8; BLOCK]) -> Result<Self, &'static str> {
        let sum: u64 = block
            .iter()
            .enumerate()
            .map(|(at, byte)| u64::from(if (148..156).contains(&at) { b' ' } else { *byte }))
            .sum();
        if octal(&block[148..156]) != Some(sum) {
            return Err(
                "it is neither an archive of today's form nor a tar archive, or the checksum of a header does not match",
            );
        }
        let text = |range: std::ops::Range<usize>| {
            let field = &block[range];
            let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
            std::str::from_utf8(&field[..end]).map_err(|_| "a name is no text")
        };
        let (name, prefix) = (text(0..100)?, if block[257..262] == *b"ustar" { text(345..500)? } else { "" });
        let name = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}/{name}") };
        let size = octal(&block[124..136]).ok_or("the size of a file is no number")?;
        Ok(Self { name, kind: block[156], size })
    }
}

/// A number in a header.
fn octal(field: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(field).ok()?.trim_matches(['\0', ' ']);
    u64::from_str_radix(text, 8).ok()
}

/// The name and the size in an extended header: lines of a length, a space, a name, `=` and a value.
fn extended(mut rest: &[u8]) -> Result<(Option<String>, Option<u64>), &'static str> {
    const WRONG: &str = "an extended header cannot be read";
    let (mut name, mut size) = (None, None);
    while !rest.is_empty() {
        let space = rest.iter().position(|byte| *byte == b' ').ok_or(WRONG)?;
        let len = std::str::from_utf8(&rest[..space]).ok().and_then(|text| text.parse::<usize>().ok()).ok_or(WRONG)?;
        let line = rest.get(space + 1..len).and_then(|line| line.strip_suffix(b"\n")).ok_or(WRONG)?;
        let text = std::str::from_utf8(line).map_err(|_| WRONG)?;
        match text.split_once('=').ok_or(WRONG)? {
            ("path", value) => name = Some(value.to_owned()),
            ("size", value) => size = Some(value.parse().map_err(|_| WRONG)?),
            _ => {}
        }
        rest = &rest[len..];
    }
    Ok((name, size))
}
