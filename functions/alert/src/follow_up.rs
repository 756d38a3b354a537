//! Comes back to a message that not every channel has: after a minute, then ever more seldom, for a day.
//!
//! A small machine waits and calls; the message is rendered again from the ledger, and goes only where it is missing.

use pipeline::Fault;
use pipeline::clock::Timestamp;

use crate::delivery::later;
use crate::hash;
use crate::kind::AlertKind;
use crate::port::Port;
use crate::send::{Sent, Told};
use crate::{About, Alert, AlertContext, Follow, Request, Response, named};

/// For how long a repeat is taken for the same message: the state machine tries for less.
const SAME_MESSAGE_MS: i64 = 600_000;

impl<P: Port> Alert<P> {
    /// Starts the machine that comes back.
    pub(crate) async fn comes_back(
        &self,
        request: &Request,
        asked: &[Option<u32>],
        now: Timestamp,
    ) -> Result<(), Fault> {
        let request = Request { at: Some(now), ..request.clone() };
        let name = name(&request, now);
        let seconds = later(0, asked.iter().copied()).unwrap_or_default();
        let follow = Follow { about: About::Request(Box::new(request)), attempt: 1, seconds };
        let input = serde_json::to_string(&follow);
        let input = input.map_err(|error| Fault::Defect(format!("unwritable request: {error}")))?;
        self.port.follow(&name, input).await
    }

    /// Tries again, and says when to come back; what is given up is an error, which the machine keeps.
    pub(crate) async fn follow_up(
        &self,
        request: Request,
        attempt: u32,
        now: Timestamp,
    ) -> Result<Response, Fault> {
        let context = self.context(&request).await;
        if is_over(&request, &context) {
            return Ok(Response::default());
        }
        let Sent { delivered, later: missing, failed } =
            self.send(Told::of(&request, &context, now), now).await;
        if let ([], []) = (missing.as_slice(), failed.as_slice()) {
            return Ok(Response { delivered, ..Response::default() });
        }
        let asked = missing.iter().map(|(_, _, after)| *after);
        match later(attempt, asked).filter(|_| !missing.is_empty()) {
            Some(seconds) => {
                let names = missing.into_iter().map(|(name, ..)| name).collect();
                let follow =
                    Follow { about: About::Request(Box::new(request)), attempt: attempt + 1, seconds };
                Ok(Response { delivered, later: names, follow: Some(follow), ..Response::default() })
            }
            None => Err(Fault::Denied(format!("the alert is given up for {}", named(&failed, &missing)))),
        }
    }
}

/// Tells whether what was to be told is no longer so: a question that is answered, or an end after which it went on.
fn is_over(request: &Request, context: &AlertContext) -> bool {
    let ended = context.report.head.as_ref().and_then(|head| head.outcome).map(AlertKind::from);
    match request.outcome {
        AlertKind::Answered | AlertKind::Resolved => false,
        outcome => ended.is_some_and(|ended| ended != outcome),
    }
}

/// Names the execution: one for each message within some minutes, however often it is started.
fn name(request: &Request, now: Timestamp) -> String {
    let same = format!("{}\n{}\n{}", request.release, request.outcome.name(), now.millis() / SAME_MESSAGE_MS);
    format!("follow-{}", hash::of(same))
}
