//! Renders what happened, once, for every channel.  Pure.

mod approval;
mod freeze;
mod guard;
mod link;
mod moves;
mod sweep;
mod tags;
mod text;
mod traffic;

#[cfg(test)]
mod tests;

pub use moves::MoveSummary;

use std::collections::BTreeMap;

use pipeline::clock::Timestamp;
use pipeline::ids::{EnvironmentName, ReleaseId};
use pipeline::rows::MoveOutcome;
use pipeline::rows::{HeadRow, MoveRow, PlanRow};
use pipeline::text::{LONGEST_SENTENCE, line};
use serde_json::json;

use crate::kind::{AlertKind, Severity};
use crate::{AlertContext, Request};
use guard::Guard;

/// How many moves, tags and findings a message tells of, and how many bytes they may take as JSON; the others are
/// counted.
///
/// A topic takes 256 KiB, and the text goes into its message twice.
const TOLD: usize = 40;
const MOVES_BYTES: usize = 56 * 1024;
const OTHERS_BYTES: usize = 12 * 1024;

/// What SNS takes as a subject, and what fits into one SMS.
const LONGEST_SUBJECT: usize = 99;
const LONGEST_SMS: usize = 160;

/// All that is known.
#[derive(Debug)]
pub(crate) struct Facts<'a> {
    /// What the machine said, or would have said.
    pub request: &'a Request,
    /// What the ledger and the execution said.
    pub context: &'a AlertContext,
    /// The moment of telling.
    pub now: Timestamp,
}

/// One message.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// The release.
    pub release: ReleaseId,
    /// The environment, if it is known.
    pub environment: Option<String>,
    /// What happened.
    pub outcome: AlertKind,
    /// How urgent it is.
    pub severity: Severity,
    /// The subject of an e-mail: ASCII, one line.
    pub subject: String,
    /// The whole text.
    pub text: String,
    /// One SMS.
    pub sms: String,
    /// Why, in a sentence.
    pub because: String,
    /// The moves, those that need somebody first.
    pub moves: Vec<MoveSummary>,
    /// How many more there are.
    pub more_moves: usize,
    /// How many moves had each fate; they sum up to all moves.
    pub fates: BTreeMap<MoveOutcome, u32>,
    /// What a person is asked to agree to; as many as are told of.
    pub plan: Vec<PlanRow>,
    /// The execution in the console.
    pub link: Option<String>,
    /// What two messages about the same thing share.
    pub dedup_key: String,
}

impl Message {
    /// Renders the facts.
    pub(crate) fn of(facts: &Facts<'_>) -> Message {
        let Facts { request, context, .. } = facts;
        let mut rows: Vec<&MoveRow> = context.report.moves.iter().collect();
        let rollback = context.report.head.as_ref().and_then(|head| head.rollback);
        rows.sort_by_key(|row| moves::urgency(row, rollback));
        let paragraphs = rows.iter().map(|row| moves::paragraph(row, rollback, request.outcome));
        let paragraphs = text::first(paragraphs, TOLD, MOVES_BYTES);
        let told = rows.iter().take(paragraphs.len());
        let moves: Vec<MoveSummary> = told.map(|row| MoveSummary::of(row, rollback)).collect();
        let more_moves = rows.len() - moves.len();
        let guard = Guard::of(facts);
        let because = guard.as_ref().and_then(Guard::because).or_else(|| request.because.clone());
        let because = line(&because.unwrap_or_default(), LONGEST_SENTENCE);
        let headline = headline(facts, &rows);
        let fates = rows.iter().fold(BTreeMap::new(), |mut fates, row| {
            *fates.entry(MoveOutcome::of(row, rollback)).or_insert(0) += 1;
            fates
        });
        let sum = sum(&fates);
        let sms = match because.as_str() {
            "" => format!("Tidegate: {headline}"),
            because => format!("Tidegate: {headline}. {because}"),
        };
        let link = link::console(&request.execution);
        Message {
            release: request.release.clone(),
            environment: environment(facts),
            outcome: request.outcome,
            severity: match guard {
                Some(guard) => guard.severity(request.outcome),
                None => sweep::severity(request),
            },
            subject: text::ascii(&headline, LONGEST_SUBJECT),
            text: body(facts, &[&headline, &because, &sum], &paragraphs, more_moves, link.as_deref()),
            sms: text::gsm(&sms, LONGEST_SMS),
            because,
            moves,
            more_moves,
            fates,
            plan: context.report.plan.iter().take(TOLD).cloned().collect(),
            link,
            dedup_key: match request.outcome {
                // It is followed by an end, which is something else to tell.
                AlertKind::WaitingForApproval => format!("{}/approval", request.release),
                _ => request.release.to_string(),
            },
        }
    }
}

/// Tells whether somebody asked a release to go back, to what was verified before or to what another release replaced.
fn is_rollback(head: &HeadRow) -> bool {
    let to = head.request.get("to");
    to.is_some_and(|to| to == "previous" || to.get("restorePointsOf").is_some())
}

/// Says in one line what happened to what, and where.
fn headline(facts: &Facts<'_>, rows: &[&MoveRow]) -> String {
    if let Some(found) = sweep::found(facts.request) {
        return sweep::headline(&found);
    }
    let back = facts.context.report.head.as_ref().is_some_and(is_rollback);
    let guard = Guard::of(facts);
    let words = match (&guard, facts.request.outcome) {
        (Some(guard), outcome) => guard.words(outcome),
        (None, AlertKind::Deployed) if back => "Rolled back on request".to_owned(),
        (None, outcome) => outcome.words().to_owned(),
    };
    // The run has no services, or none of its own: the sentence names the release.
    if facts.request.outcome == AlertKind::Answered || matches!(guard, Some(Guard::Declined)) {
        return format!("{words}{}", place(facts));
    }
    let mut services: Vec<&str> = rows.iter().map(|row| row.service.as_str()).collect();
    if let (true, Some(head)) = (services.is_empty(), &facts.context.report.head) {
        services = head.services.iter().map(|service| service.as_str()).collect();
    }
    let what = match services.as_slice() {
        [] => format!("release {}", facts.request.release),
        [one] => (*one).to_owned(),
        [one, two] => format!("{one} and {two}"),
        [one, others @ ..] => format!("{one} and {} more services", others.len()),
    };
    format!("{words}: {what}{}", place(facts))
}

fn place(facts: &Facts<'_>) -> String {
    environment(facts).map_or_else(String::new, |environment| format!(" in {environment}"))
}

/// Counts what became of the moves of a release that has several.
fn sum(fates: &BTreeMap<MoveOutcome, u32>) -> String {
    let all: u32 = fates.values().sum();
    let counted: Vec<String> =
        fates.iter().rev().map(|(fate, count)| format!("{count} {}", moves::counted(*fate))).collect();
    if all > 1 { format!("Of {all} services: {}", counted.join(", ")) } else { String::new() }
}

fn environment(facts: &Facts<'_>) -> Option<String> {
    let told = facts.request.environment.as_ref().filter(|environment| !environment.is_empty());
    let told = told.map(|environment| line(environment, 64));
    told.or_else(|| facts.context.report.head.as_ref().map(|head| head.environment.to_string()))
}

/// Writes the whole text: the outcome first, then why, then each move, then when and where to look.
fn body(facts: &Facts<'_>, head: &[&str], paragraphs: &[String], more: usize, link: Option<&str>) -> String {
    let Facts { request, context, now } = facts;
    let swept = sweep::found(request);
    // What a sweep has found comes below, one by one.
    let head = if swept.is_some() { head.get(..1).unwrap_or(head) } else { head };
    let mut lines: Vec<String> =
        head.iter().filter(|line| !line.is_empty()).map(|line| (*line).to_owned()).collect();
    lines.push(String::new());
    if request.outcome == AlertKind::WaitingForApproval {
        lines.extend(approval::lines(&context.report.plan));
    }
    lines.extend(swept.as_deref().map(sweep::lines).unwrap_or_default());
    lines.extend(paragraphs.iter().cloned());
    if more > 0 {
        lines.extend([format!("and {more} more"), String::new()]);
    }
    lines.extend(found(context));
    lines.extend(tags::lines(&context.report.repositories));
    if let Some(why) = &context.unread {
        let why = line(why, LONGEST_SENTENCE);
        lines.extend([
            format!("The ledger could not be read, so this message lacks what it says: {why}"),
            String::new(),
        ]);
    }
    if let Some(input) = &context.input {
        lines.extend([
            format!("The execution was started with: {}", line(input, LONGEST_SENTENCE)),
            String::new(),
        ]);
    }
    lines.extend(answers(facts));
    lines.extend(Guard::of(facts).iter().flat_map(Guard::lines));
    let took = context.report.head.as_ref().map(|head| text::duration(now.seconds_since(head.opened)));
    lines.push(match took {
        Some(took) => format!("When: {now}, {took} after it opened"),
        None => format!("When: {now}"),
    });
    lines.push(match request.outcome {
        _ if swept.is_some() => format!("Sweep: {}", request.release),
        AlertKind::Answered => format!("Requested by: run {}", request.release),
        _ => format!("Release: {}", request.release),
    });
    lines.extend(link.map(|link| format!("Run: {link}")));
    lines.join("\n") + "\n"
}

/// Says what was found when the release was opened: what stopped nothing then may explain what came of it.
fn found(context: &AlertContext) -> Vec<String> {
    let findings = context.report.head.as_ref().map_or(&[][..], |head| &head.findings);
    if findings.is_empty() {
        return Vec::new();
    }
    let lines = findings.iter().map(|finding| format!("- {}", line(&finding.text, LONGEST_SENTENCE)));
    let lines = text::first(lines, TOLD, OTHERS_BYTES);
    let more = findings.len() - lines.len();
    let more = (more > 0).then(|| format!("and {more} more"));
    let heading = "Found when it was opened:".to_owned();
    [heading].into_iter().chain(lines).chain(more).chain([String::new()]).collect()
}

/// Gives a person the request to answer with, ready to start the state machine with.
fn answers(facts: &Facts<'_>) -> Vec<String> {
    let Facts { request: Request { outcome, release, .. }, context, .. } = facts;
    let rollback = context.report.head.as_ref().and_then(|head| head.rollback);
    let (words, mode) = match outcome {
        AlertKind::Answered => return freeze::lines(environment(facts).as_deref(), context),
        AlertKind::WaitingForApproval => (
            "To approve, start the state machine with this; to reject, write \"reject\" instead of \"approve\":",
            "approve",
        ),
        AlertKind::NeedsHuman if context.report.moves.iter().any(|row| moves::can_go_back(row, rollback)) => {
            (
                "To roll back every service that it changed to its restore point, start the state machine with this:",
                "rollback",
            )
        }
        _ => return Vec::new(),
    };
    // Where no environment is known by its name, no request would be taken.
    let named = environment(facts).and_then(|name| EnvironmentName::parse(name).ok());
    let Some(environment) = named else { return Vec::new() };
    let request = json!({"environment": environment, "mode": mode, "release": release});
    vec![words.to_owned(), request.to_string(), String::new()]
}
