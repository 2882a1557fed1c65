//! Distinguished names: a user's name as text against a certificate's subject.
//!
//! Only the types of attribute that names in configurations use are known. A certificate with another type
//! in its subject can still be matched as text, but not part by part.

use crate::request::Attribute;

/// A distinguished name, last part first, as text has it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Name(Vec<Part>);

/// One part: usually one attribute.
type Part = Vec<(String, String)>;

const DOMAIN_COMPONENT: &str = "0.9.2342.19200300.100.1.25";

/// The short name of an attribute type.
fn short_type(oid: &str) -> Option<&'static str> {
    Some(match oid {
        "2.5.4.3" => "CN",
        "2.5.4.5" => "SERIALNUMBER",
        "2.5.4.6" => "C",
        "2.5.4.7" => "L",
        "2.5.4.8" => "ST",
        "2.5.4.9" => "STREET",
        "2.5.4.10" => "O",
        "2.5.4.11" => "OU",
        "2.5.4.17" => "POSTALCODE",
        DOMAIN_COMPONENT => "DC",
        _ => return None,
    })
}

/// The domain components of a subject as text, in the certificate's order; `None` without any.
pub(crate) fn domain_components(rdns: &[Vec<Attribute>]) -> Option<String> {
    let parts: Vec<String> = rdns
        .iter()
        .flatten()
        .filter(|attribute| attribute.oid == DOMAIN_COMPONENT)
        .map(|attribute| format!("DC={}", attribute.value))
        .collect();
    (!parts.is_empty()).then(|| parts.join(","))
}

impl Name {
    /// The subject of a certificate, whose order is the other way round.
    pub(crate) fn of_certificate(rdns: &[Vec<Attribute>]) -> Option<Self> {
        let part = |rdn: &Vec<Attribute>| -> Option<Part> {
            rdn.iter()
                .map(|attribute| Some((short_type(&attribute.oid)?.to_owned(), attribute.value.clone())))
                .collect()
        };
        rdns.iter().rev().filter(|rdn| !rdn.is_empty()).map(part).collect::<Option<Vec<_>>>().map(Self)
    }

    /// Reads RFC 4514 text; `None` if it is none, as most users' names are not.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut reader = Reader { rest: text.as_bytes() };
        let mut parts = vec![Part::new()];
        loop {
            let kind = reader.until(b"=")?;
            if kind.is_empty() || !reader.skip(b'=') || reader.rest.first() == Some(&b'#') {
                return None;
            }
            let value = reader.until(b",+")?;
            parts.last_mut()?.push((kind, value));
            if reader.rest.is_empty() {
                return Some(Self(parts));
            }
            if reader.skip(b',') {
                parts.push(Part::new());
            } else {
                reader.skip(b'+');
            }
        }
    }

    /// The same parts in the same order.
    // spec: SEC-064
    pub(crate) fn equals(&self, other: &Self) -> bool {
        self.0.len() == other.0.len() && self.0.iter().zip(&other.0).all(|(a, b)| same_part(a, b))
    }

    /// The same parts in any order.
    // spec: SEC-064
    pub(crate) fn equals_in_any_order(&self, other: &Self) -> bool {
        let mut unmatched: Vec<&Part> = other.0.iter().collect();
        self.0.len() == unmatched.len()
            && self.0.iter().all(|part| match unmatched.iter().position(|candidate| same_part(part, candidate)) {
                Some(at) => {
                    unmatched.swap_remove(at);
                    true
                }
                None => false,
            })
    }
}

fn same_part(a: &Part, b: &Part) -> bool {
    let within = |a: &Part, b: &Part| {
        a.iter().all(|(kind, value)| b.iter().any(|(other, same)| kind.eq_ignore_ascii_case(other) && value == same))
    };
    a.len() == b.len() && within(a, b) && within(b, a)
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl Reader<'_> {
    fn skip(&mut self, byte: u8) -> bool {
        match self.rest.split_first() {
            Some((first, rest)) if *first == byte => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    /// Text up to an unescaped byte of `stops` or the end, without escapes and without spaces around it.
    fn until(&mut self, stops: &[u8]) -> Option<String> {
        let mut text = Vec::new();
        let mut keep = 0; // spaces up to here were escaped or lie within
        while let Some((&byte, rest)) = self.rest.split_first() {
            if stops.contains(&byte) {
                break;
            }
            self.rest = rest;
            match byte {
                b'\\' => {
                    text.push(self.escaped()?);
                    keep = text.len();
                }
                b' ' if text.is_empty() => {}
                b' ' => text.push(byte),
                _ => {
                    text.push(byte);
                    keep = text.len();
                }
            }
        }
        text.truncate(keep);
        String::from_utf8(text).ok()
    }

    /// What follows a backslash: a special character, or two hex digits.
    fn escaped(&mut self) -> Option<u8> {
        let (&first, rest) = self.rest.split_first()?;
        if b" \"#+,;<=>\\".contains(&first) {
            self.rest = rest;
            return Some(first);
        }
        let (digits, rest) = self.rest.split_first_chunk::<2>()?;
        self.rest = rest;
        u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(rdns: &[&[(&str, &str)]]) -> Vec<Vec<Attribute>> {
        let attribute = |(oid, value): &(&str, &str)| Attribute { oid: (*oid).into(), value: (*value).into() };
        rdns.iter().map(|rdn| rdn.iter().map(attribute).collect()).collect()
    }

    #[test]
    fn text_and_certificate_are_compared_part_by_part() {
        // spec: SEC-064
        let subject = certificate(&[
            &[(DOMAIN_COMPONENT, "org")],
            &[("2.5.4.10", "Ac,me")],
            &[("2.5.4.3", "a"), ("2.5.4.11", "b")],
        ]);
        let subject = Name::of_certificate(&subject).expect("known types");
        for (text, equal, reordered) in [
            ("CN=a+OU=b,O=Ac\\,me,DC=org", true, true),
            ("ou=b+cn=a, O = Ac\\2cme ,dc=org", true, true),
            ("DC=org,O=Ac\\,me,CN=a+OU=b", false, true),
            ("CN=a+OU=b,O=ac\\,me,DC=org", false, false),
            ("CN=a,OU=b,O=Ac\\,me,DC=org", false, false),
            ("CN=a+OU=b,O=Ac\\,me", false, false),
        ] {
            let name = Name::parse(text).expect(text);
            assert_eq!((name.equals(&subject), name.equals_in_any_order(&subject)), (equal, reordered), "{text}");
        }
    }

    #[test]
    fn what_is_no_distinguished_name_is_none() {
        for text in ["", "alice", "=a", "CN=a,", "CN=a,b", "CN=#0401", "CN=a\\", "CN=a\\g1", "CN=\\ff"] {
            assert_eq!(Name::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn unknown_attribute_types_are_left_to_text() {
        assert_eq!(Name::of_certificate(&certificate(&[&[("1.2.3.4", "x")]])), None);
    }

    #[test]
    fn domain_components_keep_the_certificates_order() {
        // spec: SEC-064
        let subject = certificate(&[&[(DOMAIN_COMPONENT, "org")], &[(DOMAIN_COMPONENT, "acme")], &[("2.5.4.3", "a")]]);
        assert_eq!(domain_components(&subject).as_deref(), Some("DC=org,DC=acme"));
        assert_eq!(domain_components(&subject[2..]), None);
    }
}
