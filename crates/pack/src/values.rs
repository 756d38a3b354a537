//! What variables stand for at one moment.

use std::collections::BTreeMap;

use serde_json::Value;

/// The variable that names an attempt.
pub const ATTEMPT: &str = "attempt.id";

/// What variables stand for at one moment.
///
/// It may hold secrets, so it cannot be shown.
#[derive(Clone, Default)]
pub struct Values {
    known: BTreeMap<String, Value>,
    captured: BTreeMap<String, Value>,
}

/// Why a text cannot be filled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unfilled {
    /// A variable has no value here.
    Unknown(String),
    /// A variable that is no host would change the host of a URL.
    NotAPath(String),
    /// A header would get a second line.
    SecondLine(String),
}

impl Values {
    /// Gives a variable a value; `name` is without `${` and `}`.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.known.insert(name.into(), value.into());
        self
    }

    /// Adds a number to the name of an attempt, if there is one.
    #[must_use]
    pub fn numbered(self, number: u32) -> Self {
        match self.text(ATTEMPT) {
            Ok(attempt) => self.with(ATTEMPT, format!("{attempt}.{number}")),
            Err(_) => self,
        }
    }

    /// Gives a variable the value that a step of a journey has captured.
    pub fn capture(&mut self, name: impl Into<String>, value: impl Into<Value>) {
        self.captured.insert(name.into(), value.into());
    }

    /// Tells whether a variable was captured: a stranger has chosen its value.
    pub(crate) fn is_captured(&self, name: &str) -> bool {
        self.captured.contains_key(name)
    }

    /// Adds the values that these lack.
    #[must_use]
    pub fn or(mut self, others: Values) -> Self {
        for (name, value) in others.known {
            self.known.entry(name).or_insert(value);
        }
        self
    }

    /// Returns the value of a variable.
    pub(crate) fn get(&self, name: &str) -> Result<&Value, Unfilled> {
        // A stand-in for the ports of all names has only what begins them.
        let any_port = || self.known.get(name.get(.."task.port.".len()).filter(|it| *it == "task.port.")?);
        let value = self.captured.get(name).or_else(|| self.known.get(name)).or_else(any_port);
        value.ok_or_else(|| Unfilled::Unknown(name.to_owned()))
    }

    /// Returns the value of a variable as text.
    pub(crate) fn text(&self, name: &str) -> Result<String, Unfilled> {
        Ok(match self.get(name)? {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        })
    }
}

impl std::fmt::Display for Unfilled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Unfilled::Unknown(name) => write!(f, "${{{name}}} has no value"),
            Unfilled::NotAPath(name) => {
                write!(f, "the value of ${{{name}}} does not begin with \"/\" and would change the host")
            }
            Unfilled::SecondLine(header) => {
                write!(f, "the header {header:?} would have a line break or another control character in it")
            }
        }
    }
}

impl std::error::Error for Unfilled {}
