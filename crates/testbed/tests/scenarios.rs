//! `SCENARIOS.md` names only modules and tests that exist, and counts what it says.

#![expect(clippy::expect_used, clippy::panic, reason = "this is how a test fails")]

use std::fs;
use std::path::{Path, PathBuf};

/// How many rows each table has.
const TABLES: [(&str, usize); 3] = [("Scenarios", 72), ("Second acts", 41), ("A real account", 15)];

/// Below which folders a module is looked for.
const ROOTS: [&str; 4] = ["", "functions", "crates", "crates/testbed"];

/// One row of a table.
struct Row<'a> {
    number: usize,
    guard: &'a str,
    shown: &'a str,
    by: &'a str,
}

fn page() -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("SCENARIOS.md");
    fs::read_to_string(file).expect("the page is there")
}

/// Returns the rows of a table, in their order.
fn rows<'a>(page: &'a str, table: &str) -> Vec<Row<'a>> {
    let sections = page.split("\n## ").skip(1);
    let section = sections.filter_map(|text| text.strip_prefix(table)?.strip_prefix('\n')).next();
    let lines = section.unwrap_or_else(|| panic!("there is no table {table:?}")).lines();
    let cells = lines.filter_map(|line| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let ["", number, _, guard, shown, by, ""] = cells[..] else { return None };
        Some(Row { number: number.parse().ok()?, guard, shown, by })
    });
    cells.collect()
}

/// Returns what stands between backticks.
fn references(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

/// Returns the files of a module: its own, and those below its folder.
fn files(module: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut found = Vec::new();
    for at in ROOTS.map(|below| root.join(below).join(module)) {
        let source = PathBuf::from(format!("{}.rs", at.display()));
        found.extend([at.clone(), source].into_iter().filter(|file| file.is_file()));
        below(&at, &mut found);
    }
    found
}

fn below(folder: &Path, found: &mut Vec<PathBuf>) {
    for path in fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()) {
        match path.is_dir() {
            true => below(&path, found),
            false => found.push(path),
        }
    }
}

/// Tells whether a file has a test of that name.
fn has_test(file: &Path, name: &str) -> bool {
    let text = fs::read_to_string(file).unwrap_or_default();
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    lines.iter().zip(lines.iter().skip(1)).any(|(attribute, line)| {
        let rust = attribute.starts_with("#[test]") || attribute.starts_with("#[tokio::test");
        // pytest knows a test by its name.
        let declared = if rust { line.split_once("fn ") } else { line.split_once("def ") };
        let declared = declared.filter(|(before, _)| matches!(*before, "" | "async "));
        let found = declared.and_then(|(_, rest)| rest.split_once('(')).map(|(found, _)| found);
        found == Some(name) && (rust || name.starts_with("test_"))
    })
}

/// Says what is wrong with a reference, if something is.
fn mistake(reference: &str) -> Option<String> {
    let (module, test) =
        reference.split_once("::").map_or((reference, None), |(module, test)| (module, Some(test)));
    let files = files(module);
    let sources = files.iter().filter(|file| test.is_some_and(|name| has_test(file, name)));
    match (files.len(), test, sources.count()) {
        (0, ..) => Some(format!("there is no module {module}")),
        (_, Some(name), 0) => Some(format!("{module} has no test {name}")),
        (_, Some(name), 2..) => Some(format!("{module} has several tests {name}")),
        _ => None,
    }
}

#[test]
fn every_scenario_is_there_once_and_what_it_names_exists() {
    let (page, mut wrong, mut counts) = (page(), Vec::new(), [0; 3]);
    for (table, most) in TABLES {
        let rows = rows(&page, table);
        let numbers: Vec<usize> = rows.iter().map(|row| row.number).collect();
        assert_eq!(numbers, (1..=most).collect::<Vec<_>>(), "{table}");
        for Row { number, guard, shown, by } in rows {
            let mistakes = references(guard).chain(references(by)).filter_map(mistake);
            wrong.extend(mistakes.map(|why| format!("{table} {number}: {why}")));
            let tests = references(by).filter(|it| it.contains("::")).count();
            let (place, right) = match shown {
                "yes" => (0, tests > 0 && !guard.is_empty()),
                "part" => (1, tests > 0 && !guard.is_empty() && by.contains("; ")),
                "no" => (2, tests == 0 && guard.is_empty() && !by.is_empty()),
                other => panic!("{table} {number} is shown {other:?}: expected yes, part or no"),
            };
            counts[place] += 1;
            wrong.extend((!right).then(|| format!("{table} {number}: {shown} does not fit what it names")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let [yes, part, no] = counts;
    let all = yes + part + no;
    let told = format!("\nShown: {yes} of {all}; in part: {part}; not: {no}.\n");
    assert!(page.contains(&told), "the page does not say {told:?}");
}
