//! Asking before something is destroyed.

use std::io::{self, BufRead, IsTerminal};

use clap::Args;

use crate::client::error::CliError;
use crate::client::out;

/// Whether to ask.
#[derive(Debug, Default, Clone, Args)]
pub(super) struct Force {
    /// Do it without asking
    #[arg(short, long)]
    pub(super) force: bool,
}

impl Force {
    /// Asks `question` unless that is forced; only "y" and "yes" let it happen. Without a person at the terminal nothing does.
    pub(super) async fn confirmed(&self, question: &str) -> Result<(), CliError> {
        if self.force {
            return Ok(());
        }
        let refused = || CliError::Refusal(question.to_owned());
        if !io::stdin().is_terminal() {
            return Err(refused());
        }
        out::plain_prompt(&format!("{question} [y/N] "));
        // On a thread of its own: whoever is asked may as well interrupt.
        let answer = tokio::task::spawn_blocking(|| {
            let mut line = String::new();
            io::stdin().lock().read_line(&mut line).map(|_| line)
        });
        let answer = answer.await.map_err(|_| refused())?.map_err(|source| CliError::Stdin { source })?;
        if is_yes(&answer) { Ok(()) } else { Err(refused()) }
    }
}

fn is_yes(answer: &str) -> bool {
    let answer = answer.trim();
    answer.eq_ignore_ascii_case("y") || answer.eq_ignore_ascii_case("yes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_yes_is_yes() {
        assert!(is_yes("y\n") && is_yes(" YES "));
        assert!(!is_yes("") && !is_yes("n\n") && !is_yes("yeah"));
    }
}
