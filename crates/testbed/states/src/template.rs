//! A value in a definition, in which expressions stand.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::jsonata::{Expression, Scope};
use crate::rules::{Problem, QUERY};

/// One such value, and the field that it belongs to.
#[derive(Debug)]
pub(crate) struct Template {
    field: String,
    part: Part,
}

#[derive(Debug)]
enum Part {
    Plain(Value),
    Computed(Expression),
    List(Vec<Part>),
    Object(Vec<(String, Part)>),
}

impl Template {
    /// Reads the value of a field; says what is wrong with an expression in it.
    pub fn read(field: &str, value: &Value) -> Result<Self, String> {
        let part = part(value).map_err(|why| format!("{field}: {why}"))?;
        Ok(Template { field: field.to_owned(), part })
    }

    /// Returns the field.
    pub fn field(&self) -> &str {
        &self.field
    }

    /// Returns all expressions in it.
    pub fn expressions(&self) -> Vec<&Expression> {
        let mut found = Vec::new();
        collect(&self.part, &mut found);
        found
    }

    /// Fills it.
    pub fn fill<'a>(&'a self, scope: &'a dyn Scope) -> Result<Cow<'a, Value>, Problem> {
        fill(&self.part, scope).map_err(|why| Problem::new(QUERY, format!("the field {}: {why}", self.field)))
    }

    /// Fills it with what `read` makes of its value; what it makes nothing of is of the wrong kind.
    pub fn fill_as<T>(
        &self,
        scope: &dyn Scope,
        expected: &str,
        read: impl Fn(&Value) -> Option<T>,
    ) -> Result<T, Problem> {
        let value = self.fill(scope)?;
        let wrong =
            || Problem::new(QUERY, format!("the field {} is {value}, expected {expected}", self.field));
        read(&value).ok_or_else(wrong)
    }
}

fn part(value: &Value) -> Result<Part, String> {
    match value {
        Value::String(text) if text.starts_with("{%") => {
            let inner = text.strip_prefix("{%").and_then(|rest| rest.strip_suffix("%}"));
            let inner = inner.ok_or_else(|| format!("the expression {text} has no end"))?;
            let expression = Expression::parse(inner);
            expression
                .map(Part::Computed)
                .map_err(|unknown| format!("the expression{inner}is not known: {unknown}"))
        }
        Value::Array(items) if has_expressions(value) => {
            Ok(Part::List(items.iter().map(part).collect::<Result<_, _>>()?))
        }
        Value::Object(fields) if has_expressions(value) => {
            let fields = fields.iter().map(|(key, value)| Ok((key.clone(), part(value)?)));
            Ok(Part::Object(fields.collect::<Result<_, String>>()?))
        }
        plain => Ok(Part::Plain(plain.clone())),
    }
}

fn has_expressions(value: &Value) -> bool {
    match value {
        Value::String(text) => text.starts_with("{%"),
        Value::Array(items) => items.iter().any(has_expressions),
        Value::Object(fields) => fields.values().any(has_expressions),
        _ => false,
    }
}

fn collect<'a>(part: &'a Part, found: &mut Vec<&'a Expression>) {
    match part {
        Part::Plain(_) => {}
        Part::Computed(expression) => found.push(expression),
        Part::List(items) => items.iter().for_each(|item| collect(item, found)),
        Part::Object(fields) => fields.iter().for_each(|(_, field)| collect(field, found)),
    }
}

fn fill<'a>(part: &'a Part, scope: &'a dyn Scope) -> Result<Cow<'a, Value>, String> {
    match part {
        Part::Plain(value) => Ok(Cow::Borrowed(value)),
        Part::Computed(expression) => {
            let value =
                expression.evaluate(scope).map_err(|failure| format!("{expression} fails: {failure}"))?;
            value.ok_or_else(|| format!("{expression} yields nothing"))
        }
        Part::List(items) => {
            let items = items.iter().map(|item| fill(item, scope).map(Cow::into_owned));
            items.collect::<Result<Vec<Value>, String>>().map(|items| Cow::Owned(Value::Array(items)))
        }
        Part::Object(fields) => {
            let fields =
                fields.iter().map(|(key, field)| Ok((key.clone(), fill(field, scope)?.into_owned())));
            fields
                .collect::<Result<Map<String, Value>, String>>()
                .map(|fields| Cow::Owned(Value::Object(fields)))
        }
    }
}
