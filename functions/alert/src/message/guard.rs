//! What is told of the guard: that it has rolled a release back, or that it did not act.

use pipeline::rows::{GUARD_DECLINED, HeadRow};
use serde_json::Value;

use super::stands::UNCHANGED;
use super::{Facts, How};
use crate::kind::{Act, AlertKind, Severity};

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

    /// Says how it is told, instead of what the outcome of its run alone would say.
    pub(super) fn told(&self, facts: &Facts<'_>, plain: How) -> How {
        let Guard::RolledBack { alarm, release, head } = self else {
            let (words, stands) = ("Guard declined".to_owned(), Some(UNCHANGED.to_owned()));
            let because = facts.request.because.as_deref().unwrap_or_default();
            let because = because.strip_prefix(GUARD_DECLINED).unwrap_or(because).trim_start_matches(": ");
            return How {
                words,
                stands,
                because: Some(because.to_owned()),
                about: Some(String::new()),
                ..plain
            };
        };
        let acts = head.findings.iter().any(|finding| finding.text.contains(ACT_NOW));
        let because = format!(
            "the alarm {alarm} went to ALARM after {release} was deployed: what ran before runs again, tested live"
        );
        How {
            words: "Rolled back by an alarm".to_owned(),
            severity: Severity::Critical,
            act: if acts { Act::Now } else { Act::None },
            event: AlertKind::RolledBack.event(),
            because: Some(because),
            ..plain
        }
    }

    /// Says how to go forward again.
    pub(super) fn forward(&self) -> Option<String> {
        let Guard::RolledBack { release, .. } = self else { return None };
        Some(format!(
            "To go forward: push a new image. What {release} brought is on hold here; the same image again takes \
             \"force\" and a \"reason\"."
        ))
    }
}
