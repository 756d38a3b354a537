//! The samples in `events/health-test`, each against the fixture that its name tells of, and what one request leads to.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "this is how a test fails")]

mod cloudwatch;
mod drains;
mod fixture;
mod instances;
mod packs;
mod polls;
mod reach;
mod requests;
mod runs;
mod shifts;
mod tests;
mod watched;

use fixture::Fixture;

#[tokio::test]
async fn the_samples_are_answered_as_their_golden_files_say() {
    testbed::contract::check("health-test", async |case, request, _| {
        requests::answer(&Fixture::of(case), request).await
    })
    .await;
}
