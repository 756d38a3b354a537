//! Tables for the decisions about one service, and the candidates that they are made about.

mod drafts;
mod restore;

use pipeline::clock::Timestamp;
use pipeline::document;
use pipeline::environment::Environment;
use pipeline::ids::{
    DeploymentId, Digest, EnvironmentName, Registry, ReleaseId, Repository, ServiceName, TaskDefinitionArn,
};
use pipeline::image::ImageReference;
use pipeline::rows::{FindingKind, HeadRow, Hold, MoveRow, OrderKey, ServiceRow, VerifiedImage};
use pipeline::service::{Deployment, Rollout};
use serde_json::json;

use super::candidates::{Candidate, containers};
use super::decision::{Decision, decide};
use super::draft::PlanDraft;
use super::spec::{ImageSelection, PlanContext, ReleaseSpec};
use crate::ports::{ClusterSnapshot, Digests, Index, Revision, Service, Shifting};

pub fn digest(letter: char) -> Digest {
    Digest::parse(format!("sha256:{}", letter.to_string().repeat(64))).unwrap()
}

pub fn arn(revision: u32) -> TaskDefinitionArn {
    TaskDefinitionArn::parse(format!("arn:aws:ecs:eu-west-1:123456789012:task-definition/users:{revision}"))
        .unwrap()
}

pub fn environment() -> Environment {
    document::read("dev", json!({"cluster": "dev", "tag": "dev", "waves": [["pay*"], ["users"]]})).unwrap()
}

pub fn spec() -> ReleaseSpec {
    ReleaseSpec {
        registry: Registry::parse("123456789012").unwrap(),
        region: "eu-west-1".to_owned(),
        repository: Some(Repository::parse("shop/users").unwrap()),
        to: ImageSelection::Images([(repository(), digest('b'))].into()),
        services: None,
        only_newer: false,
        promoted_by: None,
        alarm: None,
        force: false,
        reason: None,
    }
}

pub fn repository() -> Repository {
    Repository::parse("shop/users").unwrap()
}

pub fn candidate(image: &str) -> Candidate {
    let image =
        ImageReference::parse(&format!("123456789012.dkr.ecr.eu-west-1.amazonaws.com/shop/users{image}"));
    let deployment = Deployment {
        id: DeploymentId::parse("ecs-svc/1").unwrap(),
        task_definition: arn(1),
        primary: true,
        rollout: Rollout::Completed,
    };
    let service = Service {
        name: ServiceName::parse("users").unwrap(),
        controller: "ECS".to_owned(),
        strategy: "ROLLING".to_owned(),
        shifting: Shifting::default(),
        desired: 2,
        running: 2,
        deployments: vec![deployment],
        alarms: Vec::new(),
        balanced: Vec::new(),
        connect: Vec::new(),
        revision: Revision { images: vec![("app".to_owned(), image.unwrap())], ..Revision::default() },
    };
    Candidate {
        containers: containers(&service, &spec(), &repository()),
        repository: repository(),
        digest: digest('b'),
        service,
        row: ServiceRow::default(),
        running: Digests { seen: [digest('a')].into(), unknown: false },
        loss: None,
        ours: false,
        left: None,
        open_shift: None,
    }
}

/// Returns an image that a release has verified.
pub fn known(letter: char) -> VerifiedImage {
    VerifiedImage {
        repository: repository(),
        digest: digest(letter),
        commit: None,
        task_definition: arn(1),
        since: Timestamp::from_millis(0),
        release: Some(release("r1")),
        how: None,
        pack: None,
    }
}

/// Returns the head of a release of dev that goes forward.
pub fn head() -> HeadRow {
    let head = json!({
        "environment": "dev", "policy": environment(), "request": {}, "order": "000000000000000#",
        "opened": "2026-11-23T09:00:00Z", "plan": "", "services": ["users"], "undo": null, "outcome": null
    });
    serde_json::from_value(head).unwrap()
}

pub fn release(name: &str) -> ReleaseId {
    ReleaseId::parse(name).unwrap()
}

fn key(pushed: i64, arrived: i64, digest: &Digest) -> OrderKey {
    OrderKey::new(Timestamp::from_millis(pushed), Timestamp::from_millis(arrived), Some(digest))
}

fn decided(candidate: &Candidate, spec: &ReleaseSpec) -> Decision {
    let order = key(5000, 6000, &candidate.digest);
    let (name, environment, release) = (EnvironmentName::parse("dev").unwrap(), environment(), release("r9"));
    let (order, now) = (&order, Timestamp::from_millis(9000));
    let context =
        PlanContext { name: &name, environment: &environment, order, release: &release, since: now, now };
    decide(candidate, spec, context)
}

fn refusal(change: impl FnOnce(&mut Candidate)) -> String {
    let mut candidate = candidate(":main-1");
    change(&mut candidate);
    match decided(&candidate, &spec()) {
        Decision::Refused(why) | Decision::Unfit(why) => why,
        other => panic!("{other:?}"),
    }
}

/// Returns a move of a service that runs `a` and is to run `b`.
pub fn row(service: &str) -> MoveRow {
    let Decision::Move(row) = decided(&candidate(":main-1"), &spec()) else { panic!("it does not move") };
    MoveRow { service: ServiceName::parse(service).unwrap(), ..*row }
}

#[test]
fn what_goes_back_is_judged_by_the_live_tests_that_it_has_passed() {
    let pack = Some(pack::hash("{}"));
    let mut candidate = candidate(":main-1");
    candidate.row.history = vec![known('a'), VerifiedImage { pack: pack.clone(), ..known('b') }];
    for (to, expected) in [(ImageSelection::Previous, pack), (spec().to, None)] {
        let Decision::Move(row) = decided(&candidate, &ReleaseSpec { to, ..spec() }) else {
            panic!("no move")
        };
        assert_eq!(row.pack, expected);
    }
    candidate.row.history[0].pack = Some(pack::hash("{ }"));
    let Decision::Move(row) = decided(&candidate, &spec()) else { panic!("it does not move") };
    let restore = row.restore.unwrap();
    assert_eq!(restore.pack, Some(pack::hash("{ }")), "that of the restore point");
    assert_eq!(restore.before, Some(digest('b')), "what it goes back to in turn");
}

#[test]
fn what_may_not_move_is_refused_with_what_was_expected() {
    assert_eq!(
        refusal(|one| one.service.controller = "CODE_DEPLOY".to_owned()),
        "its deployment controller is CODE_DEPLOY: expected ECS"
    );
    assert!(refusal(|one| one.service.strategy = "CANARY".to_owned()).contains("add a PAUSE hook at"));
    let open = refusal(|one| one.open_shift = Some("arn:sd".to_owned()));
    assert!(open.contains("left arn:sd in progress") && open.contains("stop-service-deployment"), "{open}");
    assert!(refusal(|one| one.service.desired = 0).contains("desired count is 0"));
    assert!(refusal(|one| one.loss = Some("it has x, which a copy would lose".to_owned())).contains("has x"));
    assert!(refusal(|one| one.service.deployments[0].rollout = Rollout::InProgress).contains("in progress"));
    let beside = |one: &mut Candidate, rollout| {
        let ours = one.service.deployments[0].clone();
        one.service.deployments.push(Deployment { primary: false, rollout, ..ours });
    };
    assert!(refusal(|one| beside(one, Rollout::InProgress)).contains("in progress"));
    let odd = || Rollout::Unknown("ODD".to_owned());
    assert!(
        refusal(|one| one.service.deployments[0].rollout = odd()).contains("\"ODD\": expected COMPLETED")
    );
    assert!(refusal(|one| one.running.seen.extend([digest('e')])).contains("no known good version"));
    assert!(refusal(|one| one.running.unknown = true).contains("no known good version"));
    assert!(refusal(|one| one.running.seen.clear()).contains("no known good version"));
}

#[test]
fn a_rollout_of_a_release_that_holds_the_lease_is_waited_for() {
    let mut candidate = candidate(":main-1");
    candidate.service.deployments[0].rollout = Rollout::InProgress;
    candidate.ours = true;
    assert!(matches!(decided(&candidate, &spec()), Decision::Move(_)));
}

#[test]
fn a_service_that_runs_the_image_already_stays() {
    let mut candidate = candidate(":main-1");
    candidate.running.seen = [digest('b')].into();
    assert_eq!(decided(&candidate, &spec()), Decision::There);
    // What rolls out may end otherwise.
    candidate.row.verified = Some(known('b'));
    candidate.service.deployments[0].rollout = Rollout::InProgress;
    assert!(matches!(decided(&candidate, &spec()), Decision::Refused(_)));
}

#[test]
fn what_has_nowhere_to_go_need_not_be_fit_to_go() {
    let mut candidate = candidate(":main-1");
    candidate.service.desired = 0;
    candidate.row.verified = Some(known('b'));
    assert_eq!(decided(&candidate, &spec()), Decision::There);
    candidate.row.verified = Some(known('a'));
    assert!(matches!(decided(&candidate, &spec()), Decision::Unfit(_)));
}

#[test]
fn what_was_rolled_back_from_stays_away_until_somebody_insists() {
    let mut candidate = candidate(":main-1");
    let release = ReleaseId::parse("r1").unwrap();
    candidate.row.hold = Some(Hold { digest: digest('b'), release, since: Timestamp::from_millis(0) });
    assert_eq!(
        decided(&candidate, &spec()),
        Decision::Refused(
            "users: bbbbbbbbbbbb is on hold since 1970-01-01T00:00:00Z, when r1 rolled back from it"
                .to_owned()
        )
    );
    assert!(matches!(decided(&candidate, &ReleaseSpec { force: true, ..spec() }), Decision::Move(_)));
    candidate.digest = digest('c');
    assert!(matches!(decided(&candidate, &spec()), Decision::Move(_)));
}

#[test]
fn a_newer_push_wins() {
    let mut candidate = candidate(":main-1");
    candidate.row.order = Some(key(5001, 5001, &digest('c')));
    assert_eq!(decided(&candidate, &spec()), Decision::Superseded);
    // Its own key is there when a release plans again under its leases.
    candidate.row.order = Some(key(5000, 6000, &digest('b')));
    assert!(matches!(decided(&candidate, &spec()), Decision::Move(_)));
}

#[test]
fn a_push_of_another_repository_has_a_place_of_its_own() {
    let mut candidate = candidate(":main-1");
    let newer = json!(key(9_000, 9_000, &digest('c')));
    candidate.row.by_repository.insert("order:shop/proxy".to_owned(), newer.clone());
    assert!(matches!(decided(&candidate, &spec()), Decision::Move(_)));
    candidate.row.by_repository.insert("order:shop/users".to_owned(), newer);
    assert_eq!(decided(&candidate, &spec()), Decision::Superseded);
}

#[test]
fn a_rollback_asks_for_no_hold() {
    let mut candidate = candidate(":main-1");
    candidate.row.verified = Some(known('a'));
    let hold = Hold { digest: digest('b'), release: release("r1"), since: Timestamp::from_millis(0) };
    candidate.row.by_repository.insert("hold:shop/users".to_owned(), json!(hold));
    assert!(matches!(decided(&candidate, &spec()), Decision::Refused(_)));
    let back = ReleaseSpec { to: ImageSelection::Previous, ..spec() };
    assert!(matches!(decided(&candidate, &back), Decision::Move(_)));
}

#[test]
fn what_a_dead_release_left_is_proven_even_if_ecs_has_put_it_back() {
    let mut candidate = candidate(&format!("@{}", digest('b')));
    candidate.row.verified = Some(known('b'));
    assert_eq!(decided(&candidate, &spec()), Decision::There);
    let dead = ReleaseSpec { to: ImageSelection::RestorePointsOf(release("r0")), ..spec() };
    assert!(matches!(decided(&candidate, &dead), Decision::Move(_)));
}

#[test]
fn of_two_images_of_one_second_the_one_that_arrived_later_wins_and_the_other_is_told() {
    let mut candidate = candidate(":main-1");
    candidate.row.order = Some(key(5000, 5999, &digest('c')));
    assert!(matches!(decided(&candidate, &spec()), Decision::Move(_)), "it arrived before");
    candidate.row.order = Some(key(5000, 6001, &digest('b')));
    assert_eq!(decided(&candidate, &spec()), Decision::Superseded, "the same image once more");
    // Written by the version before, which knew no arrival.
    let older: OrderKey = serde_json::from_value(json!(format!("{:015}#{}", 5000, digest('a')))).unwrap();
    for (order, other) in [(key(5000, 6001, &digest('a')), 'a'), (older, 'a')] {
        candidate.row.order = Some(order);
        let Decision::Refused(why) = decided(&candidate, &spec()) else { panic!("not refused") };
        let (wanted, other) = (digest('b'), digest(other));
        assert!(why.starts_with(&format!(
            "users: {wanted} and {other} were pushed within one second, and the push of {other}"
        )));
        assert!(why.ends_with(
            &json!({"environment": "dev", "repository": "shop/users", "image": wanted}).to_string()
        ));
    }
    assert!(matches!(decided(&candidate, &ReleaseSpec { force: true, ..spec() }), Decision::Move(_)));
}
