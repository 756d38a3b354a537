//! One release: what happened to each of its services, and what can still be done.

use maud::{Markup, html};
use pipeline::rows::{FindingKind, HeadRow, MoveRow, Outcome, PlanRow, RollbackScope, Verdict};
use pipeline::text::line;
use serde_json::json;

use super::act::Whose;
use super::icon::Sign;
use super::{Act, Button, Frame, commit, digest, if_bad, sentence, timeline};
use crate::port::{Round, Tested, Told};
use crate::story::{MOVES, Move, Story};

/// How many services a question names, and how many a person is shown who is asked.
const NAMED: usize = 3;
const ASKED: usize = 60;

/// How much of what a test has shown is shown.
const TRANSCRIPT: usize = 900;

/// Draws a release.
pub fn draw(frame: &Frame<'_>, story: &Story) -> Markup {
    html! {
        div class="bar" { (frame.goes("All releases", &frame.context.list())) }
        @match &story.head {
            None => p { "The release " code { (story.id) } " was never let in, or is older than the ledger remembers." },
            Some(head) => {
                (top(frame, story, head))
                (asked(story))
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
            (match (&outcome, &story.waiting, story.has_died) {
                (Some(outcome), ..) => Sign::of_outcome(Some(outcome)).says(outcome),
                (None, _, true) => Sign::Bad.says("died: its execution has ended"),
                (None, Some(_), _) => Sign::Waits.says("waits for an answer"),
                (None, None, _) => Sign::Busy.says("running"),
            })
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
    let whose = Whose { environment: head.environment.clone(), release: story.id.clone() };
    let shown = possible(story, head, &whose).into_iter().map(|(label, question, act)| {
        frame.button(&Button { label, about: story.id.as_str(), question, act })
    });
    let shown: Vec<Markup> = shown.collect();
    html! { @if !shown.is_empty() { div class="bar" { (frame.reason()) div { @for one in shown { (one) } } } } }
}

/// Returns what the release machine would do now, each with its question.
fn possible(story: &Story, head: &HeadRow, whose: &Whose) -> Vec<(&'static str, String, Act)> {
    let place = &head.environment;
    let mut possible = Vec::new();
    if story.waiting.as_ref().is_some_and(|waiting| !waiting.answered) {
        let moves: Vec<String> = story.plan.iter().take(NAMED).map(planned).collect();
        let more = story.plan.len().saturating_sub(NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let question = format!("Approve in {place}: {}{more}? {}", moves.join(", "), if_bad(&head.policy));
        possible.push(("Approve", question, Act::Approve(whose.clone())));
        let question = format!(
            "Reject it? {} services of {place} stay as they are, and the release ends.",
            head.services.len()
        );
        possible.push(("Reject", question, Act::Reject(whose.clone())));
    }
    let is_open = head.outcome.is_none() && !story.has_died;
    if is_open && head.stop.is_none() && head.rollback.is_none() {
        let question = format!(
            "Abort this release of {place}? No service moves any more, and what it has updated goes back, but for services that \
             only go forward."
        );
        possible.push(("Abort", question, Act::Abort(whose.clone())));
    }
    // What a rollback has brought would give way to what was bad.
    let ended = matches!(head.outcome, Some(Outcome::Deployed | Outcome::NeedsHuman)) || story.has_died;
    let touched: Vec<&MoveRow> =
        story.moves.iter().map(|one| &one.row).filter(|row| row.touched.is_some()).collect();
    if ended && !goes_back(head) && !touched.is_empty() {
        let question = match touched.as_slice() {
            [one] => format!("Roll back {} in {place} to {}?", one.service, before(one)),
            many => format!(
                "Roll back {} services of {place} to what ran before, where this release is the last?",
                many.len()
            ),
        };
        let question = format!("{question} What is left is held: it comes back only by force.");
        possible.push(("Roll back", question, Act::Rollback(whose.clone())));
    }
    possible
}

/// Tells whether a release goes back itself.
fn goes_back(head: &HeadRow) -> bool {
    let to = head.request.get("to");
    to.is_some_and(|to| to == "previous" || to.get("restorePointsOf").is_some())
}

fn planned(row: &PlanRow) -> String {
    let from = row.from.as_ref().map_or("nothing", |from| from.short());
    format!("{} {from} -> {}", row.service, row.to.short())
}

fn before(row: &MoveRow) -> String {
    row.restore
        .as_ref()
        .map_or_else(|| "what ran before".to_owned(), |restore| restore.digest.short().to_owned())
}

/// Shows what a person is asked to agree to.
fn asked(story: &Story) -> Markup {
    html! {
        @if !story.plan.is_empty() {
            div class="scroll" tabindex="0" role="region" aria-label="What would move" {
                table {
                    thead { tr { @for title in ["Service", "From", "To"] { th scope="col" { (title) } } } }
                    tbody { @for row in story.plan.iter().take(ASKED) {
                        tr {
                            th scope="row" { (row.service) }
                            td { @if let Some(from) = &row.from { (digest(from)) } @else { span class="quiet" { "-" } } }
                            td { (digest(&row.to)) " " (commit(row.commit.as_deref())) }
                        }
                    } }
                }
            }
            @if story.plan.len() > ASKED { p { "and " (story.plan.len() - ASKED) " more: the alert names them" } }
        }
    }
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
            td { (if closed { Sign::of_fate(one.fate).says(one.fate.name()) } else { now(story.head.as_ref(), row) }) }
            td {
                (why(row))
                @for tested in tests { (transcript(tested)) }
            }
        }
    }
}

/// Says how far a move of an open release is, and what comes next if it is known.
fn now(head: Option<&HeadRow>, row: &MoveRow) -> Markup {
    let scope = head.and_then(|head| head.rollback);
    let bad = row.verdict == Some(Verdict::Unhealthy) || row.failure.is_some();
    let goes_back = match scope {
        Some(RollbackScope::All) => !row.forward_only,
        Some(RollbackScope::Failed) => bad && !row.forward_only,
        None => false,
    };
    match (row.goes_back_since().is_some(), row.touched.is_some()) {
        (true, _) if row.rollback_verdict == Some(Verdict::Healthy) => Sign::Bad.says("back, proven"),
        (true, _)
            if row.rollback_failure.is_some()
                || row.rollback_verdict.is_some_and(|one| one != Verdict::Pending) =>
        {
            Sign::Odd.says("its way back failed")
        }
        (true, _) => Sign::Busy.says("going back"),
        (false, _) if row.verdict == Some(Verdict::Superseded) => Sign::Plain.says("superseded"),
        (false, true) if goes_back => Sign::Bad.says("waits to go back"),
        (false, true) if bad => Sign::Bad.says("bad"),
        (false, true) => match row.verdict {
            Some(Verdict::Healthy) => Sign::Good.says("healthy"),
            Some(Verdict::Inconclusive) => Sign::Odd.says("not measured"),
            _ => Sign::Busy.says("rolling out"),
        },
        (false, false) if bad => Sign::Bad.says("failed"),
        (false, false) if row.started.is_some() => Sign::Busy.says("preparing"),
        (false, false) => Sign::Plain.says("its turn has not come"),
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
