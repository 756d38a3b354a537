//! What one poll found, and the verdict that it comes to.

use pipeline::rows::Verdict;

/// What one poll found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// All of it is proven.
    Healthy,
    /// It has failed.
    Unhealthy,
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
}

impl Finding {
    /// Makes a verdict of it: after the deadline nothing is waited for any longer.
    pub fn settle(self, reason: String, late: bool, seconds: u32) -> (Verdict, String) {
        match self {
            Finding::Healthy => (Verdict::Healthy, reason),
            Finding::Unhealthy => (Verdict::Unhealthy, reason),
            Finding::Superseded => (Verdict::Superseded, reason),
            Finding::NotYet if late => {
                (Verdict::Unhealthy, format!("it did not become stable within {seconds} s: {reason}"))
            }
            Finding::Inconclusive => (Verdict::Inconclusive, reason),
            Finding::Unmeasured if late => {
                (Verdict::Inconclusive, format!("it could not be measured within {seconds} s: {reason}"))
            }
            Finding::NotYet | Finding::AgainIn(_) | Finding::Unmeasured => (Verdict::Pending, reason),
        }
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
