//! What the machines ask of the world.

use martlet_events::{Time, WallTime};

/// The time, twice: to wait by, and to write down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Now {
    /// Never goes back.
    pub time: Time,
    /// May be set.
    pub wall: WallTime,
}

/// A message to publish in the stream's account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Outgoing<'a> {
    /// Where it is routed to.
    pub subject: &'a [u8],
    /// The subject that its receiver sees, if another.
    pub shown: Option<&'a [u8]>,
    /// Where an answer goes; empty for none.
    pub reply: &'a [u8],
    /// The header section; empty for none.
    pub headers: &'a [u8],
    /// The message without its headers.
    pub payload: &'a [u8],
}

/// Where the machines' messages go, and what they ask.
pub trait Out {
    /// Publishes; gives the number of destinations.
    fn publish(&mut self, message: &Outgoing<'_>) -> usize;
    /// Whether anybody gets what is published there.
    fn is_wanted(&mut self, subject: &[u8]) -> bool;
    /// Whether somebody listens on exactly this subject, not by a wildcard: as a member of `group`, or, if that is empty,
    /// in no group.
    fn is_listened_on(&mut self, subject: &[u8], group: &[u8]) -> bool;
    /// A random number.
    fn random(&mut self) -> u64;
}

/// A random name of 22 letters and digits, as events have it.
pub(crate) fn unique(out: &mut dyn Out) -> String {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut name = String::with_capacity(22);
    for _ in 0..2 {
        let mut random = out.random();
        // A random number has ten digits of base 62, and a little more; the first of each half is not quite even.
        for _ in 0..11 {
            name.push(char::from(DIGITS[(random % 62) as usize]));
            random /= 62;
        }
    }
    name
}
