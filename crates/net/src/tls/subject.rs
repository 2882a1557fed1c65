//! The text form of a certificate's subject, as users have it in their configuration files and dashboards.
//!
//! Last part first, types by short name or as dotted numbers, special characters escaped (RFC 2253). There are
//! two forms of it in the field. The one that users are named by holds only the well-known types, grouped by
//! type; the one that is shown has the others behind it as well.

use martlet_auth::Attribute;

/// Types with short names, in the order in which both forms list them.
const KNOWN: [(&str, &str); 9] = [
    ("2.5.4.5", "SERIALNUMBER"),
    ("2.5.4.3", "CN"),
    ("2.5.4.11", "OU"),
    ("2.5.4.10", "O"),
    ("2.5.4.17", "POSTALCODE"),
    ("2.5.4.9", "STREET"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.6", "C"),
];

/// Types of which only the last value counts.
const SINGLE: [&str; 2] = ["2.5.4.5", "2.5.4.3"];

/// The form that users are named by.
// spec: SEC-064
pub(super) fn naming(rdns: &[Vec<Attribute>]) -> String {
    known_parts(rdns).join(",")
}

/// The form that is shown.
// spec: SEC-072
pub(super) fn shown(rdns: &[Vec<Attribute>]) -> String {
    let mut parts = known_parts(rdns);
    let others = rdns.iter().flatten().filter(|attribute| KNOWN.iter().all(|(oid, _)| *oid != attribute.oid));
    let others: Vec<String> =
        others.map(|attribute| format!("{}={}", attribute.oid, escaped(&attribute.value))).collect();
    parts.extend(others.into_iter().rev());
    parts.join(",")
}

fn known_parts(rdns: &[Vec<Attribute>]) -> Vec<String> {
    let part = |(oid, name): &(&str, &str)| {
        let mut values: Vec<&str> = rdns
            .iter()
            .flatten()
            .filter(|attribute| attribute.oid == *oid)
            .map(|attribute| &*attribute.value)
            .collect();
        if SINGLE.contains(oid) {
            values.drain(..values.len().saturating_sub(1));
            values.retain(|value| !value.is_empty());
        }
        let texts: Vec<String> = values.iter().map(|value| format!("{name}={}", escaped(value))).collect();
        (!texts.is_empty()).then(|| texts.join("+"))
    };
    KNOWN.iter().filter_map(part).collect()
}

fn escaped(value: &str) -> String {
    let last = value.chars().count().saturating_sub(1);
    let mut text = String::with_capacity(value.len());
    for (at, character) in value.chars().enumerate() {
        let special = match character {
            ',' | '+' | '"' | '\\' | '<' | '>' | ';' => true,
            ' ' => at == 0 || at == last,
            '#' => at == 0,
            _ => false,
        };
        if special {
            text.push('\\');
        }
        text.push(character);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rdns(parts: &[&[(&str, &str)]]) -> Vec<Vec<Attribute>> {
        let attribute = |(oid, value): &(&str, &str)| Attribute { oid: (*oid).into(), value: (*value).into() };
        parts.iter().map(|part| part.iter().map(attribute).collect()).collect()
    }

    #[test]
    fn subjects_read_as_users_have_them() {
        // spec: SEC-064 SEC-072
        const DC: &str = "0.9.2342.19200300.100.1.25";
        for (parts, naming_form, shown_form) in [
            (rdns(&[&[("2.5.4.10", "acme")], &[("2.5.4.3", "a")]]), "CN=a,O=acme", "CN=a,O=acme"),
            (
                rdns(&[&[("2.5.4.11", "x")], &[("2.5.4.3", "a")], &[("2.5.4.11", "y")], &[("2.5.4.3", "b")]]),
                "CN=b,OU=x+OU=y",
                "CN=b,OU=x+OU=y",
            ),
            (
                rdns(&[&[(DC, "org")], &[(DC, "acme")], &[("2.5.4.3", "a")]]),
                "CN=a",
                "CN=a,0.9.2342.19200300.100.1.25=acme,0.9.2342.19200300.100.1.25=org",
            ),
            (
                rdns(&[&[("2.5.4.3", "#a, \"b\" ")], &[("1.2.840.113549.1.9.1", "a@x")]]),
                "CN=\\#a\\, \\\"b\\\"\\ ",
                "CN=\\#a\\, \\\"b\\\"\\ ,1.2.840.113549.1.9.1=a@x",
            ),
            (
                // Every short name at once, in the order that the reference was seen to give them.
                rdns(&[
                    &[("2.5.4.6", "DE")],
                    &[("2.5.4.10", "Ac me, Inc")],
                    &[("2.5.4.11", "x")],
                    &[("2.5.4.11", "y")],
                    &[("2.5.4.8", "lead")],
                    &[("2.5.4.3", "#a é+b")],
                    &[("2.5.4.5", "77")],
                    &[("2.5.4.7", "loc")],
                    &[("2.5.4.9", "str")],
                    &[("2.5.4.17", "123")],
                ]),
                "SERIALNUMBER=77,CN=\\#a é\\+b,OU=x+OU=y,O=Ac me\\, Inc,POSTALCODE=123,STREET=str,L=loc,ST=lead,C=DE",
                "SERIALNUMBER=77,CN=\\#a é\\+b,OU=x+OU=y,O=Ac me\\, Inc,POSTALCODE=123,STREET=str,L=loc,ST=lead,C=DE",
            ),
            (rdns(&[]), "", ""),
        ] {
            assert_eq!((naming(&parts).as_str(), shown(&parts).as_str()), (naming_form, shown_form));
        }
    }
}
