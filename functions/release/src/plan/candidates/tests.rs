use super::*;
use crate::plan::tests::{candidate, digest, known, release, repository, row, spec};
use pipeline::image::ImageReference;
use serde_json::json;

/// What a request of the mode `rollback` wants of a service.
fn wanted(service: &Service, row: &ServiceRow, to: &ImageSelection, back: &Moves) -> Result<Digest, String> {
    let spec = ReleaseSpec { to: to.clone(), ..spec() };
    match meant(service, row.clone(), &TaskImages::new(), &spec, back) {
        Meant::Candidate(candidate) => Ok(candidate.digest),
        Meant::Not(_, why) => Err(why),
        Meant::Foreign => Err("it is foreign".to_owned()),
    }
}

fn proxy() -> Repository {
    Repository::parse("shop/proxy").unwrap()
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
    let context = PlanContext {
        name: &name,
        environment: &environment,
        order: &order,
        release: &release,
        since: now,
        now,
    };
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
    let lease = |holder: &pipeline::ids::ReleaseId| {
        serde_json::from_value(json!({"holder": "h", "release": holder, "fence": 1, "since": now})).unwrap()
    };
    assert!(is_ours(&service, context, Some(&lease(&crate::plan::tests::release("r9"))), None));
    assert!(!is_ours(&service, context, Some(&lease(&release)), None), "it is nobody's before this one");
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

#[test]
fn a_request_that_names_a_repository_is_about_no_other_one() {
    let service = candidate(&format!("@{}", digest('b'))).service;
    let touched = Some(pipeline::clock::Timestamp::from_millis(0));
    let back: Moves = [(service.name.clone(), MoveRow { touched, ..row("users") })].into();
    for to in
        [ImageSelection::Previous, ImageSelection::Present, ImageSelection::RestorePointsOf(release("r1"))]
    {
        let is_about = |repository: Repository| {
            let spec = ReleaseSpec { to: to.clone(), repository: Some(repository), ..spec() };
            let meant = meant(&service, verified('b', 'a'), &TaskImages::new(), &spec, &back);
            matches!(meant, Meant::Candidate(_))
        };
        assert!(is_about(repository()) && !is_about(proxy()), "{to:?}");
    }
    let mut idle = service.clone();
    idle.deployments.clear();
    assert_eq!(wanted(&idle, &verified('b', 'a'), &spec().to, &back), Err("it is foreign".to_owned()));
}

#[test]
fn of_several_images_on_offer_a_service_gets_the_one_that_it_does_not_run_yet() {
    let offered = ImageSelection::Images([(repository(), digest('b')), (proxy(), digest('c'))].into());
    let spec = ReleaseSpec { repository: None, to: offered, ..spec() };
    for (images, expected) in [
        (&[("users", 'b'), ("proxy", 'd')][..], "shop/proxy"),
        (&[("users", 'a'), ("proxy", 'c')], "shop/users"),
        (&[("users", 'b'), ("users", 'a'), ("proxy", 'c')], "shop/users"),
        (&[("users", 'b'), ("users", 'a'), ("proxy", 'd')], "this one has shop/proxy, shop/users"),
    ] {
        let image = |(name, letter): &(&str, char)| {
            let registry = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
            let image = ImageReference::parse(&format!("{registry}/shop/{name}@{}", digest(*letter)));
            (format!("{name}-{letter}"), image.unwrap())
        };
        let mut service = candidate(":main-1").service;
        service.revision.images = images.iter().map(image).collect();
        let said = match meant(&service, ServiceRow::default(), &TaskImages::new(), &spec, &Moves::new()) {
            Meant::Candidate(candidate) => candidate.repository.to_string(),
            Meant::Not(_, why) => why,
            Meant::Foreign => "it is foreign".to_owned(),
        };
        assert!(said.ends_with(expected), "{said}");
    }
}

#[test]
fn what_one_task_does_not_report_is_unknown_of_all() {
    let one = |letter, unknown| Digests { seen: [digest(letter)].into(), unknown };
    let tasks: TaskImages =
        [("app".to_owned(), one('a', true)), ("worker".to_owned(), one('b', false))].into();
    let all = reported(&tasks, &["app".to_owned(), "worker".to_owned()]);
    assert_eq!(all, Digests { seen: [digest('a'), digest('b')].into(), unknown: true });
    assert_eq!(reported(&tasks, &["worker".to_owned()]), one('b', false));
    let mut candidate = candidate(":main-1");
    assert!(candidate.runs(&digest('a')));
    candidate.running.seen.insert(digest('b'));
    assert!(!candidate.runs(&digest('a')) && !candidate.runs(&digest('b')), "its tasks run two");
}

#[test]
fn a_service_is_looked_at_as_far_as_it_may_be_meant() {
    let (tagged, pinned) = (candidate(":main-1").service, candidate(&format!("@{}", digest('a'))).service);
    let by = |letter, revision: &str| {
        let running = tagged.deployments[0].task_definition.as_str().replace("users:1", revision);
        let task_definition = pipeline::ids::TaskDefinitionArn::parse(running).unwrap();
        ServiceRow {
            history: vec![VerifiedImage { task_definition, ..known(letter) }],
            ..ServiceRow::default()
        }
    };
    for (service, row, expected) in [
        (&tagged, ServiceRow::default(), true),
        (&tagged, by('a', "users:1"), false),
        (&tagged, by('a', "users:7"), true),
        (&pinned, by('a', "users:7"), false),
        (&pinned, by('c', "users:7"), true),
    ] {
        assert_eq!(needs_tasks(service, &row, &spec()), expected, "{row:?}");
    }
    let other = ImageSelection::Images([(proxy(), digest('b'))].into());
    for (to, expected) in [(spec().to, true), (other, false), (ImageSelection::Previous, true)] {
        assert_eq!(could_be_meant(&tagged, &ReleaseSpec { to, ..spec() }), expected);
    }
    for (named, expected) in [(None, true), (Some("users"), true), (Some("orders"), false)] {
        let services = named.map(|name| vec![ServiceName::parse(name).unwrap()]);
        assert_eq!(is_named(&tagged.name, &ReleaseSpec { services, ..spec() }), expected);
    }
}

#[test]
fn what_the_last_release_brought_is_unproven_and_so_is_what_it_could_not_go_back_to() {
    let service = candidate(":main-1").service;
    let runs = service.deployments[0].task_definition.clone();
    let other = pipeline::ids::TaskDefinitionArn::parse(runs.as_str().replace("users:1", "users:2")).unwrap();
    let touched = Some(pipeline::clock::Timestamp::from_millis(1));
    let mut elsewhere = row("users").restore.unwrap();
    elsewhere.task_definition = other.clone();
    let registered = |arn: &pipeline::ids::TaskDefinitionArn| Some(arn.clone());
    let (proven, none) = (row("users"), MoveRow { restore: None, ..row("users") });
    for (last, expected) in [
        (MoveRow { registered: registered(&runs), touched, ..proven.clone() }, true),
        (MoveRow { registered: registered(&other), touched, ..proven.clone() }, false),
        (MoveRow { running: runs.clone(), ..none.clone() }, true),
        (MoveRow { running: other, ..none.clone() }, false),
        (MoveRow { running: runs.clone(), touched, ..none }, false),
        (MoveRow { running: runs.clone(), ..proven.clone() }, false),
        (MoveRow { running: runs, restore: Some(elsewhere), ..proven }, true),
    ] {
        assert_eq!(is_unproven(&service, Some(&last)), expected, "{last:?}");
    }
    assert!(!is_unproven(&service, None));
    let met = ServiceRow { last: Some(release("r1")), ..ServiceRow::default() };
    assert!(is_doubtful(&service, &met) && !is_doubtful(&service, &ServiceRow::default()));
    let task_definition = service.deployments[0].task_definition.clone();
    let verified = Some(VerifiedImage { task_definition, ..known('a') });
    assert!(!is_doubtful(&service, &ServiceRow { verified, ..met }));
}
