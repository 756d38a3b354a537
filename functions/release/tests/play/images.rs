//! What live tests expect of an image, judged when a release opens and once more under its leases.

use pipeline::Fault;
use pipeline::rows::ServiceRow;
use release::Release;
use release::ports::{Child, Platform, Scan, Signed, Signing, Vulnerability};
use serde_json::{Value, json};

use crate::notebook::{Notebook, known};
use crate::promotion::with_dev;
use crate::run::ask;
use crate::shop::{Shop, digest};

const SCANNED: &str = r#"{"checks":[{"name":"image","image":{"scan":{"below":"HIGH"}}}]}"#;

/// A finding that no image may have.
fn critical() -> Result<Scan, Fault> {
    let finding = Vulnerability {
        id: "CVE-2024-1234".to_owned(),
        severity: "CRITICAL".to_owned(),
        package: Some("openssl 3.0.1".to_owned()),
        is_fixable: Some(true),
        fixed_in: Some("3.0.2".to_owned()),
    };
    Ok(Scan::Done { findings: vec![finding], unlisted: 0 })
}

const SAID: &str = "users: check \"image\": CRITICAL CVE-2024-1234 in openssl 3.0.1 (fixed in 3.0.2): expected nothing of HIGH or above";

fn clean() -> Result<Scan, Fault> {
    Ok(Scan::Done { findings: vec![], unlisted: 0 })
}

fn pending() -> Result<Scan, Fault> {
    Ok(Scan::Pending("IN_PROGRESS".to_owned()))
}

fn shop(test: &str, scan: Result<Scan, Fault>) -> Release<Shop, Notebook> {
    let release = Release { aws: Shop::default(), ledger: Notebook::default() };
    release.aws.tests.borrow_mut().insert("users".to_owned(), test.to_owned());
    set(&release, scan);
    release
}

fn set(release: &Release<Shop, Notebook>, scan: Result<Scan, Fault>) {
    *release.aws.scan.borrow_mut() = Some(scan);
}

fn deploy() -> Value {
    json!({"environment": "dev", "repository": "shop/users", "image": digest('b')})
}

async fn open(release: &Release<Shop, Notebook>, input: Value) -> Value {
    let asked = json!({"input": input, "started": "2026-11-23T10:00:00Z"});
    ask(release, "open", asked, "2026-11-23T10:00:10Z").await
}

#[tokio::test]
async fn a_bad_image_is_refused_before_anything_is_written_and_a_plan_shows_it() {
    let release = shop(SCANNED, critical());
    let refused = open(&release, deploy()).await;
    assert_eq!((&refused["next"], &refused["because"]), (&json!("Refused"), &json!(SAID)));
    let mut forced = deploy();
    (forced["force"], forced["reason"]) = (true.into(), "a hotfix".into());
    assert_eq!(open(&release, forced).await["because"], SAID, "what failed is not overridden");

    let mut plan = deploy();
    plan["mode"] = "plan".into();
    let planned = open(&release, plan.clone()).await;
    assert_eq!((&planned["next"], &planned["findings"][0]["text"]), (&json!("Planned"), &json!(SAID)));
    assert_eq!(planned["because"], "it would be refused, for 1 reason");
    set(&release, pending());
    let planned = open(&release, plan).await;
    assert_eq!(planned["next"], "Planned");
    assert!(planned["because"].as_str().unwrap().contains("its scan is not done"), "{planned}");
    assert_eq!(release.ledger.written.take(), ["list Refused", "list Refused"]);

    let excepted =
        r#"{"checks":[{"name":"image","image":{"scan":{"below":"HIGH","except":["CVE-2024-1234"]}}}]}"#;
    assert_eq!(open(&shop(excepted, critical()), deploy()).await["next"], "TakeLeases");
}

#[tokio::test]
async fn one_image_is_read_once_however_many_services_run_it_and_not_at_all_if_nobody_asks() {
    let release = shop(r#"{"checks":[{"name":"stable","targets":{}}]}"#, critical());
    assert_eq!(open(&release, deploy()).await["next"], "TakeLeases");
    assert!(release.aws.read.take().is_empty(), "nobody asked");

    let mut release = shop(SCANNED, critical());
    release.aws.shares = true;
    release.aws.tests.borrow_mut().insert("cart".to_owned(), SCANNED.to_owned());
    let refused = open(&release, json!({"environment": "mall", "images": {"shop/users": digest('b')}})).await;
    assert_eq!(
        refused["because"],
        format!("{}; {SAID}", SAID.replace("users", "cart")),
        "checkout asks nothing"
    );
    assert_eq!(
        release.aws.read.take(),
        ["children bbbbbbbbbbbb", "config bbbbbbbbbbbb", "scan bbbbbbbbbbbb"]
    );
}

#[tokio::test]
async fn of_an_index_the_image_for_the_platform_is_judged() {
    let on = |architecture: &str| Platform { os: "linux".to_owned(), architecture: architecture.to_owned() };
    let child = |letter, architecture| Child { digest: digest(letter), platform: Some(on(architecture)) };
    let mut release = shop(SCANNED, clean());
    release.aws.children = vec![child('a', "arm64"), child('c', "amd64")];
    assert_eq!(open(&release, deploy()).await["next"], "TakeLeases");
    assert_eq!(
        release.aws.read.take(),
        ["children bbbbbbbbbbbb", "config cccccccccccc", "scan cccccccccccc"]
    );
    let mut release = shop(SCANNED, clean());
    release.aws.children = vec![child('a', "arm64")];
    let refused = open(&release, deploy()).await;
    assert_eq!(
        refused["because"],
        "users: check \"image\": it is built for linux/arm64: expected linux/amd64, which the service runs on"
    );
}

#[tokio::test]
async fn of_an_index_who_has_signed_it_is_asked_of_the_index_itself_and_once_more_under_the_leases() {
    let profile = "arn:aws:signer:eu-west-1:123456789012:/signing-profiles/shop";
    let signature = json!({"ecr": {"profiles": [profile]}});
    let test = json!({"checks": [{"name": "image", "image": {"signature": signature}}]}).to_string();
    let mut release = shop(&test, clean());
    let on = Platform { os: "linux".to_owned(), architecture: "amd64".to_owned() };
    release.aws.children = vec![Child { digest: digest('c'), platform: Some(on) }];
    let set = |release: &Release<Shop, Notebook>, signed| {
        *release.aws.signings.borrow_mut() = vec![Signing { profile: profile.to_owned(), signed }];
    };
    set(&release, Signed::No("AccessDenied".to_owned()));
    let refused = open(&release, deploy()).await;
    let why = format!("users: check \"image\": ECR could not sign it with {profile} (AccessDenied): ");
    assert!(
        refused["next"] == "Refused" && refused["because"].as_str().unwrap().starts_with(&why),
        "{refused}"
    );
    assert_eq!(
        release.aws.read.take(),
        ["children bbbbbbbbbbbb", "config cccccccccccc", "signings bbbbbbbbbbbb"]
    );
    set(&release, Signed::Yes);
    assert_eq!(open(&release, deploy()).await["next"], "TakeLeases");
    set(&release, Signed::No("Revoked".to_owned()));
    assert_eq!(ask(&release, "lease", json!({}), "2026-11-23T12:00:00Z").await["next"], "Refused");
}

#[tokio::test]
async fn a_scan_is_waited_for_as_long_as_a_lease_is() {
    let release = shop(SCANNED, pending());
    let opening = json!({"input": deploy(), "started": "2026-11-23T10:00:00Z"});
    let waiting = ask(&release, "open", opening.clone(), "2026-11-23T10:00:10Z").await;
    assert_eq!((&waiting["next"], &waiting["pauseSeconds"]), (&json!("Waiting"), &json!(10)));
    assert!(release.ledger.written.take().is_empty());
    let refused = ask(&release, "open", opening.clone(), "2026-11-23T11:00:00Z").await;
    assert_eq!(refused["next"], "Refused");
    set(&release, clean());
    let opened = ask(&release, "open", opening, "2026-11-23T10:01:00Z").await;
    assert_eq!(opened["next"], "TakeLeases");

    // It is scanned once more, and that is done by and by.
    set(&release, pending());
    release.ledger.written.take();
    let waiting = ask(&release, "lease", json!({}), "2026-11-23T12:00:00Z").await;
    assert_eq!((&waiting["next"], &waiting["pauseSeconds"]), (&json!("Waiting"), &json!(10)));
    assert_eq!(release.ledger.written.take(), ["take 1", "waits", "free"], "it holds nothing meanwhile");
    let waiting = ask(&release, "lease", json!({}), "2026-11-23T12:30:00Z").await;
    assert_eq!((&waiting["next"], &waiting["pauseSeconds"]), (&json!("Waiting"), &json!(60)));
    let refused = ask(&release, "lease", json!({}), "2026-11-23T13:00:00Z").await;
    assert_eq!(refused["next"], "Refused");
    assert!(refused["because"].as_str().unwrap().contains("it could not be measured: its scan is not done"));
    set(&release, clean());
    assert_eq!(ask(&release, "lease", json!({}), "2026-11-23T12:40:00Z").await["next"], "Wave");
}

#[tokio::test]
async fn what_is_found_while_a_release_waits_for_a_person_refuses_it_under_its_leases() {
    let release = shop(SCANNED, clean());
    assert_eq!(open(&release, deploy()).await["next"], "TakeLeases");
    release.ledger.written.take();
    set(&release, critical());
    let refused = ask(&release, "lease", json!({}), "2026-11-24T10:00:00Z").await;
    assert_eq!((&refused["next"], &refused["because"]), (&json!("Refused"), &json!(SAID)));
    assert_eq!(release.ledger.written.take(), ["take 1", "free"]);
    assert!(release.ledger.moves.borrow().is_empty(), "nothing is left of it, and no tag can move");
    assert!(release.ledger.leases.borrow().values().all(|lease| lease.release.is_none()));
}

#[tokio::test]
async fn what_goes_back_is_never_asked() {
    let release = shop(SCANNED, critical());
    let row = ServiceRow { verified: Some(known('a')), previous: Some(known('c')), ..ServiceRow::default() };
    release.ledger.know("dev", "users", row);
    let back = open(&release, json!({"environment": "dev", "mode": "rollback"})).await;
    assert_eq!(back["next"], "TakeLeases", "{back}");
    assert_eq!(ask(&release, "lease", json!({}), "2026-11-23T10:00:11Z").await["next"], "Wave");
    assert!(release.aws.read.take().is_empty());
}

#[tokio::test]
async fn a_promotion_is_judged_by_the_live_tests_of_the_environment_that_it_enters() {
    let promotion =
        json!({"environment": "staging", "images": {"shop/users": digest('b')}, "promotedBy": "r0"});
    for (asks, next) in [("dev/users", "TakeLeases"), ("staging/users", "Refused")] {
        let release = shop("{}", critical());
        with_dev(&release.ledger);
        *release.aws.tests.borrow_mut() = [(asks.to_owned(), SCANNED.to_owned())].into();
        assert_eq!(open(&release, promotion.clone()).await["next"], next, "{asks}");
    }
}
