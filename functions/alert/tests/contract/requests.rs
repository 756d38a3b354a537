//! What the function is told, and what the ledger then says of the release.

use std::borrow::Borrow;
use std::fs;

use alert::report::Report;
use alert::{Alert, Response};
use pipeline::clock::Timestamp;
use pipeline::{Fault, document};
use serde_json::Value;

use crate::fixture::Fixture;

pub fn now() -> Timestamp {
    Timestamp::parse(testbed::contract::NOW).unwrap()
}

pub async fn tell(fixture: &Fixture, payload: impl Borrow<Value>) -> Result<Response, Fault> {
    Alert { port: fixture }.handle(payload.borrow().clone(), now()).await
}

/// A sample as the machine sends it: what it would say about the ledger is in the ledger.
pub fn request(fixture: &mut Fixture, outcome: &str) -> Value {
    let mut sample = sample("rolled-back");
    sample["outcome"] = outcome.into();
    fixture.report = Some(document::read("the report", sample["report"].take()).unwrap());
    sample
}

/// A release that was closed, as the ledger has it.
pub fn closed_report() -> Report {
    document::read("the report", sample("needs-human")["report"].take()).unwrap()
}

/// A release whose execution ended before it was closed, as the ledger has it.
pub fn open_report() -> Report {
    let mut report = sample("needs-human")["report"].take();
    report["head"]["outcome"].take();
    document::read("the report", report).unwrap()
}

pub fn sample(case: &str) -> Value {
    let path = format!("{}/../../events/alert/{case}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}
