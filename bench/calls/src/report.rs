//! The table that is printed, every figure as a ratio to a baseline of the same run.

use crate::measure::Figures;

/// A row: name, with how many callers, what it cost.
pub struct Row {
    /// What was called.
    pub name: &'static str,
    /// Callers.
    pub callers: usize,
    /// Cost.
    pub figures: Figures,
}

/// Prints the rows, and beside each its CPU as a ratio to the row called `baseline` with as many callers.
pub fn print(title: &str, baseline: &str, rows: &[Row]) {
    println!("\n{title}  (ratios: to \"{baseline}\" with as many callers)");
    println!(
        "{:<34} {:>7} {:>9} {:>9} {:>10} {:>10} {:>9} {:>9}",
        "call", "callers", "p50 µs", "p99 µs", "calls/s", "CPU µs", "p50 ×", "CPU ×"
    );
    for row in rows {
        let base = rows
            .iter()
            .find(|r| r.name == baseline && r.callers == row.callers);
        let ratio =
            |of: fn(&Figures) -> f64| base.map_or(f64::NAN, |b| of(&row.figures) / of(&b.figures));
        let f = &row.figures;
        println!(
            "{:<34} {:>7} {:>9.1} {:>9.1} {:>10.0} {:>10.1} {:>9.2} {:>9.2}",
            row.name,
            row.callers,
            f.p50,
            f.p99,
            f.rate,
            f.cpu,
            ratio(|f| f.p50),
            ratio(|f| f.cpu)
        );
    }
}
