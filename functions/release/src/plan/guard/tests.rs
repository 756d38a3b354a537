//! The reasons for which the guard does not act, line by line.

use std::collections::BTreeMap;

use pipeline::ids::EnvironmentName;
use pipeline::rows::{FrozenRow, ServiceRow, Verdict, VerifiedImage};

use super::*;
use crate::plan::ImageSelection;
use crate::plan::tests::{arn, digest, environment, head, known, release, repository, row, spec};

const LEASED: i64 = 1_000_000;
const CLOSED: i64 = 2_000_000;
const RED: i64 = 2_060_000;
const NOW: i64 = 2_061_000;
const UNTIL: i64 = CLOSED + 900_000;

/// All that there is to know, as it is when a release goes back.
struct World {
    event: AlarmEvent,
    row: GuardRow,
    policy: Environment,
    head: Option<HeadRow>,
    moves: Vec<MoveRow>,
    alarm: Option<Alarm>,
    places: BTreeMap<ServiceName, Place>,
    begun: Option<GuardRollbackRow>,
    freeze: Option<Freeze>,
    now: Timestamp,
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn deployment(n: u32) -> DeploymentId {
    DeploymentId::parse(format!("ecs-svc/{n}")).unwrap()
}

/// A service that was deployed and that watches `alarms`.
fn moved(service: &str, alarms: &[&str]) -> MoveRow {
    MoveRow {
        touched: Some(at(LEASED)),
        leased: Some(at(LEASED)),
        verdict: Some(Verdict::Healthy),
        registered: Some(arn(2)),
        deployment: Some(deployment(2)),
        alarms: alarms.iter().map(|alarm| (*alarm).to_owned()).collect(),
        ..row(service)
    }
}

fn place() -> Place {
    Place { last: Some(release("r1")), holder: None, deployment: deployment(2), task_definition: arn(2) }
}

fn world() -> World {
    let moves = vec![moved("orders", &["calm"]), moved("users", &["red"])];
    let request = serde_json::to_value(spec()).unwrap();
    World {
        event: AlarmEvent { event: "e1".to_owned(), time: at(RED), alarm: "red".to_owned(), silenced: None },
        row: GuardRow {
            environment: EnvironmentName::parse("dev").unwrap(),
            since: at(CLOSED),
            until: at(UNTIL),
            expires: 0,
        },
        policy: Environment { guard_minutes: 15, ..environment() },
        head: Some(HeadRow { outcome: Some(Outcome::Deployed), request, ..head() }),
        places: moves.iter().map(|row| (row.service.clone(), place())).collect(),
        moves,
        alarm: Some(Alarm { state: AlarmState::InAlarm, since: Some(at(RED)) }),
        begun: None,
        freeze: None,
        now: at(NOW),
    }
}

impl World {
    fn ruling(&self) -> Ruling {
        let World { event, row, policy, head, moves, alarm, places, begun, freeze, now } = self;
        let release = &release("r1");
        if let Some(why) = is_outdated(event, release, row, *now) {
            return Ruling::Ignore(why);
        }
        let guarded = Guarded { release, row, policy, head: head.as_ref(), moves };
        let around = Surroundings { places, begun: begun.as_ref(), freeze: freeze.as_ref() };
        is_no_concern(event, guarded, *alarm).unwrap_or_else(|| decide(event, guarded, around))
    }

    fn head(&mut self) -> &mut HeadRow {
        self.head.as_mut().unwrap()
    }

    fn place(&mut self, service: &str) -> &mut Place {
        self.places.get_mut(&ServiceName::parse(service).unwrap()).unwrap()
    }

    fn policy(&mut self, on_failure: OnFailure) {
        self.policy.on_failure = on_failure;
    }
}

/// Changes one thing, and says what follows.
fn check(change: impl FnOnce(&mut World), expected: Ruling) {
    let mut world = world();
    change(&mut world);
    assert_eq!(world.ruling(), expected);
}

fn ignored(why: &str, change: impl FnOnce(&mut World)) {
    check(change, Ruling::Ignore(why.to_owned()));
}

fn declined(why: &str, change: impl FnOnce(&mut World)) {
    check(change, Ruling::Decline(why.to_owned()));
}

fn asks(why: &str, change: impl FnOnce(&mut World)) {
    check(change, Ruling::NeedsHuman(why.to_owned()));
}

fn back(services: &[&str], all: bool) -> Scope {
    let services = services.iter().map(|name| ServiceName::parse(*name).unwrap()).collect();
    Scope { services, all, ..Scope::default() }
}

#[test]
fn line_0_nothing_is_in_the_way() {
    check(|_| (), Ruling::RollBack(back(&["orders", "users"], true)));
    check(|world| world.policy(OnFailure::UndoFailed), Ruling::RollBack(back(&["users"], false)));
    check(|world| world.policy(OnFailure::Freeze), Ruling::Freeze);
}

#[test]
fn line_1_it_is_too_late_or_switched_off() {
    ignored(
        "red went to ALARM at 1970-01-01T00:48:20.001Z, and guarded r1 until 1970-01-01T00:48:20Z",
        |world| {
            (world.event.time, world.now) = (at(UNTIL + 1), at(UNTIL + 2));
        },
    );
    check(|world| world.event.time = at(UNTIL), Ruling::RollBack(back(&["orders", "users"], true)));
    ignored("\"guardMinutes\" of dev is 0, so that no alarm rolls r1 back", |world| {
        world.policy.guard_minutes = 0;
    });
    ignored("the event of red is of 1970-01-01T00:34:20Z, more than 10 minutes ago", |world| {
        world.now = at(RED + 601_000);
    });
    check(|world| world.now = at(RED + 600_000), Ruling::RollBack(back(&["orders", "users"], true)));
}

#[test]
fn line_2_the_release_is_open_or_did_not_deploy_or_is_a_rollback() {
    check(
        |world| world.head().outcome = None,
        Ruling::Wait("r1 has not ended yet, and red guards it after that".to_owned()),
    );
    ignored("r1 is being rolled back already", |world| {
        (world.head().outcome, world.head().rollback) = (None, Some(pipeline::rows::RollbackScope::All));
    });
    ignored("r1 ended as RolledBack: the guard leaves it as it is", |world| {
        world.head().outcome = Some(Outcome::RolledBack);
    });
    ignored("r1 ended as NeedsHuman: the guard leaves it as it is", |world| {
        world.head().outcome = Some(Outcome::NeedsHuman);
    });
    for to in [ImageSelection::Previous, ImageSelection::RestorePointsOf(release("r0"))] {
        ignored("r1 is a rollback itself: the guard does not undo it", |world| {
            world.head().request = serde_json::to_value(ReleaseSpec { to, ..spec() }).unwrap();
        });
    }
    ignored("the head of r1 is gone", |world| world.head = None);
}

#[test]
fn line_3_the_alarm_was_red_before_or_is_not_watched_or_silenced() {
    ignored("red was in ALARM before r1 took its leases", |world| {
        world.alarm = Some(Alarm { state: AlarmState::InAlarm, since: Some(at(LEASED)) });
    });
    ignored("no service that r1 has deployed watches red", |world| world.moves[1].alarms.clear());
    ignored("no service that r1 has deployed watches red", |world| {
        world.moves[1].verdict = Some(Verdict::Superseded);
    });
    ignored("red counts for nothing: its actions are suppressed by Alarm", |world| {
        world.event.silenced = Some("its actions are suppressed by Alarm".to_owned());
    });
}

#[test]
fn line_4_the_alarm_is_not_red_any_more() {
    for state in [AlarmState::Ok, AlarmState::InsufficientData] {
        ignored("red is not in ALARM any more", |world| {
            world.alarm = Some(Alarm { state, since: Some(at(NOW)) });
        });
    }
    ignored("red is not in ALARM any more", |world| world.alarm = None);
}

#[test]
fn line_5_somebody_has_deployed_since() {
    declined("somebody has deployed users since: it is on ecs-svc/3", |world| {
        world.place("users").deployment = deployment(3);
    });
    declined("somebody has deployed users since: it is on ecs-svc/2", |world| {
        world.place("users").task_definition = arn(3);
    });
    declined("r2 has had users since", |world| world.place("users").last = Some(release("r2")));
    declined("users is held by r2", |world| world.place("users").holder = Some(release("r2")));
    declined("users is gone", |world| drop(world.places.remove(&ServiceName::parse("users").unwrap())));
    // Where what watches the alarm stands as it was, the rest goes back with it.
    let passed = vec!["r2 has had orders since".to_owned()];
    check(
        |world| world.place("orders").last = Some(release("r2")),
        Ruling::RollBack(Scope { passed, ..back(&["users"], false) }),
    );
    // What an older version has written says nothing of who was last.
    check(|world| world.place("users").last = None, Ruling::RollBack(back(&["orders", "users"], true)));
}

#[test]
fn line_6_the_environment_is_frozen() {
    asks("dev is frozen by its document", |world| world.freeze = Some(Freeze::Document));
    for automatic in [false, true] {
        let (by, since) = (release("r5"), at(0));
        let row = FrozenRow { frozen: true, by, because: "the sale".to_owned(), since, automatic };
        let freeze = Freeze::Row(row);
        asks(&freeze.named(&world().row.environment), |world| world.freeze = Some(freeze.clone()));
    }
    declined("r2 has had users since", |world| {
        world.freeze = Some(Freeze::Document);
        world.place("users").last = Some(release("r2"));
    });
}

#[test]
fn line_7_nothing_may_or_can_put_it_back() {
    let stays = "users is in \"forwardOnly\", and stays on bbbbbbbbbbbb".to_owned();
    let others = Scope { stuck: vec![stays.clone()], ..back(&["orders"], false) };
    check(|world| world.moves[1].forward_only = true, Ruling::RollBack(others.clone()));
    check(|world| world.policy.forward_only = vec!["us*".to_owned()], Ruling::RollBack(others));
    asks(&stays, |world| {
        world.policy(OnFailure::UndoFailed);
        world.moves[1].forward_only = true;
    });
    asks("users has no known good version to return to, and stays on bbbbbbbbbbbb", |world| {
        world.policy(OnFailure::UndoFailed);
        world.moves[1].restore = None;
    });
}

#[test]
fn line_8_it_was_rolled_back_already() {
    let begun = GuardRollbackRow { by: release("g1"), alarm: "blue".to_owned(), since: at(RED) };
    declined("r1 was rolled back by g1 already, since 1970-01-01T00:34:20Z, for the alarm blue", |world| {
        world.begun = Some(begun.clone());
        world.place("users").last = Some(release("g1"));
    });
}

#[test]
fn line_9_an_environment_further_on_has_taken_it() {
    let prod = EnvironmentName::parse("prod").unwrap();
    let image = |letter| [(repository(), digest(letter))].into();
    let fact = |letter| VerifiedImage { release: Some(release("p1")), ..known(letter) };
    let services = |letter| {
        let row = ServiceRow { history: vec![fact(letter), fact('c')], ..ServiceRow::default() };
        BTreeMap::from([(ServiceName::parse("users").unwrap(), row)])
    };
    let open = [(release("p2"), vec![row("orders")])];
    let told = |letter, services, open: &[_]| {
        let found = taken(&prod, &image(letter), &services, open, "red");
        found.into_iter().map(|finding| finding.text).collect::<Vec<_>>()
    };
    let runs = "prod runs the same image in 1 service, and stays as it is. Act now: look at it; to roll it back, start the \
                state machine with {\"environment\":\"prod\",\"mode\":\"rollback\",\"reason\":\"red\",\"release\":\"p1\"}";
    assert_eq!(told('a', services('a'), &[]), [runs]);
    let coming = "p2 is deploying the same image to prod. Act now: look at it; to end it, start the state machine with \
                  {\"environment\":\"prod\",\"mode\":\"abort\",\"reason\":\"red\",\"release\":\"p2\"}";
    assert_eq!(told('b', services('a'), &open), [coming]);
    // What it ran before, or runs of something else, is no matter.
    assert!(told('c', services('a'), &[]).is_empty());
    assert!(told('d', services('a'), &open).is_empty());
}

#[test]
fn only_what_goes_forward_in_an_environment_with_a_guard_is_guarded() {
    let watched = || BTreeSet::from(["red".to_owned()]);
    let guards = |minutes: u32, to: ImageSelection, watched: BTreeSet<String>| {
        let policy = Environment { guard_minutes: minutes, ..environment() };
        let request = serde_json::to_value(ReleaseSpec { to, ..spec() }).unwrap();
        alarms(&HeadRow { policy, request, ..head() }, &release("r1"), watched).len()
    };
    assert_eq!(guards(15, spec().to, watched()), 1);
    assert_eq!(guards(0, spec().to, watched()), 0);
    assert_eq!(guards(15, spec().to, BTreeSet::new()), 0);
    assert_eq!(guards(15, ImageSelection::Previous, watched()), 0);
    assert_eq!(guards(15, ImageSelection::RestorePointsOf(release("r0")), watched()), 0);
}
