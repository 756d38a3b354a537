use super::*;
use crate::plan::tests::{candidate, digest, known, release, row, spec};

/// What a request of the mode `rollback` wants of a service.
fn wanted(service: &Service, row: &ServiceRow, to: &ImageSelection, back: &Moves) -> Result<Digest, String> {
    let spec = ReleaseSpec { to: to.clone(), ..spec() };
    match meant(service, row.clone(), &TaskImages::new(), &spec, back) {
        Meant::Candidate(candidate) => Ok(candidate.digest),
        Meant::Not(_, why) => Err(why),
        Meant::Foreign => Err("it is foreign".to_owned()),
    }
}

fn verified(letter: char, before: char) -> ServiceRow {
    let fact = |letter, seconds: i64| {
        let since = pipeline::clock::Timestamp::from_millis(seconds * 1000);
        VerifiedImage { since, ..known(letter) }
    };
    ServiceRow { history: vec![fact(letter, 2), fact(before, 1)], ..ServiceRow::default() }
}

#[test]
fn a_rollback_of_what_nobody_verified_goes_to_what_was_verified() {
    let history = verified('b', 'a');
    let runs = |letter: char| {
        let mut service = candidate(&format!("@{}", digest(letter))).service;
        service.deployments[0].task_definition = pipeline::ids::TaskDefinitionArn::parse(
            "arn:aws:ecs:eu-west-1:123456789012:task-definition/users:9",
        )
        .unwrap();
        service
    };
    let to = |letter| wanted(&runs(letter), &history, &ImageSelection::Previous, &Moves::new());
    assert_eq!(to('b'), Ok(digest('a')), "it runs what was verified, under another revision");
    assert_eq!(to('c'), Ok(digest('b')), "somebody deployed it by hand");
}

#[test]
fn what_was_verified_since_stays_when_an_older_release_is_to_go_back() {
    let service = candidate(&format!("@{}", digest('b'))).service;
    let touched = Some(pipeline::clock::Timestamp::from_millis(0));
    let old = MoveRow { touched, ..row("users") };
    let restore = old.restore.clone().unwrap();
    let back: Moves = [(service.name.clone(), old)].into();
    let dead = ImageSelection::RestorePointsOf(release("r0"));
    let of = |row: &ServiceRow| wanted(&service, row, &dead, &back);
    assert_eq!(of(&ServiceRow::default()), Ok(digest('a')));
    let same = VerifiedImage { task_definition: restore.task_definition, release: None, ..known('a') };
    assert_eq!(of(&ServiceRow { verified: Some(same), ..ServiceRow::default() }), Ok(digest('a')));
    let idle: Moves = [(service.name.clone(), row("users"))].into();
    let not = wanted(&service, &ServiceRow::default(), &dead, &idle);
    assert_eq!(not, Err("r0 has not updated it".to_owned()));
    let its_own = VerifiedImage { release: Some(release("r0")), ..known('b') };
    assert_eq!(of(&ServiceRow { verified: Some(its_own), ..ServiceRow::default() }), Ok(digest('a')));
    let newer = VerifiedImage { release: Some(release("r5")), ..known('d') };
    assert_eq!(
        of(&ServiceRow { verified: Some(newer), ..ServiceRow::default() }),
        Err("r5 has verified it since: set \"force\" and \"reason\" to roll back to aaaaaaaaaaaa all the same".to_owned())
    );
}

#[test]
fn what_a_release_was_to_replace_is_ours_as_what_it_deployed_is() {
    use pipeline::clock::Timestamp;
    use pipeline::ids::EnvironmentName;
    use pipeline::rows::OrderKey;
    let (service, environment) = (candidate(":main-1").service, crate::plan::tests::environment());
    let (name, order) = (
        EnvironmentName::parse("dev").unwrap(),
        OrderKey::new(Timestamp::from_millis(1), Timestamp::from_millis(1), None),
    );
    let (release, now) = (release("r2"), Timestamp::from_millis(9));
    let context =
        PlanContext { name: &name, environment: &environment, order: &order, release: &release, now };
    assert!(
        is_ours(&service, context, None, Some(&MoveRow { restore: None, ..row("users") })),
        "it failed before it changed anything"
    );
    let other = MoveRow {
        replaces: pipeline::ids::DeploymentId::parse("ecs-svc/9").unwrap(),
        restore: None,
        ..row("users")
    };
    assert!(!is_ours(&service, context, None, Some(&other)));
    let running = service.deployments[0].task_definition.clone();
    let next =
        pipeline::ids::TaskDefinitionArn::parse(running.as_str().replace("users:1", "users:2")).unwrap();
    for (registered, expected) in [(running, true), (next, false)] {
        let noted = MoveRow { registered: Some(registered), ..other.clone() };
        assert_eq!(is_ours(&service, context, None, Some(&noted)), expected, "it noted no deployment");
    }
}

#[test]
fn ecr_is_asked_of_a_tag_that_alone_names_what_one_image_runs_unverified() {
    let change: [fn(&mut Candidate); 4] = [
        |_| (),
        |one| one.running.unknown = true,
        |one| one.running.seen.extend([digest('e')]),
        |one| one.row.verified = Some(known('a')),
    ];
    let asked = |image: &str, change: &fn(&mut Candidate)| {
        let mut candidate = candidate(image);
        change(&mut candidate);
        candidate.adopted_by().is_some()
    };
    assert_eq!(change.each_ref().map(|change| asked(":main-1", change)), [true, false, false, false]);
    assert!(!asked(&format!(":main-1@{}", digest('a')), &change[0]), "it is pinned");
}
