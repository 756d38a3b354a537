//! Reads the fields of a part of a definition: those that are not known are refused, and where they stand is said.

use serde_json::{Map, Value};

use crate::template::Template;

/// One object of a definition, and its place.
pub struct Fields<'a> {
    place: String,
    fields: &'a Map<String, Value>,
}

impl<'a> Fields<'a> {
    /// Takes an object that may have `known` fields, and a comment.
    pub fn of(place: &str, value: &'a Value, known: &[&str]) -> Result<Self, String> {
        let fields = value.as_object().ok_or_else(|| format!("{place}: expected an object, not {value}"))?;
        match fields.keys().find(|key| !known.contains(&key.as_str()) && *key != "Comment") {
            Some(key) => {
                Err(format!("{place}: the field {key:?} is not known here, only {}", known.join(", ")))
            }
            None => Ok(Fields { place: place.to_owned(), fields }),
        }
    }

    /// Refuses a field.
    pub fn wrong(&self, field: &str, why: impl std::fmt::Display) -> String {
        format!("{}: {field}: {why}", self.place)
    }

    /// Returns the place of a field.
    pub fn place(&self, field: &str) -> String {
        format!("{}: {field}", self.place)
    }

    pub fn get(&self, field: &str) -> Option<&'a Value> {
        self.fields.get(field)
    }

    pub fn need(&self, field: &str) -> Result<&'a Value, String> {
        self.get(field).ok_or_else(|| self.wrong(field, "it is missing"))
    }

    pub fn text(&self, field: &str) -> Result<&'a str, String> {
        let value = self.need(field)?;
        value.as_str().ok_or_else(|| self.wrong(field, format!("expected a text, not {value}")))
    }

    /// Returns a number that may be missing.
    pub fn number(&self, field: &str, least: f64) -> Result<Option<f64>, String> {
        let Some(value) = self.get(field) else { return Ok(None) };
        let number = value.as_f64().filter(|number| *number >= least);
        number
            .map(Some)
            .ok_or_else(|| self.wrong(field, format!("expected a number from {least} on, not {value}")))
    }

    /// Returns a list that may be missing.
    pub fn list(&self, field: &str) -> Result<&'a [Value], String> {
        match self.get(field) {
            None => Ok(&[]),
            Some(Value::Array(items)) => Ok(items),
            Some(other) => Err(self.wrong(field, format!("expected a list, not {other}"))),
        }
    }

    pub fn texts(&self, field: &str) -> Result<Vec<String>, String> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let texts = self.list(field)?.iter().map(text).collect::<Option<Vec<String>>>();
        texts.ok_or_else(|| self.wrong(field, "expected a list of texts"))
    }

    pub fn template(&self, field: &str) -> Result<Template, String> {
        self.read(field, self.need(field)?)
    }

    /// Reads a value that stands below a field.
    pub fn read(&self, field: &str, value: &Value) -> Result<Template, String> {
        Template::read(field, value).map_err(|why| format!("{}: {why}", self.place))
    }

    pub fn optional_template(&self, field: &str) -> Result<Option<Template>, String> {
        self.get(field).map(|_| self.template(field)).transpose()
    }
}

/// Puts values for the words in `${...}`.
pub fn substituted(text: &str, substitutions: &[(&str, &str)]) -> Result<String, String> {
    let mut parts = text.split("${");
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (word, rest) = part.split_once('}').ok_or("a word in ${...} has no end")?;
        let known = substitutions.iter().find(|(name, _)| *name == word);
        let (_, value) = known.ok_or_else(|| format!("nothing was given for ${{{word}}}"))?;
        let quoted = Value::from(*value).to_string();
        whole.push_str(quoted.trim_matches('"'));
        whole.push_str(rest);
    }
    Ok(whole)
}
