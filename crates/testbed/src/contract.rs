//! Plays the sample events of a function through its handler and compares the answers with the golden ones.
//!
//! `events/<function>/<case>.json` is what `sam local invoke` takes; `<case>.out.json` beside it is the answer, or
//! the fault as Step Functions sees it.

use std::path::{Path, PathBuf};
use std::{env, fs};

use pipeline::clock::Timestamp;
use pipeline::{Fault, lambda};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

/// The moment at which every sample is played.
pub const NOW: &str = "2026-11-23T10:00:10Z";

/// Plays all samples of `function`; `UPDATE_GOLDEN=1` writes the answers instead of comparing them.
///
/// # Panics
///
/// If an answer differs, a golden file is missing, or the template has no such function.
#[expect(clippy::panic, clippy::expect_used, reason = "this is how a test fails")]
pub async fn check<Request: DeserializeOwned, Response: Serialize>(
    function: &str,
    mut handler: impl AsyncFnMut(&str, Request, Timestamp) -> Result<Response, Fault>,
) {
    assert!(template_has(function), "template.yaml has no function whose binary is {function}");
    let now = Timestamp::parse(NOW).expect("NOW is a time");
    let cases = cases(function);
    assert!(!cases.is_empty(), "events/{function} has no samples");
    for path in cases {
        let case = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default().to_owned();
        let mut play = async |request, now| handler(&case, request, now).await;
        let answer = match lambda::answer(read(&path), now, &mut play).await {
            Ok(answer) => answer,
            Err(fault) => json!({"errorType": fault.name(), "errorMessage": fault.to_string()}),
        };
        let golden = path.with_extension("out.json");
        if env::var_os("UPDATE_GOLDEN").is_some() {
            let text = serde_json::to_string_pretty(&answer).expect("JSON can be written");
            fs::write(&golden, text + "\n").expect("the golden file can be written");
        }
        let expected = read(&golden);
        if answer != expected {
            panic!(
                "events/{function}/{case}.json answered\n{answer:#}\nand not, as {case}.out.json says,\n{expected:#}"
            );
        }
    }
}

/// Returns the samples of a function, in the order of their names.
fn cases(function: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join("events").join(function)).into_iter().flatten().flatten();
    let mut cases: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| {
            path.to_str().is_some_and(|text| text.ends_with(".json") && !text.ends_with(".out.json"))
        })
        .collect();
    cases.sort();
    cases
}

/// Tells whether the template builds the function under its own name.
fn template_has(function: &str) -> bool {
    let camel = function.split('-').map(|word| {
        let (first, rest) = word.split_at(1.min(word.len()));
        first.to_uppercase() + rest
    });
    let name = camel.collect::<String>() + "Function:";
    let template = fs::read_to_string(root().join("template.yaml")).unwrap_or_default();
    let resource = template.split("\n  ").find(|resource| resource.starts_with(&name));
    resource.is_some() && template.contains(&format!("Binary: {function}"))
}

#[expect(clippy::panic, reason = "this is how a test fails")]
fn read(path: &Path) -> Value {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
