//! One release: what happened to each of its services, and what can still be done.

use maud::{Markup, html};
use pipeline::rows::{FindingKind, HeadRow, MoveOutcome, MoveRow, Outcome};
use pipeline::text::line;
use serde_json::json;

use super::act::Whose;
use super::icon::Sign;
use super::{Act, Button, Frame, commit, digest, sentence, timeline};
use crate::port::{Round, Tested, Told};
use crate::story::{MOVES, Move, Story};

/// How much of what a test has shown is shown.
const TRANSCRIPT: usize = 900;

/// Draws a release.
pub fn draw(frame: &Frame<'_>, story: &Story) -> Markup {
    html! {
        div class="bar" { (frame.goes("All releases", &json!({"view": "releases"}))) }
        @match &story.head {
            None => p { "The release " code { (story.id) } " was never let in, or is older than the ledger remembers." },
            Some(head) => {
                (top(frame, story, head))
                @if !story.moves.is_empty() { (timeline::draw(frame, story, head)) (moves(frame, story)) }
                (tags(story))
                (alerts(frame, &story.told))
            }
        }
    }
}

fn top(frame: &Frame<'_>, story: &Story, head: &HeadRow) -> Markup {
    let listed = story.listed.as_ref();
    let outcome = head.outcome.map(|outcome| format!("{outcome:?}"));
    let ended = listed.and_then(|listed| listed.ended);
    html! {
        h2 {
            (Sign::of_outcome(outcome.as_deref()).says(outcome.as_deref().unwrap_or("running")))
            " " (head.environment) " " code { (story.id) }
        }
        p {
            (frame.time(head.opened)) ", " (frame.took(head.opened, ended))
            @if let Some(link) = frame.places.run(&story.id) {
                " · " a href=(link) target="_blank" rel="noopener" { "execution" }
            }
        }
        @if let Some(because) = listed.and_then(|listed| listed.because.as_ref()) { p { (sentence(because)) } }
        @if let Some(reason) = listed.and_then(|listed| listed.reason.as_ref()) { p class="quiet" { (sentence(reason)) } }
        @if let Some(stop) = &head.stop { p { (Sign::Held.says("stopped")) " " (sentence(&stop.because)) } }
        @for finding in head.findings.iter().filter(|finding| finding.kind != FindingKind::Tells) {
            p { (Sign::Odd.says("found")) " " (sentence(&finding.text)) }
        }
        (buttons(frame, story, head))
    }
}

/// Shows what can be done with it as it is now.
fn buttons(frame: &Frame<'_>, story: &Story, head: &HeadRow) -> Markup {
    let whose = || Whose { environment: head.environment.clone(), release: story.id.clone() };
    let about = story.id.as_str();
    let services = match head.services.as_slice() {
        [one] => one.to_string(),
        many => format!("{} services", many.len()),
    };
    let button = |label, question, act| frame.button(&Button { label, about, question, act });
    let place = &head.environment;
    let mut shown = Vec::new();
    if story.waiting.as_ref().is_some_and(|waiting| !waiting.answered) {
        let question = format!(
            "Approve it? {services} of {place} move to the digests below, are tested live, and roll back if they are bad."
        );
        shown.push(button("Approve", question, Act::Approve(whose())));
        let question = format!("Reject it? {services} of {place} stay as they are, and the release ends.");
        shown.push(button("Reject", question, Act::Reject(whose())));
    }
    if head.outcome.is_none() {
        let touched = story.moves.iter().filter(|one| one.row.touched.is_some()).count();
        let back = if touched == 0 {
            "Nothing was updated yet.".to_owned()
        } else {
            format!("{touched} updated so far roll back.")
        };
        shown.push(button(
            "Abort",
            format!("Abort this release of {place}? No service moves any more. {back}"),
            Act::Abort(whose()),
        ));
    }
    if head.outcome == Some(Outcome::Deployed) {
        let deployed: Vec<&MoveRow> =
            story.moves.iter().filter(|one| one.fate == MoveOutcome::Deployed).map(|one| &one.row).collect();
        let question = match deployed.as_slice() {
            [one] => format!(
                "Roll back {} in {place} to {}? It is held there until somebody releases it again.",
                one.service,
                before(one)
            ),
            many => format!(
                "Roll back {} services of {place} to what was verified before? They are held there until somebody releases them again.",
                many.len()
            ),
        };
        shown.push(button("Roll back", question, Act::Rollback(whose())));
    }
    html! { @if !shown.is_empty() { div class="bar" { (frame.reason()) div { @for one in shown { (one) } } } } }
}

fn before(row: &MoveRow) -> String {
    row.restore
        .as_ref()
        .map_or_else(|| "what was verified before".to_owned(), |restore| restore.digest.short().to_owned())
}

fn moves(frame: &Frame<'_>, story: &Story) -> Markup {
    let page = |label: &str, from: usize| {
        frame.goes(label, &json!({"view": "release", "release": story.id, "from": from}))
    };
    let to = story.from + story.shown().len();
    html! {
        div class="scroll" tabindex="0" role="region" aria-label="Services of the release" {
            table {
                thead { tr {
                    @for title in ["Wave", "Service", "From", "To", "State", "Why"] { th scope="col" { (title) } }
                } }
                tbody { @for one in story.shown() { (row(story, one)) } }
            }
        }
        @if story.moves.len() > MOVES {
            div class="bar" {
                span { (story.from + 1) " to " (to) " of " (story.moves.len()) " services" }
                @if story.from > 0 { (page("Previous", story.from.saturating_sub(MOVES))) }
                @if to < story.moves.len() { (page("Next", to)) }
            }
        }
    }
}

fn row(story: &Story, one: &Move) -> Markup {
    let row = &one.row;
    let tests = story.tests.iter().filter(|tested| tested.of == one.key.order());
    let closed = story.head.as_ref().is_some_and(|head| head.outcome.is_some());
    html! {
        tr {
            td { (one.key.wave + 1) }
            th scope="row" { (row.service) }
            td { @match &row.restore { Some(restore) => (digest(&restore.digest)), None => span class="quiet" { "-" } } }
            td { (digest(&row.digest)) " " (commit(row.commit.as_deref())) }
            td { (if closed { Sign::of_fate(one.fate).says(one.fate.name()) } else { now(row, one.fate) }) }
            td {
                (why(row))
                @for tested in tests { (transcript(tested)) }
            }
        }
    }
}

/// Says how far a move of an open release is.
fn now(row: &MoveRow, fate: MoveOutcome) -> Markup {
    match (row.goes_back_since(), row.verdict, row.touched, row.started) {
        (Some(_), ..) if fate == MoveOutcome::Undone => Sign::Bad.says("undone"),
        (Some(_), ..) => Sign::Busy.says("going back"),
        (_, Some(_), Some(_), _) => Sign::of_fate(fate).says(fate.name()),
        (_, _, Some(_), _) => Sign::Busy.says("rolling out"),
        (_, _, _, Some(_)) => Sign::Busy.says("preparing"),
        _ => Sign::Plain.says("its turn has not come"),
    }
}

fn why(row: &MoveRow) -> Markup {
    let failures = [("", &row.failure), ("rollback: ", &row.rollback_failure)];
    html! {
        @if let Some(reason) = &row.reason { div { (sentence(reason)) } }
        @if let Some(reason) = &row.rollback_reason { div { "way back: " (sentence(reason)) } }
        @for (which, failure) in failures.iter().filter_map(|(which, failure)| Some((which, failure.as_ref()?))) {
            div { (which) (line(&failure.error, 80)) ": " (sentence(&failure.cause)) }
        }
        @if let Some(alarm) = &row.alarm { div { "alarm: " (line(alarm, 255)) } }
        @if let Some(drain) = &row.drain { div { (sentence(drain)) } }
        @if let Some(bundle) = &row.bundle {
            @let lines: Vec<&String> = bundle.stopped.iter().chain(&bundle.logs).collect();
            @if !lines.is_empty() {
                details { summary { "what its tasks left behind" } pre { @for text in lines { (line(text, TRANSCRIPT)) "\n" } } }
            }
        }
    }
}

fn transcript(tested: &Tested) -> Markup {
    html! {
        @for (check, shown) in &tested.transcript {
            @let rounds = shown.first_failure.iter().filter(|first| **first != shown.last).chain([&shown.last]);
            details {
                summary { (sign(&shown.last)) " " (line(check, 80)) span class="quiet" { " (" (line(&shown.last.phase, 20)) ")" } }
                @for round in rounds { pre { (round.at) " " (line(&round.text, TRANSCRIPT)) } }
            }
        }
    }
}

fn sign(round: &Round) -> Markup {
    match round.outcome.as_str() {
        "passed" => Sign::Good.says("passed"),
        "failed" => Sign::Bad.says("failed"),
        _ => Sign::Odd.says("not measured"),
    }
}

fn tags(story: &Story) -> Markup {
    let failed = story.repositories.iter().filter_map(|row| Some((row, row.failure.as_ref()?)));
    html! {
        @for (row, failure) in failed {
            p { (Sign::Odd.says("tag")) " " (row.repository) ": " (sentence(&failure.cause)) }
        }
    }
}

fn alerts(frame: &Frame<'_>, told: &[Told]) -> Markup {
    html! {
        @if !told.is_empty() {
            h3 { "Alerts" }
            ul { @for one in told {
                li {
                    (match one.status.as_str() {
                        "sent" => Sign::Good.says("sent"),
                        "due" => Sign::Busy.says("to be sent"),
                        _ => Sign::Bad.says("not sent"),
                    })
                    " " (line(&one.channel, 80)) ": " (line(&one.outcome, 40)) " " (frame.time(one.time))
                    @if let Some(error) = one.error.as_ref().filter(|_| one.status != "sent") { " " (sentence(error)) }
                }
            } }
        }
    }
}
