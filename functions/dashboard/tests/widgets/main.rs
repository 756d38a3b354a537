//! The widgets, drawn from rows in memory: the samples, golden pages, hostile rows, large ledgers; and what buttons start.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "this is how a test fails")]

mod acts;
mod formats;
mod golden;
mod hostile;
mod large;
mod rows;
mod shop;
mod states;

use dashboard::{Dashboard, Places};
use pipeline::Fault;
use pipeline::clock::Timestamp;
use rows::Rows;
use serde_json::{Value, json};
use testbed::contract::{self, NOW};

/// What a ledger had on a day: releases of each end, one that is open, one that waits.
const RECORDED: &str = include_str!("../../../../crates/testbed/ledger/2026-11-24.json");

fn places() -> Places {
    let function = |name| format!("arn:aws:lambda:eu-west-1:123456789012:function:{name}");
    Places {
        draws: function("DashboardFunction"),
        acts: function("DashboardActsFunction"),
        machine: "arn:aws:states:eu-west-1:123456789012:stateMachine:tidegate".to_owned(),
    }
}

/// Draws a widget at the moment of the samples.
async fn drawn(rows: &Rows, payload: Value) -> Result<String, Fault> {
    drawn_at(rows, payload, Timestamp::parse(NOW).unwrap()).await
}

async fn drawn_at(rows: &Rows, payload: Value, now: Timestamp) -> Result<String, Fault> {
    let dashboard = Dashboard { port: rows.clone(), places: places() };
    dashboard.handle(payload, now).await
}

/// The recorded ledger, with the documents that its environments had.
fn recorded() -> Rows {
    Rows::recorded(RECORDED)
        .with("dev", &json!({"cluster": "dev", "tag": "dev"}))
        .with(
            "staging",
            &json!({"cluster": "staging", "tag": "staging", "from": "dev", "approval": "required"}),
        )
        .with("shop", &json!({"cluster": "shop", "tag": "shop"}))
}

#[tokio::test]
async fn the_samples_answer_as_their_golden_files_say() {
    let rows = recorded();
    contract::check("dashboard", async |_, payload: Value, now| drawn_at(&rows, payload, now).await).await;
}
