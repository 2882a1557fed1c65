use proptest::prelude::*;

use super::*;

#[test]
fn wildcards_select_whole_tokens() {
    // spec: CORE-103 CORE-106
    for (wanted, subject, selected) in [
        ("a.b", "a.b", true),
        ("a.b", "A.b", false), // case counts
        ("a.*", "a.b", true),
        ("a.*", "a.b.c", false),
        ("a.>", "a.b.c", true),
        ("a.>", "a", false), // '>' wants at least one token
        ("*.b", "a.b", true),
        ("*", "a.b", false),
        (">", "a", true),
        ("a*", "ab", false), // inside a token a star is a letter
        ("a*", "a*", true),
        ("foo>", "foo>", true),
        ("foo>", "foo.x", false),
    ] {
        assert_eq!(matches(wanted.as_bytes(), subject.as_bytes()), selected, "{wanted} on {subject}");
    }
}

#[test]
fn wildcards_in_a_published_subject_are_plain_tokens() {
    // spec: CORE-056
    for (wanted, subject, selected) in
        [("a.*", "a.*", true), ("a.*", "a.>", true), ("a.b", "a.*", false), ("a.>", "a.*.b", true), (">", ">", true)]
    {
        assert_eq!(matches(wanted.as_bytes(), subject.as_bytes()), selected, "{wanted} on {subject}");
    }
}

#[test]
fn refusals_name_the_place() {
    // spec: CORE-046 CORE-103 CORE-104
    for (input, error) in [
        ("", SubjectError::EmptyToken { at: 0 }),
        (".a", SubjectError::EmptyToken { at: 0 }),
        ("a..b", SubjectError::EmptyToken { at: 2 }),
        ("a.", SubjectError::EmptyToken { at: 2 }),
        ("a.b c", SubjectError::Whitespace { at: 3 }),
        ("a\tb", SubjectError::Whitespace { at: 1 }),
        ("a.\r", SubjectError::Whitespace { at: 2 }),
        ("\n.a", SubjectError::Whitespace { at: 0 }),
        ("a.b\x0c", SubjectError::Whitespace { at: 3 }),
        ("a.>.b", SubjectError::TokensAfterFullWildcard { at: 3 }),
        (">.>", SubjectError::TokensAfterFullWildcard { at: 1 }),
    ] {
        assert_eq!(Pattern::parse(input.as_bytes()).err(), Some(error), "{input:?}");
        assert!(!is_valid_pattern(input.as_bytes()) && !is_valid_literal(input.as_bytes()), "{input:?}");
    }
}

#[test]
fn only_whole_wildcard_tokens_make_a_pattern() {
    // spec: CORE-103 CORE-105 CORE-106
    let long = vec![b'a'; 4000];
    for (subject, literal) in [
        (&b"a.b"[..], true),
        (b"foo*.b>", true),
        (b"a.**.>>", true),
        (b"\xff\xfe.\0", true), // any bytes, not only text
        (&long, true),
        (b"a.*", false),
        (b"*", false),
        (b">", false),
        (b"a.>", false),
    ] {
        assert!(is_valid_pattern(subject), "{subject:?}");
        assert_eq!(is_valid_literal(subject), literal, "{subject:?}");
        let pattern = Pattern::parse(subject).expect("valid");
        assert_eq!((pattern.is_literal(), pattern.has_wildcards()), (literal, !literal), "{subject:?}");
    }
}

#[test]
fn tokens_are_counted() {
    for (subject, count) in [("", 0), ("a", 1), ("a.b", 2), ("a..b", 3), (">", 1)] {
        assert_eq!(token_count(subject.as_bytes()), count, "{subject}");
    }
}

/// Every literal of up to four tokens over two letters: enough to tell any two patterns of up to three tokens apart.
fn literals() -> Vec<String> {
    let mut all = vec![String::new()];
    let mut longest = all.clone();
    for _ in 0..4 {
        longest = longest.iter().flat_map(|s| ["a", "b", "z"].map(|t| format!("{s}{t}."))).collect();
        all.extend(longest.clone());
    }
    all.iter().filter(|s| !s.is_empty()).map(|s| s.trim_end_matches('.').to_owned()).collect()
}

fn pattern() -> impl Strategy<Value = String> {
    ("(a|b|\\*)(\\.(a|b|\\*)){0,2}", any::<bool>()).prop_map(|(path, full)| {
        let tokens: Vec<&str> = path.split('.').collect();
        if full { [&tokens[..tokens.len() - 1], &[">"]].concat().join(".") } else { path }
    })
}

proptest! {
    #[test]
    fn relations_agree_with_enumeration(a in pattern(), b in pattern()) {
        let selected = |p: &str| literals().into_iter().filter(|s| matches(p.as_bytes(), s.as_bytes())).collect::<Vec<_>>();
        let (of_a, of_b) = (selected(&a), selected(&b));
        prop_assert_eq!(overlaps(a.as_bytes(), b.as_bytes()), of_a.iter().any(|s| of_b.contains(s)));
        prop_assert_eq!(is_subset(a.as_bytes(), b.as_bytes()), of_a.iter().all(|s| of_b.contains(s)));
    }

    #[test]
    fn a_subject_is_valid_exactly_if_its_tokens_are(subject in "[a.*> ]{0,8}") {
        let tokens: Vec<&str> = subject.split('.').collect();
        let valid = tokens.iter().enumerate().all(|(i, t)| {
            !t.is_empty() && !t.contains(' ') && (*t != ">" || i + 1 == tokens.len())
        });
        prop_assert_eq!(is_valid_pattern(subject.as_bytes()), valid);
    }
}
