//! Mistakes in the documents of environments: each stops whoever needs that document, and nobody else.

use release::Release;
use serde_json::{Value, json};

use crate::notebook::{Notebook, known};
use crate::promotion::waiting;
use crate::run::ask;
use crate::shop::{Shop, digest};
use pipeline::clock::Timestamp;
use pipeline::rows::{ServiceRow, Verdict};

fn with_wrong(name: &str, text: &str) -> Release<Shop, Notebook> {
    let release = Release { aws: Shop::default(), ledger: Notebook::default() };
    release.aws.wrong.borrow_mut().insert(name.to_owned(), text.to_owned());
    release
}

async fn open(release: &Release<Shop, Notebook>, input: Value) -> Value {
    ask(release, "open", json!({"input": input}), "2026-11-23T10:00:10Z").await
}

/// Opens another run, once a release is open.
async fn open_another(release: &Release<Shop, Notebook>, input: Value) -> Value {
    ask(release, "open", json!({"release": "r9", "input": input}), "2026-11-23T10:00:10Z").await
}

fn push(tag: &str) -> Value {
    json!({
        "version": "0", "id": "e1", "detail-type": "ECR Image Action", "source": "aws.ecr",
        "account": "123456789012", "time": "2026-11-23T10:00:00Z", "region": "eu-west-1", "resources": [],
        "detail": {"result": "SUCCESS", "repository-name": "shop/users", "action-type": "PUSH",
                   "image-digest": digest('b'), "image-tag": tag}
    })
}

const TYPO: &str = r#"{"cluster": "mall", "tag": "mall", "wavs": []}"#;

#[tokio::test]
async fn a_request_needs_no_document_but_its_own() {
    let release = with_wrong("mall", TYPO);
    let deploy = |name: &str| json!({"environment": name, "repository": "shop/users", "image": digest('b')});
    assert_eq!(open(&release, deploy("dev")).await["next"], "TakeLeases");
    let refused = open_another(&release, deploy("mall")).await;
    assert_eq!(refused["next"], "Refused");
    assert!(
        refused["because"]
            .as_str()
            .unwrap()
            .starts_with("the parameter /tidegate/environments/mall at \"wavs\"")
    );
    // What it takes from has to be there, and not to be right.
    let after = json!({"environment": "after-mall", "repository": "shop/users", "image": digest('b'), "mode": "plan"});
    assert_eq!(open_another(&release, after).await["next"], "Planned");
    for mode in ["freeze", "resume"] {
        assert_eq!(
            open_another(&release, json!({"environment": "mall", "mode": mode})).await["outcome"],
            "Answered"
        );
    }
    for mode in ["approve", "reject"] {
        let release = with_wrong("careful", TYPO);
        waiting(&release.ledger, "token");
        let answer = json!({"environment": "careful", "mode": mode, "release": "r1"});
        assert_eq!(open_another(&release, answer).await["next"], "Answered");
    }
}

#[tokio::test]
async fn a_rollback_is_not_stopped_by_a_mistake_in_its_own_document() {
    let release = with_wrong("mall", TYPO);
    let (now, before) = (known('a'), known('c'));
    let row = ServiceRow { verified: Some(now), previous: Some(before), ..ServiceRow::default() };
    release.ledger.know("mall", "users", row);
    let opened = open(&release, json!({"environment": "mall", "mode": "rollback"})).await;
    assert_eq!(opened["next"], "TakeLeases");
    let told = opened["findings"].to_string();
    assert!(told.contains("the rollback goes by what is right in its document: "), "{told}");
    assert_eq!(ask(&release, "lease", json!({}), "2026-11-23T10:00:11Z").await["next"], "Wave");
}

#[tokio::test]
async fn a_release_whose_document_was_broken_meanwhile_touches_nothing() {
    let release = with_wrong("other", TYPO);
    let input = json!({"environment": "mall", "repository": "shop/users", "image": digest('b')});
    open(&release, input).await;
    release.aws.wrong.borrow_mut().insert("mall".to_owned(), TYPO.to_owned());
    let leased = ask(&release, "lease", json!({}), "2026-11-23T10:00:11Z").await;
    assert_eq!(leased["next"], "Refused");
}

#[tokio::test]
async fn a_push_goes_where_one_environment_takes_it_and_the_broken_document_is_told() {
    let release = with_wrong("mall", TYPO);
    let opened = open(&release, push("main-7")).await;
    assert_eq!((&opened["next"], &opened["environment"]), (&json!("TakeLeases"), &json!("dev")));
    let unknown = "what mall takes is unknown: the parameter /tidegate/environments/mall at \"wavs\"";
    let unknown_to = |finding: &Value| finding["text"].as_str().unwrap().starts_with(unknown);
    assert!(opened["findings"].as_array().unwrap().iter().any(unknown_to), "{opened}");
    let head = release.ledger.head.borrow().clone().unwrap();
    assert!(head.findings.iter().any(|finding| finding.text.starts_with(unknown)), "{head:?}");
    let refused = open_another(&release, push("mall")).await;
    assert_eq!(refused["next"], "Refused");
    assert!(refused["because"].as_str().unwrap().contains(unknown), "{refused}");
}

#[tokio::test]
async fn what_follows_starts_and_what_cannot_be_read_is_told() {
    let release = with_wrong("staging", TYPO);
    let input = json!({"environment": "dev", "repository": "shop/users", "image": digest('b')});
    open(&release, input).await;
    ask(&release, "lease", json!({}), "2026-11-23T10:00:11Z").await;
    {
        let row = &mut release.ledger.moves.borrow_mut()[0].1;
        (row.touched, row.verdict) = (Some(Timestamp::from_millis(0)), Some(Verdict::Healthy));
    }
    let closed = ask(&release, "close", json!({}), "2026-11-23T10:01:00Z").await;
    assert_eq!(closed["outcome"], "Deployed");
    assert!(
        closed["because"]
            .as_str()
            .unwrap()
            .contains("it is unknown whether a promotion to staging started: "),
        "{closed}"
    );
    let done = release.aws.done.take();
    assert!(done.iter().any(|word| word.starts_with("start careful-r1 ")), "{done:?}");
}

#[tokio::test]
async fn two_environments_on_one_cluster_move_nothing_forward_and_may_go_back() {
    let release = with_wrong("staging", r#"{"cluster": "mall", "tag": "staging", "deployOn": ["stage-*"]}"#);
    let shared = "environments mall and staging share the cluster mall: expected one environment for each cluster; \
                  change \"cluster\" in all of these documents but one";
    let deploy = |name: &str| json!({"environment": name, "repository": "shop/users", "image": digest('b')});
    for refused in [deploy("mall"), deploy("staging"), push("mall"), push("stage-7")] {
        let refused = open(&release, refused).await;
        assert_eq!((&refused["next"], &refused["because"]), (&json!("Refused"), &json!(shared)));
    }
    let plan = json!({"environment": "mall", "mode": "plan", "images": {"shop/users": digest('b')}});
    assert!(open(&release, plan).await["findings"].to_string().contains("share the cluster mall"));
    assert_eq!(open_another(&release, deploy("dev")).await["next"], "TakeLeases");
    release.ledger.head.take();
    release.ledger.head_of.take();
    for mode in ["freeze", "resume"] {
        assert_eq!(open(&release, json!({"environment": "mall", "mode": mode})).await["outcome"], "Answered");
    }
    let row = ServiceRow { verified: Some(known('a')), previous: Some(known('c')), ..ServiceRow::default() };
    release.ledger.know("mall", "users", row);
    let opened = open(&release, json!({"environment": "mall", "mode": "rollback"})).await;
    assert_eq!(opened["next"], "TakeLeases");
    assert_eq!(opened["findings"][0], json!({"kind": "warns", "text": shared}));
    assert_eq!(ask(&release, "lease", json!({}), "2026-11-23T10:00:11Z").await["next"], "Wave");
}
