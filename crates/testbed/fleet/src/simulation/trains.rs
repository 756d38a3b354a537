//! What follows a push: how the runs of its live tests end, people who act on a rollout that is stuck, and people who
//! regret one that went well.

use serde_json::json;
use states::Random;

use super::actors::{Acts, asked};
use super::draw::{below, one_of, some};
use super::world::SERVICES;
use crate::fake::{End, RunEnd};
use crate::machine::{Action, Hand, Pushed};

/// How long after a push somebody acts on a rollout that is stuck, in milliseconds.
const SEEN_MS: (i64, u64) = (25_000, 280_000);

/// How long after a push somebody regrets it, and how long after that somebody asks for it once more, in milliseconds.
const REGRETTED_MS: (i64, u64) = (240_000, 600_000);
const ONCE_MORE_MS: (i64, u64) = (120_000, 480_000);

/// How long a call lies there that was given up, in milliseconds.
const LONGEST_DELAY_MS: u64 = 9_000;

/// Adds to the pushes of a history what follows them; calls are lost where calls fail.
pub fn add(random: &mut Random, faults: bool, acts: &mut Acts) {
    let mut more = Acts::new();
    for (at, act) in acts.iter_mut() {
        let Action::Push(pushed) = act else { continue };
        pushed.run = run_end(random);
        let at = *at + pushed.late;
        match pushed.end {
            End::Never if some(random, 2) => stuck(random, at, pushed, &mut more),
            End::Completes if some(random, 5) => regretted(random, at, pushed, &mut more),
            _ if faults && some(random, 3) => lost(random, at, &mut more),
            _ => {}
        }
    }
    acts.extend(more);
}

fn run_end(random: &mut Random) -> RunEnd {
    const ENDS: [RunEnd; 5] =
        [RunEnd::Fails, RunEnd::NeverStarts, RunEnd::NeverEnds, RunEnd::CannotPull, RunEnd::NoRoom];
    if some(random, 3) { one_of(random, &ENDS) } else { RunEnd::Passes }
}

/// A person sees a rollout that does not end, and acts in the middle of it.
fn stuck(random: &mut Random, at: i64, pushed: &Pushed, acts: &mut Acts) {
    let (release, repository) = (pushed.name.clone(), pushed.repository.clone());
    let seen = at + SEEN_MS.0 + below(random, SEEN_MS.1);
    let service = service_of(random, &repository);
    let place = format!("dev/{service}");
    let asks = |suffix: &str, request| Action::Start(format!("{release}-{suffix}"), asked(request, "dev"));
    match random.below(8) {
        0 | 1 => acts.push((seen, asks("abort", json!({"mode": "abort", "release": release})))),
        2 => {
            let leave = json!({"mode": "abort", "release": release, "rollback": false});
            acts.push((seen, asks("abort", leave)));
            let later = seen + below(random, SEEN_MS.1);
            acts.push((later, asks("back", json!({"mode": "rollback", "release": release}))));
        }
        3 => acts.push((seen, asks("back", json!({"mode": "rollback", "release": release})))),
        4 => {
            acts.push((seen, Action::Stop(release.clone())));
            let later = seen + below(random, SEEN_MS.1);
            acts.push((later, asks("back", json!({"mode": "rollback", "release": release}))));
        }
        5 => acts.push((seen, Action::Hand(Hand::Deploy(place, repository)))),
        6 => acts.push((seen, Action::Hand(Hand::Force(place)))),
        _ => {
            // Two people do not know of each other.
            acts.push((seen, Action::Hand(Hand::Infrastructure(place))));
            acts.push((
                seen + below(random, 2_000),
                asks("abort", json!({"mode": "abort", "release": release})),
            ));
        }
    }
}

/// A person goes back from an image that went well, and later somebody asks for it who has not heard of that.
fn regretted(random: &mut Random, at: i64, pushed: &Pushed, acts: &mut Acts) {
    let (name, repository) = (&pushed.name, &pushed.repository);
    let regretted = at + REGRETTED_MS.0 + below(random, REGRETTED_MS.1);
    let service = service_of(random, repository);
    let back = json!({"mode": "rollback", "services": [service]});
    acts.push((regretted, Action::Start(format!("{name}-regret"), asked(back, "dev"))));
    let later = regretted + ONCE_MORE_MS.0 + below(random, ONCE_MORE_MS.1);
    let tag = format!("main-{name}");
    acts.push((
        later,
        match some(random, 2) {
            // A build makes the very same image again.
            true => Action::Hand(Hand::Tag(repository.clone(), format!("{tag}-rebuilt"), tag)),
            false => {
                let once_more = json!({"images": {repository: tag}, "services": [service]});
                Action::Start(format!("{name}-once-more"), asked(once_more, "dev"))
            }
        },
    ));
}

/// A call about the release is lost on its way: another one follows, beside which it does its work.
fn lost(random: &mut Random, at: i64, acts: &mut Acts) {
    let state = one_of(random, &["TakeLeases", "TakeLeases", "TakeLeases", "Judge", "CloseRelease"]);
    acts.push((at, Action::Lose(state, below(random, LONGEST_DELAY_MS))));
}

/// Draws one of the services that run a repository.
fn service_of(random: &mut Random, repository: &str) -> &'static str {
    let of: Vec<&str> =
        SERVICES.iter().filter(|(_, of)| of.contains(&repository)).map(|(service, _)| *service).collect();
    one_of(random, &of)
}
