//! Makes one pack of those that are written in several places.

use std::collections::{BTreeMap, BTreeSet};

use pipeline::text::shown;
use pipeline::{Fault, document, text};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::check::{Check, CheckWritten};
use crate::later;
use crate::mistake::{Mistake, expected};
use crate::pack::Pack;
use crate::secret::SecretRef;
use crate::{texts, variable};

/// What a pack may hold, so that what one look writes down stays small.
const MOST_CHECKS: usize = 50;

/// How long all of it may be.
const LONGEST: usize = 64 * 1024;

/// A pack, and where it is written.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// What to call the place in a refusal.
    pub what: &'a str,
    /// The text.
    pub text: &'a str,
}

/// A pack as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Pack"))]
pub(crate) struct PackWritten {
    /// For editors: where the rules of this format are.
    #[serde(default, rename = "$schema")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    #[expect(dead_code, reason = "editors read it")]
    schema: Option<String>,
    /// The version of the format.
    #[serde(default = "one")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 1)))]
    version: u32,
    /// What the checks can name.
    #[serde(default)]
    variables: BTreeMap<String, Value>,
    /// What they can name without showing it.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "BTreeMap<String, SecretRef>"))]
    secrets: BTreeMap<String, Value>,
    /// The tests, in the order in which they are reported.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<CheckWritten>", length(max = 50)))]
    checks: Vec<Value>,
}

/// What has been merged so far.
#[derive(Default)]
struct Merging {
    variables: BTreeMap<String, Value>,
    secrets: BTreeMap<String, Value>,
    checks: Vec<Check>,
}

/// Makes one pack of several: by the name of a check, a variable or a secret, the later wins.
///
/// What a `required` check is, and uses, no later pack can change.
pub fn merge(sources: &[Source<'_>]) -> Result<Pack, Fault> {
    let mut merging = Merging::default();
    for source in sources {
        merging.add(*source)?;
    }
    let Merging { variables, secrets, checks } = merging;
    let what = sources.iter().map(|source| source.what).collect::<Vec<_>>().join(" with ");
    let read = |(name, value): (String, Value)| {
        let secret: SecretRef = document::read(&format!("{what}: secret {}", shown(&name)), value)?;
        Ok::<_, Fault>((name, secret))
    };
    let text = canonical(&variables, &secrets, &checks);
    if text.len() > LONGEST {
        return Err(Fault::InvalidInput(format!(
            "{what}: it is {} bytes: expected at most {LONGEST}, together",
            text.len()
        )));
    }
    if checks.len() > MOST_CHECKS {
        return Err(Fault::InvalidInput(format!(
            "{what}: {} checks are more than {MOST_CHECKS}",
            checks.len()
        )));
    }
    let secrets = secrets.into_iter().map(read).collect::<Result<_, Fault>>()?;
    Pack { variables, secrets, checks, text }.validated(&what)
}

impl Merging {
    fn add(&mut self, Source { what, text }: Source<'_>) -> Result<(), Fault> {
        let value: Value = document::read_text(what, text)?;
        later::refuse(what, &value)?;
        let PackWritten { version, variables, secrets, checks, .. } = document::read(what, value)?;
        if version != 1 {
            return Err(Fault::InvalidInput(format!("{what}: there is no version {version}: expected 1")));
        }
        named(what, "variables", &variables)?;
        named(what, "secrets", &secrets)?;
        if let Some((name, _)) = variables.iter().find(|(_, value)| value.to_string().contains("${")) {
            return Err(Fault::InvalidInput(format!(
                "{what}: variables, key {}: a variable holds no other one: expected a value without ${{",
                shown(name)
            )));
        }
        self.keep_for_required(what, "variables", &variables, &self.variables)?;
        self.keep_for_required(what, "secrets", &secrets, &self.secrets)?;
        let mut names = BTreeSet::new();
        for value in checks {
            let name = value.get("name").and_then(Value::as_str).map(str::to_owned);
            let shown = name.as_ref().map_or("of no name".to_owned(), |name| text::shown(name));
            let written: CheckWritten = document::read(&format!("{what}: check {shown}"), value.clone())?;
            let name = written.name.clone();
            if !names.insert(name.clone()) {
                return Err(Fault::InvalidInput(format!(
                    "{what}: two checks are called {}",
                    text::shown(&name)
                )));
            }
            self.take(what, &name, written, value).map_err(|mistake| mistake.fault(what, &name))?;
        }
        self.variables.extend(variables);
        self.secrets.extend(secrets);
        Ok(())
    }

    /// Adds a check, or puts it in the place of the one that has its name, or drops that one.
    fn take(&mut self, what: &str, name: &str, written: CheckWritten, value: Value) -> Result<(), Mistake> {
        let at = self.checks.iter().position(|check| check.name == name);
        let earlier = at.and_then(|at| self.checks.get_mut(at));
        if let Some(earlier) = earlier.as_ref().filter(|earlier| earlier.required) {
            return Err(Mistake::at(
                "name",
                format!(
                    "{} requires this check: expected another name, or no check of this one",
                    earlier.place
                ),
            ));
        }
        if !written.off {
            let check = Check::of(written, what, value)?;
            match earlier {
                Some(earlier) => *earlier = check,
                None => self.checks.push(check),
            }
            return Ok(());
        }
        let mut others = value.as_object().into_iter().flat_map(Map::keys);
        if let Some(key) = others.find(|key| !matches!(key.as_str(), "name" | "off")) {
            return Err(Mistake::at(key, "a check that is off has nothing else: expected `name` and `off`"));
        }
        match at {
            Some(at) => drop(self.checks.remove(at)),
            None => {
                let names = self.checks.iter().map(|check| check.name.as_str());
                let why = format!("no pack before this one has {}: {}", shown(name), expected(name, names));
                return Err(Mistake::at("off", why));
            }
        }
        Ok(())
    }

    /// Refuses another value of what a required check uses.
    fn keep_for_required(
        &self,
        what: &str,
        key: &str,
        new: &BTreeMap<String, Value>,
        old: &BTreeMap<String, Value>,
    ) -> Result<(), Fault> {
        let changed = new.iter().filter(|(name, value)| old.get(*name).is_some_and(|old| old != *value));
        for (name, _) in changed {
            let variable = if key == "secrets" { variable::of_secret(name) } else { name.clone() };
            let mut required = self.checks.iter().filter(|check| check.required);
            if let Some(check) = required.find(|check| uses(check, &variable, name)) {
                return Err(Fault::InvalidInput(format!(
                    "{what}: {key}, key {}: {} requires check {:?}, which uses it: expected another name",
                    shown(name),
                    check.place,
                    check.name
                )));
            }
        }
        Ok(())
    }
}

/// Tells whether a check uses a variable, or a secret by its name.
fn uses(check: &Check, variable: &str, name: &str) -> bool {
    let is_ca = variable::secret(variable).is_some()
        && check.kind.requests().iter().any(|http| http.ca.as_deref() == Some(name));
    is_ca || texts::variables(&check.kind).iter().any(|(_, used)| *used == variable)
}

/// Refuses a name that has a meaning already.
fn named(what: &str, key: &str, names: &BTreeMap<String, Value>) -> Result<(), Fault> {
    let Some(name) = names.keys().find(|name| !variable::is_free(name)) else { return Ok(()) };
    Err(Fault::InvalidInput(format!(
        "{what}: {key}, key {}: it has a meaning already or is no name: expected 1 to 64 letters, digits, - and _",
        shown(name)
    )))
}

/// Writes a pack so that the same pack is always the same text.
fn canonical(
    variables: &BTreeMap<String, Value>,
    secrets: &BTreeMap<String, Value>,
    checks: &[Check],
) -> String {
    let checks: Vec<&Value> = checks.iter().map(|check| &check.written).collect();
    let parts = [("checks", json!(checks)), ("secrets", json!(secrets)), ("variables", json!(variables))];
    let is_empty = |value: &Value| {
        matches!(value, Value::Array(list) if list.is_empty())
            || matches!(value, Value::Object(fields) if fields.is_empty())
    };
    let parts = parts.into_iter().filter(|(_, value)| !is_empty(value));
    Value::Object(parts.map(|(key, value)| (key.to_owned(), sorted(value))).collect()).to_string()
}

/// Sorts the keys of all objects, however they are kept.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields: BTreeMap<String, Value> = fields.into_iter().collect();
            Value::Object(fields.into_iter().map(|(key, value)| (key, sorted(value))).collect())
        }
        Value::Array(list) => Value::Array(list.into_iter().map(sorted).collect()),
        other => other,
    }
}

fn one() -> u32 {
    1
}

#[cfg(test)]
mod tests;
