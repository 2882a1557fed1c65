use proptest::prelude::*;

use super::*;

/// What `subject` becomes; the caller's dice always show `n - 1`.
fn applied(transform: &Transform, subject: &str) -> Option<String> {
    let mut out = b"kept ".to_vec();
    let applies = transform.apply(subject.as_bytes(), &mut |n| n - 1, &mut out);
    let text = String::from_utf8_lossy(&out).into_owned();
    let text = text.strip_prefix("kept ").expect("what was in the buffer stays").to_owned();
    assert!(applies || text.is_empty());
    applies.then_some(text)
}

fn check(source: &str, dest: &str, cases: &[(&str, &str)]) {
    let transform = Transform::new(source, dest).unwrap_or_else(|e| panic!("{source} -> {dest}: {e}"));
    for (subject, wanted) in cases {
        assert_eq!(applied(&transform, subject).as_deref(), Some(*wanted), "{source} -> {dest} on {subject}");
    }
}

#[test]
fn wildcards_are_put_where_they_are_wanted() {
    // spec: CORE-115
    check("foo", "bar", &[("foo", "bar")]);
    check("foo.*.*", "x.$2.$1", &[("foo.a.b", "x.b.a")]);
    for marker in ["$1", "{{wildcard(1)}}", "{{Wildcard(1)}}", "{{ wildcard ( 1 ) }}", "$+1", "{{wildcard( +1 )}}"] {
        check("foo.*", &format!("x.{marker}.y"), &[("foo.a", "x.a.y"), ("foo.*", "x.*.y")]);
    }
    // Dollar signs that number nothing, and braces around nothing, are text.
    check("*", "$SYS.{{}}.a$1.$.$1", &[("q", "$SYS.{{}}.a$1.$.q")]);
    check("foo.*", "x{{wildcard(1)}}", &[("foo.a", "x{{wildcard(1)}}")]);
    // A call may be found inside other text between the braces.
    check("*", "{{x{{wildcard(1)}}.{{wildcard(1)}}x}}", &[("q", "q.q")]);
    // Number zero and below stand for the first token.
    check("a.*", "$0.{{wildcard(-1)}}", &[("a.q", "a.a")]);
}

#[test]
fn subjects_that_the_source_does_not_select_are_left_alone() {
    let transform = Transform::new("foo.*", "bar.$1").expect("valid");
    for subject in ["foo", "foo.a.b", "bar.a", "foo.>"] {
        assert_eq!(applied(&transform, subject), None, "{subject}");
    }
}

#[test]
fn the_full_wildcard_copies_the_tail() {
    // spec: CORE-121
    check("foo.>", "bar.>", &[("foo.a", "bar.a"), ("foo.a.b.c", "bar.a.b.c")]);
    check("foo.*.>", "$1.>", &[("foo.a.b.c", "a.b.c")]);
    check("foo.>", ">", &[("foo.a.b", "a.b")]);
    check(">", "p.>", &[("a.b", "p.a.b")]);
    check("", "p.>", &[("a.b", "p.a.b")]);
    for (source, dest) in [("foo.>", "bar"), ("foo", "bar.>"), ("foo.*", "bar.*"), ("foo.>", "bar.*.>"), ("foo", "")] {
        assert_eq!(Transform::new(source, dest), Err(TransformError::BadSubject), "{source} -> {dest}");
    }
}

#[test]
fn partitions_are_the_known_ones() {
    // spec: CORE-116
    // FNV-1a 32 of "": 2166136261, "a": 3826002220, "foobar": 3214735720 (the published vectors).
    check("x.*", "{{partition(4294967,1)}}", &[("x.a", &(3_826_002_220_u32 % 4_294_967).to_string())]);
    check("*.*", "{{partition(1000000,1,2)}}", &[("foo.bar", "735720"), ("fo.obar", "735720")]);
    check("*.*", "{{partition(1000000,2,1)}}", &[("bar.foo", "735720")]);
    check("foobar", "{{Partition(1000)}}", &[("foobar", "720")]);
    check("foobar", "{{partition(1000,1,9)}}", &[("foobar", "720")]);
    // As a running server of the other kind answers; whole subjects are hashed with their dots.
    check("a4.*", "z.{{partition(10)}}", &[("a4.q", "z.3")]);
    check("a3", "z.{{partition(10)}}", &[("a3", "z.3")]);
    check("a5.*.*", "z.{{partition(10,1,2)}}", &[("a5.q.r", "z.6")]);
    check("b7.*.>", "z.{{partition(7)}}.$1.>", &[("b7.m.n.o", "z.4.m.n.o")]);
    check("b4.*", "z.{{partition(-3)}}", &[("b4.x", "z.281568637")]);
    check("b9.>", "z.{{partition(5,0)}}.>", &[("b9.x", "z.0.x")]);
    check("*", "{{partition(0)}}.{{partition(0,1)}}", &[("a", "0.0")]);
}

#[test]
fn random_stays_below_its_ceiling() {
    // spec: CORE-117
    check("*", "{{random(10)}}.{{Random(1)}}.{{random(0)}}", &[("a", "9.0.0")]);
    check("*", "{{random(-3)}}", &[("a", "2")]);
}

#[test]
fn tokens_are_split_at_delimiters() {
    // spec: CORE-118
    check(
        "a.*",
        "z.{{split(1,-)}}",
        &[
            ("a.q-r", "z.q.r"),
            ("a.-q-r-", "z.q.r"),
            ("a.q--r", "z.q.r"),
            ("a.qr", "z.qr"),
            // Nothing is left, or two delimiters lead: the result has an empty token, and nobody gets the message.
            ("a.-", "z."),
            ("a.--q--r--", "z..q.r"),
        ],
    );
    check("*", "{{Split(1,ab)}}", &[("xabyab", "x.y"), ("aabb", "a.b")]);
    check("*", "{{split(1, )}}", &[("hél", "h.é.l")]);
    for dest in ["{{split(1,- -)}}", "{{split(1,-)}}.{{split(1,a b)}}"] {
        assert_eq!(error("*", dest), "function argument is invalid or in the wrong format", "{dest}");
    }
    // A dot ends the token, so what is around it is no function any more.
    check("*", "{{split(1,.)}}", &[("q", "{{split(1,.)}}")]);
}

#[test]
fn tokens_are_cut_at_lengths() {
    // spec: CORE-115 CORE-119 CORE-120
    for (function, token, wanted) in [
        ("splitFromLeft(1,2)", "abcde", "ab.cde"),
        ("SplitFromRight(1,2)", "abcde", "abc.de"),
        ("splitfromleft(1,5)", "abcde", "abcde"),
        ("splitfromright(1,9)", "abcde", "abcde"),
        ("splitfromleft(1,0)", "abcde", "abcde"),
        ("splitfromleft(1,-2)", "abcde", "abcde"),
        ("slicefromleft(1,2)", "abcde", "ab.cd.e"),
        ("SliceFromLeft(1,2)", "abcd", "ab.cd"),
        ("sliceFromRight(1,2)", "abcde", "a.bc.de"),
        ("slicefromright(1,2)", "abcd", "ab.cd"),
        ("slicefromleft(1,4)", "abcd", "abcd"),
        ("slicefromright(1,0)", "abcd", "abcd"),
        ("left(1,2)", "abc", "ab"),
        ("Left(1,3)", "abc", "abc"),
        ("right(1,2)", "abc", "bc"),
        ("Right(1,0)", "abc", "abc"),
    ] {
        check("s.*", &format!("d.{{{{{function}}}}}.e"), &[(&format!("s.{token}"), &format!("d.{wanted}.e"))]);
    }
}

fn error(source: &str, dest: &str) -> String {
    let text = match Transform::new(source, dest) {
        Ok(transform) => panic!("{transform:?} should have been refused"),
        Err(error) => error.to_string(),
    };
    let text = text.strip_prefix("invalid mapping destination: ").unwrap_or(&text);
    text.split(" in {{").next().unwrap_or_default().to_owned()
}

#[test]
fn refusals_have_the_known_texts() {
    // spec: CORE-124
    for (source, dest, text) in [
        ("foo.*", "x.$2", "invalid mapping destination: wildcard index out of range in $2: [2]"),
        (
            "foo.*",
            "{{wildcard(2)}}",
            "invalid mapping destination: wildcard index out of range in {{wildcard(2)}}: [2]",
        ),
        ("foo.*", "{{nope(1)}}", "invalid mapping destination: unknown function in {{nope(1)}}"),
        ("foo.*", "{{SPLIT(1,3)}}", "invalid mapping destination: unknown function in {{SPLIT(1,3)}}"),
        (
            "foo.*",
            "{{wildcard()}}",
            "invalid mapping destination: not enough arguments passed to the function in {{wildcard()}}",
        ),
        ("foo..a", "x", "invalid subject"),
        ("foo.*", "x..y", "invalid subject"),
    ] {
        assert_eq!(Transform::new(source, dest).map_err(|e| e.to_string()), Err(text.to_owned()));
    }
    for (dest, text) in [
        ("{{wildcard(1,2)}}", "too many arguments passed to the function"),
        ("{{wildcard(a)}}", "function argument is invalid or in the wrong format"),
        ("{{wildcard(1))}}", "function argument is invalid or in the wrong format"),
        ("{{split(1)}}", "not enough arguments passed to the function"),
        ("{{split(1,-,x)}}", "too many arguments passed to the function"),
        ("{{split(1,,)}}", "too many arguments passed to the function"),
        ("{{left(1)}}", "not enough arguments passed to the function"),
        ("{{left(1,2,3)}}", "too many arguments passed to the function"),
        ("{{partition()}}", "function argument is invalid or in the wrong format"),
        ("{{partition(10,2)}}", "wildcard index out of range"),
        ("{{partition(10,)}}", "function argument is invalid or in the wrong format"),
        ("{{partition(2147483648)}}", "function argument is invalid or in the wrong format"),
        ("{{random()}}", "function argument is invalid or in the wrong format"),
        ("{{random(1,2)}}", "not enough arguments passed to the function"),
        ("{{splitfromleft(1,2147483648)}}", "function argument is invalid or in the wrong format"),
    ] {
        assert_eq!(error("foo.*", dest), text, "{dest}");
    }
}

#[test]
fn a_literal_source_has_no_wildcards_to_name() {
    // spec: CORE-122
    check("foo", "{{partition(1)}}.{{random(5)}}.x", &[("foo", "0.4.x")]);
    for dest in ["$1", "{{wildcard(1)}}", "{{split(1,-)}}", "{{left(1,1)}}", "{{slicefromleft(1,1)}}"] {
        let wanted = format!("invalid mapping destination: wildcard index out of range in {dest}");
        assert_eq!(Transform::new("foo", dest).map_err(|e| e.to_string()), Err(wanted));
    }
}

#[test]
fn mapping_destinations_hold_no_white_space_outside_functions() {
    for (dest, wanted) in [
        ("a b", Some("invalid mapping destination: invalid transform")),
        ("a..b", Some("invalid mapping destination: invalid transform")),
        ("a.>.b", Some("invalid mapping destination: invalid transform in b")),
        ("{{ wildcard( 1 ) }}", None),
    ] {
        let refused = Transform::check_mapping("*", dest).err().map(|e| e.to_string());
        assert_eq!(refused.as_deref(), wanted, "{dest}");
    }
}

#[test]
fn stars_of_an_import_stand_for_each_other_in_order() {
    // spec: SEC-046
    assert_eq!(identity_dest("a.*.b.*.>"), "a.$1.b.$2.>");
    assert_eq!(result_pattern("a.$1.{{wildcard(2)}}.x$1.$.$x"), "a.*.*.x$1.$.$x");
}

#[test]
fn imports_work_both_ways() {
    // spec: CORE-123 SEC-055
    for (source, dest, from, to) in [
        ("foo", "bar", "foo", "bar"),
        ("a.*", "b.$1", "a.x", "b.x"),
        ("a.*.c.*", "{{wildcard(2)}}.q.$1", "a.1.c.2", "2.q.1"),
        ("a.>", "b.c.>", "a.1.2", "b.c.1.2"),
        ("a.*.>", "$1.b.>", "a.x.y.z", "x.b.y.z"),
    ] {
        let there = Transform::import(source, dest).expect(dest);
        let back = there.reverse().expect("imports are reversible");
        assert_eq!(applied(&there, from).as_deref(), Some(to), "{source} -> {dest}");
        assert_eq!(applied(&back, to).as_deref(), Some(from), "{source} <- {dest}");
    }
    // A literal source may have functions of the whole subject, and those have no way back.
    let hashed = Transform::import("a", "b.{{partition(5)}}").expect("accepted, as ever");
    assert_eq!(hashed.reverse(), None);
    // Counted twice is not used twice.
    let twice = Transform::import("a.*.*", "b.$1.$1").expect("the count is what is checked");
    assert_eq!(twice.reverse(), None);
    for (dest, text) in [
        ("b.$1", "invalid mapping destination: not using all of the token wildcard(s) in b.$1"),
        (
            "b.$1.{{partition(3,2)}}",
            "invalid mapping destination: the only mapping function allowed for import transforms is {{Wildcard()}} in \
             {{partition(3,2)}}",
        ),
        (
            "b.$1.$2.{{random(3)}}",
            "invalid mapping destination: the only mapping function allowed for import transforms is {{Wildcard()}} in \
             {{random(3)}}",
        ),
    ] {
        assert_eq!(Transform::import("a.*.*", dest).map_err(|e| e.to_string()), Err(text.to_owned()));
    }
}

#[test]
fn requests_go_where_the_reference_sends_them() {
    // spec: CORE-123
    for (local, exported, from, to) in [
        ("x.*.*", "a.*.*", "x.1.2", "a.1.2"),
        ("x.$2.$1", "a.*.*", "x.1.2", "a.2.1"),
        ("x.{{wildcard(2)}}.y.$1", "a.*.*", "x.1.y.2", "a.2.1"),
        ("x.$3.$1.$2", "a.*.*.*", "x.A.B.C", "a.C.A.B"),
        ("x.$1.>", "*.a.>", "x.1.2.3", "1.a.2.3"),
        ("x", "a", "x", "a"),
    ] {
        let transform = Transform::import_request(local, exported).expect(local);
        assert_eq!(applied(&transform, from).as_deref(), Some(to), "{local} to {exported}");
    }
    for (local, exported) in [("x.$1", "a.*.*"), ("x.$3.$1", "a.*.*"), ("x.*", "a"), ("x.>", "a.*")] {
        assert!(Transform::import_request(local, exported).is_err(), "{local} to {exported}");
    }
}

/// A source of literals and stars, a permutation of its stars as the destination, and tokens for the stars.
fn permutation() -> impl Strategy<Value = (String, String, Vec<String>)> {
    (1..6_usize).prop_flat_map(|n| {
        let order = Just((1..=n).collect::<Vec<_>>()).prop_shuffle();
        let literals = prop::collection::vec(any::<bool>(), n);
        (order, literals, prop::collection::vec("[a-z$*{}]{1,5}", n)).prop_map(|(order, literals, tokens)| {
            let source: Vec<&str> = literals.iter().map(|l| if *l { "lit.*" } else { "*" }).collect();
            let dest: Vec<String> = order.iter().map(|i| format!("${i}")).collect();
            (source.join("."), format!("to.{}", dest.join(".")), tokens)
        })
    })
}

proptest! {
    #[test]
    fn permutations_are_undone_by_their_reverse((source, dest, stars) in permutation()) {
        let mut rest = stars.iter();
        let subject: Vec<String> = source
            .split('.')
            .map(|t| if t == "*" { rest.next().expect("one for each star").clone() } else { t.to_owned() })
            .collect();
        let subject = subject.join(".");
        let there = Transform::import(&source, &dest).expect("uses every wildcard");
        let wanted: Vec<String> = dest
            .split('.')
            .map(|t| t.strip_prefix('$').map_or(t.to_owned(), |n| stars[n.parse::<usize>().expect("a number") - 1].clone()))
            .collect();
        let mapped = applied(&there, &subject).expect("selected");
        prop_assert_eq!(&mapped, &wanted.join("."));
        let back = there.reverse().expect("imports are reversible");
        prop_assert_eq!(applied(&back, &mapped), Some(subject));
    }

    #[test]
    fn slices_and_splits_lose_nothing(token in "[a-z-]{1,20}", at in -3..25_i32) {
        for name in ["splitfromleft", "splitfromright", "slicefromleft", "slicefromright"] {
            let transform = Transform::new("*", &format!("{{{{{name}(1,{at})}}}}")).expect("valid");
            let result = applied(&transform, &token).expect("selected");
            prop_assert_eq!(result.replace('.', ""), &*token);
            prop_assert!(!result.split('.').any(str::is_empty));
        }
        let split = applied(&Transform::new("*", "{{split(1,-)}}").expect("valid"), &token).expect("selected");
        prop_assert_eq!(split.split('.').filter(|t| !t.is_empty()).collect::<Vec<_>>(),
            token.split('-').filter(|t| !t.is_empty()).collect::<Vec<_>>());
    }

    #[test]
    fn no_destination_panics(
        source in "([ab*]\\.){0,2}[ab*>]",
        dest in "((\\{\\{ ?(wildcard|partition|split|left|right|random|slicefromleft|x)? ?\\([0-9,-]{0,6}\\) ?\\}\\}|\\$[0-9-]{1,2}|[a{}$>])\\.){0,3}[a>$]",
        subject in "[ab.*>]{0,8}",
    ) {
        if let Ok(transform) = Transform::new(&source, &dest) {
            let _ = applied(&transform, &subject);
            let _ = transform.reverse();
        }
        let _ = Transform::import(&source, &dest).map(|t| t.reverse());
    }
}
