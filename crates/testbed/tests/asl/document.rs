//! The definition: how to read it, to walk it, and to damage a copy of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

/// One `States` object: the machine's own, or that of the items of a Map.
pub struct Scope<'a> {
    /// The Map whose items run here; none for the machine itself.
    pub map: Option<&'a str>,
    pub start_at: &'a str,
    pub states: &'a Map<String, Value>,
}

/// One way out of a state, and what it assigns.
pub struct Exit<'a> {
    pub to: &'a str,
    pub assigns: &'a Value,
}

impl<'a> Scope<'a> {
    /// Returns the states that can come next.
    pub fn next(&self, name: &str) -> Vec<&'a str> {
        self.states.get(name).map(exits).unwrap_or_default().into_iter().map(|exit| exit.to).collect()
    }

    /// Returns what can be reached from a state, itself not counted, on paths that avoid some states.
    pub fn reached_from(&self, start: &str, avoiding: &[&str]) -> BTreeSet<&'a str> {
        let mut reached = BTreeSet::new();
        let mut open = self.next(start);
        while let Some(name) = open.pop() {
            if !avoiding.contains(&name) && reached.insert(name) {
                open.extend(self.next(name));
            }
        }
        reached
    }

    /// Returns the states from which one step leads to another.
    pub fn before(&self, name: &str) -> BTreeSet<&'a str> {
        self.states.keys().map(String::as_str).filter(|from| self.next(from).contains(&name)).collect()
    }

    /// Returns the variables that each reachable state finds assigned, whichever way it was reached.
    ///
    /// A Catch and a rule of a Choice assign only what is written in them: the state's own `Assign` is not run.
    pub fn assigned(&self) -> BTreeMap<&'a str, BTreeSet<&'a str>> {
        let mut known = BTreeMap::from([(self.start_at, BTreeSet::new())]);
        let mut open = vec![self.start_at];
        while let Some(name) = open.pop() {
            let before = known[name].clone();
            for exit in self.states.get(name).map(exits).unwrap_or_default() {
                let mut after = before.clone();
                after.extend(keys(exit.assigns));
                let merged = match known.get(exit.to) {
                    Some(others) => others.intersection(&after).copied().collect(),
                    None => after,
                };
                if known.get(exit.to) != Some(&merged) {
                    known.insert(exit.to, merged);
                    open.push(exit.to);
                }
            }
        }
        known
    }
}

/// Returns the machine's own states first, then those of each Map.
pub fn scopes(document: &Value) -> Vec<Scope<'_>> {
    fn collect<'a>(map: Option<&'a str>, machine: &'a Value, into: &mut Vec<Scope<'a>>) {
        let states = machine["States"].as_object().expect("states");
        into.push(Scope { map, start_at: text(&machine["StartAt"]), states });
        for (name, state) in states.iter().filter(|(_, state)| state["Type"] == "Map") {
            collect(Some(name), &state["ItemProcessor"], into);
        }
    }
    let mut found = Vec::new();
    collect(None, document, &mut found);
    found
}

/// Returns every state of every scope, by name.
pub fn states(document: &Value) -> Vec<(&str, &Value)> {
    let scopes = scopes(document);
    scopes.iter().flat_map(|scope| scope.states.iter().map(|(name, state)| (name.as_str(), state))).collect()
}

/// Returns the ways out of a state: its catches, its rules, and its own.
pub fn exits(state: &Value) -> Vec<Exit<'_>> {
    let rules = list(&state["Catch"]).iter().chain(list(&state["Choices"]));
    let ruled = rules.map(|rule| Exit { to: text(&rule["Next"]), assigns: &rule["Assign"] });
    let own = ["Next", "Default"].into_iter().filter_map(|field| state.get(field));
    ruled.chain(own.map(|to| Exit { to: text(to), assigns: &state["Assign"] })).collect()
}

/// Returns every expression in a state, or a part of one, but not those of its items.
pub fn expressions(part: &Value) -> Vec<&str> {
    match part {
        Value::String(text) if text.starts_with("{%") => vec![text],
        Value::Array(elements) => elements.iter().flat_map(expressions).collect(),
        Value::Object(fields) => {
            let own = fields.iter().filter(|(field, _)| *field != "ItemProcessor");
            own.flat_map(|(_, value)| expressions(value)).collect()
        }
        _ => vec![],
    }
}

/// Visits a value and all that it holds, each with the key under which it stands; elements of a list have none.
pub fn walk<'a>(value: &'a Value, visit: &mut impl FnMut(&'a str, &'a Value)) {
    fn descend<'a>(key: &'a str, value: &'a Value, visit: &mut impl FnMut(&'a str, &'a Value)) {
        visit(key, value);
        match value {
            Value::Object(fields) => fields.iter().for_each(|(key, value)| descend(key, value, visit)),
            Value::Array(elements) => elements.iter().for_each(|value| descend("", value, visit)),
            _ => {}
        }
    }
    descend("", value, visit);
}

/// Asserts that a rule finds nothing in the definition, and in each damaged copy what the damage means.
///
/// A damage is a JSON pointer, what is put there (null takes away what is there), and words of the finding.
pub fn check(rule: impl Fn(&Value) -> Vec<String>, damages: &[(&str, Value, &str)]) {
    assert_eq!(rule(&definition()), [""; 0]);
    for (pointer, with, words) in damages {
        let found = rule(&damaged(pointer, with));
        assert!(
            found.iter().any(|finding| finding.contains(words)),
            "{pointer} = {with} was not found to be {words:?}, only: {found:#?}"
        );
    }
}

fn damaged(pointer: &str, with: &Value) -> Value {
    let mut document = definition();
    let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
    match document.pointer_mut(parent).unwrap_or_else(|| panic!("{parent} does not exist")) {
        Value::Object(fields) if with.is_null() => {
            fields.remove(key).unwrap_or_else(|| panic!("{pointer} does not exist"));
        }
        Value::Object(fields) => {
            fields.insert(key.to_owned(), with.clone());
        }
        Value::Array(elements) => elements[key.parse::<usize>().expect("a position")] = with.clone(),
        other => panic!("{parent} holds nothing: {other}"),
    }
    document
}

pub fn definition() -> Value {
    serde_json::from_str(&source()).expect("JSON")
}

pub fn source() -> String {
    fs::read_to_string(root().join("statemachine/release.asl.json")).expect("the definition")
}

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

pub fn keys(object: &Value) -> impl Iterator<Item = &str> {
    object.as_object().into_iter().flat_map(Map::keys).map(String::as_str)
}

pub fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("not a text: {value}"))
}
