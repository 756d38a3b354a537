//! The one alert: what happened, as every channel renders it.  Pure.

mod approval;
mod freeze;
mod guard;
mod moves;
mod progress;
mod signal;
mod stands;
mod sweep;
mod tags;
pub mod text;
mod title;
mod traffic;

#[cfg(test)]
pub(crate) mod tests;

pub use moves::MoveSummary;

use std::collections::BTreeMap;

use pipeline::clock::Timestamp;
use pipeline::console;
use pipeline::ids::{EnvironmentName, ReleaseId};
use pipeline::rows::MoveOutcome;
use pipeline::rows::{HeadRow, MoveRow, PlanRow};
use pipeline::text::{LONGEST_SENTENCE, line};
use serde_json::json;

use crate::kind::{Act, AlertKind, Severity};
use crate::{AlertContext, Request};
use guard::Guard;
use title::Title;

/// How many moves, tags and findings a message tells of, and how many bytes they may take as JSON; the others are
/// counted.
///
/// A topic takes 256 KiB, and the text goes into its message twice.
const TOLD: usize = 40;
const MOVES_BYTES: usize = 56 * 1024;
const OTHERS_BYTES: usize = 12 * 1024;

/// What SNS takes as a subject.
const LONGEST_SUBJECT: usize = 99;

/// What fits into one SMS.
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
    /// The release; none if it is about something else.
    pub release: Option<ReleaseId>,
    /// The environment, if it is known.
    pub environment: Option<String>,
    /// What happened.
    pub outcome: AlertKind,
    /// The type of the event, as routes and programs name it.
    pub event: &'static str,
    /// How grave it is.
    pub severity: Severity,
    /// Whether somebody has to act.
    pub act: Act,
    /// The services that it is about.
    pub services: Vec<String>,
    /// What, where, why, what stands, and whether to act: 140 characters at most.
    pub title: String,
    /// The same as the subject of an e-mail: ASCII, one line.
    pub subject: String,
    /// The same as one SMS.
    pub sms: String,
    /// Why, in a sentence.
    pub because: String,
    /// What there is to say beside, a paragraph each.
    pub paragraphs: Vec<String>,
    /// What to do, and the request to do it with, which is never cut.
    pub ready: Option<(String, String)>,
    /// When, of which release, and where to look.
    pub footer: Vec<String>,
    /// The moment that it is told of.
    pub at: Timestamp,
    /// The moves, those that need somebody first.
    pub moves: Vec<MoveSummary>,
    /// How many more there are.
    pub more_moves: usize,
    /// How many moves had each fate; they sum up to all moves, once it has ended.
    pub fates: BTreeMap<MoveOutcome, u32>,
    /// What a person is asked to agree to; as many as are told of.
    pub plan: Vec<PlanRow>,
    /// Which of several messages of one outcome it is: the plan if a person is asked, or its number.
    pub edition: Option<String>,
    /// Whether it says only that something has ended that somebody was told of.
    pub is_end: bool,
    /// Where to look in the console.
    pub link: Option<String>,
    /// What is there: a run, or an alarm.
    pub look_at: &'static str,
    /// Where to look at all releases, if there is a dashboard.
    pub dashboard: Option<String>,
    /// What two messages about the same thing share.
    pub dedup_key: String,
}

impl Message {
    /// Renders the facts; what tasks logged and tests got, which not all may read, only with `details`.
    pub(crate) fn of(facts: &Facts<'_>, details: bool) -> Message {
        let Facts { request, context, now } = facts;
        let rows = rows(facts, details);
        let mut rows: Vec<&MoveRow> = rows.iter().collect();
        let rollback = context.report.head.as_ref().and_then(|head| head.rollback);
        rows.sort_by_key(|row| moves::urgency(row, rollback));
        let told = rows.iter().map(|row| moves::paragraph(row, rollback, request.outcome));
        let told = text::first(told, TOLD, MOVES_BYTES);
        let moves: Vec<MoveSummary> =
            rows.iter().take(told.len()).map(|row| MoveSummary::of(row, rollback, request.outcome)).collect();
        let more_moves = rows.len() - moves.len();
        // As long as it goes on, nothing has become of anything.
        let decided = rows.iter().filter(|_| !request.outcome.is_progress());
        let fates = decided.fold(BTreeMap::new(), |mut fates, row| {
            *fates.entry(MoveOutcome::of(row, rollback)).or_insert(0) += 1;
            fates
        });
        let how = How::of(facts);
        let because = how.because.as_deref().or(request.because.as_deref()).unwrap_or_default();
        let because = line(because, LONGEST_SENTENCE);
        let services = services(facts, &rows);
        let environment = environment(facts);
        let count = |fate| fates.get(&fate).copied().unwrap_or_default();
        let stands = how.stands.clone().unwrap_or_else(|| stands::of(facts, &rows, count));
        let [subject, title] = titles(facts, &how, (&services, environment.as_deref()), (&because, stands));
        Message {
            release: Some(request.release.clone()),
            outcome: request.outcome,
            event: how.event,
            severity: how.severity,
            act: how.act,
            subject: text::ascii(&subject, LONGEST_SUBJECT),
            sms: text::gsm(&format!("TIDEGATE {title}"), LONGEST_SMS),
            paragraphs: paragraphs(facts, sum(&fates), told, more_moves),
            ready: answers(facts),
            footer: footer(facts),
            title,
            services,
            environment,
            because,
            moves,
            more_moves,
            fates,
            plan: context.report.plan.iter().take(TOLD).cloned().collect(),
            is_end: request.outcome == AlertKind::Resolved,
            edition: context
                .report
                .head
                .as_ref()
                .filter(|_| request.outcome == AlertKind::WaitingForApproval)
                .map(|head| head.plan.clone()),
            link: console::execution(&request.execution),
            look_at: "Run",
            dashboard: None,
            at: *now,
            dedup_key: match request.outcome {
                // It is followed by an end, which is something else to tell.
                AlertKind::WaitingForApproval => format!("approval/{}", request.release),
                _ => format!("release/{}", request.release),
            },
        }
    }

    /// Names the dashboard, if there is one.
    pub(crate) fn lead_to(&mut self, dashboard: Option<&str>) {
        self.footer.extend(dashboard.map(|url| format!("Dashboard: {url}")));
        self.dashboard = dashboard.map(str::to_owned);
    }

    /// Returns where to look, with the words for it.
    pub(crate) fn links(&self) -> impl Iterator<Item = (&str, &str)> {
        let link = self.link.iter().map(|link| (self.look_at, link.as_str()));
        link.chain(self.dashboard.iter().map(|url| ("Dashboard", url.as_str())))
    }

    /// Returns the whole text.
    pub fn text(&self) -> String {
        let head = [&self.title, &self.because].into_iter().filter(|line| !line.is_empty());
        let head: Vec<&str> = head.map(String::as_str).collect();
        let ready = self.ready.iter().map(|(words, request)| format!("{words}\n{request}"));
        let parts = [head.join("\n")].into_iter().chain(self.paragraphs.iter().cloned()).chain(ready);
        parts.chain([self.footer.join("\n")]).collect::<Vec<_>>().join("\n\n") + "\n"
    }
}

/// Returns the moves that are told; of what is settled none, since what has become of them since is not in their rows.
fn rows(Facts { request, context, .. }: &Facts<'_>, details: bool) -> Vec<MoveRow> {
    if request.outcome == AlertKind::Resolved {
        return Vec::new();
    }
    let mut rows = context.report.moves.clone();
    if !details {
        rows.iter_mut().for_each(|row| row.bundle = None);
    }
    rows
}

/// Tells whether somebody asked a release to go back, to what was verified before or to what another release replaced.
fn is_rollback(head: &HeadRow) -> bool {
    let to = head.request.get("to");
    to.is_some_and(|to| to == "previous" || to.get("restorePointsOf").is_some())
}

/// How it is told: an outcome alone does not say who has rolled back.
struct How {
    words: String,
    severity: Severity,
    act: Act,
    event: &'static str,
    because: Option<String>,
    /// What is so now, if it is not what the moves say.
    stands: Option<String>,
    /// What it is about where no service is known; the release, if nothing else is said.
    about: Option<String>,
}

impl How {
    fn of(facts: &Facts<'_>) -> Self {
        let outcome = facts.request.outcome;
        let plain = How {
            words: outcome.words().to_owned(),
            severity: outcome.severity(),
            act: outcome.act(),
            event: outcome.event(),
            because: None,
            stands: None,
            about: (outcome == AlertKind::Answered).then(|| format!("by run {}", facts.request.release)),
        };
        let back = facts.context.report.head.as_ref().is_some_and(is_rollback);
        if let Some(found) = sweep::found(facts.request) {
            return sweep::told(&found, plain);
        }
        match (Guard::of(facts), outcome) {
            (Some(guard), _) => guard.told(facts, plain),
            (None, AlertKind::Deployed) if back => {
                let event = AlertKind::RolledBack.event();
                How { words: "Rolled back on request".to_owned(), event, ..plain }
            }
            (None, AlertKind::Started) => progress::started(facts, plain),
            (None, AlertKind::Answered) => How { words: "Request carried out".to_owned(), ..plain },
            (None, _) => plain,
        }
    }
}

/// Writes the title, as a subject and as it is.
fn titles(
    facts: &Facts<'_>,
    how: &How,
    (services, place): (&[String], Option<&str>),
    (why, stands): (&str, String),
) -> [String; 2] {
    // A reason that names the only service says it twice.
    let only = services.first().filter(|_| services.len() == 1);
    let why = only.and_then(|only| why.strip_prefix(only.as_str())?.strip_prefix(": ")).unwrap_or(why);
    let title = Title {
        words: &how.words.to_uppercase(),
        services: &services.iter().map(String::as_str).collect::<Vec<_>>(),
        instead: &how.about.clone().unwrap_or_else(|| format!("release {}", facts.request.release)),
        place,
        why,
        stands,
        act: how.act,
    };
    let mark = format!("[{}] ", how.severity.name());
    let subject = format!("{mark}{}", title.within(LONGEST_SUBJECT - mark.len()));
    [subject, title.within(title::LONGEST)]
}

/// Returns the services that it is about.
fn services(facts: &Facts<'_>, rows: &[&MoveRow]) -> Vec<String> {
    let head = facts.context.report.head.as_ref().filter(|_| rows.is_empty());
    let named = head.into_iter().flat_map(|head| &head.services);
    rows.iter().map(|row| row.service.to_string()).chain(named.map(ToString::to_string)).collect()
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

/// Says what there is to say beside the title: each move, what was found, and what is missing.
fn paragraphs(facts: &Facts<'_>, sum: String, moves: Vec<String>, more: usize) -> Vec<String> {
    let Facts { request, context, .. } = facts;
    let plan = match request.outcome {
        AlertKind::WaitingForApproval => approval::lines(&context.report.plan),
        _ => Vec::new(),
    };
    let more = (more > 0).then(|| format!("and {more} more"));
    let unread = context.unread.as_ref().map(|why| {
        let why = line(why, LONGEST_SENTENCE);
        format!("The ledger could not be read, so this message lacks what it says: {why}")
    });
    let input = context.input.as_ref();
    let input =
        input.map(|input| format!("The execution was started with: {}", line(input, LONGEST_SENTENCE)));
    let lines = |lines: Vec<String>| lines.join("\n");
    let freeze = match request.outcome {
        AlertKind::Answered => freeze::state(environment(facts).as_deref(), context),
        _ => None,
    };
    let found_by_sweep = sweep::found(request).filter(|found| found.len() > 1).unwrap_or_default();
    let all = [sum, lines(plan)].into_iter().chain(found_by_sweep).chain(moves).chain(more);
    let all = all.chain([lines(found(context)), lines(tags::lines(&context.report.repositories))]);
    let guard = Guard::of(facts).and_then(|guard| guard.forward());
    all.chain(unread)
        .chain(input)
        .chain(freeze)
        .chain(guard)
        .filter(|paragraph| !paragraph.is_empty())
        .collect()
}

/// Says when, of which release, and where to look.
fn footer(Facts { request, context, now }: &Facts<'_>) -> Vec<String> {
    let took = context.report.head.as_ref().map(|head| text::duration(now.seconds_since(head.opened)));
    let when = match took {
        Some(took) => format!("When: {now}, {took} after it opened"),
        None => format!("When: {now}"),
    };
    let who = match request.outcome {
        _ if sweep::found(request).is_some() => format!("Sweep: {}", request.release),
        AlertKind::Answered => format!("Requested by: run {}", request.release),
        _ => format!("Release: {}", request.release),
    };
    let link = console::execution(&request.execution).map(|link| format!("Run: {link}"));
    [when, who].into_iter().chain(link).collect()
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
    [heading].into_iter().chain(lines).chain(more).collect()
}

/// Returns what a person can do, and the request to start the state machine with.
fn answers(facts: &Facts<'_>) -> Option<(String, String)> {
    let Facts { request: Request { outcome, release, .. }, context, .. } = facts;
    let rollback = context.report.head.as_ref().and_then(|head| head.rollback);
    let (words, mode) = match outcome {
        AlertKind::Answered => return freeze::lift(environment(facts).as_deref(), context),
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
        _ => return None,
    };
    // Where no environment is known by its name, no request would be taken.
    let environment = environment(facts).and_then(|name| EnvironmentName::parse(name).ok())?;
    let request = json!({"environment": environment, "mode": mode, "release": release});
    Some((words.to_owned(), request.to_string()))
}
