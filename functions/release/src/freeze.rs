//! Freezes an environment, or lets releases in again.

use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::rows::FrozenRow;

use crate::answer::{Opened, Opening};
use crate::intake::request::{Mode, Request};
use crate::payload::Run;
use crate::ports::Freezes;

/// Does what a request of the mode `freeze` or `resume` asks for.
pub async fn freeze(
    ledger: &impl Freezes,
    request: Request,
    run: &Run,
    now: Timestamp,
) -> Result<Opened, Fault> {
    let (name, frozen) = (request.environment, request.mode == Mode::Freeze);
    let because = request.reason.unwrap_or_else(|| "on request".to_owned());
    let done = if frozen { "lets no release in from now on" } else { "lets releases in again" };
    let why = format!("{name} {done} ({because})");
    ledger.freeze(&name, &FrozenRow { frozen, by: run.release.clone(), because, since: now }).await?;
    Ok(Opened::without_plan(Opening::Answered, Some(&name), why))
}
