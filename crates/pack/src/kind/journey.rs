//! Several requests, one after the other, of which later ones use what earlier ones answered.

use pipeline::Fault;
use serde::Deserialize;
use serde_json_path::JsonPath;

use super::http::{Http, path};
use crate::mistake::{Mistake, ensure};

/// The most steps of a journey.
const MOST_STEPS: usize = 20;

/// What a step takes from its answer.  A capture that finds nothing is a failed step.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "CaptureWritten")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(with = "CaptureWritten", inline))]
pub enum Capture {
    /// The value at this place of the body, read as JSON.
    Json(JsonPath),
    /// The value of this header.
    Header(String),
    /// The value of this cookie.
    Cookie(String),
    /// The whole body.
    Body,
}

/// One of its keys.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "Capture", extend("minProperties" = 1, "maxProperties" = 1)))]
struct CaptureWritten {
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    json: Option<String>,
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    header: Option<String>,
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    cookie: Option<String>,
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "bool"))]
    body: Option<bool>,
}

impl TryFrom<CaptureWritten> for Capture {
    type Error = Fault;
    fn try_from(written: CaptureWritten) -> Result<Self, Fault> {
        match written {
            CaptureWritten { json: Some(text), header: None, cookie: None, body: None } => {
                path(&text).map(Capture::Json)
            }
            CaptureWritten { json: None, header: Some(name), cookie: None, body: None } => {
                Ok(Capture::Header(name))
            }
            CaptureWritten { json: None, header: None, cookie: Some(name), body: None } => {
                Ok(Capture::Cookie(name))
            }
            CaptureWritten { json: None, header: None, cookie: None, body: Some(true) } => Ok(Capture::Body),
            _ => Err(Fault::InvalidInput(
                "it is not one thing to capture: expected `json`, `header`, `cookie`, or `body` with true"
                    .to_owned(),
            )),
        }
    }
}

/// Says what is wrong with the steps of a journey.
pub(crate) fn mistake(steps: &[Http]) -> Result<(), Mistake> {
    ensure((1..=MOST_STEPS).contains(&steps.len()), "journey", || {
        format!("{} steps: expected 1 to {MOST_STEPS}", steps.len())
    })?;
    for (at, step) in steps.iter().enumerate() {
        let mine = || {
            ensure(!step.name.is_empty(), "name", || {
                "a step has a name: expected one like \"login\"".to_owned()
            })?;
            ensure(step.repeat == 1, "repeat", || "a step is asked once: expected 1".to_owned())?;
            step.mistake()
        };
        mine().map_err(|mistake: Mistake| mistake.under(&format!("journey[{at}]")))?;
    }
    Ok(())
}

/// Says what is wrong with a request that is no step.
pub(crate) fn alone(http: &Http) -> Result<(), Mistake> {
    let only =
        |key: &str| format!("only a step of a journey has {key}: expected \"journey\" instead of \"http\"");
    ensure(http.name.is_empty(), "name", || only("a name of its own"))?;
    ensure(http.captures.is_empty(), "captures", || only("captures"))?;
    http.mistake()
}
