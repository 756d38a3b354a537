//! Starts what a button asks for: an execution of the release machine, with the request that an engineer would type.
//!
//! It decides nothing.  The machine checks the request as any other, and a button is pressed as often as one likes: the
//! name of its run is its own, and Step Functions starts it once.

mod machine;

pub use machine::{Machine, Started, Starts};

use maud::{Markup, html};
use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::document::read;
use pipeline::ids::ReleaseId;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Places;
use crate::describe;
use crate::request::{Context, describes};
use crate::view::{Act, Frame, plan, sentence};

/// The function that starts executions.
#[derive(Debug)]
pub struct Acts<P> {
    /// The machine.
    pub port: P,
    /// Where buttons and links lead.
    pub places: Places,
}

/// What is asked beside an act: to see what came of a run.
#[derive(Deserialize)]
#[serde(tag = "act", rename_all = "kebab-case", deny_unknown_fields)]
enum Looks {
    Show { run: ReleaseId },
}

impl<P: Starts> Acts<P> {
    /// Answers a button.
    pub async fn handle(&self, mut payload: Value, now: Timestamp) -> Result<String, Fault> {
        if describes(&payload) {
            return Ok(describe::acts());
        }
        let context = Context::take(&mut payload);
        let frame = Frame::new(&context, &self.places, now);
        let drawn = match payload.get("act").and_then(Value::as_str) {
            Some("show") => {
                let Looks::Show { run } = read("the button", payload)?;
                self.show(&frame, &run).await?
            }
            _ => self.start(&frame, payload).await?,
        };
        Ok(frame.page(&drawn))
    }

    /// Starts an execution, and says so.
    async fn start(&self, frame: &Frame<'_>, mut payload: Value) -> Result<Markup, Fault> {
        let run = payload.as_object_mut().and_then(|payload| payload.remove("run")).unwrap_or_default();
        let run: ReleaseId = read("the \"run\" of the button", run)?;
        let act: Act = read("the button", payload)?;
        let started = self.port.start(&run, &request(&act, frame.context.field("reason"))).await?;
        tracing::info!(%run, act = act.word(), "a button was pressed");
        let link = frame.places.run(&run);
        let is_plan = matches!(act, Act::Plan { .. });
        Ok(html! {
            @match started {
                Started::Now => h2 { "Started" },
                Started::Before => {
                    h2 { "This button has been pressed before" }
                    p { "Nothing new was started. Refresh the widget to ask for it again." }
                }
            }
            p {
                (act.word()) ": "
                @match link {
                    Some(link) => a href=(link) target="_blank" rel="noopener" { (run) },
                    None => code { (run) },
                }
            }
            (self.shows(frame, &run, if is_plan { "Show the plan" } else { "Look what came of it" }))
        })
    }

    /// Shows what came of a run, once it has ended.
    async fn show(&self, frame: &Frame<'_>, run: &ReleaseId) -> Result<Markup, Fault> {
        Ok(match self.port.ended(run).await? {
            None => html! { p { "It goes on." } (self.shows(frame, run, "Look again")) },
            Some(Ok(output)) => {
                let plan: plan::Plan = read("the output of the run", output)?;
                match plan.is_one() {
                    true => plan::draw(frame, &plan),
                    false => html! { h2 { "It is done" } p { (sentence(plan.because())) } },
                }
            }
            Some(Err(why)) => html! { h2 { "It was not done" } p { (sentence(&why)) } },
        })
    }

    fn shows(&self, frame: &Frame<'_>, run: &ReleaseId, label: &str) -> Markup {
        html! {
            button type="button" class="btn" { (label) }
            cwdb-action action="call" display="popup" endpoint=(frame.places.acts) { (json!({"act": "show", "run": run})) }
        }
    }
}

/// Writes the request that does what a button says.  Why is told of what holds up or takes back, and of nothing else.
fn request(act: &Act, reason: Option<&str>) -> Value {
    let mut request = match act {
        Act::Plan { environment } => json!({"environment": environment, "mode": "plan", "scope": "cluster"}),
        Act::Promote { environment, service: Some(service), repository, image } => {
            json!({"environment": environment, "services": [service], "repository": repository, "image": image})
        }
        Act::Promote { environment, .. } => json!({"environment": environment, "scope": "cluster"}),
        Act::Freeze { environment } => {
            json!({"environment": environment, "mode": "freeze", "reason": reason})
        }
        Act::Resume { environment } => json!({"environment": environment, "mode": "resume"}),
        Act::Approve(whose) => {
            json!({"mode": "approve", "environment": whose.environment, "release": whose.release})
        }
        Act::Reject(whose) => {
            json!({"mode": "reject", "environment": whose.environment, "release": whose.release, "reason": reason})
        }
        // They need a reason, or may; who presses a button and types nothing is not kept from it.
        Act::Abort(whose) => {
            let reason = reason.unwrap_or("aborted from the dashboard");
            json!({"mode": "abort", "environment": whose.environment, "release": whose.release, "reason": reason})
        }
        Act::Rollback(whose) => {
            let reason = reason.unwrap_or("rolled back from the dashboard");
            json!({"mode": "rollback", "environment": whose.environment, "release": whose.release, "reason": reason})
        }
    };
    if let Some(request) = request.as_object_mut() {
        request.retain(|_, value| !value.is_null());
    }
    request
}
