//! What is told of the guard: that it has rolled a release back, or that it did not act.

use pipeline::rows::{GUARD_DECLINED, HeadRow};
use serde_json::Value;

use super::Facts;
use crate::kind::{AlertKind, Severity};

/// What a finding says that a person has to look at.
const ACT_NOW: &str = "Act now";

/// What the guard did.
pub(super) enum Guard<'a> {
    /// It has rolled a release back, for an alarm.
    RolledBack { alarm: &'a str, release: &'a str, head: &'a HeadRow },
    /// It did not act.
    Declined,
}

impl<'a> Guard<'a> {
    /// Returns what it did, if a message is about that.
    pub(super) fn of(facts: &'a Facts<'_>) -> Option<Self> {
        let Some(head) = &facts.context.report.head else {
            let because = facts.request.because.as_deref().unwrap_or_default();
            return because.starts_with(GUARD_DECLINED).then_some(Guard::Declined);
        };
        let alarm = head.request.get("alarm").and_then(Value::as_str)?;
        let release =
            head.request.get("to").and_then(|to| to.get("restorePointsOf")).and_then(Value::as_str)?;
        (facts.request.outcome == AlertKind::Deployed).then_some(Guard::RolledBack { alarm, release, head })
    }

    /// Returns the words that a message starts with.
    pub(super) fn words(&self, outcome: AlertKind) -> String {
        match self {
            Guard::RolledBack { alarm, .. } => format!("Rolled back by the alarm {alarm}"),
            Guard::Declined if outcome == AlertKind::NeedsHuman => "Guard declined, act now".to_owned(),
            Guard::Declined => "Guard declined".to_owned(),
        }
    }

    /// Returns how urgent it is: a release was bad, whether or not anything is left to do.
    pub(super) fn severity(&self, outcome: AlertKind) -> Severity {
        match self {
            Guard::RolledBack { .. } => Severity::Critical,
            Guard::Declined => outcome.severity(),
        }
    }

    /// Says what happened, where the outcome alone would say something else.
    pub(super) fn because(&self) -> Option<String> {
        let Guard::RolledBack { alarm, release, head } = self else { return None };
        let act = match head.findings.iter().any(|finding| finding.text.contains(ACT_NOW)) {
            true => "Act now: what was found says where.",
            false => "Nothing to do now.",
        };
        Some(format!(
            "the alarm {alarm} went to ALARM after {release} was deployed: what ran before runs again, tested live. {act}"
        ))
    }

    /// Says how to go forward again.
    pub(super) fn lines(&self) -> Vec<String> {
        let Guard::RolledBack { release, .. } = self else { return Vec::new() };
        let forward = format!(
            "To go forward: push a new image. What {release} brought is on hold here; the same image again takes \
             \"force\" and a \"reason\"."
        );
        vec![forward, String::new()]
    }
}
