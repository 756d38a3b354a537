//! The answer of a person to a release that waits for one, and that of a newer release in its place.

use std::collections::BTreeSet;

use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::ids::{EnvironmentName, ReleaseId, ServiceName};
use pipeline::rows::{HeadRow, MoveRow, PlanRow, WaitingRow};
use serde_json::{Value, json};

use crate::answer::{Opened, Opening};
use crate::book::Book;
use crate::request::{Mode, Request};
use crate::survey::Target;
use crate::world::World;
use crate::{Ask, Release, Run, plan};

impl<W: World, B: Book> Release<W, B> {
    /// Keeps the token of the state that waits for an answer.
    pub(crate) async fn ask(&self, ask: Ask, now: Timestamp) -> Result<(), Fault> {
        let release = &ask.run.release;
        let head = self.book.head(release).await?;
        let head = head.ok_or_else(|| Fault::NotFound(format!("the head of release {release}")))?;
        let row = WaitingRow { token: ask.token, since: now, answered_by: None };
        self.book.wait(&head.environment, release, &row, &head.plan).await
    }

    /// Gives a waiting release the answer of a person.
    pub(crate) async fn answer(&self, request: &Request, run: &Run) -> Result<Opened, Fault> {
        let Some(release) = &request.release else {
            return Err(Fault::InvalidInput("the request answers without \"release\"".to_owned()));
        };
        let name = &request.environment;
        let ended = |next, why: String| Ok(Opened::without_plan(next, Some(name), why));
        let head = match self.book.head(release).await? {
            Some(head) if head.environment == *name => head,
            Some(head) => {
                let place = head.environment;
                return ended(Opening::Refused, format!("{release} is a release of {place}: expected that"));
            }
            None => return ended(Opening::Refused, format!("there is no release {release} in {name}")),
        };
        let waiting = self.book.waiting(name).await?;
        let Some((_, row)) = waiting.into_iter().find(|(waiting, _)| waiting == release) else {
            return ended(Opening::Refused, not_waiting(release, &head));
        };
        let (next, done) = match request.mode {
            Mode::Approve => ("Approved", "goes on"),
            _ => ("Rejected", "was turned down, and nothing was changed"),
        };
        let reason = request.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
        let because = format!("{} by {}{reason}", next.to_lowercase(), run.release);
        let taken = self.give(name, release, &row, &run.release, &reply(next, &because)).await?;
        // A call of this run before may have answered, and its own answer was lost.
        match taken || row.answered_by.as_ref() == Some(&run.release) {
            true => ended(Opening::Answered, format!("{release} {done}")),
            false => ended(Opening::Refused, not_waiting(release, &head)),
        }
    }

    /// Gives an answer to the question that was seen, and to none that came after it; tells whether it was taken.
    async fn give(
        &self,
        environment: &EnvironmentName,
        release: &ReleaseId,
        row: &WaitingRow,
        by: &ReleaseId,
        reply: &Value,
    ) -> Result<bool, Fault> {
        if !self.book.answer(environment, release, row, by).await? {
            return Ok(false);
        }
        let taken = self.world.answer(&row.token, reply).await?;
        self.book.answered(environment, release, Some(row)).await?;
        Ok(taken)
    }

    /// Takes the services of a newer release out of the plans that wait for a person.
    pub(crate) async fn overtake(&self, target: Target<'_>, moves: &[MoveRow]) -> Result<(), Fault> {
        let taken: BTreeSet<&ServiceName> = moves.iter().map(|row| &row.service).collect();
        for (older, row) in self.book.waiting(target.name).await? {
            let Some(head) = self.book.head(&older).await?.filter(|head| head.order < *target.order) else {
                continue;
            };
            let left: Vec<ServiceName> =
                head.services.iter().filter(|service| !taken.contains(service)).cloned().collect();
            if left.len() == head.services.len() {
                continue;
            }
            let because = format!("{} is newer, and wants its services", target.release);
            let next = if left.is_empty() { "Superseded" } else { "Changed" };
            if !left.is_empty() {
                let proposed = self.book.proposed(&older).await?;
                let kept: Vec<&PlanRow> = proposed.iter().filter(|one| left.contains(&one.service)).collect();
                self.book.replan(&older, &plan::hash(kept), &left).await?;
            }
            self.give(target.name, &older, &row, target.release, &reply(next, &because)).await?;
        }
        Ok(())
    }
}

fn reply(next: &str, because: &str) -> Value {
    json!({"next": next, "because": because})
}

fn not_waiting(release: &ReleaseId, head: &HeadRow) -> String {
    match head.outcome {
        Some(outcome) => format!("{release} does not wait for an answer: it ended {outcome:?}"),
        None => format!("{release} does not wait for an answer"),
    }
}
