//! What came of the checks, as a table.

use health_test::tests_row::TestsRow;
use pack::Check;
use pack::standing::Outcome;

/// The row of one check: its name, how often it passed, what it said last, and why.
pub type Line = [String; 4];

/// Returns the line of a check that was asked, or whose turn did not come.
pub fn line(check: &Check, row: &TestsRow) -> Line {
    let (passed, last) = match row.standing.checks.get(&check.name) {
        Some(asked) => (format!("{} of {}", asked.passed, check.passes), word(asked.last)),
        None => (String::new(), "not asked"),
    };
    let said = row.transcript.get(&check.name).map(|shown| shown.last.text.clone());
    [check.name.clone(), passed, last.to_owned(), said.unwrap_or_default()]
}

/// Returns the line of a check that a laptop cannot run.
pub fn not_here(check: &Check) -> Line {
    [check.name.clone(), String::new(), String::new(), "not run here: it needs AWS".to_owned()]
}

/// Writes the table.
pub fn text(lines: &[Line]) -> String {
    let head = ["CHECK", "PASSED", "LAST", "SAID"].map(str::to_owned);
    let all: Vec<&Line> = std::iter::once(&head).chain(lines).collect();
    let width = |n: usize| all.iter().filter_map(|line| line.get(n)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..3).map(|n| width(n).unwrap_or_default()).collect();
    let written = all.iter().map(|line| {
        let cells = line.iter().enumerate().map(|(n, cell)| match widths.get(n) {
            Some(width) => format!("{cell:width$}  "),
            None => cell.clone(),
        });
        cells.collect::<String>().trim_end().to_owned() + "\n"
    });
    written.collect()
}

fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Passed => "passed",
        Outcome::Failed => "failed",
        Outcome::Unmeasured => "unmeasured",
    }
}
