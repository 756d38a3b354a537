//! The secrets that some checks use, for as long as they are asked.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::future::join_all;
use pack::blank::{SHORTEST, Secret};
use pack::secret::SecretRef;
use pack::{Check, Pack, Values, variable};
use pipeline::Fault;
use serde_json::Value;
use tokio::time::timeout;

use crate::rollout::Port;

/// How long reading them may take; well below the function's own time-out.
const PATIENCE: Duration = Duration::from_secs(6);

/// The secrets of some checks, by name; or why one cannot be had.
#[derive(Clone, Default)]
pub struct Secrets(BTreeMap<String, Result<Secret, Fault>>);

impl Secrets {
    /// Reads what some checks use, each once.
    pub async fn of(port: &impl Port, pack: &Pack, checks: impl IntoIterator<Item = &Check>) -> Self {
        let requests = checks.into_iter().flat_map(|check| check.kind.requests());
        let names = requests.flat_map(|http| http.secrets().chain(http.ca.as_deref()));
        let names: BTreeSet<&str> = names.collect();
        let places = names.into_iter().filter_map(|name| Some((name, pack.secrets.get(name)?)));
        let reading = places.map(async |(name, place)| {
            let slow = |_| Fault::Unavailable(format!("{} was not read in time", place.parameter));
            let read = timeout(PATIENCE, port.secret(&place.parameter)).await.map_err(slow);
            (name.to_owned(), read.and_then(|text| text).and_then(|text| secret(place, text)))
        });
        Secrets(join_all(reading).await.into_iter().collect())
    }

    /// Takes secrets as they are.
    pub fn given(texts: BTreeMap<String, String>) -> Self {
        let place = |name: &str| SecretRef { parameter: format!("the secret {name:?}"), key: None };
        let found = texts.into_iter().map(|(name, text)| (name.clone(), secret(&place(&name), text)));
        Secrets(found.collect())
    }

    /// Returns what has to be kept out of what is shown.
    pub fn blanked(&self) -> Vec<Secret> {
        self.0.values().filter_map(|secret| secret.as_ref().ok()).cloned().collect()
    }

    /// Adds the values that a check may use; or says which of its secrets is missing, and why.
    pub fn add(&self, check: &Check, mut values: Values) -> Result<Values, String> {
        for name in check.kind.requests().iter().flat_map(|http| http.secrets().chain(http.ca.as_deref())) {
            match self.0.get(name) {
                Some(Ok(secret)) => values = values.with(variable::of_secret(name), secret.value()),
                Some(Err(fault)) => return Err(format!("the secret {name:?}: {fault}")),
                None => return Err(format!("the secret {name:?} is not one of the pack")),
            }
        }
        Ok(values)
    }

    /// Returns the first that cannot be had, and why.
    pub fn missing(&self) -> Option<(&str, &Fault)> {
        self.0.iter().find_map(|(name, secret)| Some((name.as_str(), secret.as_ref().err()?)))
    }
}

/// Takes a secret out of the text of its parameter.
fn secret(place: &SecretRef, text: String) -> Result<Secret, Fault> {
    let text = match &place.key {
        None => text,
        Some(key) => {
            let wrong = || Fault::InvalidInput(format!("{} is no object with {key:?}", place.parameter));
            let object: Value = serde_json::from_str(&text).map_err(|_| wrong())?;
            match object.get(key) {
                Some(Value::String(text)) => text.clone(),
                Some(value @ (Value::Number(_) | Value::Bool(_))) => value.to_string(),
                _ => return Err(wrong()),
            }
        }
    };
    // Who writes a file has a line break at its end, which nobody means.
    Secret::new(text.trim_end_matches(['\r', '\n'])).ok_or_else(|| {
        Fault::InvalidInput(format!(
            "{} is shorter than {SHORTEST} characters and could not be kept out of reports",
            place.parameter
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_the_text_or_one_of_its_keys() {
        for (text, key, expected) in [
            ("hush-1234", None, Ok("hush-1234")),
            (r#"{"token":"hush-1234"}"#, Some("token"), Ok("hush-1234")),
            (r#"{"pin":123456}"#, Some("pin"), Ok("123456")),
            (r#"{"token":"hush"}"#, Some("user"), Err("/shop/key is no object with \"user\"")),
            ("hush-1234\r\n", None, Ok("hush-1234")),
            ("hush-1234", Some("token"), Err("/shop/key is no object with \"token\"")),
            (r#"{"token":{}}"#, Some("token"), Err("/shop/key is no object with \"token\"")),
            ("abc", None, Err("/shop/key is shorter than 4 characters and could not be kept out of reports")),
        ] {
            let place = SecretRef { parameter: "/shop/key".to_owned(), key: key.map(str::to_owned) };
            let found = secret(&place, text.to_owned());
            let found = found.map(|secret| secret.value().to_owned()).map_err(|fault| fault.to_string());
            assert_eq!(found.as_deref().map_err(String::as_str), expected, "{text} {key:?}");
        }
    }
}
