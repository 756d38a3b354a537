//! The samples in `events/release`, against a shop in memory.

use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::ids::{EnvironmentName, ReleaseId};
use pipeline::rows::{OrderKey, Outcome, ServiceRow, SweepRow};
use release::Release;
use release::ports::Execution;

use crate::notebook::{Notebook, dead_move, known};
use crate::promotion::{waiting, with_dev};
use crate::shop::{Shop, digest};

#[tokio::test]
async fn the_samples_are_answered_as_their_golden_files_say() {
    testbed::contract::check("release", async |case, request, now| {
        let release = Release { aws: Shop::default(), ledger: Notebook::default() };
        prepare(&release, case, now)?;
        let answer = release.handle(request, now).await;
        let written = release.ledger.written.take();
        assert_eq!(written, writes(case), "{case}");
        answer
    })
    .await;
}

/// Writes down what a sample finds.
fn prepare(release: &Release<Shop, Notebook>, case: &str, now: Timestamp) -> Result<(), Fault> {
    match case {
        "request-rollback" | "request-rollback-of-an-image" | "request-rollback-of-a-cluster" => {
            let (verified, previous) = (Some(known('a')), Some(known('c')));
            let row = ServiceRow { verified, previous, ..ServiceRow::default() };
            release.ledger.know("dev", "users", row);
        }
        "request-rollback-of-a-dead-release" => {
            release.aws.holder.set(Some(Execution::Ended(now)));
            waiting(&release.ledger, "token");
            *release.ledger.head_of.borrow_mut() = Some(ReleaseId::parse("dead")?);
            release.ledger.waiting.take();
            if let Some(head) = release.ledger.head.borrow_mut().as_mut() {
                head.environment = EnvironmentName::parse("dev")?;
            }
            release.ledger.moves.borrow_mut().push(dead_move());
        }
        "request-approve"
        | "request-reject"
        | "request-abort"
        | "request-abort-without-rollback"
        | "refused-abort-of-another-environment"
        | "refused-rollback-of-another-environment" => waiting(&release.ledger, "token"),
        "refused-abort-of-a-closed-release" => {
            waiting(&release.ledger, "token");
            if let Some(head) = release.ledger.head.borrow_mut().as_mut() {
                head.outcome = Some(Outcome::Deployed);
            }
        }
        "refused-abort-of-a-dead-release" => {
            waiting(&release.ledger, "token");
            release.aws.holder.set(Some(Execution::Ended(now)));
        }
        "refused-abort-of-nothing" => release.aws.holder.set(Some(Execution::Unknown)),
        "refused-rollback-of-a-running-release" => waiting(&release.ledger, "token"),
        "refused-approve-too-late" => waiting(&release.ledger, "stale"),
        "refused-pushed-within-one-second" => {
            let pushed = Timestamp::parse("2026-11-23T10:00:00Z")?;
            let order = OrderKey::new(pushed, pushed.plus_seconds(6), Some(&digest('c')));
            let row = ServiceRow { order: Some(order), ..ServiceRow::default() };
            release.ledger.know("dev", "users", row);
        }
        "reconcile-finds-a-lost-push" => {
            let first = Timestamp::parse("2026-11-22T09:00:00Z")?;
            let row = SweepRow {
                first,
                takes: "dev main-* both-*".to_owned(),
                run: ReleaseId::parse("before")?,
                since: first,
                left: 0,
                last: None,
                unmet: Vec::new(),
                gone: Vec::new(),
                busy: false,
            };
            release.ledger.progress.borrow_mut().insert("dev".to_owned(), row);
        }
        _ if case.contains("promotion") => with_dev(&release.ledger),
        _ => {}
    }
    Ok(())
}

/// What is refused before it is about an environment that there is.
const NOT_LISTED: [&str; 8] = [
    "refused-foreign-event",
    "refused-abort-without-a-reason",
    "refused-narrowed-cluster",
    "refused-tag-of-two-environments",
    "refused-unknown-environment",
    "refused-unknown-key",
    "refused-reconcile-of-an-unknown-environment",
    "refused-reconcile-with-an-unknown-key",
];

/// What a sweep writes that looks at each environment for the first time: four have seven repositories, five three.
const SWEPT: [&str; 18] = [
    "progress, 3 left",
    "progress, 0 left",
    "progress, 3 left",
    "progress, 0 left",
    "progress, 7 left",
    "progress, 0 left",
    "progress, 7 left",
    "progress, 0 left",
    "progress, 3 left",
    "progress, 0 left",
    "progress, 3 left",
    "progress, 0 left",
    "progress, 7 left",
    "progress, 0 left",
    "progress, 3 left",
    "progress, 0 left",
    "progress, 7 left",
    "progress, 0 left",
];

/// Returns what a sample may write.
fn writes(case: &str) -> &'static [&'static str] {
    let listed = |case: &str| case.starts_with("refused-") && !NOT_LISTED.contains(&case);
    match case {
        "push-build-tag" | "push-that-a-sweep-found" | "push-environment-tag" | "push-multi-arch-index" => {
            &["claim", "order", "open"]
        }
        "request-full"
        | "request-by-tag"
        | "request-force"
        | "request-rollback"
        | "request-rollback-of-a-dead-release" => &["order", "open"],
        "request-cluster" => &["order", "order", "open"],
        "request-promotion"
        | "request-promotion-of-a-release"
        | "request-promotion-of-services"
        | "request-promotion-by-force"
        | "request-rollback-of-an-image"
        | "request-rollback-of-a-cluster"
        | "request-cluster-with-an-idle-service" => &["order", "open"],
        "refused-pushed-within-one-second" => &["claim", "list Refused"],
        "request-promotion-that-asks" => &["order", "propose users", "open"],
        "request-approve" => &["answer Approved", "answered", "list Answered"],
        "refused-approve-too-late" => &["answer Approved", "answered", "list Refused"],
        "request-reject" => &["answer Rejected", "answered", "list Answered"],
        "request-abort" | "request-abort-without-rollback" => &["stop", "answered", "list Answered"],
        "reconcile" => &SWEPT,
        "reconcile-one-environment" => &["progress, 7 left", "progress, 0 left"],
        "reconcile-finds-a-lost-push" => {
            &["progress, 7 left", "found lost shop/users#main-7", "progress, 0 left"]
        }
        "request-freeze" => &["freeze dev", "list Answered"],
        "request-resume" => &["resume dev", "list Answered"],
        // Refused, it only stands in the list of runs; planned and ignored, nowhere but in the event's own row.
        "request-minimal" => &["list Refused"],
        _ if listed(case) => &["list Refused"],
        _ => &[],
    }
}
