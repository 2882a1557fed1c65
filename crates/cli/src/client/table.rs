//! Tables for people: columns as wide as their widest cell, a line of totals at the end.
//!
//! Invariant: what a column shows of a row is said in one place, beside its title.

use serde::Serialize;

use super::out;

/// On which side a column's cells begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
}

/// One column: its title, what it shows of a row, and what stands below all rows.
pub(crate) struct Column<R> {
    title: &'static str,
    align: Align,
    cell: fn(&R) -> String,
    total: Option<fn(&[R]) -> String>,
}

impl<R> Column<R> {
    /// A column of words.
    pub(crate) const fn text(title: &'static str, cell: fn(&R) -> String) -> Self {
        Self { title, align: Align::Left, cell, total: None }
    }

    /// A column of numbers.
    pub(crate) const fn number(title: &'static str, cell: fn(&R) -> String) -> Self {
        Self { title, align: Align::Right, cell, total: None }
    }

    /// With `total` below all rows.
    pub(crate) const fn total(self, total: fn(&[R]) -> String) -> Self {
        Self { total: Some(total), ..self }
    }
}

/// What a list command shows: everything as a table or as JSON, or of both kinds the names alone.
pub(crate) fn list<R: Serialize>(
    json: bool,
    names_only: bool,
    names: &[String],
    rows: &[R],
    columns: &[Column<R>],
) -> String {
    match (json, names_only) {
        (true, true) => out::json(&names),
        (true, false) => out::json(&rows),
        (false, true) => out::lines(names.iter().map(String::as_str)),
        (false, false) => render(columns, rows),
    }
}

/// The whole table. Totals are shown when there are two rows or more: one row is its own total.
pub(crate) fn render<R>(columns: &[Column<R>], rows: &[R]) -> String {
    let titles: Vec<String> = columns.iter().map(|column| column.title.to_owned()).collect();
    let cells: Vec<Vec<String>> =
        rows.iter().map(|row| columns.iter().map(|column| (column.cell)(row)).collect()).collect();
    let has_totals = rows.len() > 1 && columns.iter().any(|column| column.total.is_some());
    let totals: Option<Vec<String>> = has_totals
        .then(|| columns.iter().map(|column| column.total.map(|total| total(rows)).unwrap_or_default()).collect());
    let widths: Vec<usize> = (0..columns.len())
        .map(|index| {
            let lines = cells.iter().chain(&totals).chain(std::iter::once(&titles));
            lines.map(|line| line[index].chars().count()).max().unwrap_or(0)
        })
        .collect();
    let rule = "─".repeat(widths.iter().sum::<usize>() + 2 * widths.len().saturating_sub(1)) + "\n";
    let mut out = line(columns, &titles, &widths) + &rule;
    for cells in &cells {
        out.push_str(&line(columns, cells, &widths));
    }
    if let Some(totals) = &totals {
        out.push_str(&rule);
        out.push_str(&line(columns, totals, &widths));
    }
    out
}

fn line<R>(columns: &[Column<R>], cells: &[String], widths: &[usize]) -> String {
    let padded = columns.iter().zip(cells).zip(widths).map(|((column, cell), width)| match column.align {
        Align::Left => format!("{cell:<width$}"),
        Align::Right => format!("{cell:>width$}"),
    });
    let line = padded.collect::<Vec<_>>().join("  ");
    format!("{}\n", line.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    type Of = Column<(&'static str, u32)>;

    const COLUMNS: [Of; 2] = [
        Of::text("Name", |row| row.0.to_owned()),
        Of::number("Count", |row| row.1.to_string())
            .total(|rows| rows.iter().map(|row| row.1).sum::<u32>().to_string()),
    ];

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let expected = "\
Name     Count
──────────────
é            7
longer  123456
──────────────
        123463
";
        assert_eq!(render(&COLUMNS, &[("é", 7), ("longer", 123_456)]), expected);
    }

    #[test]
    fn one_row_has_no_total_and_none_has_the_titles() {
        assert_eq!(render(&COLUMNS, &[("a", 1)]), "Name  Count\n───────────\na         1\n");
        assert_eq!(render(&COLUMNS, &[]), "Name  Count\n───────────\n");
    }
}
