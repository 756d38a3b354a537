//! What there is to tell, and how urgent it is.

use pipeline::rows::Outcome;
use serde::de::{Error, IntoDeserializer};
use serde::{Deserialize, Deserializer, Serialize};

/// What happened: the outcome of a release, how far it is, that it waits for a person, or that a request was carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "they are the outcomes of a release")]
pub enum AlertKind {
    Deployed,
    RolledBack,
    NeedsHuman,
    Refused,
    Superseded,
    Rejected,
    Expired,
    /// A request that is no release was carried out: a freeze, its end, or the end of a release.
    Answered,
    /// It would go on if somebody agreed.
    WaitingForApproval,
    /// A later release has settled what it left to a person.
    Resolved,
    /// It has its leases, and is about to change its first service.
    Started,
    /// It begins to roll back.
    RollingBack,
    /// Nothing: somebody tries the channels.
    Test,
    /// An alarm of CloudWatch is red.
    AlarmRaised,
    /// A deployment failed that is none of the pipeline's.
    DeploymentFailed,
    /// ECS cannot do what a service wants.
    ServiceTroubled,
    /// A task of a service ended by itself.
    TaskDied,
    /// Lines of a log match a rule.
    LogMatched,
    /// Somebody changed a document.
    SettingsChanged,
    /// A document cannot be read any more.
    SettingsInvalid,
    /// So much happens at once that it is told as one.
    Storm,
}

/// What can be told of a release, by the names that the state machine uses.
const OF_A_RELEASE: [&str; 13] = [
    "Deployed",
    "RolledBack",
    "NeedsHuman",
    "Refused",
    "Superseded",
    "Rejected",
    "Expired",
    "Answered",
    "WaitingForApproval",
    "Started",
    "RollingBack",
    "Resolved",
    "Test",
];

/// Reads what is told of a release.
pub fn of_a_release<'de, D: Deserializer<'de>>(deserializer: D) -> Result<AlertKind, D::Error> {
    let name = String::deserialize(deserializer)?;
    if !OF_A_RELEASE.contains(&name.as_str()) {
        return Err(D::Error::unknown_variant(&name, &OF_A_RELEASE));
    }
    AlertKind::deserialize(name.into_deserializer())
}

impl From<Outcome> for AlertKind {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Deployed => AlertKind::Deployed,
            Outcome::RolledBack => AlertKind::RolledBack,
            Outcome::NeedsHuman => AlertKind::NeedsHuman,
            Outcome::Refused => AlertKind::Refused,
            Outcome::Superseded => AlertKind::Superseded,
            Outcome::Rejected => AlertKind::Rejected,
            Outcome::Expired => AlertKind::Expired,
        }
    }
}

/// How grave it is; the gravest comes last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know.
    Info,
    /// To be looked at when there is time.
    Warning,
    /// Something has failed.
    Critical,
}

/// Whether somebody has to act: this decides who is woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Act {
    /// Nobody.
    None,
    /// When there is time.
    Soon,
    /// Now.
    Now,
}

impl Act {
    /// Says it, as the last words of a title.
    pub fn phrase(self) -> &'static str {
        match self {
            Act::None => "Nothing to do now.",
            Act::Soon => "Look when you can.",
            Act::Now => "Act now.",
        }
    }
}

impl AlertKind {
    /// Tells whether it only says how far a release is: more will be told of it.
    pub fn is_progress(self) -> bool {
        matches!(self, AlertKind::Started | AlertKind::RollingBack)
    }

    /// Tells whether it is told to whom a route names for it, and to nobody else.
    pub fn is_told_by_route_alone(self) -> bool {
        self.is_progress() || self == AlertKind::SettingsChanged
    }

    /// Tells whether it is the end of a release.
    pub fn is_end(self) -> bool {
        matches!(
            self,
            AlertKind::Deployed
                | AlertKind::RolledBack
                | AlertKind::NeedsHuman
                | AlertKind::Refused
                | AlertKind::Superseded
                | AlertKind::Rejected
                | AlertKind::Expired
        )
    }

    /// Returns the name that the state machine uses.
    pub fn name(self) -> &'static str {
        self.facts().0
    }

    /// Returns the words that a message starts with.
    pub fn words(self) -> &'static str {
        self.facts().1
    }

    /// Returns the type of the event, as routes and programs name it.
    pub fn event(self) -> &'static str {
        self.facts().2
    }

    /// Returns how grave it is, if no rule says otherwise.
    pub fn severity(self) -> Severity {
        self.facts().3
    }

    /// Returns whether somebody has to act, if nothing says otherwise: not on what is rolled back and proven.
    pub fn act(self) -> Act {
        self.facts().4
    }

    /// Its name, its words, its event, how grave it is, and whether somebody has to act.
    fn facts(self) -> (&'static str, &'static str, &'static str, Severity, Act) {
        use Severity::{Critical, Info, Warning};
        match self {
            AlertKind::Deployed => ("Deployed", "Deployed", "release.deployed", Info, Act::None),
            AlertKind::RolledBack => {
                ("RolledBack", "Rolled back", "release.rolled_back", Critical, Act::None)
            }
            AlertKind::NeedsHuman => {
                ("NeedsHuman", "Needs a human", "release.needs_human", Critical, Act::Now)
            }
            AlertKind::Refused => ("Refused", "Refused", "release.refused", Warning, Act::Soon),
            AlertKind::Superseded => ("Superseded", "Superseded", "release.superseded", Info, Act::None),
            AlertKind::Rejected => ("Rejected", "Rejected", "release.rejected", Info, Act::None),
            AlertKind::Expired => ("Expired", "Expired", "release.expired", Warning, Act::Soon),
            AlertKind::Answered => ("Answered", "Request carried out", "request.answered", Info, Act::None),
            AlertKind::WaitingForApproval => {
                ("WaitingForApproval", "Waiting for approval", "release.waiting", Warning, Act::Soon)
            }
            AlertKind::Resolved => ("Resolved", "Resolved", "release.resolved", Info, Act::None),
            AlertKind::Started => ("Started", "Started", "release.started", Info, Act::None),
            AlertKind::RollingBack => {
                ("RollingBack", "Rolling back", "release.rolling_back", Info, Act::None)
            }
            AlertKind::Test => ("Test", "Test", "alert.test", Info, Act::None),
            AlertKind::AlarmRaised => ("AlarmRaised", "Alarm", "alarm.raised", Warning, Act::Soon),
            AlertKind::DeploymentFailed => {
                ("DeploymentFailed", "Deployment failed", "ecs.deployment_failed", Warning, Act::Soon)
            }
            AlertKind::ServiceTroubled => {
                ("ServiceTroubled", "Service in trouble", "ecs.service_troubled", Warning, Act::Soon)
            }
            AlertKind::TaskDied => ("TaskDied", "Task died", "ecs.task_died", Warning, Act::Soon),
            AlertKind::LogMatched => ("LogMatched", "Log", "log.matched", Warning, Act::Soon),
            AlertKind::SettingsChanged => {
                ("SettingsChanged", "Settings changed", "settings.changed", Info, Act::None)
            }
            AlertKind::SettingsInvalid => {
                ("SettingsInvalid", "Settings invalid", "settings.invalid", Warning, Act::Soon)
            }
            AlertKind::Storm => ("Storm", "Many alerts", "alert.storm", Critical, Act::Now),
        }
    }
}

impl Severity {
    /// Returns its name.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Critical => "critical",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_what_the_machine_sends() {
        for name in OF_A_RELEASE {
            let kind: AlertKind = serde_json::from_value(name.into()).unwrap();
            assert_eq!(kind.name(), name);
        }
    }

    #[test]
    fn what_a_person_must_look_at_now_is_critical() {
        let critical = |kind: AlertKind| kind.severity() == Severity::Critical;
        assert!(critical(AlertKind::RolledBack) && critical(AlertKind::NeedsHuman));
        assert!(!critical(AlertKind::Deployed) && !critical(AlertKind::Refused));
        assert_eq!(AlertKind::Answered.severity(), Severity::Info);
    }

    #[test]
    fn an_outcome_is_told_under_its_own_name() {
        use Outcome::{Deployed, Expired, NeedsHuman, Refused, Rejected, RolledBack, Superseded};
        for outcome in [Deployed, RolledBack, NeedsHuman, Refused, Superseded, Rejected, Expired] {
            assert_eq!(serde_json::to_value(outcome).unwrap(), AlertKind::from(outcome).name());
        }
    }
}
