//! Plays the cases that were recorded with the reference implementation: see `jsonata/record.mjs`.

#![expect(clippy::unwrap_used, reason = "this is how a test fails")]

use serde_json::{Value, json};
use states::jsonata::{Expression, Scope};

struct World(Value);

impl Scope for World {
    fn find(&self, variable: &str, _: &[String]) -> (Option<&Value>, usize) {
        (self.0.get(variable), 0)
    }
}

fn recorded() -> Value {
    serde_json::from_str(include_str!("jsonata/cases.json")).unwrap()
}

/// Tells whether two values are the same; numbers are, however they are written.
fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => left.as_f64() == right.as_f64(),
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left.iter().all(|(key, value)| right.get(key).is_some_and(|other| same(value, other)))
        }
        _ => left == right,
    }
}

#[test]
fn every_recorded_case_has_the_result_of_the_reference() {
    let recorded = recorded();
    let mut wrong = Vec::new();
    for case in recorded["cases"].as_array().unwrap() {
        let (text, world) = (case[0].as_str().unwrap(), case[1].as_str().unwrap());
        let scope = World(recorded["worlds"][world].clone());
        let found = match Expression::parse(text) {
            Err(unknown) => json!({"unknown": unknown.to_string()}),
            Ok(expression) => match expression.evaluate(&scope) {
                Ok(Some(value)) => json!({"value": value}),
                Ok(None) => json!({"nothing": true}),
                Err(failure) => json!({"error": failure.code}),
            },
        };
        if !same(&found, &case[2]) {
            wrong.push(format!("{text} in {world}: {found}, and not {}", case[2]));
        }
    }
    assert_eq!(wrong, [""; 0]);
    assert!(recorded["cases"].as_array().unwrap().len() > 400);
}

#[test]
fn every_expression_of_the_machine_was_recorded() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../statemachine/release.asl.json");
    let machine = std::fs::read_to_string(file).unwrap();
    let recorded = recorded();
    let cases: Vec<&str> =
        recorded["cases"].as_array().unwrap().iter().map(|case| case[0].as_str().unwrap()).collect();
    let expressions = machine.split("\"{%").skip(1).map(|rest| rest.split("%}\"").next().unwrap().trim());
    let missing: Vec<&str> = expressions.filter(|expression| !cases.contains(expression)).collect();
    assert_eq!(missing, [""; 0], "record the cases again, by tests/jsonata/record.mjs");
}

#[test]
fn what_is_not_known_is_refused_with_its_place() {
    for (text, refused) in [
        ("$uppercase('a')", "the function $uppercase is not known here (at character 0)"),
        ("$merge()", "$merge takes [1] arguments here, not 0 (at character 0)"),
        ("$now()", "the function $now is not known here (at character 0)"),
        ("$a + 1", "the sign + is not known in this place (at character 3)"),
        ("$a / 2", "the sign / is not known in this place (at character 3)"),
        ("$a != 1", "the sign != is not known in this place (at character 3)"),
        ("$a or $b", "the name or is not known in this place (at character 3)"),
        ("$a in $b", "the name in is not known in this place (at character 3)"),
        ("-1", "the sign - is not known in this place (at character 0)"),
        ("a.b", "the name a is not known in this place (at character 0)"),
        ("$", "the variable $ is not known in this place (at character 0)"),
        ("$$.a", "the variable $ is not known in this place (at character 0)"),
        ("$a.b[0]", "the sign [ is not known in this place (at character 4)"),
        ("$a[0][1]", "the sign [ is not known in this place (at character 5)"),
        ("$a.*", "the sign * is not known in this place (at character 3)"),
        ("$a.'b'", "the text \"b\" is not known in this place (at character 3)"),
        ("($a; $b)", "the sign ; is not known in this place, where ) was expected (at character 3)"),
        ("$a := 1", "the sign := is not known in this place (at character 3)"),
        ("$a ? 1", "the end is not known in this place, where : was expected (at character 6)"),
        ("1..2", "the sign .. is not known in this place (at character 1)"),
        ("{$a: 1}", "the variable $a is not known in this place (at character 1)"),
        ("{'a': 1, 'a': 2}", "the key \"a\" comes twice (at character 9)"),
        ("'a", "a text does not end (at character 0)"),
        ("'\\u0041'", "the escape \\u is not known here (at character 2)"),
        ("1e3", "a number with an exponent is not known here (at character 0)"),
        ("007", "007 is no number (at character 0)"),
        ("/a/", "the sign / is not known in this place (at character 0)"),
        ("1 /* one */", "a comment is not known here (at character 2)"),
        ("$a ~> $string", "the sign ~> is not known in this place (at character 3)"),
        ("function($a) {$a}", "the name function is not known in this place (at character 0)"),
        ("", "the end is not known in this place (at character 0)"),
        ("$a $b", "the variable $b is not known in this place (at character 3)"),
    ] {
        let unknown = Expression::parse(text).unwrap_err();
        assert_eq!(unknown.to_string(), refused, "{text}");
    }
}

#[test]
fn an_expression_says_what_it_reads() {
    let expression = Expression::parse("$merge([$states.input, {'a': $list[$n] ? $x.y : 'z'}])").unwrap();
    let reads: Vec<String> =
        expression.reads().into_iter().map(|(name, names)| format!("{name} {}", names.join("."))).collect();
    assert_eq!(reads, ["states input", "list ", "n ", "x y"]);
}
