//! Ending on Ctrl-C or SIGTERM: every loop looks here, so that a summary is printed and the connection closed.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::error::CliError;

/// Tells whether the person has asked to stop.
#[derive(Debug, Clone)]
pub(crate) struct Stop {
    asked: watch::Receiver<bool>,
}

impl Stop {
    /// Listens for the signals from now on. A second one ends the process at once.
    pub(crate) fn on_signals() -> Result<Self, CliError> {
        let start = |source| CliError::Start { source };
        let mut interrupt = signal(SignalKind::interrupt()).map_err(start)?;
        let mut terminate = signal(SignalKind::terminate()).map_err(start)?;
        let (ask, asked) = watch::channel(false);
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                if ask.send_replace(true) {
                    std::process::exit(130);
                }
            }
        });
        Ok(Self { asked })
    }

    /// Whether a signal has come.
    pub(crate) fn requested(&self) -> bool {
        *self.asked.borrow()
    }

    /// Returns when a signal has come.
    pub(crate) async fn wait(&self) {
        let mut asked = self.asked.clone();
        if asked.wait_for(|asked| *asked).await.is_err() {
            // The listening task lives as long as the runtime: without it there is nothing to wait for.
            std::future::pending::<()>().await;
        }
    }

    /// Sleeps for `pause`, or until a signal comes.
    pub(crate) async fn sleep(&self, pause: std::time::Duration) {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = self.wait() => {}
        }
    }
}
