//! Who holds a service: when a lease may be taken over, and which moves have lost theirs.  Pure.

use pipeline::clock::Timestamp;
use pipeline::ids::ReleaseId;
use pipeline::rows::{LeaseRow, MoveRow};

use crate::ports::Execution;

/// How long an ended execution's last function may still write: the longest time-out in the template, and a margin.
pub const LAST_WRITE_SECONDS: i64 = 70;

/// How long Step Functions may not know an execution that has just begun: far longer than its answers lag behind.
const UNKNOWN_SECONDS: i64 = 600;

/// Tells whether a lease may be taken over that was taken then, by an execution of which that is known.
///
/// An execution can be stopped while one of its functions runs on, so that function's time-out is waited out.
pub fn may_take_over(holder: Execution, taken: Timestamp, now: Timestamp) -> bool {
    match holder {
        Execution::Running => false,
        Execution::Ended(ended) => now.seconds_since(ended) >= LAST_WRITE_SECONDS,
        Execution::Unknown => now.seconds_since(taken) >= UNKNOWN_SECONDS,
    }
}

/// Tells to whom a move of a release has lost its service, if it has.
pub fn lost(release: &ReleaseId, row: &MoveRow, lease: Option<&LeaseRow>) -> Option<String> {
    match lease {
        Some(lease) if lease.is_held_by(release, row.fence) => None,
        Some(LeaseRow { release: Some(holder), .. }) if holder == release => {
            // Its leases were taken once more, by a call that failed before it wrote the moves again.
            row.started.map(|_| format!("another call of {release} has taken the lease again"))
        }
        Some(LeaseRow { release: Some(other), .. }) => {
            Some(format!("release {other} has taken the service over"))
        }
        Some(lease) if lease.fence > row.fence => {
            Some("another release has taken the service over, and has ended".to_owned())
        }
        _ => Some(format!("{release} no longer holds the lease of the service, and nobody does")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::tests::row;

    #[test]
    fn a_lease_is_never_taken_from_one_who_may_still_write() {
        let now = Timestamp::from_millis(10_000_000);
        let check = |holder, taken: i64, expected: bool| {
            assert_eq!(may_take_over(holder, now.plus_seconds(-taken), now), expected, "{holder:?} {taken}");
        };
        check(Execution::Running, 9_000, false);
        check(Execution::Ended(now.plus_seconds(-69)), 9_000, false);
        check(Execution::Ended(now.plus_seconds(-70)), 9_000, true);
        check(Execution::Unknown, 3, false);
        check(Execution::Unknown, 599, false);
        check(Execution::Unknown, 600, true);
    }

    #[test]
    fn a_move_is_lost_to_whoever_took_its_lease() {
        let release = ReleaseId::parse("r1").unwrap();
        let started = Some(Timestamp::from_millis(0));
        let check = |holder: Option<&str>, fence, started, expected: Option<&str>| {
            let holder = holder.map(str::to_owned);
            let named = holder.as_deref().map(|name| ReleaseId::parse(name).unwrap());
            let lease = LeaseRow { holder, release: named, fence, since: Timestamp::from_millis(0) };
            let row = MoveRow { fence: 3, started, ..row("users") };
            assert_eq!(lost(&release, &row, Some(&lease)).as_deref(), expected);
        };
        check(Some("r1"), 3, started, None);
        check(Some("r1"), 4, started, Some("another call of r1 has taken the lease again"));
        check(Some("r1"), 4, None, None);
        check(Some("r2"), 4, None, Some("release r2 has taken the service over"));
        check(None, 4, started, Some("another release has taken the service over, and has ended"));
        check(None, 3, started, Some("r1 no longer holds the lease of the service, and nobody does"));
        assert!(lost(&release, &row("users"), None).is_some());
    }
}
