//! What is tried, and against what.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use health_test::secrets::Secrets;
use health_test::values::Known;
use pack::{Check, Pack, Phase, Values};
use pipeline::Fault;
use serde_json::Value;
use url::Url;

/// Tries live tests against one URL.  Exit codes: 0 passed, 1 failed, 2 could not be measured, 3 the pack or the call is
/// wrong, 4 nothing was run.
#[derive(clap::Parser)]
#[command(name = "try-pack")]
pub struct Call {
    /// The file with the pack.
    #[arg(long)]
    pack: PathBuf,
    /// Where the service answers, like http://localhost:8080; its variables stand for this.
    #[arg(long)]
    url: String,
    /// The one check to try; all without it.
    #[arg(long)]
    check: Option<String>,
    /// When the checks are asked: before, dark, live or bake; before and live without it.
    #[arg(long)]
    phase: Option<String>,
    /// Variables, like "user=probe service=users".
    #[arg(long, default_value = "")]
    vars: String,
    /// A file with the secrets of the pack: a JSON object of their names and values.
    #[arg(long)]
    secrets: Option<PathBuf>,
}

impl Call {
    /// Reads the pack.
    pub fn pack(&self) -> Result<Pack, Fault> {
        let pack = Pack::read(&self.pack.display().to_string(), &read(&self.pack)?)?;
        if let Some(name) = &self.check
            && !pack.checks.iter().any(|check| check.name == *name)
        {
            let names: Vec<&str> = pack.checks.iter().map(|check| check.name.as_str()).collect();
            return Err(wrong("CHECK", &format!("{name:?} is not in the pack"), &names.join(", ")));
        }
        if let Some(phase) = self.phase.as_deref()
            && !["before", "dark", "live", "bake"].contains(&phase)
        {
            return Err(wrong(
                "PHASE",
                &format!("{phase:?} is none that can be tried"),
                "before, dark, live or bake",
            ));
        }
        Ok(pack)
    }

    /// Returns the phases to try, in their order.
    pub fn phases(&self) -> Vec<Phase> {
        let wanted = |phase: &Phase| match &self.phase {
            Some(name) => phase.as_str() == name,
            None => matches!(phase, Phase::Open | Phase::Before | Phase::Live),
        };
        Phase::ALL.into_iter().filter(wanted).collect()
    }

    /// Tells whether a check is tried.
    pub fn wants(&self, check: &Check) -> bool {
        self.check.as_ref().is_none_or(|name| *name == check.name)
    }

    /// Returns what every address of the service stands for.
    pub fn address(&self) -> Result<String, Fault> {
        let (host, port) = self.place()?;
        Ok(format!("{host}:{port}"))
    }

    /// Returns what the variables stand for.
    pub fn known(&self) -> Result<Known, Fault> {
        let (host, port) = self.place()?;
        let address = self.address()?;
        let mut values = Values::default();
        for (name, value) in [
            ("task.address", address.as_str()),
            ("task.ip", &host),
            ("task.port", &port.to_string()),
            ("task.port.", &port.to_string()),
            ("target.dns", &host),
            ("environment", "laptop"),
            ("service", "service"),
            ("image.digest", "unknown"),
            ("image.commit", "unknown"),
            ("release.id", "laptop"),
        ] {
            values = values.with(name, value);
        }
        for pair in self.vars.split_whitespace() {
            let (name, value) = pair
                .split_once('=')
                .ok_or_else(|| wrong("VARS", &format!("{pair:?} has no ="), "name=value"))?;
            values = values.with(name, value);
        }
        Ok(Known { values, attempt: "laptop".to_owned() })
    }

    /// Reads the secrets.
    pub fn secrets(&self) -> Result<Secrets, Fault> {
        let Some(path) = &self.secrets else { return Ok(Secrets::default()) };
        let what = "a JSON object of names and texts";
        let object: BTreeMap<String, Value> =
            serde_json::from_str(&read(path)?).map_err(|_| wrong("SECRETS", "it cannot be read", what))?;
        let texts = object.into_iter().map(|(name, value)| match value {
            Value::String(text) => Ok((name, text)),
            _ => Err(wrong("SECRETS", &format!("{name:?} is not a text"), what)),
        });
        Ok(Secrets::given(texts.collect::<Result<_, _>>()?))
    }

    fn place(&self) -> Result<(String, u16), Fault> {
        let expected = "one like http://localhost:8080";
        let url = Url::parse(&self.url)
            .map_err(|_| wrong("URL", &format!("{:?} is no URL", self.url), expected))?;
        match (url.scheme(), url.host_str(), url.port_or_known_default()) {
            ("http" | "https", Some(host), Some(port)) => Ok((host.to_owned(), port)),
            _ => Err(wrong("URL", &format!("{:?} is not asked over HTTP", self.url), expected)),
        }
    }
}

fn read(path: &Path) -> Result<String, Fault> {
    std::fs::read_to_string(path)
        .map_err(|error| Fault::InvalidInput(format!("{} cannot be read: {error}", path.display())))
}

fn wrong(what: &str, why: &str, expected: &str) -> Fault {
    Fault::InvalidInput(format!("{what}: {why}: expected {expected}"))
}
