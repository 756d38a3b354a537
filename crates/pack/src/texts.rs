//! The texts of a check that have variables in them, and whether those are known there.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use pipeline::text::shown;

use crate::check::Check;
use crate::kind::Kind;
use crate::kind::http::Http;
use crate::mistake::{Mistake, ensure, expected};
use crate::phase::Phase;
use crate::secret::SecretRef;
use crate::template::{Json, Template};
use crate::url_template::UrlTemplate;
use crate::values::{Unfilled, Values};
use crate::variable::{self, Each};

/// A text with variables in it.
#[derive(Clone, Copy)]
pub(crate) enum Text<'a> {
    /// One of a request, or of what is compared.
    Plain(&'a Template),
    /// The same, as JSON.
    Json(&'a Json),
    /// A URL.
    Url(&'a UrlTemplate),
    /// What a run is told: DescribeTasks shows it.
    Told(&'a Template),
    /// What a function is told: its logs may show it.
    Details(&'a Json),
}

/// A text with its key.
pub(crate) type Keyed<'a> = (&'static str, Text<'a>);

/// What a pack gives its checks.
#[derive(Clone, Copy)]
pub(crate) struct Given<'a> {
    pub variables: &'a BTreeMap<String, Value>,
    pub secrets: &'a BTreeMap<String, SecretRef>,
}

impl<'a> Text<'a> {
    pub(crate) fn variables(self) -> Vec<&'a str> {
        match self {
            Text::Plain(text) | Text::Told(text) | Text::Url(UrlTemplate(text)) => text.variables().collect(),
            Text::Json(json) | Text::Details(json) => json.variables(),
        }
    }

    fn may_hold_secrets(self) -> bool {
        !matches!(self, Text::Told(_) | Text::Details(_))
    }
}

/// Returns each text of a check, but for its requests.
fn of_kind(kind: &Kind) -> Vec<Keyed<'_>> {
    match kind {
        Kind::Task(task) => task.run.texts(),
        Kind::Suite(suite) => suite.texts(),
        Kind::Image(image) => image.texts(),
        Kind::Metric(metric) => metric.texts(),
        Kind::Http(_) | Kind::Journey(_) | Kind::Logs(_) | Kind::Alarms(_) | Kind::Targets(_) => Vec::new(),
    }
}

/// Returns the variables of a check with their keys, captures among them.
pub(crate) fn variables(kind: &Kind) -> Vec<(&'static str, &str)> {
    let texts = of_kind(kind).into_iter().chain(kind.requests().iter().flat_map(Http::texts));
    texts.flat_map(|(key, text)| text.variables().into_iter().map(move |name| (key, name))).collect()
}

/// Says which of its variables a check cannot know.
pub(crate) fn mistake(check: &Check, given: Given<'_>) -> Result<(), Mistake> {
    let mut captured = BTreeSet::new();
    for (key, text) in of_kind(&check.kind) {
        known(check, given, &captured, key, text)?;
    }
    let is_journey = matches!(check.kind, Kind::Journey(_));
    for (at, http) in check.kind.requests().iter().enumerate() {
        let place =
            |mistake: Mistake| if is_journey { mistake.under(&format!("journey[{at}]")) } else { mistake };
        of_request(check, given, &captured, http).map_err(place)?;
        captured.extend(http.captures.keys().map(String::as_str));
    }
    Ok(())
}

fn of_request(
    check: &Check,
    given: Given<'_>,
    captured: &BTreeSet<&str>,
    http: &Http,
) -> Result<(), Mistake> {
    for (key, text) in http.texts() {
        known(check, given, captured, key, text)?;
    }
    if let Some(ca) = http.ca.as_ref().filter(|ca| !given.secrets.contains_key(*ca)) {
        let secrets = given.secrets.keys().map(String::as_str);
        return Err(Mistake::at("ca", format!("{ca:?} is no secret of the pack: {}", expected(ca, secrets))));
    }
    for name in http.captures.keys() {
        ensure(variable::is_free(name) && !given.variables.contains_key(name), "captures", || {
            format!(
                "{} has a meaning already or is no name: expected another one, of letters, digits, - and _",
                shown(name)
            )
        })?;
    }
    let stand_ins = stand_ins(given, captured);
    http.url.fill(&stand_ins).map_err(|unfilled| Mistake::at("url", host(&unfilled)))?;
    let mut connect = http.connect.iter().flat_map(Template::variables);
    let stranger = connect.find(|name| !may_be_host(name, captured));
    ensure(stranger.is_none(), "connect", || {
        format!(
            "${{{}}} is no host: expected an address or a variable of the pack",
            stranger.unwrap_or_default()
        )
    })
}

fn may_be_host(name: &str, captured: &BTreeSet<&str>) -> bool {
    let known = variable::find(name);
    !captured.contains(name) && variable::secret(name).is_none() && known.is_none_or(|known| known.is_host)
}

fn host(unfilled: &Unfilled) -> String {
    match unfilled {
        Unfilled::NotAPath(name) => {
            format!(
                "${{{name}}} must not reach the host: expected an address or a variable of the pack there"
            )
        }
        other => other.to_string(),
    }
}

/// Says whether a check knows the variables of one of its texts.
fn known(
    check: &Check,
    given: Given<'_>,
    captured: &BTreeSet<&str>,
    key: &str,
    text: Text<'_>,
) -> Result<(), Mistake> {
    for name in text.variables() {
        if let Some(secret) = variable::secret(name) {
            ensure(text.may_hold_secrets() && !check.kind.requests().is_empty(), key, || {
                format!(
                    "${{{name}}} would be shown: expected it in \"http\" or \"journey\", or in the task definition of the suite"
                )
            })?;
            let secrets = given.secrets.keys().map(String::as_str);
            ensure(given.secrets.contains_key(secret), key, || {
                format!("${{{name}}} is no secret of the pack: {}", expected(secret, secrets))
            })?;
        } else if let Some(known) = variable::find(name) {
            ensure(known.is_known_to(&check.kind), key, || {
                format!("${{{name}}} is a dimension: expected it in \"metric\"")
            })?;
            let missing = check.on.iter().find(|phase| !known.phases.contains(phase));
            ensure(missing.is_none(), key, || {
                let phase = missing.map_or("", |phase| phase.as_str());
                format!(
                    "${{{name}}} is not known in {phase}: expected \"on\" to be of {}",
                    names(known.phases)
                )
            })?;
        } else {
            let is_ours = given.variables.contains_key(name) || captured.contains(name);
            ensure(is_ours, key, || {
                format!("${{{name}}} is none of its variables: {}", all(check, given, captured, name))
            })?;
        }
    }
    Ok(())
}

/// Names all variables that a check could use.
fn all(check: &Check, given: Given<'_>, captured: &BTreeSet<&str>, meant: &str) -> String {
    let known =
        variable::KNOWN.iter().filter(|known| check.on.iter().all(|phase| known.phases.contains(phase)));
    let known = known.filter(|known| known.is_known_to(&check.kind));
    let known = known.map(|known| if known.name.ends_with('.') { "task.port.NAME" } else { known.name });
    let ours = given.variables.keys().map(String::as_str).chain(captured.iter().copied());
    let all: Vec<&str> = known.chain(ours).collect();
    expected(meant, all.iter().copied())
}

/// Names phases.
pub(crate) fn names(phases: &[Phase]) -> String {
    let names: Vec<&str> = phases.iter().map(|phase| phase.as_str()).collect();
    names.join(", ")
}

/// Says what a check is asked of, by its variables.
pub(crate) fn each(kind: &Kind) -> Result<Each, Mistake> {
    let mut asks = Each::Once;
    for (key, name) in variables(kind) {
        let one = variable::find(name).map_or(Each::Once, |known| known.each);
        ensure(asks == Each::Once || one == Each::Once || asks == one, key, || {
            "a check asks tasks or targets: expected only one of ${task.…} and ${target.address}".to_owned()
        })?;
        if one != Each::Once {
            asks = one;
        }
    }
    Ok(asks)
}

/// Returns a value for every variable, of the shape that it has.
fn stand_ins(given: Given<'_>, captured: &BTreeSet<&str>) -> Values {
    let mut values = crate::asked::stand_ins(given.variables);
    for name in given.secrets.keys() {
        values = values.with(variable::of_secret(name), "/");
    }
    for name in captured {
        values.capture(*name, "/");
    }
    values
}

#[cfg(test)]
mod tests;
