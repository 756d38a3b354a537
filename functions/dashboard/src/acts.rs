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
use crate::request::{Context, describes};
use crate::view::{Act, Frame, plan, sentence};
use crate::{describe, view::Whose};

/// The function that starts executions.
#[derive(Debug)]
pub struct Acts<P> {
    /// The machine.
    pub port: P,
    /// Where buttons and links lead.
    pub places: Places,
}

/// What is asked beside an act: to see the plan of a run.
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
        let link = frame.places.run(&run);
        let is_plan = matches!(act, Act::Plan { .. });
        Ok(html! {
            h2 { @match started { Started::Now => "Started", Started::Before => "It was started before" } }
            p {
                (act.word()) ": "
                @match link {
                    Some(link) => a href=(link) target="_blank" rel="noopener" { (run) },
                    None => code { (run) },
                }
            }
            @if is_plan { (self.shows(frame, &run, "Show the plan")) }
            @else { p class="quiet" { "The list of releases shows it with its next refresh." } }
        })
    }

    /// Shows the plan of a run, once it is made.
    async fn show(&self, frame: &Frame<'_>, run: &ReleaseId) -> Result<Markup, Fault> {
        Ok(match self.port.ended(run).await? {
            None => html! { p { "The plan is being made." } (self.shows(frame, run, "Look again")) },
            Some(Ok(output)) => plan::draw(frame, &read("the plan", output)?),
            Some(Err(why)) => html! { p { "There is no plan: " (sentence(&why)) } },
        })
    }

    fn shows(&self, frame: &Frame<'_>, run: &ReleaseId, label: &str) -> Markup {
        html! {
            button type="button" class="btn" { (label) }
            cwdb-action action="call" display="popup" endpoint=(frame.places.acts) { (json!({"act": "show", "run": run})) }
        }
    }
}

/// Writes the request that does what a button says.
fn request(act: &Act, reason: Option<&str>) -> Value {
    let asked = |environment: &Value, more: Value| {
        let mut request = json!({"environment": environment});
        if let (Some(request), Value::Object(more)) = (request.as_object_mut(), more) {
            request.extend(more.into_iter().filter(|(_, value)| !value.is_null()));
        }
        request
    };
    let about = |whose: &Whose, mode: &str, more: Value| {
        let mut request = asked(&json!(whose.environment), more);
        if let Some(request) = request.as_object_mut() {
            request.extend([("mode".to_owned(), json!(mode)), ("release".to_owned(), json!(whose.release))]);
        }
        request
    };
    match act {
        Act::Plan { environment } => asked(&json!(environment), json!({"mode": "plan", "scope": "cluster"})),
        Act::Promote { environment, service, repository, image } => {
            let scope = if service.is_none() { Some("cluster") } else { None };
            let services = service.as_ref().map(|service| [service]);
            let more = json!({"services": services, "repository": repository, "image": image, "scope": scope, "reason": reason});
            asked(&json!(environment), more)
        }
        Act::Freeze { environment } => {
            asked(&json!(environment), json!({"mode": "freeze", "reason": reason}))
        }
        Act::Resume { environment } => {
            asked(&json!(environment), json!({"mode": "resume", "reason": reason}))
        }
        Act::Approve(whose) => about(whose, "approve", json!({"reason": reason})),
        Act::Reject(whose) => about(whose, "reject", json!({"reason": reason})),
        // Who presses it and types nothing is not kept from it.
        Act::Abort(whose) => {
            about(whose, "abort", json!({"reason": reason.unwrap_or("aborted from the dashboard")}))
        }
        Act::Rollback(whose) => about(whose, "rollback", json!({"reason": reason})),
    }
}
