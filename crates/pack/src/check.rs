//! One test of a pack.

use pipeline::text::shown;
use serde::Deserialize;
use serde_json::Value;

use crate::kind::http::Http;
use crate::kind::image::Image;
use crate::kind::logs::Logs;
use crate::kind::metric::Metric;
use crate::kind::run::{Suite, SuiteWritten, Task, TaskWritten};
use crate::kind::{Alarms, Kind, Targets, journey};
use crate::mistake::{Mistake, ensure};
use crate::phase::Phase;
use crate::span::Span;
use crate::texts;
use crate::variable::{self, Each};

/// The longest name of a check.
const LONGEST_NAME: usize = 64;

/// One test.
#[derive(Debug, Clone)]
pub struct Check {
    /// What it is called in a report.
    pub name: String,
    /// What it looks at.
    pub kind: Kind,
    /// When it is asked.
    pub on: Vec<Phase>,
    /// Whether it says so itself; its kind does otherwise.
    pub says_on: bool,
    /// What it is asked of in one round.
    pub each: Each,
    /// How often it is asked at most, but for rounds that measure nothing.
    pub attempts: u32,
    /// How often it must pass.
    pub passes: u32,
    /// How long to wait between two rounds, if it says so.
    pub interval: Option<Span>,
    /// How long nothing may be measured.
    pub patience: Span,
    /// How long it is watched while the release bakes.
    pub watched: Span,
    /// Whether it only tells.
    pub advisory: bool,
    /// Whether no later pack may replace it, or switch it off.
    pub required: bool,
    /// Where it is written.
    pub(crate) place: String,
    /// As it is written.
    pub(crate) written: Value,
}

/// A check as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Check"))]
#[cfg_attr(feature = "schema", schemars(extend("oneOf" = crate::schema::one_kind())))]
pub(crate) struct CheckWritten {
    /// What it is called in a report.
    #[cfg_attr(
        feature = "schema",
        schemars(length(min = 1, max = 64), extend("pattern" = "^[A-Za-z0-9 ._/-]*$"))
    )]
    pub name: String,
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Http"))]
    http: Option<Box<Http>>,
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<Http>", length(min = 1, max = 20)))]
    journey: Option<Vec<Http>>,
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "TaskWritten"))]
    task: Option<TaskWritten>,
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "SuiteWritten"))]
    suite: Option<SuiteWritten>,
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Image"))]
    image: Option<Image>,
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Logs"))]
    logs: Option<Logs>,
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Metric"))]
    metric: Option<Metric>,
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Alarms"))]
    alarms: Option<Alarms>,
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Targets"))]
    targets: Option<Targets>,
    /// When it is asked; its kind says so otherwise.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<Phase>", length(min = 1)))]
    on: Option<Vec<Phase>>,
    /// How often it is asked at most, but for rounds that measure nothing.
    #[serde(default = "once")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1)))]
    attempts: u32,
    /// How often it must pass.
    #[serde(default = "once")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1)))]
    passes: u32,
    /// How long to wait between two rounds.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Span"))]
    interval: Option<Span>,
    /// How long nothing may be measured.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Span"))]
    patience: Option<Span>,
    /// How long it is watched while the release bakes.
    #[serde(default, rename = "for")]
    #[cfg_attr(feature = "schema", schemars(with = "Span"))]
    watched: Option<Span>,
    /// Whether it only tells.
    #[serde(default)]
    advisory: bool,
    /// Whether no later pack may replace it, or switch it off.
    #[serde(default)]
    required: bool,
    /// Whether the check of this name is dropped.
    #[serde(default)]
    pub off: bool,
}

impl Check {
    /// Returns how long to wait between two rounds in a phase.
    pub fn interval(&self, phase: Phase) -> Span {
        self.interval.unwrap_or(if phase == Phase::Bake { Span::seconds(30) } else { Span::seconds(2) })
    }

    /// Tells whether a variable is in one of its texts.
    pub fn uses(&self, variable: &str) -> bool {
        texts::variables(&self.kind).into_iter().any(|(_, name)| name == variable)
    }

    /// Tells whether it is asked of new tasks alone, and may be before production traffic reaches them.
    ///
    /// A fixed address leads to the old tasks then, so that a check of one has to say that it is asked in the dark.
    pub(crate) fn is_of_new_tasks(&self) -> bool {
        let alone = self.each != Each::Once || matches!(self.kind, Kind::Suite(_));
        alone && !self.uses("target.dns") && self.kind.phases().contains(&Phase::Dark)
    }

    /// Returns how many failures are one too many.
    pub fn failures(&self) -> u32 {
        self.attempts.saturating_sub(self.passes).saturating_add(1)
    }

    /// Makes a check of what is written; `place` and `value` are where, and what.
    pub(crate) fn of(written: CheckWritten, place: &str, value: Value) -> Result<Self, Mistake> {
        let CheckWritten { name, on, attempts, passes, interval, patience, watched, .. } = &written;
        let (on, attempts, passes, interval) = (on.clone(), *attempts, *passes, *interval);
        let (patience, watched, name) = (*patience, *watched, name.clone());
        let (advisory, required) = (written.advisory, written.required);
        plain(&name)?;
        ensure(attempts > 0, "attempts", || "it has no attempts: expected at least 1".to_owned())?;
        ensure((1..=attempts).contains(&passes), "passes", || {
            format!("{passes} of {attempts} attempts cannot pass: expected 1 to {attempts}")
        })?;
        let kind = kind(written)?;
        let each = texts::each(&kind)?;
        if let Some(instead) = of_the_whole(&kind) {
            ensure(each == Each::Once, kind.as_str(), || {
                format!(
                    "it is of the whole service: expected {instead}no ${{task.…}} and no ${{target.address}}"
                )
            })?;
        }
        let says_on = on.is_some();
        let on = phases(&kind, on)?;
        let bakes = on.contains(&Phase::Bake);
        ensure(bakes || watched.is_none(), "for", || {
            "it is not watched while the release bakes: expected \"on\" to have bake".to_owned()
        })?;
        Ok(Check {
            name,
            on,
            says_on,
            each,
            attempts,
            passes,
            interval: interval.or(between(&kind)),
            patience: patience.unwrap_or(waits(&kind)),
            watched: watched.unwrap_or(Span::seconds(120)),
            advisory,
            required,
            kind,
            place: place.to_owned(),
            written: value,
        })
    }
}

/// Returns what a check uses instead of one of several addresses, if it is asked once whatever they are.
fn of_the_whole(kind: &Kind) -> Option<&'static str> {
    match kind {
        Kind::Metric(_) => Some(""),
        Kind::Suite(_) => Some("TIDEGATE_TARGETS in what it runs, "),
        _ => None,
    }
}

/// Returns how long to wait between two rounds that see different things, if that is longer than usual.
fn between(kind: &Kind) -> Option<Span> {
    let Kind::Metric(metric) = kind else { return None };
    Some(Span::seconds(u64::try_from(metric.seconds()).unwrap_or_default()))
}

/// Returns how long nothing may be measured: of a metric, a whole period has to be over first, and have its values.
fn waits(kind: &Kind) -> Span {
    let Kind::Metric(metric) = kind else { return Span::seconds(120) };
    let period = u64::try_from(metric.seconds()).unwrap_or_default();
    Span::seconds(period.saturating_mul(2).saturating_add(u64::from(metric.arrives())).saturating_add(60))
}

/// Refuses a name that cannot be shown.
fn plain(name: &str) -> Result<(), Mistake> {
    let plain = |c: char| c.is_ascii_alphanumeric() || " ._-/".contains(c);
    let good = (1..=LONGEST_NAME).contains(&name.len()) && name.chars().all(plain);
    ensure(good, "name", || {
        format!(
            "{} is not a name: expected 1 to {LONGEST_NAME} letters, digits, ' ', '.', '_', '-' or '/'",
            shown(name)
        )
    })
}

/// Returns its one kind.
fn kind(written: CheckWritten) -> Result<Kind, Mistake> {
    let CheckWritten { http, journey, task, suite, image, logs, metric, alarms, targets, .. } = written;
    let task = task.map(|task| Task::of(task).map(Kind::Task).map_err(|mistake| mistake.under("task")));
    let suite =
        suite.map(|suite| Suite::of(suite).map(Kind::Suite).map_err(|mistake| mistake.under("suite")));
    let kinds = [
        http.map(Kind::Http).map(Ok),
        journey.map(Kind::Journey).map(Ok),
        task,
        suite,
        image.map(Kind::Image).map(Ok),
        logs.map(Kind::Logs).map(Ok),
        metric.map(Kind::Metric).map(Ok),
        alarms.map(Kind::Alarms).map(Ok),
        targets.map(Kind::Targets).map(Ok),
    ];
    let mut kinds: Vec<Kind> = kinds.into_iter().flatten().collect::<Result<_, _>>()?;
    let Some(kind) = kinds.pop().filter(|_| kinds.is_empty()) else {
        return Err(Mistake::at(
            "name",
            "a check looks at one thing: expected one of `http`, `journey`, `task`, `suite`, `image`, `logs`, \
             `metric`, `alarms`, `targets`",
        ));
    };
    let mistake = match &kind {
        Kind::Http(http) => journey::alone(http),
        Kind::Image(image) => image.mistake(),
        Kind::Logs(logs) => logs.mistake(),
        Kind::Metric(metric) => metric.mistake(),
        Kind::Journey(steps) => return journey::mistake(steps).map(|()| kind),
        Kind::Alarms(Alarms { names }) => {
            ensure(!names.is_empty(), "names", || "none is named: expected the name of an alarm".to_owned())
        }
        Kind::Task(_) | Kind::Suite(_) | Kind::Targets(_) => Ok(()),
    };
    match mistake {
        Ok(()) => Ok(kind),
        Err(mistake) => Err(mistake.under(kind.as_str())),
    }
}

/// Returns the phases of a check: those that are written, or those of its kind that know its variables.
fn phases(kind: &Kind, on: Option<Vec<Phase>>) -> Result<Vec<Phase>, Mistake> {
    let Some(mut on) = on else {
        let own: Vec<Phase> = kind.phases().iter().copied().take(1).collect();
        let unknown = texts::variables(kind).into_iter().find_map(|(key, name)| {
            let known = variable::find(name)?;
            own.iter().any(|phase| !known.phases.contains(phase)).then_some((key, name))
        });
        return match unknown {
            None => Ok(own),
            Some((key, name)) => Err(Mistake::at(
                key,
                format!(
                    "${{{name}}} is not known in {}, which is when {} is asked: expected another variable",
                    texts::names(&own),
                    kind.as_str()
                ),
            )),
        };
    };
    let stranger = on.iter().find(|phase| !kind.phases().contains(phase));
    ensure(stranger.is_none() && !on.is_empty(), "on", || {
        let stranger = stranger.map_or("no phase", |phase| phase.as_str());
        format!(
            "{} cannot be asked in {stranger}: expected some of {}",
            kind.as_str(),
            texts::names(kind.phases())
        )
    })?;
    on.sort_unstable();
    on.dedup();
    Ok(on)
}

fn once() -> u32 {
    1
}
