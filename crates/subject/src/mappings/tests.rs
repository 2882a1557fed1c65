use super::*;
use crate::Fault;

type Destination = (&'static str, u8, Option<&'static str>);

fn mappings(all: &[(&str, &[Destination])]) -> Mappings {
    let mut mappings = Mappings::new();
    for (source, destinations) in all {
        mappings.add(source, destinations.iter().copied()).expect(source);
    }
    mappings
}

/// What becomes of `subject` when the dice show `roll`: `=` for unchanged, `-` for dropped.
fn chosen(mappings: &Mappings, cluster: Option<&str>, subject: &str, roll: u32) -> String {
    let mut out = Vec::new();
    match mappings.choose(cluster, subject.as_bytes(), &mut |n| roll.min(n - 1), &mut out) {
        Mapped::Unchanged => "=".to_owned(),
        Mapped::Dropped => "-".to_owned(),
        Mapped::To => String::from_utf8_lossy(&out).into_owned(),
    }
}

#[test]
fn the_first_mapping_that_selects_wins() {
    // spec: CORE-111
    let mut all = mappings(&[
        ("a.*", &[("first.$1", 100, None)]),
        ("a.b", &[("second", 100, None)]),
        ("c", &[("third", 100, None)]),
    ]);
    for (subject, wanted) in [("a.b", "first.b"), ("c", "third"), ("d", "="), ("a.b.c", "=")] {
        assert_eq!(chosen(&all, None, subject, 0), wanted, "{subject}");
    }
    all.add("a.*", [("again.$1", 100, None)]).expect("valid");
    assert_eq!(chosen(&all, None, "a.b", 0), "again.b", "replaced where it was");
    assert_eq!(all.sources().collect::<Vec<_>>(), [&b"a.*"[..], b"a.b", b"c"]);
}

#[test]
fn destinations_are_listed_with_their_shares() {
    // spec: CORE-111 CORE-114
    let all = mappings(&[
        ("foo", &[("bar", 40, None), ("baz", 10, None), ("qux", 50, Some("east"))]),
        ("one.*", &[("two.$1", 100, None)]),
    ]);
    let listed: Vec<_> = all
        .destinations()
        .map(|(source, cluster, share, dest)| {
            let text = |bytes| std::str::from_utf8(bytes).expect("ASCII");
            (text(source), cluster.unwrap_or("-"), share, text(dest))
        })
        .collect();
    let expected = [
        ("foo", "-", 40, "bar"),
        ("foo", "-", 10, "baz"),
        ("foo", "-", 50, "foo"),
        ("foo", "east", 50, "qux"),
        ("foo", "east", 50, "foo"),
        ("one.*", "-", 100, "two.$1"),
    ];
    assert_eq!(listed, expected);
}

#[test]
fn partition_of_a_mapped_literal_hashes_nothing() {
    // spec: CORE-116 CORE-122
    let all = mappings(&[("t", &[("out.{{partition(7)}}.{{partition(9,1)}}", 100, None)])]);
    assert_eq!(chosen(&all, None, "t", 0), format!("out.2.{}", 2_166_136_261_u32 % 9));
    let all = mappings(&[("*", &[("out.{{partition(10)}}", 100, None)])]);
    assert_eq!(chosen(&all, None, "a3", 0), "out.3", "with a wildcard the whole subject is hashed");
}

/// How often each result comes of all hundred rolls.
fn shares(mappings: &Mappings, cluster: Option<&str>, subject: &str) -> Vec<(String, usize)> {
    let mut results: Vec<String> = (0..100).map(|roll| chosen(mappings, cluster, subject, roll)).collect();
    results.sort();
    results.chunk_by(|a, b| a == b).map(|same| (same[0].clone(), same.len())).collect()
}

#[test]
fn weights_are_shares_of_a_hundred() {
    // spec: CORE-112 CORE-113
    type Case = (&'static str, &'static [Destination], &'static str, &'static [(&'static str, usize)]);
    let cases: &[Case] = &[
        ("a", &[("x", 70, None), ("y", 30, None)], "a", &[("x", 70), ("y", 30)]),
        // What is missing stays with the original subject …
        ("a", &[("x", 10, None)], "a", &[("a", 90), ("x", 10)]),
        ("a.*", &[("x.$1", 1, None)], "a.b", &[("a.b", 99), ("x.b", 1)]),
        ("a.*.>", &[("x.$1.>", 50, None)], "a.b.c.d", &[("a.b.c.d", 50), ("x.b.c.d", 50)]),
        ("a", &[("x", 0, None)], "a", &[("a", 100)]),
        ("a", &[], "a", &[("a", 100)]),
        // … unless the source is a destination itself: then it is lost.
        ("a", &[("a", 40, None), ("x", 10, None)], "a", &[("-", 50), ("a", 40), ("x", 10)]),
        ("a", &[("a", 0, None)], "a", &[("-", 100)]),
    ];
    for (source, destinations, subject, wanted) in cases {
        let all = mappings(&[(source, destinations)]);
        let wanted: Vec<_> = wanted.iter().map(|(s, n)| ((*s).to_owned(), *n)).collect();
        assert_eq!(shares(&all, None, subject), wanted, "{source} {destinations:?}");
    }
}

#[test]
fn a_cluster_may_have_its_own_destinations() {
    // spec: CORE-112 CORE-114
    let all = mappings(&[("a", &[("x", 100, None), ("e", 60, Some("east")), ("w", 100, Some("west"))])]);
    for (cluster, wanted) in [
        (None, &[("x", 100)][..]),
        (Some("north"), &[("x", 100)]),
        (Some("west"), &[("w", 100)]),
        (Some("east"), &[("a", 40), ("e", 60)]),
    ] {
        let wanted: Vec<_> = wanted.iter().map(|(s, n)| ((*s).to_owned(), *n)).collect();
        assert_eq!(shares(&all, cluster, "a"), wanted, "{cluster:?}");
    }
    // With nothing for the others, they keep the subject.
    let all = mappings(&[("a", &[("e", 100, Some("east"))])]);
    assert_eq!(chosen(&all, Some("north"), "a", 0), "a");
}

#[test]
fn refusals_have_the_known_texts() {
    // spec: CORE-112 CORE-124
    let long = Transform::new("a", "$1").expect_err("no wildcard");
    let unused = TransformError::Destination { fault: Fault::IndexOutOfRange, token: "$1".to_owned() };
    assert_eq!(long, unused);
    let cases: [(&str, &[Destination], &str); 8] = [
        ("a", &[("x", 50, None), ("x", 50, None)], "duplicate entry for \"x\""),
        ("a", &[("x", 50, None), ("x", 50, Some("c"))], "duplicate entry for \"x\""),
        ("a", &[("x", 101, None)], "individual weights need to be <= 100"),
        ("a", &[("x", 60, None), ("y", 41, None)], "total weight needs to be <= 100"),
        ("a", &[("x", 60, Some("c")), ("y", 41, Some("c"))], "total weight needs to be <= 100"),
        ("a", &[("$1", 100, None)], "invalid mapping destination: wildcard index out of range in $1"),
        ("a", &[("x y", 100, None)], "invalid mapping destination: invalid transform"),
        ("a..b", &[("x", 100, None)], "invalid subject"),
    ];
    for (source, destinations, text) in cases {
        let mut all = Mappings::new();
        let refused = all.add(source, destinations.iter().copied());
        assert_eq!(refused.map_err(|e| e.to_string()), Err(text.to_owned()));
        assert!(all.is_empty());
    }
    // Each cluster has its own hundred.
    mappings(&[("a", &[("x", 60, Some("c")), ("y", 60, None), ("z", 60, Some("d"))])]);
}
