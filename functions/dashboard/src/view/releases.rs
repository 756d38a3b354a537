//! The runs of all environments, the newest first.

use maud::{Markup, html};
use pipeline::rows::{HeadRow, MoveOutcome, Outcome};
use serde_json::{Value, json};

use super::icon::Sign;
use super::{Frame, sentence};
use crate::pages::{Page, Run};

/// All ways to end.
const OUTCOMES: [Outcome; 7] = [
    Outcome::Deployed,
    Outcome::RolledBack,
    Outcome::NeedsHuman,
    Outcome::Refused,
    Outcome::Superseded,
    Outcome::Rejected,
    Outcome::Expired,
];

/// Draws a page of the list.
pub fn draw(frame: &Frame<'_>, page: &Page) -> Markup {
    html! {
        (filters(frame, page))
        @for (environment, waiting) in &page.waiting {
            p {
                (Sign::Waits.says("waits for an answer")) " " (environment) " " (frame.release(&waiting.release))
                @if let Some(since) = waiting.since { " " (frame.took(since, None)) }
                @if waiting.answered { " (somebody has answered)" }
            }
        }
        @if page.runs.is_empty() {
            p { "No run is here" @if page.next.is_some() { " among the last ones; Older looks further" } "." }
        } @else {
            div class="scroll" tabindex="0" role="region" aria-label="List of releases" {
                table {
                    thead { tr {
                        @for title in ["Outcome", "Environment", "Release", "What", "Began", "Took", "Why"] {
                            th scope="col" { (title) }
                        }
                    } }
                    tbody { @for run in &page.runs { (row(frame, run)) } }
                }
            }
        }
    }
}

/// Shows what is chosen, and the ways to other pages.
fn filters(frame: &Frame<'_>, page: &Page) -> Markup {
    let chosen = |before: Option<&str>| {
        let mut view = json!({"view": "releases"});
        for (key, value) in [
            ("environment", page.filter.environment.as_ref().map(|name| json!(name))),
            ("outcome", page.filter.outcome.map(|outcome| json!(outcome))),
            ("before", before.map(Value::from)),
        ] {
            if let (Some(view), Some(value)) = (view.as_object_mut(), value) {
                view.insert(key.to_owned(), value);
            }
        }
        view
    };
    html! {
        div class="bar" {
            label { "Environment " select name="environment" {
                option value="" { "all" }
                @for name in &page.environments {
                    option value=(name) selected[page.filter.environment.as_ref() == Some(name)] { (name) }
                }
            } }
            label { "Outcome " select name="outcome" {
                option value="" { "all" }
                @for outcome in OUTCOMES.map(|outcome| (outcome, format!("{outcome:?}"))) {
                    option value=(outcome.1) selected[page.filter.outcome == Some(outcome.0)] { (outcome.1) }
                }
            } }
            (frame.goes("Show", &chosen(None)))
            @if let Some(next) = &page.next { (frame.goes("Older", &chosen(Some(next)))) }
        }
    }
}

fn row(frame: &Frame<'_>, run: &Run) -> Markup {
    let outcome = run.row.outcome.as_deref();
    html! {
        tr {
            td { (Sign::of_outcome(outcome).says(outcome.unwrap_or("running"))) }
            td { (run.environment) }
            td { @if run.head.is_some() { (frame.release(&run.id)) } @else { code { (run.id) } } }
            td { (what(run)) }
            td { @if let Some(began) = run.began { (frame.time(began)) } }
            td { @if let Some(began) = run.began { (frame.took(began, run.row.ended)) } }
            td {
                @if let Some(because) = &run.row.because { div { (sentence(because)) } }
                @if let Some(reason) = &run.row.reason { div class="quiet" { (sentence(reason)) } }
            }
        }
    }
}

/// Says what a run does: its mode, and how many services it moves.
fn what(run: &Run) -> Markup {
    let mode = if run.row.mode.is_empty() { "release" } else { &run.row.mode };
    html! {
        (mode)
        @match &run.head {
            Some(head) => div class="quiet" { (services(head)) },
            None => @if let Some(about) = run.row.release.as_ref().filter(|about| **about != run.id) {
                div class="quiet" { "of " (about) }
            },
        }
    }
}

fn services(head: &HeadRow) -> String {
    let named = match head.services.as_slice() {
        [] => "no service".to_owned(),
        [one] => one.to_string(),
        many => format!("{} services", many.len()),
    };
    let fates = head.fates.iter().filter(|(fate, count)| **count > 0 && **fate != MoveOutcome::Deployed);
    let fates: Vec<String> = fates.map(|(fate, count)| format!("{count} {}", fate.name())).collect();
    if fates.is_empty() { named } else { format!("{named}: {}", fates.join(", ")) }
}
