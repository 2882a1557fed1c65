//! A log file that starts anew when it is full.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use jiff::Zoned;

use super::line::Label;

/// A file opened for appending, and what is known of its size.
pub(super) struct LogFile {
    path: PathBuf,
    file: File,
    size: u64,
    /// The size at which to start anew; 0 is never. Grows when that fails.
    limit: u64,
    configured_limit: u64,
    /// Files kept, the one written included; 0 keeps all.
    max_num: usize,
}

impl LogFile {
    pub(super) fn open(path: &Path, limit: u64, max_num: usize) -> io::Result<Self> {
        let file = append(path)?;
        let size = file.metadata()?.len();
        Ok(Self { path: path.to_owned(), file, size, limit, configured_limit: limit, max_num })
    }

    pub(super) fn write(&mut self, line: &str) -> io::Result<()> {
        self.file.write_all(line.as_bytes())?;
        self.size += line.len() as u64;
        Ok(())
    }

    pub(super) fn is_full(&self) -> bool {
        self.limit > 0 && self.size > self.limit
    }

    /// Moves the file aside and opens a new one; returns what to tell in it. When that fails, the old one is
    /// written on, and it is tried again at twice the size.
    // spec: CORE-164
    pub(super) fn rotate(&mut self) -> Vec<(Label, String)> {
        let backup = self.backup_path(&Zoned::now());
        match self.move_to(&backup) {
            Ok(file) => {
                (self.file, self.size, self.limit) = (file, 0, self.configured_limit);
                let mut notes =
                    vec![(Label::Info, format!("Rotated log, backup saved as {:?}", backup.display().to_string()))];
                if self.max_num > 0 {
                    self.purge(&mut notes);
                }
                notes
            }
            Err(error) => {
                self.limit = self.limit.saturating_mul(2).max(self.size.saturating_mul(2));
                let text = format!(
                    "Unable to rotate the logfile ({error}), will attempt next rotation at size {}",
                    self.limit
                );
                vec![(Label::Error, text)]
            }
        }
    }

    fn move_to(&self, backup: &Path) -> io::Result<File> {
        fs::rename(&self.path, backup)?;
        append(&self.path).inspect_err(|_| {
            // The old file goes by its name again; if that fails too, it is written on under its new one.
            let _ = fs::rename(backup, &self.path);
        })
    }

    /// `NAME.YYYY.MM.DD.HH.MM.SS.NNNNNNNNN`, which sorts by age.
    fn backup_path(&self, now: &Zoned) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(format!(
            ".{:04}.{:02}.{:02}.{:02}.{:02}.{:02}.{:09}",
            now.year(),
            now.month(),
            now.day(),
            now.hour(),
            now.minute(),
            now.second(),
            now.subsec_nanosecond()
        ));
        name.into()
    }

    /// Removes the oldest backups, so that with the file itself `max_num` are left.
    fn purge(&self, notes: &mut Vec<(Label, String)>) {
        let (directory, backups) = match self.backups() {
            Ok(found) => found,
            Err(error) => {
                notes.push((
                    Label::Error,
                    format!("Unable to list the directory for log purge ({error}), will attempt next rotation"),
                ));
                return;
            }
        };
        let surplus = backups.len().saturating_sub(self.max_num - 1);
        for name in &backups[..surplus] {
            if let Err(error) = fs::remove_file(directory.join(name)) {
                notes.push((
                    Label::Error,
                    format!("Unable to remove backup log file {name:?} ({error}), will attempt next rotation"),
                ));
                return;
            }
            notes.push((Label::Info, format!("Purged log file {name:?}")));
        }
    }

    /// The names of this file's backups, oldest first.
    fn backups(&self) -> io::Result<(PathBuf, Vec<String>)> {
        let directory = match self.path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        let base = self.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut names = Vec::new();
        for entry in fs::read_dir(&directory)? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            let stamp = name.strip_prefix(&base).and_then(|rest| rest.strip_prefix('.'));
            if stamp.is_some_and(is_stamp) {
                names.push(name);
            }
        }
        names.sort_unstable();
        Ok((directory, names))
    }
}

/// Readable by its group too, as log shippers need it.
// spec: CORE-160
fn append(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o640);
    options.open(path)
}

/// `2026.11.22.09.00.00.123456789`
fn is_stamp(text: &str) -> bool {
    let widths = [4, 2, 2, 2, 2, 2, 9];
    let mut parts = text.split('.');
    widths.iter().all(|width| {
        parts.next().is_some_and(|part| part.len() == *width && part.bytes().all(|byte| byte.is_ascii_digit()))
    }) && parts.next().is_none()
}
