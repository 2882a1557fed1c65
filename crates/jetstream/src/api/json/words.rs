//! Types that are one word of a few.

use super::quote;
use super::read::{Raw, Read, Reader};
use super::write::ToJson;
use crate::config::{AckPolicy, Compression, Discard, PersistMode, PriorityPolicy, ReplayPolicy, Retention, Storage};

/// Reading compares what was written, escapes and all; the first word of a value is the one that is written.
macro_rules! words {
    ($($type:ty { $($word:literal => $value:ident),* } $unknown:expr;)*) => {
        $(impl Read for $type {
            const NAME: &'static str = "string";

            fn read(&mut self, value: Raw<'_>, _: &mut Reader) -> Result<(), String> {
                *self = match value.bytes() {
                    $(bytes if bytes == concat!("\"", $word, "\"").as_bytes() => Self::$value,)*
                    other => return Err($unknown(other)),
                };
                Ok(())
            }
        }

        impl ToJson for $type {
            fn to_json(&self, out: &mut Vec<u8>) {
                const WORDS: &[($type, &str)] = &[$((<$type>::$value, $word)),*];
                let word = WORDS.iter().find(|(value, _)| value == self).map_or("", |(_, word)| word);
                word.to_json(out);
            }

            fn is_empty(&self) -> bool {
                *self == Self::default()
            }
        })*
    };
}

fn cannot(bytes: &[u8]) -> String {
    format!("can not unmarshal {}", quote::bytes(bytes))
}

words! {
    Storage { "file" => File, "memory" => Memory } cannot;
    Retention { "limits" => Limits, "interest" => Interest, "workqueue" => WorkQueue } cannot;
    Discard { "old" => Old, "new" => New } cannot;
    PersistMode { "default" => Default, "" => Default, "async" => Async } cannot;
    AckPolicy { "none" => None, "all" => All, "explicit" => Explicit, "flow_control" => FlowControl } cannot;
    ReplayPolicy { "instant" => Instant, "original" => Original } cannot;
    PriorityPolicy { "none" => None, "overflow" => Overflow, "pinned_client" => PinnedClient, "prioritized" => Prioritized }
        |other| format!("unknown priority policy: {}", String::from_utf8_lossy(other));
}

/// Unlike the others, this one is read as the text it is.
impl Read for Compression {
    const NAME: &'static str = "string";

    fn read(&mut self, value: Raw<'_>, _: &mut Reader) -> Result<(), String> {
        let text = match value.kind() {
            "null" => String::new(),
            kind => {
                value.text().ok_or_else(|| format!("json: cannot unmarshal {kind} into Go value of type string"))?
            }
        };
        *self = match &*text {
            "none" => Self::None,
            "s2" => Self::S2,
            _ => return Err("unknown compression algorithm".to_owned()),
        };
        Ok(())
    }
}

impl ToJson for Compression {
    fn to_json(&self, out: &mut Vec<u8>) {
        match self {
            Self::None => "none",
            Self::S2 => "s2",
        }
        .to_json(out);
    }
}
