//! Pages for people: titled sections of named values.

/// A title and what stands below it. An empty value is left out.
pub(crate) type Section<'a> = (&'a str, Vec<(&'a str, String)>);

/// The whole page; values begin at the same place, after names of up to `width` characters. Empty sections are left out.
pub(crate) fn render(width: usize, sections: &[Section<'_>]) -> String {
    let pages = sections.iter().filter_map(|(title, lines)| {
        let lines = lines.iter().filter(|(_, value)| !value.is_empty());
        let lines = lines.map(|(name, value)| format!("  {name:<width$} {value}\n")).collect::<Vec<_>>().concat();
        (!lines.is_empty()).then(|| format!("{title}\n{lines}"))
    });
    pages.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_empty_is_left_out() {
        let sections = [
            ("One", vec![("Name", "é".to_owned()), ("None", String::new())]),
            ("Two", vec![("None", String::new())]),
            ("Three", vec![("Number", "3".to_owned())]),
        ];
        assert_eq!(render(7, &sections), "One\n  Name    é\n\nThree\n  Number  3\n");
    }
}
