//! The samples in `events/release`, against a shop in memory.

#![expect(clippy::unwrap_used, reason = "this is how a test fails")]

mod memory;

use memory::{Notebook, Shop};
use release::Release;

#[tokio::test]
async fn the_samples_are_answered_as_their_golden_files_say() {
    testbed::contract::check("release", async |case, request, now| {
        let release = Release { world: Shop, book: Notebook::default() };
        let answer = release.handle(request, now).await;
        let written = release.book.written.take();
        let expected: &[&str] = match case {
            "push-build-tag" | "push-environment-tag" | "push-multi-arch-index" => {
                &["claim", "order", "open"]
            }
            "request-full" | "request-by-tag" => &["order", "open"],
            // Planned, ignored and refused: nothing but the event's own row.
            _ => &[],
        };
        assert_eq!(written, expected, "{case}");
        answer
    })
    .await;
}
