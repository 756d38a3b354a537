//! An alarm of CloudWatch that changed its state.

use pipeline::alarm::StateChange;
use pipeline::clock::Timestamp;
use pipeline::environment::Environments;
use pipeline::text::{LONGEST_SENTENCE, line};
use pipeline::{Fault, document};
use serde::Deserialize;
use serde_json::Value;

use super::rules::Rules;
use super::{Cleared, News, Raised, Signal, place};
use crate::kind::AlertKind;

/// The event.
#[derive(Debug, Deserialize)]
struct Event {
    #[serde(default)]
    region: String,
    detail: StateChange,
}

/// Reads an event; nothing if it is no alarm of ours, or says nothing new.
pub fn news(
    event: Value,
    rules: &Rules,
    environments: &Environments,
    now: Timestamp,
) -> Result<Option<News>, Fault> {
    let Event { region, detail } = document::read("the event", event)?;
    let is_silenced = detail.silenced().is_some();
    let StateChange { alarm_name: alarm, state, .. } = detail;
    let at = state.timestamp.as_deref().and_then(moment).unwrap_or(now);
    // Too little data says nothing, and whoever muted an alarm does not want to hear of it.
    if !(state.value == "OK" || (state.value == "ALARM" && !is_silenced)) {
        return Ok(None);
    }
    let Some(place) = place::of_alarm(&alarm, &rules.alarms, environments) else { return Ok(None) };
    let about = format!("alarm {}", line(&alarm, 255));
    let reason = line(&state.reason, LONGEST_SENTENCE);
    let signal = Signal {
        id: format!("alarm/{alarm}"),
        kind: AlertKind::AlarmRaised,
        severity: place.severity,
        environment: place.environment,
        service: place.service,
        because: if reason.is_empty() { about.clone() } else { format!("{about}: {reason}") },
        about,
        lines: Vec::new(),
        link: link(&region, &alarm),
        quiet_seconds: None,
    };
    if state.value == "OK" {
        let because = format!("the alarm {} is OK again", line(&alarm, 255));
        let (id, holds_seconds) = (signal.id.clone(), rules.resolve_after_seconds);
        return Ok(Some(News::Cleared(Box::new(Cleared {
            id,
            at,
            because,
            holds_seconds,
            early: Some(signal),
        }))));
    }
    let raised = Raised { signal, at, times: 1, once: true, from: None, judged: place.judged };
    Ok(Some(News::Raised(Box::new(raised))))
}

/// Tells whether a rule of the document may say more of it than is known without.
pub fn may_be_of_a_rule(news: &Option<News>) -> bool {
    !matches!(news, Some(News::Cleared(_)))
}

/// Reads a moment as CloudWatch writes it, without a colon in the offset.
fn moment(text: &str) -> Option<Timestamp> {
    let text = text.strip_suffix("+0000").map_or_else(|| text.to_owned(), |begin| format!("{begin}Z"));
    Timestamp::parse(&text).ok()
}

/// Returns the page of an alarm in the console, if its name can stand in a link as it is.
fn link(region: &str, alarm: &str) -> Option<String> {
    let plain = |text: &str, more: &str| {
        !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
    };
    (plain(region, "-") && plain(alarm, "-_.")).then(|| {
        let host = format!("https://{region}.console.aws.amazon.com/cloudwatch/home");
        format!("{host}?region={region}#alarmsV2:alarm/{alarm}")
    })
}
