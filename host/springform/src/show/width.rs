//! How wide a table may be.

use std::sync::OnceLock;

use comfy_table::{ColumnConstraint, ContentArrangement, Table, Width};
use console::Term;

/// Narrower ones would have a letter in each line.
const NARROWEST: usize = 20;
/// Between two columns.
const GAP: usize = 2;

/// Tables of this process are fitted into so many columns; none: they are as wide as they are.
static COLUMNS: OnceLock<usize> = OnceLock::new();

/// Fits tables into the terminal from now on, or into `COLUMNS` where standard output is none.
pub fn fit_to_terminal() {
    let terminal = Term::stdout().size_checked();
    let columns = terminal.map(|(_, columns)| usize::from(columns));
    let given = || std::env::var("COLUMNS").ok()?.trim().parse().ok();
    if let Some(columns) = columns.or_else(given).filter(|columns| *columns > 0) {
        // A second call in one process changes nothing.
        let _ = COLUMNS.set(columns.max(NARROWEST));
    }
}

pub(super) fn columns() -> Option<usize> {
    COLUMNS.get().copied()
}

/// A table as wide as it is, without the blanks at the ends of its lines.
pub(super) fn plain(table: &Table) -> String {
    table.lines().fold(String::new(), |mut text, line| {
        text.push_str(line.trim_end().strip_prefix(' ').unwrap_or_default());
        text.push('\n');
        text
    })
}

/// A table in so many columns. Cells are broken at blanks only: an id in two pieces cannot be copied. Where that is too wide
/// each row becomes a paragraph.
#[must_use]
pub fn fitted(table: &Table, columns: usize) -> String {
    let natural = plain(table);
    if natural.lines().all(|line| width(line) <= columns) {
        return natural;
    }
    let longest = longest_words(table);
    let needed = longest.iter().sum::<usize>() + GAP * longest.len().saturating_sub(1);
    if needed > columns {
        return paragraphs(table, columns);
    }
    let mut table = table.clone();
    // `plain` takes a blank from each side.
    let width = u16::try_from(columns.saturating_add(GAP)).unwrap_or(u16::MAX);
    table
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(width);
    for (column, longest) in table.column_iter_mut().zip(longest) {
        let least = u16::try_from(longest.saturating_add(GAP)).unwrap_or(u16::MAX);
        column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(least)));
    }
    plain(&table)
}

fn width(text: &str) -> usize {
    console::measure_text_width(text)
}

/// The rows with the headings first.
fn rows(table: &Table) -> impl Iterator<Item = Vec<String>> {
    let rows = table.header().into_iter().chain(table.row_iter());
    rows.map(|row| row.cell_iter().map(|cell| cell.content()).collect())
}

fn longest_words(table: &Table) -> Vec<usize> {
    let mut longest: Vec<usize> = Vec::new();
    for row in rows(table) {
        longest.resize(longest.len().max(row.len()), 0);
        for (column, cell) in longest.iter_mut().zip(row) {
            let words = cell.split_whitespace().map(width);
            *column = words.fold(*column, usize::max);
        }
    }
    longest
}

/// A line for each cell that says something, with its heading.
fn paragraphs(table: &Table, columns: usize) -> String {
    let mut rows = rows(table);
    let headings = rows.next().unwrap_or_default();
    let indent = headings.iter().map(|text| width(text)).max().unwrap_or(0) + GAP;
    let mut paragraphs = Vec::new();
    for row in rows {
        let mut text = String::new();
        for (heading, cell) in headings.iter().zip(row) {
            if cell == "-" {
                continue;
            }
            let mut line = format!("{heading:<indent$}");
            let mut begun = false;
            for word in cell.split_whitespace() {
                if begun && width(&line) + 1 + width(word) > columns {
                    text.push_str(&line);
                    text.push('\n');
                    line = " ".repeat(indent);
                } else if begun {
                    line.push(' ');
                }
                line.push_str(word);
                begun = true;
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        paragraphs.push(text);
    }
    paragraphs.join("\n")
}
