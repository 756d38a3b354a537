//! The samples in `events/release`, against a shop in memory.

use crate::memory::{Notebook, Shop};
use release::Release;

#[tokio::test]
async fn the_samples_are_answered_as_their_golden_files_say() {
    testbed::contract::check("release", async |case, request, now| {
        let release = Release { world: Shop, book: Notebook::default() };
        if case == "request-rollback" {
            release.book.service.borrow_mut().previous = Some(crate::memory::known('c'));
        }
        if case == "request-rollback-of-a-dead-release" {
            release.book.moves.borrow_mut().push(crate::memory::dead_move());
        }
        let answer = release.handle(request, now).await;
        let written = release.book.written.take();
        let expected: &[&str] = match case {
            "push-build-tag" | "push-environment-tag" | "push-multi-arch-index" => {
                &["claim", "order", "open"]
            }
            "request-full"
            | "request-by-tag"
            | "request-force"
            | "request-rollback"
            | "request-rollback-of-a-dead-release" => &["order", "open"],
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
