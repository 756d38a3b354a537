//! The rate of the calls of all releases of the account, one row for each kind of call.
//!
//! AWS takes so many calls at once, and so many a second after that.  The row holds the moment up to which calls are
//! reserved.  Each reservation moves it on, and a burst may run ahead of the clock.

use crate::Fault;
use crate::clock::Timestamp;
use crate::ledger::{Key, Ledger};

/// How fast one kind of call may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// The name of its row.
    action: &'static str,
    /// Milliseconds between two calls.
    pub interval_ms: i64,
    /// How many may come at once.
    pub burst: i64,
}

/// RegisterTaskDefinition: ECS takes 20 at once and one a second; one and a little are left to others.
pub const REGISTER: RateLimit = RateLimit { action: "register", interval_ms: 1020, burst: 19 };

/// UpdateService in a rollback: ECS takes 50 at once and 5 a second, and the way forward needs one a second.
pub const UPDATE: RateLimit = RateLimit { action: "update", interval_ms: 300, burst: 30 };

/// PutImage: ECR takes 10 a second.
pub const PUT: RateLimit = RateLimit { action: "put", interval_ms: 120, burst: 9 };

impl RateLimit {
    /// Reserves `calls` calls, and returns when the first may be made.
    ///
    /// Who knows that others reserve at the same moment saves a write.
    pub async fn reserve(
        self,
        ledger: &Ledger,
        (calls, is_crowded): (i64, bool),
        now: Timestamp,
    ) -> Result<Timestamp, Fault> {
        let step = calls * self.interval_ms;
        let key = Key::rate_limit(self.action);
        let reserved = ledger.advance(&key, step, now.millis(), is_crowded).await?;
        Ok(self.start(reserved, now))
    }

    /// Returns when calls may be made that are reserved up to `reserved`.
    pub fn start(self, reserved: i64, now: Timestamp) -> Timestamp {
        now.max(Timestamp::from_millis(reserved.saturating_sub(self.burst * self.interval_ms)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_starts_at_once_and_the_rest_is_paced() {
        let now = Timestamp::from_millis(1_000_000);
        let limit = RateLimit { action: "test", interval_ms: 1000, burst: 15 };
        let starts: Vec<i64> =
            (1..=17).map(|n| limit.start(now.millis() + n * 1000, now).millis() - now.millis()).collect();
        assert_eq!(starts[..15], [0; 15]);
        assert_eq!(starts[15..], [1000, 2000]);
    }

    #[test]
    fn no_pace_is_faster_than_what_aws_documents() {
        let documented = [(REGISTER, 20, 1.0), (UPDATE, 50, 5.0), (PUT, 10, 10.0)];
        for (limit, burst, per_second) in documented {
            let own = 1000.0 / limit.interval_ms as f64;
            assert!(limit.burst < burst && own < per_second, "{limit:?}");
        }
        // Both kinds of UpdateService share one bucket.
        let updates = 1000.0 / UPDATE.interval_ms as f64 + 1000.0 / REGISTER.interval_ms as f64;
        assert!(updates < 5.0 && UPDATE.burst + REGISTER.burst < 50);
    }
}
