//! The samples in `events/alert`, and what becomes of a message on its way out.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "this is how a test fails")]

mod chance;
mod channels;
mod deliveries;
mod ended;
mod fixture;
mod ledger;
mod progress;
mod requests;
mod resolve;
mod signals;
mod world;

use alert::port::Execution;
use serde_json::Value;

use fixture::{Fixture, failed};
use requests::{closed_report, open_report, tell};

#[tokio::test]
async fn the_samples_are_answered_as_their_golden_files_say() {
    testbed::contract::check("alert", async |case, payload: Value, _| {
        let mut fixture = Fixture::with_webhook();
        if ["started", "rolling-back"].contains(&case) {
            fixture.settings = Some(progress::asked_for("webhook").to_string());
        }
        let ended = case.starts_with("execution-ended-");
        let signal = ["alarm-", "ecs-", "log-", "settings-"].iter().any(|kind| case.starts_with(kind));
        if signal {
            fixture.environments = signals::prod().environments;
            fixture.settings = Some(signals::panics().to_string());
        }
        fixture.report = match case {
            "execution-ended-aborted" | "execution-ended-timed-out" => Some(open_report()),
            "execution-ended-closed" | "execution-ended-untold" => Some(closed_report()),
            _ => None,
        };
        fixture.execution = match case {
            "execution-ended-refused" => Some(failed("Refused", "prod is frozen")),
            "execution-ended-before-the-release-opened" => {
                Some(failed("States.Runtime", "the input is too deep"))
            }
            "execution-ended-closed" => Some(failed("NeedsHuman", "users could not be put back")),
            "execution-ended-aborted" | "execution-ended-timed-out" | "execution-ended-untold" => {
                Some(Execution::default())
            }
            _ => None,
        };
        let answer = tell(&fixture, payload).await;
        // The other samples hold all that is to be told: the ledger is neither read nor written.
        assert!(signal || (fixture.asked_ledger.take() > 0) == (ended && answer.is_ok()), "{case}");
        answer
    })
    .await;
}
