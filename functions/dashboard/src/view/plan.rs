//! What a release would do, as the release machine has planned it.

use maud::{Markup, html};
use pipeline::ids::{Digest, EnvironmentName};
use pipeline::text::line;
use serde::Deserialize;

use super::icon::Sign;
use super::{Act, Button, Frame, commit, digest, duration, sentence};

/// How many moves are shown.
const SHOWN: usize = 60;

/// The output of an execution that planned; `release` writes it.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Plan {
    environment: String,
    because: String,
    plan: Vec<Planned>,
    more: usize,
    waves: Vec<Wave>,
    eta_seconds: Option<i64>,
    untouched: Vec<Untouched>,
    findings: Vec<Finding>,
}

#[derive(Debug, Deserialize)]
struct Planned {
    wave: usize,
    service: String,
    from: Option<Digest>,
    to: Digest,
    commit: Option<String>,
    tests: String,
}

#[derive(Debug, Deserialize)]
struct Wave {
    services: usize,
    seconds: i64,
}

#[derive(Debug, Deserialize)]
struct Untouched {
    service: String,
    why: String,
}

#[derive(Debug, Deserialize)]
struct Finding {
    kind: String,
    text: String,
}

impl Plan {
    /// Tells whether there is anything to show of a plan.
    pub fn is_one(&self) -> bool {
        !(self.plan.is_empty() && self.untouched.is_empty() && self.findings.is_empty())
    }

    /// Returns what the execution says of itself.
    pub fn because(&self) -> &str {
        &self.because
    }
}

/// Draws a plan, and lets it be carried out.
pub fn draw(frame: &Frame<'_>, plan: &Plan) -> Markup {
    let moved: usize = plan.plan.len() + plan.more;
    html! {
        h2 { "Plan for " (line(&plan.environment, 80)) }
        p { (sentence(&plan.because)) }
        @for finding in &plan.findings {
            p { (sign(&finding.kind)) " " (sentence(&finding.text)) }
        }
        @if !plan.plan.is_empty() {
            p {
                (moved) @if moved == 1 { " service" } @else { " services" }
                @if let Some(seconds) = plan.eta_seconds { ", about " (duration(seconds)) }
                @for (n, wave) in (1..).zip(plan.waves.iter().filter(|_| plan.waves.len() > 1)) {
                    "; wave " (n) ": " (wave.services) ", " (duration(wave.seconds))
                }
            }
            table {
                thead { tr { @for title in ["Wave", "Service", "From", "To", "Live tests"] { th scope="col" { (title) } } } }
                tbody { @for one in plan.plan.iter().take(SHOWN) {
                    tr {
                        td { (one.wave + 1) }
                        th scope="row" { (line(&one.service, 255)) }
                        td { @if let Some(from) = &one.from { (digest(from)) } }
                        td { (digest(&one.to)) " " (commit(one.commit.as_deref())) }
                        td { (line(&one.tests, 80)) }
                    }
                } }
            }
            @if moved > SHOWN { p { "and " (moved - SHOWN.min(plan.plan.len())) " more" } }
            @let refused = plan.findings.iter().any(|finding| finding.kind == "refuses");
            @if let (false, Ok(environment)) = (refused, EnvironmentName::parse(plan.environment.as_str())) {
                (frame.button(&Button {
                    label: "Promote",
                    about: environment.as_str(),
                    question: format!("Start the release that this plan shows? It is planned anew when it begins: {moved} to move in {environment}."),
                    act: Act::Promote { environment: environment.clone(), service: None, repository: None, image: None },
                }))
            }
        }
        @if !plan.untouched.is_empty() {
            details {
                summary { (plan.untouched.len()) " stay as they are" }
                ul { @for one in plan.untouched.iter().take(SHOWN) { li { (line(&one.service, 255)) ": " (sentence(&one.why)) } } }
            }
        }
    }
}

fn sign(kind: &str) -> Markup {
    match kind {
        "refuses" => Sign::Bad.says("refused"),
        "warns" => Sign::Odd.says("warning"),
        _ => Sign::Plain.says("note"),
    }
}
