use proptest::prelude::*;

use super::*;
use crate::{is_subset, matches, overlaps};

fn matched(trie: &Trie<u32>, subject: &str) -> Vec<u32> {
    let mut found = Vec::new();
    trie.for_each_match(subject.as_bytes(), |value| found.push(*value));
    found.sort_unstable();
    found
}

fn trie_of(patterns: &[&str]) -> Trie<u32> {
    let mut trie = Trie::new();
    for (value, pattern) in (0..).zip(patterns) {
        trie.insert(pattern.as_bytes(), value);
    }
    trie
}

#[test]
fn every_pattern_that_selects_a_subject_is_found() {
    // spec: CORE-103
    let trie = trie_of(&["a.b", "a.*", "a.>", ">", "*.b", "*.*.c", "a.b.c", "a*", "a.b.>"]);
    for (subject, values) in [
        ("a.b", &[0, 1, 2, 3, 4][..]),
        ("a.b.c", &[2, 3, 5, 6, 8]),
        ("a", &[3]),
        ("a*", &[3, 7]),
        ("x.b", &[3, 4]),
        ("a.*", &[1, 2, 3]),
        ("a.*.c", &[2, 3, 5]),
    ] {
        assert_eq!(matched(&trie, subject), values, "{subject}");
        assert_eq!(trie.has_match(subject.as_bytes()), !values.is_empty(), "{subject}");
    }
}

#[test]
fn a_subject_with_an_empty_token_is_selected_by_nothing() {
    // spec: CORE-046
    let trie = trie_of(&[">", "*", "a.>", "a.*.b"]);
    for subject in ["", ".", "a.", ".a", "a..b"] {
        assert_eq!(matched(&trie, subject), [0; 0], "{subject:?}");
    }
}

#[test]
fn one_pattern_may_have_many_values() {
    // spec: CORE-109
    for pattern in ["a", "a.b", "a.*", "a.>", ">", "*"] {
        let mut trie = trie_of(&[pattern; 100]);
        assert_eq!(trie.get(pattern.as_bytes()).len(), 100);
        assert_eq!(trie.remove(pattern.as_bytes(), |v| *v == 50), Some(50));
        assert_eq!(trie.remove(pattern.as_bytes(), |v| *v == 50), None);
        trie.get_mut(pattern.as_bytes()).iter_mut().for_each(|v| *v += 1000);
        assert_eq!((trie.len(), trie.stats().max_values), (99, 99));
        assert!((1000..1100).all(|v| trie.remove(pattern.as_bytes(), |x| *x == v).is_some() == (v != 1050)));
        assert!(trie.is_empty() && trie.root.edges().count() == 0, "{pattern}");
    }
}

#[test]
fn tokens_of_any_length_are_told_apart() {
    let longer: Vec<String> = (20..26).flat_map(|n| ["x", "y"].map(|c| c.repeat(n))).collect();
    let trie = trie_of(&longer.iter().map(String::as_str).collect::<Vec<_>>());
    for (value, subject) in (0..).zip(&longer) {
        assert_eq!(matched(&trie, subject), [value], "{subject}");
    }
}

/// The edges of `trie`, each indented by how deep it lies, in order; nodes have a colon.
fn drawn(trie: &Trie<u32>) -> Vec<String> {
    fn draw(node: &Node<u32>, indent: usize, lines: &mut Vec<String>) {
        let mut edges: Vec<_> = node.edges().map(|edge| (edge.path.text(), edge.node())).collect();
        edges.sort_by(|a, b| a.0.cmp(&b.0));
        for (text, below) in edges {
            let colon = if below.is_some() { ":" } else { "" };
            lines.push(format!("{}{}{colon}", " ".repeat(indent), String::from_utf8_lossy(&text)));
            if let Some(below) = below {
                draw(below, indent + 1, lines);
            }
        }
    }
    let mut lines = Vec::new();
    draw(&trie.root, 0, &mut lines);
    lines
}

#[test]
fn edges_split_where_patterns_part_and_join_again() {
    for (patterns, shape) in [
        (&["s.1.foo.x"][..], &["s.1.foo.x"][..]),
        (&["s.1.foo.x", "s.1.foo.y"], &["s.1.foo:", " x", " y"]),
        (&["s.1.foo.x", "s.1.foo.x"], &["s.1.foo.x:"]),
        (&["s.1.foo.x", "s.1.foo"], &["s.1.foo:", " x"]),
        (&["s.1.foo.>", "s.1.foo"], &["s.1.foo:"]),
        (&["s.1.foo.>", "s.1.foo.>"], &["s.1.foo:"]),
        (&["s.1.foo.*", "s.1.foo.*"], &["s.1.foo.*:"]),
        (&["s.1.*.x", "s.1.*.>", "s.1.foo.x"], &["s.1:", " *:", "  x", " foo.x"]),
        (&["s.>", "*.1.x", "*.*.x", "*.1.y", ">"], &["*:", " *.x", " 1:", "  x", "  y", "s.>"]),
        (&["s.a", "sa", "s.ab"], &["s:", " a", " ab", "sa"]),
        (&["twelve-bytes.and.twelve", "twelve-bytes.and.twenty"], &["twelve-bytes.and:", " twelve", " twenty"]),
    ] {
        let mut trie = trie_of(patterns);
        assert_eq!(drawn(&trie), shape);
        trie.check();
        // With and without each other pattern in turn.
        for (value, pattern) in (0..).zip(patterns) {
            trie.remove(pattern.as_bytes(), |v| *v == value).expect("it is there");
            trie.check();
            let others: Vec<&str> =
                patterns.iter().enumerate().filter(|(i, _)| *i != value as usize).map(|(_, p)| *p).collect();
            assert_eq!(drawn(&trie), drawn(&trie_of(&others)), "{patterns:?} without {pattern}");
            trie.insert(pattern.as_bytes(), value);
            assert_eq!(drawn(&trie), shape);
        }
    }
}

#[test]
fn edges_are_small() {
    #[allow(dead_code, reason = "only its size counts")]
    enum Target {
        One(Box<u8>),
        Other(Box<u8>),
    }
    assert_eq!(size_of::<Edge<Target>>(), 40);
    assert_eq!(size_of::<Node<Target>>(), 48);
}

#[test]
fn removal_gives_back_every_node_and_table() {
    let mut trie = Trie::new();
    let patterns: Vec<String> = (0..2000).map(|i| format!("a.{}.*.{i}.>", i % 40)).collect();
    for (value, pattern) in (0_u32..).zip(&patterns) {
        trie.insert(pattern.as_bytes(), value);
    }
    assert_eq!(trie.stats(), Stats { len: 2000, max_depth: 5, max_fanout: 50, max_values: 1 });
    for (value, pattern) in (0_u32..).zip(&patterns) {
        assert_eq!(trie.remove(pattern.as_bytes(), |_| true), Some(value), "{pattern}");
    }
    assert!(trie.is_empty() && trie.root.edges().count() == 0);
    assert_eq!(trie.stats(), Stats::default());
}

#[test]
fn children_keep_their_places_while_their_number_changes() {
    const COUNT: u32 = 10_000;
    let subject = |i: u32| format!("a.{i}");
    let mut trie = Trie::new();
    for i in 0..COUNT {
        trie.insert(subject(i).as_bytes(), i);
        assert_eq!(trie.get(subject(i / 2).as_bytes()), [i / 2]);
    }
    assert_eq!(trie.stats().max_fanout, COUNT as usize);
    for i in (0..COUNT).rev() {
        assert_eq!(trie.remove(subject(i).as_bytes(), |_| true), Some(i));
        assert_eq!(trie.has_match(subject(i / 2).as_bytes()), i / 2 < i);
    }
    assert_eq!(trie.root.edges().count(), 0);
}

#[test]
fn what_is_not_there_cannot_be_removed() {
    let mut trie = trie_of(&["a.b.c", "a.*", "a.>"]);
    for pattern in ["a", "a.b", "a.b.c.d", "b", "*", ">", "a.b.*", "a.b.>", "a.b.c.>"] {
        assert_eq!(trie.remove(pattern.as_bytes(), |_| true), None, "{pattern}");
        assert_eq!(trie.get(pattern.as_bytes()), [0; 0], "{pattern}");
    }
    assert_eq!(trie.len(), 3);
}

#[test]
fn depth_grows_no_stack() {
    // spec: CORE-106
    let deep = vec!["*"; 100_000].join(".");
    let wide: Vec<String> = (0..200).map(|i| format!("{}b{}", "*.".repeat(i), ".*".repeat(199 - i))).collect();
    let nested: Vec<String> = (1..1000).map(|i| vec!["a"; i].join(".")).collect();
    let small = std::thread::Builder::new().stack_size(128 * 1024);
    #[allow(clippy::disallowed_methods, reason = "a test needs a stack of known size")]
    let done = small.spawn(move || {
        let mut trie = Trie::new();
        trie.insert(deep.as_bytes(), 0);
        for pattern in wide.iter().chain(&nested) {
            trie.insert(pattern.as_bytes(), 1);
        }
        assert_eq!(matched(&trie, &vec!["a"; 100_000].join(".")), [0]);
        assert_eq!(matched(&trie, &["b"; 200].join(".")).len(), 200);
        trie.for_each(|_, _| ());
        trie.for_each_overlapping(b">", |_| ());
        assert_eq!(trie.stats().max_depth, 100_000);
        assert_eq!(trie.remove(deep.as_bytes(), |_| true), Some(0));
        trie.insert(deep.as_bytes(), 0);
    });
    done.expect("a thread starts").join().expect("no overflow, also when the trie is dropped");
}

#[derive(Debug, Clone)]
enum Step {
    Insert(String, u32),
    Remove(String, u32),
}

/// Wide: nodes with many edges. Deep: long runs that many share, also too long for a place in the edge.
const WIDE: &str = "(a|b|c|\\*)(\\.([a-m]|a|b|\\*)){0,3}";
const DEEP: &str = "(a|\\*)(\\.(a|a|twelve-bytes|\\*)){0,7}";

fn pattern() -> impl Strategy<Value = String> {
    (prop_oneof![WIDE, DEEP], any::<bool>()).prop_map(|(path, full)| {
        let tokens: Vec<&str> = path.split('.').collect();
        if full { [&tokens[..tokens.len() - 1], &[">"]].concat().join(".") } else { path }
    })
}

fn subject() -> impl Strategy<Value = String> {
    prop_oneof!["(a|b|c|\\*)(\\.([a-m]|a|b|\\*|>)){0,4}", DEEP]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (pattern(), 0..3_u32).prop_map(|(p, v)| Step::Insert(p, v)),
        2 => (pattern(), 0..3_u32).prop_map(|(p, v)| Step::Remove(p, v)),
    ]
}

fn sorted(mut values: Vec<u32>) -> Vec<u32> {
    values.sort_unstable();
    values
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_trie_is_a_list_of_pairs(
        steps in prop::collection::vec(step(), 1..150),
        subjects in prop::collection::vec(subject(), 1..20),
        asked in prop::collection::vec(pattern(), 1..10),
    ) {
        let mut trie = Trie::with_seed(7);
        let mut list: Vec<(String, u32)> = Vec::new();
        let mut live: Vec<String> = Vec::new();
        for step in steps {
            match step {
                Step::Insert(pattern, value) => {
                    trie.insert(pattern.as_bytes(), value);
                    live.push(pattern.clone());
                    list.push((pattern, value));
                }
                Step::Remove(pattern, value) => {
                    // Most random patterns are not there: turn half of them into one that is.
                    let pattern = if value > 0 && !live.is_empty() { live[pattern.len() % live.len()].clone() } else { pattern };
                    let at = list.iter().position(|(p, v)| *p == pattern && *v == value);
                    prop_assert_eq!(trie.remove(pattern.as_bytes(), |v| *v == value), at.map(|at| list.remove(at).1));
                }
            }
            prop_assert_eq!(trie.len(), list.len());
            trie.check();
        }
        let wanted = |select: &dyn Fn(&str) -> bool| {
            sorted(list.iter().filter(|(p, _)| select(p)).map(|(_, v)| *v).collect())
        };
        for subject in &subjects {
            prop_assert_eq!(matched(&trie, subject), wanted(&|p| matches(p.as_bytes(), subject.as_bytes())), "{}", subject);
        }
        for pattern in asked.iter().chain(&live) {
            let mut found = Vec::new();
            trie.for_each_overlapping(pattern.as_bytes(), |v| found.push(*v));
            prop_assert_eq!(sorted(found), wanted(&|p| overlaps(p.as_bytes(), pattern.as_bytes())), "{}", pattern);
            prop_assert_eq!(sorted(trie.get(pattern.as_bytes()).to_vec()), wanted(&|p| p == pattern));
            let alike = list.iter().filter(|(p, _)| overlaps(p.as_bytes(), pattern.as_bytes()))
                .all(|(p, _)| is_subset(pattern.as_bytes(), p.as_bytes()));
            if !pattern.ends_with('>') {
                prop_assert_eq!(trie.selects_alike(pattern.as_bytes(), usize::MAX), alike, "{}", pattern);
            }
        }
        let mut all = Vec::new();
        trie.for_each(|p, v| all.push((String::from_utf8_lossy(p).into_owned(), *v)));
        all.sort();
        list.sort();
        prop_assert_eq!(all, list.clone());
        for (pattern, value) in list {
            prop_assert_eq!(trie.remove(pattern.as_bytes(), |v| *v == value), Some(value));
            trie.check();
        }
        prop_assert_eq!(trie.root.edges().count(), 0);
    }
}
