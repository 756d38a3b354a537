//! What one poll found, and the verdict that it comes to.

use pipeline::rows::{GateVerdict, Verdict};

/// What one poll found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// All of it is proven.
    Healthy,
    /// It has failed.
    Unhealthy,
    /// It has failed by something that says nothing of its image.
    Blameless,
    /// It may still come.
    NotYet,
    /// Its live tests go on after so many seconds; they know themselves how long they may.
    AgainIn(u32),
    /// It could not be measured this time.
    Unmeasured,
    /// It could not be measured, for good.
    Inconclusive,
    /// Somebody else owns the service.
    Superseded,
    /// The gate at which it waits may be passed.
    DarkHealthy,
    /// The gate at which it waits may not.
    DarkUnhealthy,
    /// The same, by something that says nothing of its image.
    DarkBlameless,
}

impl Finding {
    /// Makes a verdict of it: after the deadline nothing is waited for any longer.
    pub fn settle(self, reason: String, late: bool, seconds: u32) -> (Verdict, String) {
        match self {
            Finding::Healthy => (Verdict::Healthy, reason),
            Finding::Unhealthy | Finding::Blameless => (Verdict::Unhealthy, reason),
            Finding::Superseded => (Verdict::Superseded, reason),
            Finding::NotYet if late => {
                (Verdict::Unhealthy, format!("it did not become stable within {seconds} s: {reason}"))
            }
            Finding::Inconclusive => (Verdict::Inconclusive, reason),
            Finding::Unmeasured if late => {
                (Verdict::Inconclusive, format!("it could not be measured within {seconds} s: {reason}"))
            }
            Finding::NotYet | Finding::AgainIn(_) | Finding::Unmeasured => (Verdict::Pending, reason),
            // What is found at a gate decides nothing but the answer to it.
            Finding::DarkHealthy | Finding::DarkUnhealthy | Finding::DarkBlameless => {
                (Verdict::Pending, reason)
            }
        }
    }

    /// Returns what it lets a gate be answered; none if it is found at none, or says nothing yet.
    pub fn of_gate(self) -> Option<GateVerdict> {
        match self {
            Finding::DarkHealthy => Some(GateVerdict::DarkHealthy),
            Finding::DarkUnhealthy | Finding::DarkBlameless => Some(GateVerdict::DarkUnhealthy),
            _ => None,
        }
    }

    /// Tells whether what failed says nothing of the image.
    pub fn is_blameless(self) -> bool {
        matches!(self, Finding::Blameless | Finding::DarkBlameless)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_the_deadline_nothing_is_waited_for() {
        let settle = |finding: Finding, late| {
            let (verdict, reason) = finding.settle("why".to_owned(), late, 900);
            assert!(reason.ends_with("why"));
            verdict
        };
        for (finding, early, late) in [
            (Finding::Healthy, Verdict::Healthy, Verdict::Healthy),
            (Finding::Unhealthy, Verdict::Unhealthy, Verdict::Unhealthy),
            (Finding::Blameless, Verdict::Unhealthy, Verdict::Unhealthy),
            (Finding::DarkHealthy, Verdict::Pending, Verdict::Pending),
            (Finding::DarkUnhealthy, Verdict::Pending, Verdict::Pending),
            (Finding::DarkBlameless, Verdict::Pending, Verdict::Pending),
            (Finding::Superseded, Verdict::Superseded, Verdict::Superseded),
            (Finding::NotYet, Verdict::Pending, Verdict::Unhealthy),
            (Finding::AgainIn(2), Verdict::Pending, Verdict::Pending),
            (Finding::Inconclusive, Verdict::Inconclusive, Verdict::Inconclusive),
            (Finding::Unmeasured, Verdict::Pending, Verdict::Inconclusive),
        ] {
            assert_eq!((settle(finding, false), settle(finding, true)), (early, late), "{finding:?}");
        }
    }
}
