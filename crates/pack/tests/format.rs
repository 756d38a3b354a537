//! The format and its rules for editors: both take the same packs, and refuse the same mistakes.

#![expect(clippy::unwrap_used, reason = "this is how a test fails")]

use std::path::Path;

use jsonschema::Validator;
use pack::Pack;
use pack::schema::schema;
use serde_json::Value;

/// A check of every kind, and a key of every request.
const EVERYTHING: &str = include_str!("everything.json");

fn validator() -> Validator {
    jsonschema::validator_for(&schema()).unwrap()
}

#[test]
fn the_rules_for_editors_are_those_of_the_format() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("pack.schema.json");
    let written = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &written).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == written, "pack.schema.json is not what the types say: write it with UPDATE_GOLDEN=1");
}

/// Returns the packs that people copy from.
fn of_the_readme() -> Vec<String> {
    let readme = [include_str!("../../../README.md"), include_str!("../../../docs/TESTS.md")].concat();
    let readme = readme.replace("   ```json\n", "```json\n").replace("--value '", "```json\n");
    let bodies = readme.split("```json\n").skip(1).filter_map(|rest| rest.split(['\'', '`']).next());
    bodies.filter(|body| body.contains(r#""checks""#)).map(str::to_owned).collect()
}

#[test]
fn what_people_copy_is_carried_out() {
    let packs = of_the_readme();
    assert_eq!(packs.len(), 7);
    for text in packs {
        assert_eq!(Pack::read("README", &text).err(), None, "{text}");
    }
}

#[test]
fn examples_pass_both() {
    let validator = validator();
    let readme = of_the_readme();
    let readme = readme.iter().map(String::as_str);
    for text in readme.chain([EVERYTHING, "{}", r#"{"checks": []}"#]) {
        let value: Value = serde_json::from_str(text).unwrap();
        let errors: Vec<String> = validator
            .iter_errors(&value)
            .map(|error| format!("{error} at {}", error.instance_path()))
            .collect();
        assert_eq!(errors, [""; 0]);
        assert_eq!(Pack::read("pack", text).err(), None);
    }
}

/// What is right in the example, what is written instead, and what is said.
const TYPOS: &[(&str, &str, &str)] = &[
    (r#""version": 1"#, r#""verison": 1"#, "did you mean `version`?"),
    (r#""version": 1"#, r#""version": "1""#, "invalid type"),
    (r#""variables": {"#, r#""variable": {"#, "did you mean `variables`?"),
    (r#""secrets": {"#, r#""secret": {"#, "did you mean `secrets`?"),
    (r#""checks": ["#, r#""cheks": ["#, "did you mean `checks`?"),
    (r#""key": "token""#, r#""keys": "token""#, "did you mean `key`?"),
    (r#""parameter": "/shop"#, r#""paramter": "/shop"#, "did you mean `parameter`?"),
    (r#""name": "health""#, r#""nam": "health""#, "did you mean `name`?"),
    (r#""name": "health""#, r#""name": "health!""#, "is not a name"),
    (r#""http": {"url": "http://${target"#, r#""htpp": {"url": "http://${target"#, "did you mean `http`?"),
    (r#""url": "http://${target"#, r#""uri": "http://${target"#, "did you mean `url`?"),
    (r#""within": "500ms""#, r#""whithin": "500ms""#, "did you mean `within`?"),
    (r#""within": "500ms""#, r#""within": "500""#, "is not a length of time"),
    (r#""within": "500ms""#, r#""within": 500"#, "invalid type"),
    (r#""attempts": 3"#, r#""atempts": 3"#, "did you mean `attempts`?"),
    (r#""attempts": 3"#, r#""attempts": 0"#, "expected at least 1"),
    (r#""attempts": 3"#, r#""attempts": "3""#, "invalid type"),
    (r#""interval": "2s""#, r#""intervall": "2s""#, "did you mean `interval`?"),
    (r#""passes": 3"#, r#""pases": 3"#, "did you mean `passes`?"),
    (r#""patience": "1m""#, r#""patience": "1 m""#, "is not a length of time"),
    (r#""journey": ["#, r#""jorney": ["#, "did you mean `journey`?"),
    (r#""method": "POST""#, r#""method": "post""#, "unknown variant `post`"),
    (r#""method": "POST""#, r#""metod": "POST""#, "did you mean `method`?"),
    (r#""headers": {"auth"#, r#""header": {"auth"#, "did you mean `headers`?"),
    (r#""status": [200, "3xx"]"#, r#""status": [200, "3x"]"#, "is not a status"),
    (r#""status": "2xx""#, r#""status": "200""#, "is not a status"),
    (r#""status": "2xx""#, r#""statsu": "2xx""#, "did you mean `status`?"),
    (r#""captures": {"session""#, r#""capture": {"session""#, "did you mean `captures`?"),
    (r#"{"header": "location"}"#, r#"{"heder": "location"}"#, "did you mean `header`?"),
    (r#"{"header": "location"}"#, r#"{}"#, "it is not one thing to capture"),
    (r#""quiet": true"#, r#""quite": true"#, "did you mean `quiet`?"),
    (r#""quiet": true"#, r#""quiet": "yes""#, "invalid type"),
    (r#""answerHeaders": {"#, r#""answerheaders": {"#, "did you mean `answerHeaders`?"),
    (r#""repeat": 50"#, r#""repeat": 500"#, "expected 1 to 100"),
    (r#""p95": "300ms""#, r#""95": "300ms""#, "is not a percentile"),
    (r#""percentiles": {"#, r#""percentile": {"#, "did you mean `percentiles`?"),
    (r#""follow": 2"#, r#""follow": 9"#, "expected 0 to 5"),
    (r#""connect": "#, r#""conect": "#, "did you mean `connect`?"),
    (r#""on": ["before"]"#, r#""on": ["befor"]"#, "did you mean `before`?"),
    (r#""on": ["before"]"#, r#""on": "before""#, "invalid type"),
    (r#""command": ["./manage""#, r#""comand": ["./manage""#, "did you mean `command`?"),
    (r#""timeout": "5m""#, r#""timeout": "5min""#, "is not a length of time"),
    (r#""stack": "users"#, r#""stak": "users"#, "did you mean `stack`?"),
    (r#""says": "passed", "unm"#, r#""say": "passed", "unm"#, "did you mean `says`?"),
    (r#""unmeasured": [2, 3]"#, r#""unmeasured": ["2", 3]"#, "invalid type"),
    (r#""task": "users-e2e""#, r#""tsk": "users-e2e""#, "did you mean `task`?"),
    (r#""function": "users"#, r#""fuction": "users"#, "did you mean `function`?"),
    (r#""forbiddenEnv": ["#, r#""forbidenEnv": ["#, "did you mean `forbiddenEnv`?"),
    (r#""below": "HIGH""#, r#""below": "High""#, "unknown variant `High`"),
    (r#""fixableOnly": true"#, r#""fixable": true"#, "did you mean `fixableOnly`?"),
    (r#""profiles": ["#, r#""profile": ["#, "did you mean `profiles`?"),
    (r#""arn:aws:signer:"#, r#""aws:signer:"#, "is not the ARN of a signing profile"),
    (r#":/signing-profiles/shop""#, r#":/signing-profiles/shop/1a2b3c""#, "expected one like"),
    (r#":/signing-profiles/shop""#, r#":signing-profiles/shop""#, "expected one like"),
    (r#":signer:eu-west-1:123456789012:"#, r#":signer:eu-west-1::"#, "expected one like"),
    (r#""onlyNew": true"#, r#""onlynew": true"#, "did you mean `onlyNew`?"),
    (r#""pattern": "?ERROR"#, r#""patern": "?ERROR"#, "did you mean `pattern`?"),
    (r#""for": "2m""#, r#""fro": "2m""#, "unknown field `fro`"),
    (r#""timesBefore": 2"#, r#""timesbefore": 2"#, "did you mean `timesBefore`?"),
    (r#""stat": "p95""#, r#""stats": "p95""#, "did you mean `stat`?"),
    (r#""noData": "pass""#, r#""noData": "passes""#, "did you mean `pass`?"),
    (r#""ReturnData": false"#, r#""returnData": false"#, "did you mean `ReturnData`?"),
    (r#""names": ["users"#, r#""name": ["users"#, "did you mean `names`?"),
    (r#""targets": {}"#, r#""targets": {"healthy": "30s"}"#, "unknown field `healthy`"),
    (r#""required": true"#, r#""requried": true"#, "did you mean `required`?"),
    (r#""advisory": true"#, r#""adviosry": true"#, "did you mean `advisory`?"),
];

#[test]
fn typing_errors_are_refused_by_both() {
    let validator = validator();
    for (right, wrong, said) in TYPOS {
        assert!(EVERYTHING.contains(right), "{right}");
        let text = EVERYTHING.replacen(right, wrong, 1);
        let value: Value = serde_json::from_str(&text).unwrap();
        let refusal = Pack::read("pack", &text).err().map(|fault| fault.to_string()).unwrap_or_default();
        assert!(refusal.contains(said), "{wrong}: {refusal:?}");
        assert!(!validator.is_valid(&value), "the rules for editors take {wrong}");
    }
}
