//! What is baked into an image: the version it claims to be, and how it behaves.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::str::FromStr;

use serde::de::IntoDeserializer;
use serde::de::value::Error as ValueError;
use serde::{Deserialize, Serialize};

/// Describes one version of the service: the content of `behaviour.json`.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Baked {
    /// Names the version, as every answer and log line repeats it.
    pub version: String,
    /// Says what the version does with a request.
    pub behaviour: Behaviour,
}

/// Lists the ways a version can be good or bad, by what it takes to notice.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Behaviour {
    /// Answers everything as it should.
    Good,
    /// Answers 500 to everything but `/health`: healthy to ECS and the load balancer, not to a live test.
    #[serde(rename = "answers-500")]
    Answers500,
    /// Answers 200 with the wrong text and the wrong status: only a test that reads the body sees it.
    WrongContent,
    /// Is good at even addresses and answers wrongly at odd ones: of two neighbours, one is bad.
    WrongAtOdd,
    /// Answers for about a second, then exits with code 1: the circuit breaker sees it.
    Crashes,
    /// Answers 503 to `/health` for ever: its targets never become healthy.
    NeverReady,
    /// Answers everything as it should, and says of itself, run with `check`, that it is broken.
    FailsCheck,
    /// Answers everything as it should, and logs a panic whenever people ask: only its log tells.
    Panics,
}

impl Baked {
    /// Names the file, beside the executable, that holds it.
    pub const FILE: &str = "behaviour.json";

    /// Settles what depends on where it runs.
    pub(crate) fn at(self, host: &str) -> Self {
        let odd = host.ends_with(['1', '3', '5', '7', '9']);
        let behaviour = match self.behaviour {
            Behaviour::WrongAtOdd if odd => Behaviour::WrongContent,
            Behaviour::WrongAtOdd => Behaviour::Good,
            other => other,
        };
        Baked { behaviour, ..self }
    }

    /// Reads what was baked in beside this executable.
    ///
    /// Beside, and not at an absolute path: an image may be unpacked anywhere and started without chroot.
    pub fn beside(executable: &Path) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let path = executable.with_file_name(Self::FILE);
        let text = fs::read(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        serde_json::from_slice(&text)
            .map_err(|error| format!("cannot understand {}: {error}", path.display()).into())
    }
}

impl FromStr for Behaviour {
    type Err = ValueError;

    fn from_str(name: &str) -> Result<Self, ValueError> {
        Self::deserialize(name.into_deserializer())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_behaviour_is_read_by_its_name() {
        for name in [
            "good",
            "answers-500",
            "wrong-content",
            "wrong-at-odd",
            "crashes",
            "never-ready",
            "fails-check",
            "panics",
        ] {
            let baked: Baked =
                serde_json::from_str(&format!(r#"{{"version":"v2","behaviour":"{name}"}}"#)).unwrap();
            assert_eq!(baked.behaviour, name.parse().unwrap());
        }
    }

    #[test]
    fn of_two_neighbours_one_is_bad() {
        let at =
            |host| Baked { version: "v2".to_owned(), behaviour: Behaviour::WrongAtOdd }.at(host).behaviour;
        assert_eq!((at("127.0.0.4"), at("127.0.0.5")), (Behaviour::Good, Behaviour::WrongContent));
    }

    #[test]
    fn unknown_behaviour_is_refused_with_the_known_ones() {
        let error = "goood".parse::<Behaviour>().unwrap_err().to_string();
        assert!(error.contains("`goood`") && error.contains("`never-ready`"), "{error}");
    }

    #[test]
    fn missing_file_is_named() {
        let error = Baked::beside(Path::new("/nowhere/demo-service")).unwrap_err().to_string();
        assert!(error.starts_with("cannot read /nowhere/behaviour.json"), "{error}");
    }
}
