//! What there is to tell, and how urgent it is.

use serde::{Deserialize, Serialize};

/// What happened to a release: its outcome, or that it waits for a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "they are the outcomes of a release")]
pub enum Occasion {
    Deployed,
    RolledBack,
    NeedsHuman,
    Refused,
    Superseded,
    Rejected,
    Expired,
    /// It would go on if somebody agreed.
    WaitingForApproval,
}

/// How urgent it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know.
    Info,
    /// To be looked at when there is time.
    Warning,
    /// To be looked at now.
    Critical,
}

impl Occasion {
    /// Returns how urgent it is.
    pub fn severity(self) -> Severity {
        match self {
            Occasion::Deployed | Occasion::Superseded | Occasion::Rejected => Severity::Info,
            Occasion::Refused | Occasion::Expired | Occasion::WaitingForApproval => Severity::Warning,
            Occasion::RolledBack | Occasion::NeedsHuman => Severity::Critical,
        }
    }

    /// Returns the words that a message starts with.
    pub fn words(self) -> &'static str {
        match self {
            Occasion::Deployed => "Deployed",
            Occasion::RolledBack => "Rolled back",
            Occasion::NeedsHuman => "Needs a human",
            Occasion::Refused => "Refused",
            Occasion::Superseded => "Superseded",
            Occasion::Rejected => "Rejected",
            Occasion::Expired => "Expired",
            Occasion::WaitingForApproval => "Waiting for approval",
        }
    }

    /// Returns the name that the state machine uses.
    pub fn name(self) -> &'static str {
        match self {
            Occasion::RolledBack => "RolledBack",
            Occasion::NeedsHuman => "NeedsHuman",
            Occasion::WaitingForApproval => "WaitingForApproval",
            other => other.words(),
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
        for name in [
            "Deployed",
            "RolledBack",
            "NeedsHuman",
            "Refused",
            "Superseded",
            "Rejected",
            "Expired",
            "WaitingForApproval",
        ] {
            let occasion: Occasion = serde_json::from_value(name.into()).unwrap();
            assert_eq!(occasion.name(), name);
        }
    }

    #[test]
    fn what_a_person_must_look_at_now_is_critical() {
        let critical = |occasion: Occasion| occasion.severity() == Severity::Critical;
        assert!(critical(Occasion::RolledBack) && critical(Occasion::NeedsHuman));
        assert!(!critical(Occasion::Deployed) && !critical(Occasion::Refused));
    }
}
