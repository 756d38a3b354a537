//! Tables for what a service goes back to.

use super::*;

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
fn force_goes_on_without_a_restore_point() {
    let mut candidate = candidate(":main-1");
    candidate.running.seen.clear();
    let Decision::Move(row) = decided(&candidate, &ReleaseSpec { force: true, ..spec() }) else {
        panic!("no move")
    };
    assert_eq!(row.restore, None);
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
