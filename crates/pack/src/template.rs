//! Text with variables in it: `${name}` stands for a value, and `$${` for the two characters.

use pipeline::Fault;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::values::{Unfilled, Values};

/// A text with variables in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(with = "String", inline))]
pub struct Template(pub(crate) Vec<Part>);

/// A part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Text(String),
    Variable(String),
}

/// JSON whose texts have variables in them.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "Value")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(with = "Value", inline))]
pub enum Json {
    /// A text; one that is a variable alone stands for the value as it is.
    Text(Template),
    /// A list.
    List(Vec<Json>),
    /// An object; its keys are as they are written.
    Object(Vec<(String, Json)>),
    /// Anything else.
    Plain(Value),
}

impl Template {
    /// Returns the names of its variables.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|part| match part {
            Part::Variable(name) => Some(&**name),
            Part::Text(_) => None,
        })
    }

    /// Puts values in.
    pub fn fill(&self, values: &Values) -> Result<String, Unfilled> {
        let parts = self.0.iter().map(|part| match part {
            Part::Text(text) => Ok(text.clone()),
            Part::Variable(name) => values.text(name),
        });
        parts.collect()
    }

    /// Returns the variable that it is, if it is nothing else.
    fn alone(&self) -> Option<&str> {
        match &*self.0 {
            [Part::Variable(name)] => Some(name),
            _ => None,
        }
    }

    /// Returns how long it is without its values.
    pub(crate) fn length(&self) -> usize {
        let length = |part: &Part| match part {
            Part::Text(text) | Part::Variable(text) => text.len(),
        };
        self.0.iter().map(length).sum()
    }
}

impl Json {
    /// Returns the names of the variables in it.
    pub fn variables(&self) -> Vec<&str> {
        match self {
            Json::Text(text) => text.variables().collect(),
            Json::List(list) => list.iter().flat_map(Json::variables).collect(),
            Json::Object(fields) => fields.iter().flat_map(|(_, value)| value.variables()).collect(),
            Json::Plain(_) => Vec::new(),
        }
    }

    /// Puts values in.
    pub fn fill(&self, values: &Values) -> Result<Value, Unfilled> {
        Ok(match self {
            Json::Text(text) => match text.alone() {
                Some(name) => values.get(name)?.clone(),
                None => Value::String(text.fill(values)?),
            },
            Json::List(list) => {
                let list = list.iter().map(|one| one.fill(values));
                Value::Array(list.collect::<Result<_, _>>()?)
            }
            Json::Object(fields) => {
                let fields = fields.iter().map(|(key, value)| Ok((key.clone(), value.fill(values)?)));
                Value::Object(fields.collect::<Result<Map<_, _>, _>>()?)
            }
            Json::Plain(value) => value.clone(),
        })
    }
}

impl TryFrom<String> for Template {
    type Error = Fault;
    fn try_from(text: String) -> Result<Self, Fault> {
        let (mut parts, mut plain, mut rest) = (Vec::new(), String::new(), &*text);
        while let Some((before, after)) = rest.split_once("${") {
            if let Some(before) = before.strip_suffix('$') {
                plain += before;
                plain += "${";
                rest = after;
                continue;
            }
            plain += before;
            let named = after.split_once('}').filter(|(name, _)| is_name(name));
            let Some((name, after)) = named else {
                let shown: String = after.chars().take(20).collect();
                return Err(Fault::InvalidInput(format!(
                    "\"${{{shown}\" is not a variable: expected one like ${{service}}, or $${{ for the two characters"
                )));
            };
            if !plain.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut plain)));
            }
            parts.push(Part::Variable(name.to_owned()));
            rest = after;
        }
        plain += rest;
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        Ok(Template(parts))
    }
}

impl TryFrom<Value> for Json {
    type Error = Fault;
    fn try_from(value: Value) -> Result<Self, Fault> {
        Ok(match value {
            Value::String(text) => Json::Text(Template::try_from(text)?),
            Value::Array(list) => Json::List(list.into_iter().map(Json::try_from).collect::<Result<_, _>>()?),
            Value::Object(fields) => {
                let fields = fields.into_iter().map(|(key, value)| Ok((key, Json::try_from(value)?)));
                Json::Object(fields.collect::<Result<_, Fault>>()?)
            }
            plain => Json::Plain(plain),
        })
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn values() -> Values {
        Values::default().with("user", "ann").with("n", 7).with("list", json!([1, 2]))
    }

    #[test]
    fn variables_are_filled_and_what_is_escaped_stays() {
        for (text, expected) in [
            ("plain", "plain"),
            ("", ""),
            ("${user}", "ann"),
            ("a ${user}, ${n}${n} and $5", "a ann, 77 and $5"),
            ("$${user} is ${user}", "${user} is ann"),
            ("$$${user}", "$${user}"),
            ("{\"a\": ${list}}", "{\"a\": [1,2]}"),
        ] {
            let template = Template::try_from(text.to_owned()).unwrap();
            assert_eq!(template.fill(&values()).unwrap(), expected, "{text}");
        }
        let unknown = Template::try_from("${usr}".to_owned()).unwrap().fill(&values());
        assert_eq!(unknown.unwrap_err().to_string(), "${usr} has no value");
    }

    #[test]
    fn what_is_no_variable_is_refused_with_what_to_write() {
        for text in ["${", "${user", "${}", "${us er}", "a${${user}}", "${user{}"] {
            let refusal = Template::try_from(text.to_owned()).unwrap_err().to_string();
            assert!(refusal.contains("is not a variable: expected one like ${service}, or $${"), "{refusal}");
        }
    }

    #[test]
    fn a_variable_alone_keeps_its_type() {
        let json = Json::try_from(json!({"a": "${n}", "b": ["n=${n}", "${list}", true, null], "${n}": 1}));
        let filled = json.unwrap().fill(&values()).unwrap();
        assert_eq!(filled, json!({"a": 7, "b": ["n=7", [1, 2], true, null], "${n}": 1}));
    }
}
