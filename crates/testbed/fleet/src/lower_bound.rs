//! How fast a release could be at best: what the documented rates dictate, and what no pipeline can avoid.
//!
//! Each move of a wave registers a revision and writes up to three tags; the first 20 and the first 10 calls come from
//! full buckets, and after that one registration and ten tags come each second.  Every move's rollout has to end, and
//! an end is seen at the next poll of the cadence 5, 10, 30, 30, ... s.  A cold ledger reads every task definition
//! once before the first wave: 50 at once, and 20 a second.  Of the time that calls take, only that of the calls to ECS is
//! counted that every move has to make one after the other: the description of its service, and at first of its
//! revision, the registration, the update, and one for each poll.

/// The size of a bucket, and how much comes back each second.
const REGISTER: (f64, f64) = (20.0, 1.0);
const DESCRIBE_TASK_DEFINITION: (f64, f64) = (50.0, 20.0);
const UPDATE_SERVICE: (f64, f64) = (50.0, 5.0);
const PUT_IMAGE: (f64, f64) = (10.0, 10.0);

/// How long ECS takes to answer.
const ECS: f64 = 0.3;

/// How many tags a move writes: two keep-tags, and the environment's if its repository is its own.
const TAGS: f64 = 3.0;

/// The pause before the first poll, and those between the polls; the last one stays.
const FIRST: f64 = 5.0;
const PAUSES: [f64; 2] = [10.0, 30.0];

/// Returns the seconds that the rates alone dictate for the waves of so many services.
pub fn of_rates(waves: &[usize], cold: bool) -> f64 {
    opening(waves.iter().sum(), cold) + waves.iter().map(|services| starts_at(*services)).sum::<f64>()
}

/// Returns the seconds of the lower bound, given how long each rollout of each wave takes, in the order of its moves.
pub fn of(waves: &[Vec<f64>], cold: bool) -> f64 {
    let ends = |wave: &Vec<f64>| {
        let ends =
            wave.iter().enumerate().map(|(n, takes)| starts_at(n + 1) + 2.0 * ECS + seen_after(*takes));
        ends.fold(0.0, f64::max)
    };
    let described = if cold { 2.0 * ECS } else { ECS };
    opening(waves.iter().map(Vec::len).sum(), cold) + described + waves.iter().map(ends).sum::<f64>()
}

fn opening(services: usize, cold: bool) -> f64 {
    if cold { waited(services as f64, DESCRIBE_TASK_DEFINITION) } else { 0.0 }
}

/// Returns when the n-th move of a wave can start its rollout.
fn starts_at(n: usize) -> f64 {
    let n = n as f64;
    waited(n, REGISTER).max(waited(n, UPDATE_SERVICE)).max(waited(n * TAGS, PUT_IMAGE))
}

/// Returns when the n-th call of a full bucket gets through.
fn waited(n: f64, (size, refill): (f64, f64)) -> f64 {
    ((n - size) / refill).max(0.0)
}

/// Returns when a poll has seen the end of a rollout.
fn seen_after(takes: f64) -> f64 {
    let mut pauses = PAUSES.iter().chain(PAUSES.last().into_iter().cycle());
    let mut poll = FIRST;
    while poll < takes {
        poll += ECS + pauses.next().copied().unwrap_or(takes);
    }
    poll + ECS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rates_dictate_what_their_page_says() {
        assert_eq!(of_rates(&[20], false), 5.0);
        assert_eq!(of_rates(&[200], false), 180.0);
        assert_eq!(of_rates(&[200, 200], true), 360.0 + 17.5);
    }

    #[test]
    fn an_end_is_seen_at_the_next_look() {
        let seen = [1.0, 2.3, 7.5, 20.0, 48.0, 48.5].map(|takes| (seen_after(takes) * 10.0).round() / 10.0);
        assert_eq!(seen, [5.3, 5.3, 15.6, 45.9, 76.2, 76.2]);
        assert_eq!((of(&[vec![20.0]], false) * 10.0).round() / 10.0, 46.8);
    }
}
