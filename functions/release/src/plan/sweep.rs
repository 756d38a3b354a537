//! What a sweep finds, and what it tells of that.  Pure.

pub mod images;
pub mod lost;
pub mod services;
pub mod told;

use pipeline::rows::BETWEEN_FINDINGS;
use pipeline::rows::FoundKind;
use pipeline::text::{LONGEST_SENTENCE, line};

/// By how many seconds what ECR says of an image and what its event says may differ for the same push.
pub const SAME_PUSH_SECONDS: i64 = 120;

/// The places of an environment where findings are looked for, beside its repositories.
pub const DOCUMENT: &str = "document";
/// Its services and releases.
pub const SERVICES: &str = "services";

/// Something that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// What kind of thing it is.
    pub kind: FoundKind,
    /// Where it was looked for: a repository, or another place of the environment.
    pub place: String,
    /// What it is about, in a word: a finding of the same kind about the same is the same finding.
    pub what: String,
    /// What was found: another value is news.
    pub value: String,
    /// What is told.
    pub text: String,
    /// Whether it has to be seen by two sweeps before it is told: it may pass.
    pub may_pass: bool,
}

impl Found {
    /// Makes a finding, whose text is one line.
    pub fn of(kind: FoundKind, place: &str, what: &str, value: &str, text: &str) -> Self {
        let text = line(&text.replace(BETWEEN_FINDINGS, ", "), LONGEST_SENTENCE);
        let [place, what, value] = [place, what, value].map(|part| line(part, LONGEST_SENTENCE / 2));
        let may_pass = matches!(kind, FoundKind::Drift | FoundKind::Tag);
        Found { kind, place, what, value, text, may_pass }
    }

    /// Says that something could not be read; `may_pass` where asking again may help.
    pub fn unreadable(place: &str, why: &str, may_pass: bool) -> Self {
        // What AWS says differs from call to call, in its request ids for instance.
        let value = if may_pass { "for now" } else { "wrong" };
        Found { may_pass, ..Found::of(FoundKind::Unreadable, place, place, value, why) }
    }
}
