//! The recorded runs: an account before each, and what somebody does then.

use fleet::cluster;
use fleet::fake::{End, Fake, RunEnd, State};
use fleet::machine::planned::Plan;
use fleet::machine::{Action, Machine, Pushed};
use fleet::simulation::oracle::{Executions, Oracle};
use serde_json::{Value, json};

use crate::exceptions;
use crate::play::{Played, play};

/// How many cases of a run are played unless all are; of what goes wrong, they have some of every kind.
const SOME: usize = 12;

/// The moment at which everything begins.
const START_MS: i64 = 1_795_000_000_000;

/// A run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Run {
    /// A good image is pushed, and goes to one service.
    Good,
    /// It goes to three services, one after the other.
    Waves,
    /// The second service does not take it, and both go back.
    Bad,
    /// A release that was deployed is rolled back by request.
    Back,
    /// What it deployed is promoted to the next environment, where a person agrees.
    Promoted,
}

impl Run {
    /// Returns the state in which the release ends when nothing goes wrong.
    pub fn end(self) -> &'static str {
        match self {
            Run::Good | Run::Waves | Run::Back | Run::Promoted => "Deployed",
            Run::Bad => "RolledBack",
        }
    }

    fn services(self) -> &'static [&'static str] {
        match self {
            Run::Good | Run::Back | Run::Promoted => &["a"],
            Run::Waves => &["a", "b", "c"],
            Run::Bad => &["a", "b"],
        }
    }
}

/// One thing that goes wrong.
pub struct Case {
    /// The state whose function it happens to.
    pub state: String,
    /// Where it happens.
    pub place: String,
    /// What happens.
    pub how: String,
    /// Whether the run ends as if it had not happened.
    pub passes: bool,
    /// The plan of it.
    pub plan: Plan,
}

/// A run that is ready to be played, any number of times.
pub struct Recorded {
    /// What it comes to when nothing goes wrong.
    pub undisturbed: Played,
    run: Run,
    stage: Machine,
    before: (State, Oracle, Executions),
    acts: Vec<(i64, Action)>,
}

impl Recorded {
    /// Gets a run ready, and plays it once.
    pub async fn new(run: Run) -> Self {
        let fake = Fake::default();
        fake.open().now = START_MS;
        for environment in [FIRST, NEXT] {
            for service in run.services() {
                cluster::place(&fake, environment, service, &[REPOSITORY]);
            }
        }
        let waves: Vec<[&str; 1]> = run.services().iter().map(|name| [*name]).collect();
        let first =
            json!({"cluster": FIRST, "tag": FIRST, "deployOn": ["main-*"], "waves": waves, "bakeSeconds": 0});
        let next =
            json!({"cluster": NEXT, "tag": NEXT, "from": FIRST, "approval": "required", "bakeSeconds": 0});
        cluster::configure(&fake, FIRST, &first);
        cluster::configure(&fake, NEXT, &next);
        cluster::ask_for_progress(&fake);
        let stage = Machine::new(fake.clone()).unwrap();
        let (mut oracle, mut earlier) = (Oracle::default(), Executions::new());
        if matches!(run, Run::Back | Run::Promoted) {
            let mut machine = stage.anew();
            machine.oracle = Some(oracle);
            machine.plan(START_MS, pushed("r1"));
            machine.play().await;
            oracle = machine.oracle.take().unwrap();
            earlier = machine.statuses();
            assert_eq!(earlier["r1"].1, "Deployed");
            fake.open().now += 600_000;
        }
        let now = fake.open().now;
        let acts = acts(run, &fake).into_iter().map(|(after, act)| (now + after, act)).collect();
        let before = (fake.open().clone(), oracle, earlier);
        let mut recorded = Recorded { run, undisturbed: Played::default(), stage, before, acts };
        recorded.undisturbed = recorded.play(None).await;
        let Played { broken, left, .. } = &recorded.undisturbed;
        assert!(broken.is_empty() && recorded.undisturbed.end() == run.end(), "{run:?}: {broken:?} {left:?}");
        let again = recorded.play(None).await;
        assert_eq!(again.requests, recorded.undisturbed.requests, "{run:?}");
        assert_eq!(again.left, recorded.undisturbed.left, "{run:?}");
        recorded
    }

    /// Plays it, with what is to go wrong.
    pub async fn play(&self, plan: Option<Plan>) -> Played {
        let (account, oracle, earlier) = self.before.clone();
        *self.stage.fake.open() = account;
        let mut machine = self.stage.anew();
        machine.oracle = Some(oracle);
        play(machine, earlier, &self.acts, plan).await
    }

    /// Plays it with each of some things gone wrong, and sees that what is promised holds.
    pub async fn check(&self, cases: Vec<Case>) {
        let (run, all) = (self.run, cases.len());
        let every = if std::env::var_os("EACH").is_some() { 1 } else { all.div_ceil(SOME) };
        let cases: Vec<Case> = cases.into_iter().step_by(every).collect();
        let plays = cases.len();
        let mut wrong = Vec::new();
        for Case { state, place, how, passes, plan } in cases {
            let played = self.play(Some(plan)).await;
            let mut broken = played.broken.clone();
            if !passes {
                // What is not allowed to answer a question leaves it open, for as long as questions are.
                broken.retain(|what| !what.starts_with("it came to rest only after"));
            }
            match exceptions::ends(&state, &how) {
                _ if !passes => {}
                Some(ends) if !ends.contains(&played.end()) => {
                    broken.push(format!("it ended in {}, which is none of {ends:?}", played.end()));
                }
                Some(_) => {}
                None => {
                    let mut differ = self.undisturbed.differences(&played);
                    differ.retain(|line| !exceptions::is_beside_the_point(&state, &how, line));
                    broken.extend(differ);
                }
            }
            if !broken.is_empty() {
                wrong.push(format!("{place}, {state}, {how}:\n  {}", broken.join("\n  ")));
            }
        }
        let Played { requests, invocations, .. } = &self.undisturbed;
        println!(
            "{run:?}: {} requests, {} invocations, {plays} of {all} plays",
            requests.len(),
            invocations.len()
        );
        assert!(wrong.is_empty(), "{run:?}: {} of {plays} plays\n{}", wrong.len(), wrong.join("\n"));
    }
}

/// Returns what somebody does.
fn acts(run: Run, fake: &Fake) -> Vec<(i64, Action)> {
    let start = |input: Value| (0, Action::Start("r2".to_owned(), input));
    match run {
        Run::Good | Run::Waves => vec![(0, pushed("r2"))],
        Run::Bad => {
            let mut account = fake.open();
            let digest = account.ecr.push(REPOSITORY, "the second image", Some("main-r2"));
            account.ecs.services.get_mut("dev/b").unwrap().ends.insert(digest, End::GivenUp);
            vec![start(json!({"environment": FIRST, "images": {REPOSITORY: "main-r2"}}))]
        }
        Run::Back => {
            let request =
                json!({"environment": FIRST, "mode": "rollback", "release": "r1", "reason": "asked for"});
            vec![start(request)]
        }
        Run::Promoted => {
            let answer = Action::Answer { name: "r3".to_owned(), mode: "approve", back: 0 };
            vec![start(json!({"environment": NEXT})), (ANSWERED_MS, answer)]
        }
    }
}

/// The environment that images are pushed to, and the one that they are promoted to.
const FIRST: &str = "dev";
const NEXT: &str = "staging";

/// After how long a person answers: whatever fails once has been tried again by then.
const ANSWERED_MS: i64 = 300_000;

/// All services run images of one repository.
const REPOSITORY: &str = "shop/app";

fn pushed(name: &str) -> Action {
    let (name, repository) = (name.to_owned(), REPOSITORY.to_owned());
    Action::Push(Pushed { name, repository, end: End::Completes, run: RunEnd::Passes, twice: false, late: 0 })
}
