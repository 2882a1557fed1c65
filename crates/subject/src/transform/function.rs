//! The language of one destination token: literal text, `$n`, or a function in double braces.
//!
//! The grammar is lenient where users rely on it: spaces around names and arguments, a sign before numbers, the first
//! letter in either case, and a call that is found inside other text between the braces.

use super::{Fault, Shape, TransformError};
use crate::pattern::is_space;

/// One token of a destination. Wildcard numbers are as written until [`Piece::resolve`] makes them token places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    Literal(Vec<u8>),
    /// The token at a place, as `cut` leaves it.
    Token {
        place: i64,
    },
    Cut {
        place: i64,
        cut: Cut,
    },
    Split {
        place: i64,
        delimiter: Vec<u8>,
    },
    /// FNV-1a of the tokens at these places, or of the whole subject if there are none, modulo `buckets`.
    Partition {
        buckets: u32,
        places: Vec<i64>,
    },
    Random {
        ceiling: u32,
    },
}

/// A way to cut a token at byte positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cut {
    pub(super) kind: CutKind,
    pub(super) at: i32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CutKind {
    SplitFromLeft,
    SplitFromRight,
    SliceFromLeft,
    SliceFromRight,
    Left,
    Right,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Name {
    Wildcard,
    Partition,
    Cut(CutKind),
    Split,
    Random,
}

/// Names by their words; a letter that begins a word may be of either case.
const NAMES: &[(&[&str], Name)] = &[
    (&["wildcard"], Name::Wildcard),
    (&["partition"], Name::Partition),
    (&["split", "from", "left"], Name::Cut(CutKind::SplitFromLeft)),
    (&["split", "from", "right"], Name::Cut(CutKind::SplitFromRight)),
    (&["slice", "from", "left"], Name::Cut(CutKind::SliceFromLeft)),
    (&["slice", "from", "right"], Name::Cut(CutKind::SliceFromRight)),
    (&["right"], Name::Cut(CutKind::Right)),
    (&["left"], Name::Cut(CutKind::Left)),
    (&["split"], Name::Split),
    (&["random"], Name::Random),
];

impl Piece {
    // spec: CORE-115 CORE-118 CORE-124
    pub(super) fn parse(token: &[u8]) -> Result<Self, TransformError> {
        // Other subjects begin with '$' too ($SYS, $JS): without a number it is plain text.
        if let Some(place) = token.strip_prefix(b"$").and_then(integer) {
            return Ok(Self::Token { place });
        }
        if !is_braced(token) {
            return Ok(Self::Literal(token.to_vec()));
        }
        let Some((name, inner)) = NAMES.iter().find_map(|(words, name)| Some((*name, find_call(token, words)?))) else {
            return Err(Fault::UnknownFunction.at(token));
        };
        let arguments = split_arguments(inner);
        name.piece(&arguments).map_err(|fault| fault.at(token))
    }

    /// How many of the source's wildcards it names.
    pub(super) fn wildcards(&self) -> usize {
        self.places().len()
    }

    /// Turns wildcard numbers into token places of the source.
    // spec: CORE-122 CORE-124
    pub(super) fn resolve(mut self, token: &[u8], source: &Shape) -> Result<Self, TransformError> {
        if source.is_literal() {
            return match self {
                // There is no wildcard to name: the whole subject is hashed whatever tokens are listed.
                Self::Partition { buckets, .. } => Ok(Self::Partition { buckets, places: Vec::new() }),
                Self::Literal(_) | Self::Random { .. } => Ok(self),
                _ => Err(Fault::IndexOutOfRange.at(token)),
            };
        }
        for place in self.places_mut() {
            let number = usize::try_from(*place).unwrap_or(0);
            if number > source.stars.len() {
                let token = String::from_utf8_lossy(token);
                return Err(Fault::IndexOutOfRange.at(format!("{token}: [{number}]").as_bytes()));
            }
            // Number zero and below are taken for the subject's first token.
            let found = number.checked_sub(1).map_or(0, |i| source.stars[i]);
            *place = i64::try_from(found).unwrap_or(0);
        }
        Ok(self)
    }

    fn places(&self) -> &[i64] {
        match self {
            Self::Literal(_) | Self::Random { .. } => &[],
            Self::Token { place } | Self::Cut { place, .. } | Self::Split { place, .. } => std::slice::from_ref(place),
            Self::Partition { places, .. } => places,
        }
    }

    fn places_mut(&mut self) -> &mut [i64] {
        match self {
            Self::Literal(_) | Self::Random { .. } => &mut [],
            Self::Token { place } | Self::Cut { place, .. } | Self::Split { place, .. } => std::slice::from_mut(place),
            Self::Partition { places, .. } => places,
        }
    }
}

impl Name {
    fn piece(self, arguments: &[&[u8]]) -> Result<Piece, Fault> {
        match (self, arguments) {
            (Self::Random, [ceiling]) => Ok(Piece::Random { ceiling: wrapped(ceiling)?.cast_signed().unsigned_abs() }),
            (Self::Wildcard, [b""]) | (Self::Random, _) | (Self::Cut(_) | Self::Split, [_] | []) => {
                Err(Fault::TooFewArguments)
            }
            (Self::Wildcard, [place]) => Ok(Piece::Token { place: number(place)? }),
            (Self::Partition, [buckets, places @ ..]) => Ok(Piece::Partition {
                buckets: wrapped(buckets)?,
                places: places.iter().map(|place| number(place)).collect::<Result<_, _>>()?,
            }),
            (Self::Cut(kind), [place, at]) => {
                let place = number(place)?;
                let at = number(at)?.try_into().map_err(|_| Fault::InvalidArgument)?;
                Ok(Piece::Cut { place, cut: Cut { kind, at } })
            }
            (Self::Split, [place, delimiter]) => {
                let place = number(place)?;
                // spec: CORE-118
                if delimiter.iter().any(|b| matches!(b, b' ' | b'.')) {
                    return Err(Fault::InvalidArgument);
                }
                Ok(Piece::Split { place, delimiter: delimiter.to_vec() })
            }
            _ => Err(Fault::TooManyArguments),
        }
    }
}

/// Whether `token` looks like a function: something between double braces.
pub(super) fn is_braced(token: &[u8]) -> bool {
    token.len() > 4 && token.starts_with(b"{{") && token.ends_with(b"}}")
}

/// The text between the parentheses of the call `{{ name ( … ) }}` anywhere in `token`, up to the last parenthesis that
/// the closing braces follow.
fn find_call<'t>(token: &'t [u8], words: &[&str]) -> Option<&'t [u8]> {
    let opens = token.windows(2).enumerate().filter(|(_, pair)| *pair == b"{{");
    opens.into_iter().find_map(|(at, _)| {
        let name = trim_start(&token[at + 2..]);
        let inner = trim_start(strip_name(name, words)?).strip_prefix(b"(")?;
        let closes = |end: &usize| inner[*end] == b')' && trim_start(&inner[end + 1..]).starts_with(b"}}");
        let end = (0..inner.len()).rev().find(closes)?;
        let inner = &inner[..end];
        (!inner.contains(&b'\n')).then_some(inner)
    })
}

fn strip_name<'t>(mut text: &'t [u8], words: &[&str]) -> Option<&'t [u8]> {
    for word in words {
        let (head, rest) = text.split_at_checked(word.len())?;
        if !head[..1].eq_ignore_ascii_case(&word.as_bytes()[..1]) || head[1..] != word.as_bytes()[1..] {
            return None;
        }
        text = rest;
    }
    Some(text)
}

/// Arguments are separated by commas; white space after a comma is no part of the argument.
fn split_arguments(inner: &[u8]) -> Vec<&[u8]> {
    let mut arguments: Vec<&[u8]> = inner.split(|b| *b == b',').collect();
    arguments.iter_mut().skip(1).for_each(|argument| *argument = trim_start(argument));
    arguments
}

fn trim_start(mut text: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = text
        && is_space(*first)
    {
        text = rest;
    }
    text
}

fn number(argument: &[u8]) -> Result<i64, Fault> {
    let mut text = argument;
    while let Some(rest) = text.strip_prefix(b" ") {
        text = rest;
    }
    while let Some(rest) = text.strip_suffix(b" ") {
        text = rest;
    }
    integer(text).ok_or(Fault::InvalidArgument)
}

/// A count as 32 bits: too large is refused, a negative one wraps.
fn wrapped(argument: &[u8]) -> Result<u32, Fault> {
    let count = number(argument)?;
    if count > i64::from(i32::MAX) {
        return Err(Fault::InvalidArgument);
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "wrapping is what is wanted")]
    Ok(count as u32)
}

fn integer(text: &[u8]) -> Option<i64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}
