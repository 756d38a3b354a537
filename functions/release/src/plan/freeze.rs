//! What a frozen environment refuses, and what passes it.  Pure.

use pipeline::ids::EnvironmentName;
use pipeline::rows::FrozenRow;

use super::spec::ReleaseSpec;

/// What froze an environment.
#[derive(Clone, Debug, PartialEq)]
pub enum Freeze {
    /// Its document.
    Document,
    /// A person, or a release that failed.
    Row(FrozenRow),
}

impl Freeze {
    /// Tells why it refuses a release, if it does: a freeze stops what goes forward.
    ///
    /// What goes back passes.  Past the freeze of a person it takes a reason, since that person did not expect it; a
    /// release that froze its environment by itself asks for nothing better.
    pub fn refuses(&self, name: &EnvironmentName, spec: &ReleaseSpec) -> Option<String> {
        // The guard is nobody who could have a reason.
        if spec.alarm.is_some() {
            return Some(self.named(name));
        }
        let back = spec.to.goes_back();
        let reasoned = spec.reason.as_ref().is_some_and(|reason| !reason.trim().is_empty());
        if back && (reasoned || self.is_automatic()) {
            return None;
        }
        let expected = match self {
            _ if back => "a rollback passes it with a \"reason\": expected one in the request",
            Freeze::Document => "expected \"frozen\": false in its document",
            Freeze::Row(row) if row.automatic => "expected a rollback, and then a resume",
            Freeze::Row(_) => "expected a resume",
        };
        Some(format!("{}: {expected}", self.named(name)))
    }

    /// Says in the answer of what passes it that it is there, and stays.
    pub fn passed(&self, name: &EnvironmentName) -> String {
        format!("{}, and stays so", self.named(name))
    }

    /// Says who froze an environment.
    pub fn named(&self, name: &EnvironmentName) -> String {
        match self {
            Freeze::Document => format!("{name} is frozen by its document"),
            Freeze::Row(FrozenRow { by, because, since, automatic: true, .. }) => {
                format!("{name} is frozen since {since} by release {by}, which failed ({because})")
            }
            Freeze::Row(FrozenRow { by, because, since, .. }) => {
                format!("{name} is frozen since {since} by {by} ({because})")
            }
        }
    }

    fn is_automatic(&self) -> bool {
        matches!(self, Freeze::Row(row) if row.automatic)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::tests::{release, spec};
    use crate::plan::{ImageSelection, ReleaseSpec};
    use pipeline::clock::Timestamp;

    fn freeze(automatic: bool) -> Freeze {
        let (by, since) = (release("r5"), Timestamp::from_millis(0));
        Freeze::Row(FrozenRow { frozen: true, by, because: "the sale".to_owned(), since, automatic })
    }

    #[test]
    fn a_freeze_stops_what_goes_forward_and_a_persons_asks_why_something_goes_back() {
        let forward = spec().to;
        let back = [ImageSelection::Previous, ImageSelection::RestorePointsOf(release("r1"))];
        let prod = EnvironmentName::parse("prod").unwrap();
        let (person, failed, document) = (freeze(false), freeze(true), Freeze::Document);
        let why = |freeze: &Freeze, to: &ImageSelection, reason: Option<&str>| {
            let reason = reason.map(str::to_owned);
            freeze.refuses(&prod, &ReleaseSpec { to: to.clone(), reason, force: true, ..spec() })
        };
        let said = |why: Option<String>, expected: &str| assert_eq!(why.as_deref(), Some(expected));
        for reason in [None, Some("it is urgent")] {
            said(
                why(&person, &forward, reason),
                "prod is frozen since 1970-01-01T00:00:00Z by r5 (the sale): expected a resume",
            );
            said(
                why(&failed, &forward, reason),
                "prod is frozen since 1970-01-01T00:00:00Z by release r5, which failed (the sale): expected a \
                 rollback, and then a resume",
            );
            said(
                why(&document, &forward, reason),
                "prod is frozen by its document: expected \"frozen\": false in its document",
            );
        }
        for to in &back {
            for (freeze, bare) in [(&person, false), (&failed, true), (&document, false)] {
                assert_eq!(why(freeze, to, Some("it is bad")), None, "{freeze:?}");
                for no_reason in [None, Some(" ")] {
                    assert_eq!(why(freeze, to, no_reason).is_none(), bare, "{freeze:?}");
                }
            }
        }
        said(
            why(&person, &back[0], None),
            "prod is frozen since 1970-01-01T00:00:00Z by r5 (the sale): a rollback passes it with a \"reason\": \
             expected one in the request",
        );
    }
}
