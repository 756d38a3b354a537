//! The shape that every function keeps.

#![expect(clippy::unwrap_used, reason = "this is how a test fails")]

use std::fs;
use std::path::{Path, PathBuf};

fn functions() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../functions");
    let found: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(found.len(), 7);
    found
}

#[test]
fn an_entry_point_wires_and_never_decides() {
    for function in functions() {
        let text = fs::read_to_string(function.join("src/main.rs")).unwrap();
        let decides = text.split_whitespace().any(|word| word == "if" || word == "match");
        assert!(text.lines().count() <= 20 && !decides, "{}", function.display());
    }
}

#[test]
fn nothing_that_is_deployed_knows_the_testbed() {
    for function in functions() {
        let manifest = fs::read_to_string(function.join("Cargo.toml")).unwrap();
        let (deployed, tests) = manifest.split_once("[dev-dependencies]").unwrap_or((&manifest, ""));
        assert!(!deployed.contains("testbed"), "{}", function.display());
        assert!(tests.contains("testbed"), "{}: its samples are not played", function.display());
    }
}

#[test]
fn no_function_waits() {
    for function in functions() {
        for file in walk(&function.join("src")) {
            let text = fs::read_to_string(&file).unwrap();
            assert!(!text.contains("thread::sleep") && !text.contains("time::sleep"), "{}", file.display());
        }
    }
}

#[test]
fn a_plan_is_pure() {
    let plan = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../functions/release/src/plan");
    let files: Vec<PathBuf> = walk(&plan).into_iter().chain([plan.with_extension("rs")]).collect();
    assert!(files.len() > 10);
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let (code, _) = text.split_once("#[cfg(test)]\nmod tests").unwrap_or((&text, ""));
        for word in ["async ", ".await", "impl Images", "observe", "adapters"] {
            assert!(!code.contains(word), "{}: {word}", file.display());
        }
    }
}

fn walk(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}
