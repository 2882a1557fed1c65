//! A set of places in a stretch of sequences, as runs or as bits.

/// How many places a stretch has.
pub(super) const STRETCH: u64 = 4096;
const WORDS: usize = 64;
/// More runs than this take more room than bits.
const MAX_RUNS: usize = 96;

/// A set of numbers below [`STRETCH`].
#[derive(Debug, Clone)]
pub(super) enum Stretch {
    /// First and last of each run, in order; no two of them touch.
    Runs(Vec<(u16, u16)>),
    Bits(Box<[u64; WORDS]>),
}

impl Default for Stretch {
    fn default() -> Self {
        Self::Runs(Vec::new())
    }
}

/// The bits of word `word` that stand for `from..=to`.
fn mask(word: usize, from: u16, to: u16) -> u64 {
    let base = word * 64;
    let (from, to) = (usize::from(from).max(base), usize::from(to).min(base + 63));
    if from > to { 0 } else { (u64::MAX << (from - base)) & (u64::MAX >> (base + 63 - to)) }
}

fn place(word: usize, bit: u32) -> u16 {
    u16::try_from(word * 64).expect("a stretch is short") + u16::try_from(bit).expect("a word has 64 bits")
}

fn words(from: u16, to: u16) -> std::ops::RangeInclusive<usize> {
    usize::from(from) / 64..=usize::from(to) / 64
}

const END: u16 = 4095;

impl Stretch {
    pub(super) fn insert(&mut self, from: u16, to: u16) {
        match self {
            Self::Runs(runs) => {
                insert_run(runs, from, to);
                if runs.len() > MAX_RUNS {
                    let mut bits = Box::new([0; WORDS]);
                    for (from, to) in runs {
                        set(&mut bits, *from, *to);
                    }
                    *self = Self::Bits(bits);
                }
            }
            Self::Bits(bits) => set(bits, from, to),
        }
    }

    pub(super) fn len(&self) -> u64 {
        self.count(0, END)
    }

    pub(super) fn count(&self, from: u16, to: u16) -> u64 {
        match self {
            Self::Runs(runs) => {
                let within = |&(first, last): &(u16, u16)| {
                    let (first, last) = (first.max(from), last.min(to));
                    if first > last { 0 } else { u64::from(last - first) + 1 }
                };
                runs.iter().map(within).sum()
            }
            Self::Bits(bits) => {
                words(from, to).map(|word| u64::from((bits[word] & mask(word, from, to)).count_ones())).sum()
            }
        }
    }

    pub(super) fn contains(&self, at: u16) -> bool {
        match self {
            Self::Runs(runs) => run_before(runs, at).is_some_and(|(_, last)| at <= last),
            Self::Bits(bits) => bits[usize::from(at) / 64] >> (at % 64) & 1 == 1,
        }
    }

    pub(super) fn next_present(&self, at: u16) -> Option<u16> {
        match self {
            Self::Runs(runs) => {
                let next = runs.partition_point(|(_, last)| *last < at);
                runs.get(next).map(|(first, _)| at.max(*first))
            }
            Self::Bits(bits) => next_bit(at, |word| bits[word]),
        }
    }

    pub(super) fn next_absent(&self, at: u16) -> Option<u16> {
        match self {
            Self::Runs(runs) => match run_before(runs, at).filter(|(_, last)| at <= *last) {
                Some((_, last)) => (last < END).then(|| last + 1),
                None => Some(at),
            },
            Self::Bits(bits) => next_bit(at, |word| !bits[word]),
        }
    }

    pub(super) fn last_absent(&self, at: u16) -> Option<u16> {
        match self {
            Self::Runs(runs) => match run_before(runs, at).filter(|(_, last)| at <= *last) {
                Some((first, _)) => first.checked_sub(1),
                None => Some(at),
            },
            Self::Bits(bits) => words(0, at).rev().find_map(|word| {
                let found = !bits[word] & mask(word, 0, at);
                (found != 0).then(|| place(word, found.ilog2()))
            }),
        }
    }
}

fn next_bit(at: u16, of: impl Fn(usize) -> u64) -> Option<u16> {
    words(at, END).find_map(|word| {
        let found = of(word) & mask(word, at, END);
        (found != 0).then(|| place(word, found.trailing_zeros()))
    })
}

/// The last run that starts at `at` or before.
fn run_before(runs: &[(u16, u16)], at: u16) -> Option<(u16, u16)> {
    runs.partition_point(|(first, _)| *first <= at).checked_sub(1).map(|position| runs[position])
}

fn set(bits: &mut [u64; WORDS], from: u16, to: u16) {
    for word in words(from, to) {
        bits[word] |= mask(word, from, to);
    }
}

/// Puts a run in, making one of it and those it touches.
fn insert_run(runs: &mut Vec<(u16, u16)>, from: u16, to: u16) {
    let start = runs.partition_point(|(_, last)| last + 1 < from);
    let end = runs.partition_point(|(first, _)| *first <= to + 1);
    match runs.get(start..end).and_then(|touched| Some((touched.first()?.0, touched.last()?.1))) {
        None => runs.insert(start, (from, to)),
        Some((first, last)) => {
            runs[start] = (from.min(first), to.max(last));
            runs.drain(start + 1..end);
        }
    }
}
