//! What may go wrong in a release, service by service.

use fleet::cluster::Placed;
use proptest::collection::vec;
use proptest::prelude::*;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// An image of each repository, for services that nobody has verified yet.
    Images,
    /// What was verified before, for services that run something verified.
    Previous,
}

/// One release.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Draws what comes first of what is due at the same moment.
    pub seed: u64,
    /// The policy's `onFailure`.
    pub on_failure: &'static str,
    /// The policy's `concurrency`.
    pub concurrency: usize,
    /// A state outside of the maps whose first answer is lost, and after how many other calls its work is done.
    pub twice: Option<(&'static str, usize)>,
    /// The services.
    pub moves: Vec<Move>,
}

/// One service, and how it goes for it.
#[derive(Clone, Debug)]
pub struct Move {
    /// Its place among the services.
    pub n: usize,
    /// The number of its repository.
    pub repository: usize,
    /// Its wave.
    pub wave: usize,
    /// Whether nothing may put it back.
    pub forward_only: bool,
    /// What happens on the way.
    pub forward: Trouble,
    /// What happens in a rollback.
    pub back: Trouble,
}

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Nothing.
    None,
    /// The circuit breaker gives the rollout up.
    GivenUp,
    /// It does, and ECS goes back.
    SentBack,
    /// The rollout never ends.
    Never,
    /// It ends, and another image runs.
    OtherImage,
    /// ECS does not answer any more.
    Unseen,
    /// ECS denies this operation.
    Denied(&'static str),
    /// The function of this state denies.
    Fails(&'static str),
    /// The answer of this state is lost once.
    Lost(&'static str),
    /// The item dies before this state.
    Dies(&'static str),
    /// The item dies after it.
    DiesAfter(&'static str),
    /// Somebody else deploys before it.
    Overtaken(&'static str),
}

impl Move {
    /// Returns its service and its repository.
    pub fn placed(&self) -> Placed {
        Placed { service: format!("s{}", self.n), repository: format!("shop/r{}", self.repository) }
    }
}

/// Makes releases of 1 to 12 services in 1 to 4 waves.
pub fn releases() -> impl Strategy<Value = Scenario> {
    let policy = prop_oneof![3 => Just("undo-all"), 1 => Just("undo-failed"), 1 => Just("freeze")];
    let one = || (0..4_usize, 1..=3_usize, prop::bool::weighted(0.3), forward(), back());
    // Most are small: they are quick, and go wrong in fewer ways at once.
    let all = prop_oneof![4 => vec(one(), 1..=4), 1 => vec(one(), 5..=12)];
    let states = prop::sample::select(vec!["OpenRelease", "TakeLeases", "Judge", "CloseRelease"]);
    let twice = prop::option::weighted(0.5, (states, 0..10_usize));
    (any::<u64>(), policy, 1..=4_usize, twice, all).prop_map(
        |(seed, on_failure, concurrency, twice, drawn)| {
            let (mut moves, mut repository, mut left) = (Vec::new(), 0, 0_usize);
            for (n, (wave, share, forward_only, forward, back)) in drawn.into_iter().enumerate() {
                if left == 0 {
                    (repository, left) = (repository + 1, share);
                }
                left = left.saturating_sub(1);
                moves.push(Move { n, repository, wave, forward_only, forward, back });
            }
            Scenario { seed, on_failure, concurrency, twice, moves }
        },
    )
}

fn forward() -> impl Strategy<Value = Trouble> {
    use Trouble::*;
    let early = prop::sample::select(vec!["Retag", "Register", "PreTest", "Deploy"]);
    let any =
        prop::sample::select(vec!["ReserveStart", "Retag", "Register", "PreTest", "Deploy", "HealthTest"]);
    prop_oneof![
        24 => Just(None),
        2 => prop::sample::select(vec![GivenUp, SentBack, Never, OtherImage, Unseen]),
        1 => prop::sample::select(vec![Denied("RegisterTaskDefinition"), Denied("UpdateService")]),
        1 => any.clone().prop_map(Lost),
        1 => any.clone().prop_map(Dies),
        1 => any.prop_map(DiesAfter),
        1 => early.prop_map(Fails),
        1 => prop::sample::select(vec!["Register", "Deploy", "HealthTest"]).prop_map(Overtaken),
    ]
}

fn back() -> impl Strategy<Value = Trouble> {
    use Trouble::*;
    let any = prop::sample::select(vec!["ReserveRollback", "Rollback", "RollbackTest"]);
    prop_oneof![
        8 => Just(None),
        2 => prop::sample::select(vec![GivenUp, Never, Unseen]),
        1 => any.clone().prop_map(Lost),
        1 => any.clone().prop_map(Fails),
        1 => any.clone().prop_map(Dies),
        1 => any.clone().prop_map(DiesAfter),
        1 => any.prop_map(Overtaken),
    ]
}
