//! A text that must not get out by accident, and where it is kept.

use std::collections::BTreeMap;

use pipeline::Fault;
use serde::de::Error;
use serde::{Deserialize, Deserializer};

/// A secret: it has no `Debug`, no `Display` and no `Serialize`, and neither has what contains it.
#[derive(Clone, Deserialize)]
pub struct Secret(String);

impl Secret {
    /// Keeps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Secret(text.into())
    }

    /// Returns the text, for the one place that needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

/// Below which names a secret may be kept, in Parameter Store or, by it, in Secrets Manager.
const PLACES: [&str; 2] = ["/tidegate/secrets/", "/aws/reference/secretsmanager/tidegate/"];

/// The name of a parameter that holds a secret.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference(String);

impl Reference {
    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn of(text: &str) -> Option<Self> {
        let name = |c: char| c.is_ascii_alphanumeric() || "/_.-+=@".contains(c);
        let kept = PLACES.iter().any(|place| text.len() > place.len() && text.starts_with(place));
        (kept && text.chars().all(name)).then(|| Reference(text.to_owned()))
    }
}

impl<'de> Deserialize<'de> for Reference {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Reference::of(&text).ok_or_else(|| {
            D::Error::custom(
                "expected a reference such as \"/tidegate/secrets/slack\", not the secret itself",
            )
        })
    }
}

/// A text that may be secret: written where it is used, or kept elsewhere.
#[derive(Clone)]
pub enum Kept {
    /// As it is written.
    Here(Secret),
    /// In a parameter.
    There(Reference),
}

impl<'de> Deserialize<'de> for Kept {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Ok(Reference::of(&text).map_or_else(|| Kept::Here(Secret::new(text)), Kept::There))
    }
}

impl Kept {
    /// Returns where it is kept, if that is elsewhere.
    pub fn reference(&self) -> Option<&Reference> {
        match self {
            Kept::Here(_) => None,
            Kept::There(reference) => Some(reference),
        }
    }
}

/// The secrets of one channel, as far as they could be read.
#[derive(Default)]
pub struct Secrets(pub BTreeMap<Reference, Result<Secret, Fault>>);

impl Secrets {
    /// Returns a secret.
    pub fn get(&self, reference: &Reference) -> Result<&Secret, Fault> {
        match self.0.get(reference) {
            Some(Ok(secret)) => Ok(secret),
            Some(Err(fault)) => Err(fault.clone()),
            None => Err(Fault::Defect(format!("{} was not read", reference.as_str()))),
        }
    }

    /// Returns a text that may be one.
    pub fn of<'a>(&'a self, kept: &'a Kept) -> Result<&'a Secret, Fault> {
        match kept {
            Kept::Here(secret) => Ok(secret),
            Kept::There(reference) => self.get(reference),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_a_name_below_one_of_two_places() {
        for (text, is) in [
            ("/tidegate/secrets/slack", true),
            ("/aws/reference/secretsmanager/tidegate/pd", true),
            ("/tidegate/secrets/", false),
            ("/aws/reference/secretsmanager/other", false),
            ("/tidegate/secrets/a b", false),
            ("hunter2", false),
        ] {
            let read: Result<Reference, _> = serde_json::from_value(text.into());
            assert_eq!(read.is_ok(), is, "{text}");
            assert!(read.err().is_none_or(|error| !error.to_string().contains("hunter2")));
        }
    }
}
