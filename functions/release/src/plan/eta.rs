//! How long a release takes: at the rate of the account, with the rollouts that were measured.  Pure.

use pipeline::rate_limit::REGISTER;

/// How long a rollout is taken to last where none was measured.
pub const ASSUMED_SECONDS: u32 = 120;

/// How long each wave takes, its bake included.
///
/// `waves` has the seconds of each rollout; `concurrency` of them run at once.  A rollout starts when a place and a
/// start are free, and calls that nobody uses come back up to the burst.
pub fn waves(waves: &[Vec<u32>], concurrency: u32, bake_seconds: u32) -> Vec<u32> {
    let (mut now, mut reserved, mut lengths) = (0_i64, 0_i64, Vec::new());
    for rollouts in waves {
        let start = now;
        let mut running: Vec<i64> = Vec::new();
        for seconds in rollouts {
            if running.len() >= concurrency.max(1) as usize {
                let first = running.iter().enumerate().min_by_key(|(_, end)| **end).map(|(n, _)| n);
                now = now.max(first.map_or(now, |n| running.swap_remove(n)));
            }
            reserved = reserved.max(now) + REGISTER.interval_ms;
            let start = (reserved - REGISTER.burst * REGISTER.interval_ms).max(now);
            running.push(start + i64::from(*seconds) * 1000);
        }
        now = running.into_iter().max().unwrap_or(now) + i64::from(bake_seconds) * 1000;
        lengths.push(u32::try_from((now - start).div_euclid(1000)).unwrap_or(u32::MAX));
    }
    lengths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_services_take_as_long_as_the_slowest_and_the_bake() {
        assert_eq!(waves(&[vec![30, 50, 40]], 10, 60), [110]);
        assert_eq!(waves(&[vec![30], vec![50, 40]], 10, 60), [90, 110]);
        assert_eq!(waves(&[], 10, 60), [0; 0]);
    }

    #[test]
    fn a_place_is_waited_for() {
        assert_eq!(waves(&[vec![30, 50, 40]], 1, 0), [120]);
        assert_eq!(waves(&[vec![30, 50, 40]], 2, 0), [70]);
    }

    #[test]
    fn many_services_start_at_the_pace_of_the_account() {
        let [length] = waves(&[vec![30; 200]], 200, 0)[..] else { panic!("one wave") };
        let paced = (200 - REGISTER.burst) * REGISTER.interval_ms / 1000;
        assert_eq!(i64::from(length), paced + 30);
        // The second wave finds the burst again that the first one left while its last rollouts ran.
        let both = waves(&[vec![30; 200], vec![30; 200]], 200, 0);
        assert!(both[1] <= both[0], "{both:?}");
    }
}
