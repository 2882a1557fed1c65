//! What wakes the process: signals, requests from the server itself, and its end.
//!
//! Signals come through `signal-hook` on a plain thread, not through tokio: the process outlives the server's
//! runtimes on both sides (it must hear a signal before they start and while they stop), and the action on a signal
//! may block on files.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use log::{info, warn};
use martlet_monitor::logging;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::{Handle, Signals};

use super::Running;
use super::reload::Reloader;

type Answer = Box<dyn FnOnce(Result<(), String>) + Send>;

enum Event {
    Signal(i32),
    Reload(Answer),
    LameDuck,
    Stopped,
}

/// How a server asks for what only the process can do.
#[derive(Clone)]
pub struct Controls {
    events: Sender<Event>,
}

impl Controls {
    /// Reads the configuration file again, as SIGHUP does; `answer` is called with what came of it.
    pub fn reload(&self, answer: impl FnOnce(Result<(), String>) + Send + 'static) {
        if let Err(mpsc::SendError(Event::Reload(answer))) = self.events.send(Event::Reload(Box::new(answer))) {
            answer(Err("the server is stopping".into()));
        }
    }

    /// Begins lame duck mode, as SIGUSR2 does.
    pub fn lame_duck(&self) {
        // Nobody there means that the server has stopped.
        let _ = self.events.send(Event::LameDuck);
    }
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// The server stopped.
    Stopped,
    /// It was told to stop a second time, and was left behind.
    Impatient,
}

/// The queue of what happened, from before the server starts until after it stopped.
pub(super) struct Events {
    sender: Sender<Event>,
    queue: Receiver<Event>,
    signals: Option<Handle>,
}

impl Events {
    /// Listens for signals from now on.
    pub(super) fn new() -> io::Result<Self> {
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2])?;
        let mut events = Self::without_signals();
        events.signals = Some(signals.handle());
        let sender = events.sender.clone();
        thread::Builder::new().name("signals".into()).spawn(move || {
            for signal in &mut signals {
                if sender.send(Event::Signal(signal)).is_err() {
                    break;
                }
            }
        })?;
        Ok(events)
    }

    pub(super) fn without_signals() -> Self {
        let (sender, queue) = mpsc::channel();
        Self { sender, queue, signals: None }
    }

    pub(super) fn controls(&self) -> Controls {
        Controls { events: self.sender.clone() }
    }

    /// Acts on what happens until the server has stopped.
    // spec: CORE-140 CLI-003
    pub(super) fn serve<R: Running>(self, server: &Arc<R>, reloader: &mut Reloader) -> Ended {
        let (waiting, sender) = (Arc::clone(server), self.sender.clone());
        let watch = move || {
            waiting.wait();
            // Nobody there means that the process gave up waiting.
            let _ = sender.send(Event::Stopped);
        };
        if let Err(error) = thread::Builder::new().name("stopped".into()).spawn(watch) {
            warn!("Stopping, the end of the server could not be watched for: {error}");
            server.shutdown();
            server.wait();
            return Ended::Stopped;
        }
        let mut stopping = false;
        while let Ok(event) = self.queue.recv() {
            match event {
                Event::Stopped => return Ended::Stopped,
                Event::Reload(answer) => answer(reloader.reload(server.as_ref())),
                Event::LameDuck => server.lame_duck(),
                Event::Signal(signal) => {
                    info!("Trapped {:?} signal", name(signal));
                    match signal {
                        // A server that sends its clients away gently is about to stop anyway.
                        SIGTERM if server.is_lame_duck() && !stopping => {}
                        SIGINT | SIGTERM if stopping => {
                            warn!("Told to stop again, leaving at once");
                            return Ended::Impatient;
                        }
                        SIGINT | SIGTERM => {
                            stopping = true;
                            reloader.stopping();
                            server.shutdown();
                        }
                        SIGHUP => drop(reloader.reload(server.as_ref())),
                        SIGUSR1 => {
                            if let Some(logger) = logging::installed() {
                                logger.reopen();
                            }
                        }
                        SIGUSR2 => server.lame_duck(),
                        _ => {}
                    }
                }
            }
        }
        Ended::Stopped
    }

    #[cfg(test)]
    pub(super) fn signal_for_test(&self) -> impl Fn(i32) + Send + 'static {
        let sender = self.sender.clone();
        move |signal| drop(sender.send(Event::Signal(signal)))
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        if let Some(signals) = &self.signals {
            signals.close();
        }
    }
}

fn name(signal: i32) -> &'static str {
    match signal {
        SIGHUP => "hangup",
        SIGINT => "interrupt",
        SIGTERM => "terminated",
        SIGUSR1 => "user defined signal 1",
        SIGUSR2 => "user defined signal 2",
        _ => "unknown",
    }
}
