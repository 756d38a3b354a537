//! Tables for the decisions about one service, and the candidates that they are made about.

mod drafts;

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
use crate::ports::{ClusterSnapshot, Digests, Index, Revision, Service};

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
        desired: 2,
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
fn a_stable_service_that_nobody_verified_is_adopted_as_it_runs() {
    let restore = row("users").restore.unwrap();
    assert_eq!((restore.digest, restore.task_definition, restore.release), (digest('a'), arn(1), None));
}

#[test]
fn a_pinned_index_is_the_baseline_and_not_the_platform_that_tasks_report() {
    let pinned = candidate(&format!("@{}", digest('c')));
    let Decision::Move(row) = decided(&pinned, &spec()) else { panic!("it does not move") };
    assert_eq!(row.restore.unwrap().digest, digest('c'));
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
fn an_index_that_contains_what_tasks_report_is_the_baseline() {
    let baseline = |image: &str, images: &[char]| {
        let mut candidate = candidate(image);
        let images = images.iter().map(|letter| digest(*letter)).collect();
        if candidate.adopted_by().is_some() {
            candidate.see_in(&Index { digest: digest('f'), images });
        }
        let Decision::Move(row) = decided(&candidate, &spec()) else { panic!("it does not move") };
        row.restore.unwrap().digest
    };
    assert_eq!(baseline(":main-1", &['a', 'e']), digest('f'));
    assert_eq!(baseline(":main-1", &['e']), digest('a'), "the tag names something else by now");
    assert_eq!(baseline(&format!(":main-1@{}", digest('a')), &['a']), digest('a'), "pinned to it");
}

#[test]
fn the_rollback_is_what_was_verified_whatever_runs() {
    let mut candidate = candidate(":main-1");
    candidate.row.verified = Some(VerifiedImage { task_definition: arn(7), release: None, ..known('d') });
    candidate.running = Digests::default();
    let Decision::Move(row) = decided(&candidate, &spec()) else { panic!("it does not move") };
    assert_eq!((row.restore.unwrap().task_definition, row.running), (arn(7), arn(1)));
}

#[test]
fn what_may_not_move_is_refused_with_what_was_expected() {
    assert_eq!(
        refusal(|one| one.service.controller = "CODE_DEPLOY".to_owned()),
        "its deployment controller is CODE_DEPLOY: expected ECS"
    );
    assert!(refusal(|one| one.service.strategy = "CANARY".to_owned()).ends_with("CANARY: expected ROLLING"));
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
fn force_goes_on_without_a_restore_point() {
    let mut candidate = candidate(":main-1");
    candidate.running.seen.clear();
    let Decision::Move(row) = decided(&candidate, &ReleaseSpec { force: true, ..spec() }) else {
        panic!("no move")
    };
    assert_eq!(row.restore, None);
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
fn what_was_verified_of_another_image_of_a_service_is_no_restore_point_for_this_one() {
    let mut candidate = candidate(":main-1");
    candidate.row.verified =
        Some(VerifiedImage { repository: Repository::parse("shop/proxy").unwrap(), ..known('e') });
    let Decision::Move(row) = decided(&candidate, &spec()) else { panic!("it does not move") };
    assert_eq!(row.restore.unwrap().digest, digest('a'), "what its tasks report is");
}

#[test]
fn what_a_release_brought_and_did_not_verify_is_nothing_to_return_to() {
    let restore = |candidate: &Candidate| match decided(candidate, &spec()) {
        Decision::Move(row) => row.restore.map(|restore| (restore.digest, restore.task_definition)),
        other => panic!("{other:?}"),
    };
    let mut candidate = candidate(&format!("@{}", digest('a')));
    assert_eq!(restore(&candidate), Some((digest('a'), arn(1))), "its baseline");
    let old = DeploymentId::parse("ecs-svc/0").unwrap();
    let (touched, registered) = (Some(Timestamp::from_millis(7)), Some(arn(1)));
    let left = MoveRow { registered, touched, running: arn(0), replaces: old.clone(), ..row("users") };
    candidate.left = Some(Box::new(left));
    assert_eq!(restore(&candidate), None);
    candidate.row.verified = Some(VerifiedImage { task_definition: arn(7), ..known('a') });
    assert_eq!(restore(&candidate), Some((digest('a'), arn(7))), "another image of it may be what is bad");
    // Nor is it in place for good: who asks for it once more has it tested, without another rollout.
    (candidate.row.verified, candidate.digest) = (None, digest('a'));
    let Decision::Move(row) = decided(&candidate, &spec()) else { panic!("it is not tested") };
    let primary = candidate.service.deployments[0].id.clone();
    assert_eq!((row.restore, row.registered, row.deployment), (None, Some(arn(1)), Some(primary)));
    assert_eq!(
        (row.touched, row.running, row.replaces),
        (touched, arn(0), old),
        "what it replaced is the old version"
    );
    let forced = decided(&candidate, &ReleaseSpec { force: true, ..spec() });
    assert!(
        matches!(forced, Decision::Move(row) if row.registered.is_none()),
        "its tasks may have to start anew"
    );
    candidate.digest = digest('b');
    let Decision::Move(row) = decided(&candidate, &spec()) else { panic!("it does not move") };
    assert_eq!(row.registered, None);
}

#[test]
fn a_rollback_leaves_another_image_of_the_service_as_it_was_verified_since() {
    let mut candidate = candidate(&format!("@{}", digest('d')));
    candidate.running.seen = [digest('d')].into();
    let since = Timestamp::from_millis(9_000);
    let repository = Repository::parse("shop/proxy").unwrap();
    let proxy = VerifiedImage { repository, task_definition: arn(8), since, ..known('e') };
    candidate.row.history = vec![VerifiedImage { task_definition: arn(7), ..known('a') }, proxy];
    let Decision::Move(row) = decided(&candidate, &spec()) else { panic!("it does not move") };
    let restore = row.restore.unwrap();
    assert_eq!((restore.digest, restore.task_definition), (digest('a'), arn(8)));
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
fn what_runs_is_the_restore_point_if_it_is_what_was_verified_under_a_newer_revision() {
    let mut changed = candidate(&format!("@{}", digest('a')));
    changed.row.verified = Some(VerifiedImage { task_definition: arn(7), ..known('a') });
    let Decision::Move(row) = decided(&changed, &spec()) else { panic!("it does not move") };
    let restore = row.restore.unwrap();
    assert_eq!((restore.task_definition, restore.release), (arn(1), None));
    // Its tasks say so as well, where the revision names a tag.
    let mut tagged = candidate(":prod");
    tagged.row.verified = Some(VerifiedImage { task_definition: arn(7), ..known('a') });
    let Decision::Move(row) = decided(&tagged, &spec()) else { panic!("it does not move") };
    assert_eq!(row.restore.unwrap().task_definition, arn(1));
    // A revision that a release of another repository has verified is no find.
    let (repository, other) = (Repository::parse("shop/proxy").unwrap(), Some(release("r3")));
    changed.row.history = vec![VerifiedImage { repository, release: other.clone(), ..known('e') }];
    let Decision::Move(row) = decided(&changed, &spec()) else { panic!("it does not move") };
    assert_eq!(row.restore.unwrap().release, other);
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
