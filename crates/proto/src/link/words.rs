//! The words of a line: how they are told apart, counted and read as numbers.

/// The names of queue groups in a message's control line, read as they are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Queues<'a> {
    /// From the first name to the end of the last.
    names: &'a [u8],
}

impl<'a> Queues<'a> {
    /// The names in this part of a line.
    #[inline]
    pub(super) const fn new(names: &'a [u8]) -> Self {
        Self { names }
    }

    /// Whether there are none.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The names, in the order they were sent.
    pub fn iter(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        words(self.names)
    }

    /// The names as they stand in the line, for passing them on.
    #[inline]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.names
    }
}

/// The arguments of a line, each looked for again when it is asked for: few lines are read this way.
#[derive(Clone, Copy)]
pub(super) struct Args<'a> {
    text: &'a [u8],
    /// How many there are.
    pub(super) count: usize,
}

impl<'a> Args<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self { text, count: words(text).count() }
    }

    /// The word of this number; empty if there are not so many.
    pub(super) fn word(&self, index: usize) -> &'a [u8] {
        words(self.text).nth(index).unwrap_or_default()
    }

    /// The line from the word numbered `first` to the end of the one before `end`.
    pub(super) fn range(&self, first: usize, end: usize) -> &'a [u8] {
        if first >= end {
            return &[];
        }
        let mut at = Splitter { text: self.text, at: 0 };
        let start = at.nth(first).map_or(0, |(start, _)| start);
        let last = if end - first > 1 { at.nth(end - first - 2) } else { None };
        let stop = last.map_or_else(|| start + self.word(first).len(), |(start, word)| start + word.len());
        &self.text[start..stop]
    }
}

fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    Splitter { text, at: 0 }.map(|(_, word)| word)
}

/// Words with the place where each begins.
struct Splitter<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Iterator for Splitter<'a> {
    type Item = (usize, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let rest = &self.text[self.at..];
        let start = self.at + rest.iter().position(|&byte| !is_space(byte))?;
        let word = &self.text[start..];
        let len = word.iter().position(|&byte| is_space(byte)).unwrap_or(word.len());
        self.at = start + len;
        Some((start, &word[..len]))
    }
}

/// What separates the verb from its arguments.
pub(super) fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// What separates arguments.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// A number as the protocol writes it: one to nine digits.
// spec: CLU-028
pub(super) fn number(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() || digits.len() > 9 {
        return None;
    }
    digits.iter().try_fold(0, |value, digit| {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 { None } else { Some(value * 10 + u32::from(digit)) }
    })
}

/// A size as the protocol writes it.
pub(super) fn size(digits: &[u8]) -> Option<usize> {
    number(digits).map(|value| value as usize)
}

#[cfg(test)]
mod tests {
    use super::{Args, Queues, number};

    #[test]
    fn words_and_ranges() {
        let args = Args::new(b" a\t bb  c\rd ");
        assert_eq!(args.count, 4);
        assert_eq!(
            (args.word(0), args.word(1), args.word(3), args.word(4)),
            (&b"a"[..], &b"bb"[..], &b"d"[..], &b""[..])
        );
        for (first, end, text) in
            [(0, 1, &b"a"[..]), (0, 2, b"a\t bb"), (1, 4, b"bb  c\rd"), (3, 4, b"d"), (2, 2, b""), (4, 2, b"")]
        {
            assert_eq!(args.range(first, end), text, "{first}..{end}");
        }
        assert_eq!(Queues::new(b"q1  q2").iter().collect::<Vec<_>>(), [b"q1", b"q2"]);
        assert!(Queues::default().is_empty() && Queues::default().iter().next().is_none());
    }

    #[test]
    fn numbers_have_one_to_nine_digits() {
        // spec: CLU-028
        for (text, value) in [("0", Some(0)), ("000000012", Some(12)), ("999999999", Some(999_999_999))] {
            assert_eq!(number(text.as_bytes()), value);
        }
        for text in ["", "1234567890", "-1", "+1", "1x", "x", "1."] {
            assert_eq!(number(text.as_bytes()), None, "{text}");
        }
    }
}
