//! What is found when a release opens: it refuses, or it is kept and told.

use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::rows::{FindingKind, ServiceRow};
use release::Release;
use serde_json::{Value, json};

use crate::notebook::{Notebook, known};
use crate::run::ask;
use crate::shop::{Shop, digest};

async fn open(release: &Release<Shop, Notebook>, input: Value) -> Value {
    ask(release, "open", json!({"input": input}), "2026-11-23T10:00:10Z").await
}

fn push(repository: &str) -> Value {
    json!({
        "version": "0", "id": "e1", "detail-type": "ECR Image Action", "source": "aws.ecr",
        "account": "123456789012", "time": "2026-11-23T10:00:00Z", "region": "eu-west-1", "resources": [],
        "detail": {"result": "SUCCESS", "repository-name": repository, "action-type": "PUSH",
                   "image-digest": digest('b'), "image-tag": "mall"}
    })
}

#[tokio::test]
async fn what_is_found_is_told_of_a_push_too_and_kept() {
    let release = Release { aws: Shop::default(), ledger: Notebook::default() };
    let opened = open(&release, push("shop/checkout")).await;
    assert_eq!(opened["next"], "TakeLeases");
    let found = [
        "\"waves\" names \"chekout\", and mall has no such service; did you mean \"checkout\"?",
        "checkout: the alarm mall-5xx does not exist, so it is not watched",
        "the lifecycle rule 5 of shop/checkout would expire what runs, or the version to roll back to: expected a rule \
         before it that keeps tidegate.*",
    ];
    let told = found.map(|text| json!({"kind": "warns", "text": text}));
    assert_eq!(opened["findings"], json!(told));
    let head = release.ledger.head.borrow().clone().unwrap();
    assert_eq!(serde_json::to_value(&head.findings).unwrap(), json!(told));
}

#[tokio::test]
async fn a_lifecycle_policy_that_may_not_be_read_is_told_and_stops_nothing() {
    let release = Release { aws: Shop::default(), ledger: Notebook::default() };
    *release.aws.policy_fault.borrow_mut() = Some(Fault::Denied("no ecr:GetLifecyclePolicy".to_owned()));
    let opened = open(&release, push("shop/checkout")).await;
    assert_eq!(opened["next"], "TakeLeases");
    let told = opened["findings"].as_array().unwrap().iter().filter_map(|one| one["text"].as_str());
    assert_eq!(
        told.filter(|text| text.starts_with("the lifecycle policy of shop/checkout cannot")).count(),
        1
    );

    *release.aws.policy_fault.borrow_mut() = Some(Fault::Throttled("slow down".to_owned()));
    let request = json!({"do": "open", "release": "r2", "execution": "e", "started": "2026-11-23T10:00:10Z",
                         "machine": "m", "input": push("shop/checkout")});
    let now = Timestamp::parse("2026-11-23T10:00:10Z").unwrap();
    let fault = release.handle(serde_json::from_value(request).unwrap(), now).await.unwrap_err();
    assert_eq!(fault.name(), "Throttled", "it is asked again");
}

#[tokio::test]
async fn a_baseline_is_the_index_that_its_tag_names_and_not_the_image_that_a_task_reports() {
    for (tag, letter) in [("multi-arch", 'f'), ("single", 'a')] {
        let shop = Shop { tag: Some(tag), ..Shop::default() };
        let release = Release { aws: shop, ledger: Notebook::default() };
        let images = json!({"shop/users": digest('b')});
        let plan = json!({"environment": "mall", "mode": "plan", "images": images, "services": ["users"]});
        let planned = open(&release, plan).await;
        assert_eq!(planned["plan"][0]["from"], json!(digest(letter)), "{tag}: {planned}");
    }
}

#[tokio::test]
async fn what_is_found_reaches_the_plan_with_what_refuses_it_first() {
    let release = Release { aws: Shop::default(), ledger: Notebook::default() };
    let input = json!({"environment": "mall", "mode": "plan", "images": {"shop/checkout": digest('d')}});
    let planned = open(&release, input).await;
    let kinds: Vec<&Value> = planned["findings"].as_array().unwrap().iter().map(|one| &one["kind"]).collect();
    assert_eq!(kinds, ["refuses", "warns", "warns", "warns"]);
    assert_eq!(planned["because"], "it would be refused, for 1 reason");
}

#[tokio::test]
async fn a_role_that_may_not_be_handed_on_refuses_before_anything_is_written() {
    let release =
        Release { aws: Shop { roles: Some(Vec::new()), ..Shop::default() }, ledger: Notebook::default() };
    let request = json!({"environment": "dev", "repository": "shop/users", "image": digest('b')});
    let mut forced = request.clone();
    forced["force"] = true.into();
    forced["reason"] = "a hotfix".into();
    for input in [request, forced] {
        let refused = open(&release, input).await;
        assert_eq!(refused["next"], "Refused");
        assert_eq!(
            refused["because"],
            "users: its role arn:aws:iam::123456789012:role/shop/tasks is not among the stack's TaskRoleArns, so it \
             cannot be handed on: expected it, or a pattern that matches it, among them"
        );
    }
    assert!(release.ledger.written.take().iter().all(|write| write == "list Refused"));
}

#[tokio::test]
async fn a_service_that_no_release_can_move_is_left_out_and_told() {
    let release = Release { aws: Shop::default(), ledger: Notebook::default() };
    let images = json!({"shop/users": digest('b'), "shop/idle": digest('b'), "shop/legacy": digest('b')});
    let opened = open(&release, json!({"environment": "dev", "scope": "cluster", "images": images})).await;
    assert_eq!((&opened["next"], opened["plan"].as_array().unwrap().len()), (&json!("TakeLeases"), 1));
    let head = release.ledger.head.borrow().clone().unwrap();
    assert_eq!(head.services.len(), 1);
    for (name, why) in [
        ("idle", "its desired count is 0: no task would run the image"),
        ("legacy", "its deployment controller is CODE_DEPLOY: expected ECS"),
    ] {
        let stays = json!({"service": name, "why": why});
        assert!(opened["untouched"].as_array().unwrap().contains(&stays), "{opened}");
        let text = format!("{name} is left out: {why}");
        assert!(head.findings.iter().any(|one| one.kind == FindingKind::Warns && one.text == text));
    }
    // It refuses whoever names it.
    let named = json!({"environment": "dev", "services": ["users", "idle"], "images": images});
    let named = json!({"release": "r9", "input": named});
    let refused = ask(&release, "open", named, "2026-11-23T10:00:10Z").await;
    assert_eq!(refused["because"], "idle: its desired count is 0: no task would run the image");
    assert_eq!(ask(&release, "lease", json!({}), "2026-11-23T10:00:11Z").await["next"], "Wave");
}

#[tokio::test]
async fn live_tests_are_kept_before_anything_is_touched() {
    let release = Release { aws: Shop::default(), ledger: Notebook::default() };
    let text =
        r#"{"version": 1, "checks": [{"name":"health","http":{"url":"http://${target.address}/health"}}]}"#;
    let kept = r#"{"checks":[{"http":{"url":"http://${target.address}/health"},"name":"health"}]}"#;
    release.aws.tests.borrow_mut().insert("users".to_owned(), text.to_owned());
    open(&release, json!({"environment": "dev", "repository": "shop/users", "image": digest('b')})).await;
    release.ledger.written.take();
    assert_eq!(ask(&release, "lease", json!({}), "2026-11-23T10:00:11Z").await["next"], "Wave");
    // This ledger does not keep the order of the opening, so it is written once more.
    let written = ["take 1", &format!("keep {kept}"), "move", "order", "adopt users"];
    assert_eq!(release.ledger.written.take(), written);
    assert_eq!(release.ledger.moves.borrow()[0].1.pack, Some(pack::hash(kept)));
}

#[tokio::test]
async fn a_mistake_in_live_tests_refuses_what_goes_forward_and_no_rollback() {
    let release = Release { aws: Shop::default(), ledger: Notebook::default() };
    release.aws.tests.borrow_mut().insert("users".to_owned(), r#"{"checks":[{"nam":"health"}]}"#.to_owned());
    let refused =
        open(&release, json!({"environment": "dev", "repository": "shop/users", "image": digest('b')})).await;
    assert_eq!(refused["next"], "Refused");
    let place = "users: the parameter /tidegate/environments/dev/services/users/tests";
    assert!(refused["because"].as_str().unwrap().starts_with(place), "{refused}");

    let row = ServiceRow { verified: Some(known('a')), previous: Some(known('c')), ..ServiceRow::default() };
    release.ledger.know("dev", "users", row);
    let back = open(&release, json!({"environment": "dev", "mode": "rollback"})).await;
    assert_eq!(back["next"], "TakeLeases");
    assert!(back["findings"][0]["text"].as_str().unwrap().starts_with(place), "{back}");
    release.ledger.written.take();
    ask(&release, "lease", json!({}), "2026-11-23T10:00:11Z").await;
    assert!(release.ledger.written.take().contains(&"keep {}".to_owned()));
}

#[tokio::test]
async fn a_push_moves_what_runs_images_of_its_own_region_and_account() {
    for (key, value, next) in [
        ("region", "eu-west-1", "TakeLeases"),
        ("region", "us-east-1", "Ignored"),
        ("account", "210987654321", "Ignored"),
    ] {
        let release = Release { aws: Shop::default(), ledger: Notebook::default() };
        let mut event = push("shop/users");
        event[key] = value.into();
        assert_eq!(open(&release, event).await["next"], next, "{value}");
    }
}
