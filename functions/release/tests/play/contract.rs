//! The samples in `events/release`, against a shop in memory.

use pipeline::clock::Timestamp;
use pipeline::rows::{OrderKey, ServiceRow};
use release::Release;

use crate::notebook::{Notebook, dead_move, known};
use crate::promotion::{waiting, with_dev};
use crate::shop::{Shop, digest};

#[tokio::test]
async fn the_samples_are_answered_as_their_golden_files_say() {
    testbed::contract::check("release", async |case, request, now| {
        let release = Release { aws: Shop::default(), ledger: Notebook::default() };
        match case {
            "request-rollback" | "request-rollback-of-an-image" | "request-rollback-of-a-cluster" => {
                let row = ServiceRow { previous: Some(known('c')), ..ServiceRow::default() };
                release.ledger.know("dev", "users", row);
            }
            "request-rollback-of-a-dead-release" => {
                waiting(&release.ledger, "token");
                release.ledger.waiting.take();
                if let Some(head) = release.ledger.head.borrow_mut().as_mut() {
                    head.environment = pipeline::ids::EnvironmentName::parse("dev")?;
                }
                release.ledger.moves.borrow_mut().push(dead_move());
            }
            "request-approve" | "request-reject" | "refused-rollback-of-another-environment" => {
                waiting(&release.ledger, "token")
            }
            "refused-pushed-within-one-second" => {
                let pushed = Timestamp::parse("2026-11-23T10:00:00Z")?;
                let order = OrderKey::new(pushed, pushed.plus_seconds(6), Some(&digest('c')));
                let row = ServiceRow { order: Some(order), ..ServiceRow::default() };
                release.ledger.know("dev", "users", row);
            }
            "refused-approve-too-late" => waiting(&release.ledger, "stale"),
            _ if case.contains("promotion") => with_dev(&release.ledger),
            _ => {}
        }
        let answer = release.handle(request, now).await;
        let written = release.ledger.written.take();
        let expected: &[&str] = match case {
            "push-build-tag" | "push-environment-tag" | "push-multi-arch-index" => {
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
            "request-promotion-that-asks" => &["order", "propose users", "open"],
            "request-approve" | "request-reject" | "refused-approve-too-late" => &["answered"],
            "refused-pushed-within-one-second" => &["claim"],
            "request-freeze" => &["freeze dev"],
            "request-resume" => &["resume dev"],
            // Planned, ignored and refused: nothing but the event's own row.
            _ => &[],
        };
        assert_eq!(written, expected, "{case}");
        answer
    })
    .await;
}
