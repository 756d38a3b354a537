//! The one clock, which the runtime's own goes with: what a function measures is what the account shows.

use std::time::Duration;

use tokio::time::Instant;

#[derive(Clone, Copy, Debug)]
pub struct Clock {
    began: i64,
    since: Instant,
}

impl Clock {
    /// Sets it.
    pub fn starting_at(began: i64) -> Self {
        Clock { began, since: Instant::now() }
    }

    /// Reads it, in milliseconds since 1970.
    pub fn now(&self) -> i64 {
        self.began + i64::try_from(self.since.elapsed().as_millis()).unwrap_or(i64::MAX)
    }

    /// Returns a moment as the runtime has it.
    pub fn instant(&self, at: i64) -> Instant {
        self.since + Duration::from_millis(u64::try_from(at - self.began).unwrap_or_default())
    }
}
