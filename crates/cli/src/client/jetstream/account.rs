//! `martlet account`: all streams of an account at once, each in a folder of its name, as the official command has them.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::api::Api;
use super::stream::{self, BackupArgs, META, RestoreArgs};
use super::value::text;
use crate::client::error::CliError;

/// `account`.
#[derive(Debug, Subcommand)]
pub(crate) enum AccountCommand {
    /// Write every stream into a folder of its name
    Backup(FolderArgs),
    /// Make every stream that `backup` wrote
    Restore(FolderArgs),
}

/// Where all of it is.
#[derive(Debug, Args)]
pub(crate) struct FolderArgs {
    /// Folder of the folders
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

/// Runs `command`. What fails ends it: those before are done, and it is said which one failed.
// spec: CLI-023
pub(super) async fn run(command: &AccountCommand, api: &Api) -> Result<(), CliError> {
    match command {
        AccountCommand::Backup(args) => {
            for found in stream::all(api, None).await? {
                let name = text(&found, "/config/name");
                let directory = args.directory.join(&name);
                stream::backup(&BackupArgs::of(&name, directory), api).await?;
            }
        }
        AccountCommand::Restore(args) => {
            let folders = folders(&args.directory)?;
            if folders.is_empty() {
                let directory = args.directory.display();
                return Err(CliError::Usage(format!("{directory} holds no folder with a {META}")));
            }
            for directory in folders {
                stream::restore(&RestoreArgs::of(directory), api).await?;
            }
        }
    }
    Ok(())
}

/// Folders that hold a backup, by name.
fn folders(directory: &Path) -> Result<Vec<PathBuf>, CliError> {
    let unreadable = |source| CliError::Unreadable { option: "DIR", path: directory.display().to_string(), source };
    let mut folders = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.join(META).is_file() {
            folders.push(path);
        }
    }
    folders.sort_unstable();
    Ok(folders)
}
