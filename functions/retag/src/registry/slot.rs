//! Start slots: the pace of all releases of the account, kept in one row.
//!
//! ECS takes about one registration a second after a burst of twenty.  So the row holds the moment up to which
//! slots are given out; each draw moves it by a second, and a burst may run ahead of the clock.

use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::ledger::{Key, Ledger};

/// Milliseconds between two starts.
const INTERVAL_MS: i64 = 1000;

/// How far the slots may run ahead before a start has to wait: a little less than the burst that ECS allows.
const AHEAD_MS: i64 = 15 * INTERVAL_MS;

/// Draws the next slot.
pub async fn draw(ledger: &Ledger, now: Timestamp) -> Result<Timestamp, Fault> {
    let given_out = ledger.advance(&Key::pace(), INTERVAL_MS, now.millis()).await?;
    Ok(start(given_out, now))
}

/// Returns when a move may start, given the moment up to which slots are given out.
fn start(given_out: i64, now: Timestamp) -> Timestamp {
    now.max(Timestamp::from_millis(given_out.saturating_sub(AHEAD_MS)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_starts_at_once_and_the_rest_is_paced() {
        let now = Timestamp::from_millis(1_000_000);
        let starts: Vec<i64> =
            (1..=17).map(|n| start(now.millis() + n * INTERVAL_MS, now).millis() - now.millis()).collect();
        assert_eq!(starts[..15], [0; 15]);
        assert_eq!(starts[15..], [1000, 2000]);
    }
}
