//! What is told of something that is of no release.

use pipeline::clock::Timestamp;
use pipeline::text::{LONGEST_SENTENCE, line};

use super::title::{LONGEST, Title};
use super::{LONGEST_SMS, LONGEST_SUBJECT, Message, text};
use crate::kind::{Act, AlertKind};
use crate::signal::row::{Edition, SignalRow};

impl Message {
    /// Renders an alert as it stands; what was logged only with `details`.
    ///
    /// `origin` names the stack among all that use the same channels.
    pub(crate) fn of_signal(row: &SignalRow, origin: &str, now: Timestamp, details: bool) -> Message {
        let signal = &row.signal;
        let is_end = row.edition == Edition::Resolved;
        let act = if is_end { Act::None } else { signal.act() };
        let first = signal.lines.first().filter(|_| details && !is_end);
        let because = match (is_end, &row.clears, first) {
            (true, Some((_, why)), _) => why.clone(),
            (_, _, Some(first)) => first.clone(),
            _ => signal.because.clone(),
        };
        let services: Vec<String> = signal.service.iter().map(ToString::to_string).collect();
        let environment = signal.environment.as_ref().map(ToString::to_string);
        let title = Title {
            words: &words(row.edition, signal.kind),
            services: &services.iter().map(String::as_str).collect::<Vec<_>>(),
            instead: &signal.about,
            place: environment.as_deref(),
            why: &because,
            stands: stands(row, now),
            act,
        };
        let mark = format!("[{}] ", signal.severity.name());
        let subject = format!("{mark}{}", title.within(LONGEST_SUBJECT - mark.len()));
        let title = title.within(LONGEST);
        let because = if first.is_some() { &signal.because } else { &because };
        let lines = if details { signal.lines.join("\n") } else { String::new() };
        Message {
            release: None,
            outcome: signal.kind,
            event: signal.kind.event(),
            severity: signal.severity,
            act,
            subject: text::ascii(&subject, LONGEST_SUBJECT),
            sms: text::gsm(&format!("TIDEGATE {title}"), LONGEST_SMS),
            title,
            services,
            environment,
            because: line(because, LONGEST_SENTENCE),
            paragraphs: [lines].into_iter().filter(|lines| !lines.is_empty()).collect(),
            ready: None,
            footer: footer(row, now),
            at: now,
            moves: Vec::new(),
            more_moves: 0,
            fates: std::collections::BTreeMap::new(),
            plan: Vec::new(),
            edition: Some(format!("{}/{}", row.opened, row.seq)),
            is_end,
            link: signal.link.clone(),
            look_at: "Alarm",
            dashboard: None,
            dedup_key: format!("{origin}/{}", signal.id),
        }
    }
}

/// Says when, and of which alert.
fn footer(row: &SignalRow, now: Timestamp) -> Vec<String> {
    let since = (now > row.opened).then(|| format!("Since: {}", row.opened));
    let when = [format!("When: {now}")].into_iter().chain(since);
    when.chain([format!("Alert: {}", line(&row.signal.id, 300))]).collect()
}

fn words(edition: Edition, kind: AlertKind) -> String {
    let words = kind.words().to_uppercase();
    match edition {
        Edition::Opened => words,
        Edition::Repeated => format!("STILL {words}"),
        Edition::Resolved => format!("RESOLVED {words}"),
    }
}

/// Says how often it has happened, and how long it has lasted.
fn stands(row: &SignalRow, now: Timestamp) -> String {
    let lasted = text::duration(now.seconds_since(row.opened));
    match (row.edition, row.count) {
        (Edition::Opened, 0 | 1) => String::new(),
        (Edition::Opened, count) => format!("{count} times"),
        (_, 0 | 1) => format!("it has lasted {lasted}"),
        (_, count) => format!("{count} times in {lasted}"),
    }
}
