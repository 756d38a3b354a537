//! The keys of the rows, and how long the rows are kept.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

use crate::clock::Timestamp;
use crate::ids::{
    Digest, EnvironmentName, PackHash, ReleaseId, Repository, ServiceName, Tag, TaskDefinitionArn,
};
use crate::rows::FoundKind;

/// How long the rows of a release are kept.
const RELEASE_DAYS: i64 = 400;

/// How long is kept what a release has told, and what its tests have shown.
const MESSAGE_DAYS: i64 = 90;

/// How long it is kept how often something was seen: longer than anybody counts.
const COUNT_DAYS: i64 = 2;

/// The two keys of a row.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    pub(crate) pk: String,
    pub(crate) sk: String,
}

impl Key {
    pub(super) fn new(pk: String, sk: impl Into<String>) -> Self {
        Key { pk, sk: sk.into() }
    }
    /// `env#<environment>`: the partition of what is so in an environment.
    pub fn of_environment(environment: &EnvironmentName) -> String {
        format!("env#{environment}")
    }

    /// `env#<environment>` / `service#<service>`
    pub fn service(environment: &EnvironmentName, service: &ServiceName) -> Self {
        Key::of_service(environment, "service#", service)
    }
    /// `env#<environment>` / `lease#<service>`
    pub fn lease(environment: &EnvironmentName, service: &ServiceName) -> Self {
        Key::of_service(environment, "lease#", service)
    }
    /// `env#<environment>` / `<kind>#<service>`
    pub fn of_service(environment: &EnvironmentName, kind: &str, service: &ServiceName) -> Self {
        Key::new(Key::of_environment(environment), format!("{kind}{service}"))
    }
    /// `env#<environment>` / `frozen`
    pub fn frozen(environment: &EnvironmentName) -> Self {
        Key::new(Key::of_environment(environment), "frozen")
    }
    /// `env#<environment>` / `write#<repository>#<time>`
    pub fn write(environment: &EnvironmentName, repository: &Repository, time: Timestamp) -> Self {
        Key::new(Key::of_environment(environment), format!("write#{repository}#{time}"))
    }
    /// `release#<id>`
    pub fn of_release(release: &ReleaseId) -> String {
        format!("release#{release}")
    }

    /// `release#<id>` / `head`
    pub fn head(release: &ReleaseId) -> Self {
        Key::new(Key::of_release(release), "head")
    }
    /// `release#<id>` / `move#<wave>#<n>`
    pub fn a_move(release: &ReleaseId, wave: u32, ordinal: u32) -> Self {
        Key::new(Key::of_release(release), format!("move#{wave}#{ordinal}"))
    }
    /// `release#<id>` / `tests#<wave>#<n>#<part>`: what came of the live tests in one part of a move.
    pub fn tests(release: &ReleaseId, wave: u32, ordinal: u32, part: &str) -> Self {
        Key::new(Key::of_release(release), format!("tests#{wave}#{ordinal}#{part}"))
    }
    /// `release#<id>` / `run#<wave>#<n>#<name>`: what the live tests of a move run.
    pub fn run(release: &ReleaseId, wave: u32, ordinal: u32, name: &str) -> Self {
        Key::new(Key::of_release(release), format!("run#{wave}#{ordinal}#{name}"))
    }
    /// `release#<id>` / `repo#<n>`
    pub fn repository(release: &ReleaseId, ordinal: u32) -> Self {
        Key::new(Key::of_release(release), format!("repo#{ordinal}"))
    }
    /// `env#<environment>` / `tag#<repository>`
    pub fn tag(environment: &EnvironmentName, repository: &Repository) -> Self {
        Key::new(Key::of_environment(environment), format!("tag#{repository}"))
    }
    /// `release#<id>` / `alert#<channel>`
    pub fn alert(release: &ReleaseId, channel: &str) -> Self {
        Key::new(Key::of_release(release), format!("alert#{channel}"))
    }
    /// `open#<environment>` / `release#<id>`: what a release has left to a person.
    pub fn open(environment: &EnvironmentName, release: &ReleaseId) -> Self {
        Key::new(Key::opens(environment), format!("release#{release}"))
    }
    /// `open#<environment>`: the partition of all that releases have left to a person in an environment.
    pub fn opens(environment: &EnvironmentName) -> String {
        format!("open#{environment}")
    }
    /// `alert#<id>` / `state`: an alert that is of no release.
    pub fn signal(id: &str) -> Self {
        Key::new(format!("alert#{id}"), "state")
    }
    /// `alert#<id>` / `told#<opened>#<channel>`
    pub fn told(id: &str, opened: Timestamp, channel: &str) -> Self {
        Key::new(format!("alert#{id}"), format!("told#{opened}#{channel}"))
    }
    /// `alert#<id>` / `count#<from>`: how often something was seen in a part of a minute or of an hour.
    pub fn count(id: &str, from: Timestamp) -> Self {
        Key::new(format!("alert#{id}"), format!("count#{}", in_order(from)))
    }
    /// `alert#batch/<hash>` / `count#taken`: a batch of lines of a log.
    pub fn batch(hash: &str) -> Self {
        Key::new(format!("alert#batch/{hash}"), "count#taken")
    }
    /// `digest#<repository>@<digest>` / `env#<environment>`
    pub fn evidence(repository: &Repository, digest: &Digest, environment: &EnvironmentName) -> Self {
        Key::new(format!("digest#{repository}@{digest}"), Key::of_environment(environment))
    }
    /// `event#<id>` / `event`
    pub fn event(id: &str) -> Self {
        Key::new(format!("event#{id}"), "event")
    }
    /// `revision#<arn>` / `json`
    pub fn revision(arn: &TaskDefinitionArn) -> Self {
        Key::new(format!("revision#{arn}"), "json")
    }
    /// `pack#<hash>` / `json`
    pub fn pack(hash: &PackHash) -> Self {
        Key::new(format!("pack#{hash}"), "json")
    }
    /// `release#<id>` / `plan#<service>`
    pub fn plan(release: &ReleaseId, service: &ServiceName) -> Self {
        Key::new(Key::of_release(release), format!("plan#{service}"))
    }
    /// `env#<environment>` / `waiting#<release>`
    pub fn waiting(environment: &EnvironmentName, release: &ReleaseId) -> Self {
        Key::new(Key::of_environment(environment), format!("waiting#{release}"))
    }
    /// `guard#<alarm>` / `release#<id>`
    pub fn guard(alarm: &str, release: &ReleaseId) -> Self {
        Key::new(format!("guard#{alarm}"), format!("release#{release}"))
    }
    /// `release#<id>` / `guard`
    pub fn guard_rollback(release: &ReleaseId) -> Self {
        Key::new(Key::of_release(release), "guard")
    }
    /// `push#<environment>` / `<repository>#<tag>#<digest>`
    pub fn push(environment: &EnvironmentName, repository: &Repository, tag: &Tag, digest: &Digest) -> Self {
        Key::new(format!("push#{environment}"), format!("{repository}#{tag}#{digest}"))
    }
    /// `env#<environment>` / `sweep`
    pub fn sweep(environment: &EnvironmentName) -> Self {
        Key::new(Key::of_environment(environment), "sweep")
    }
    /// `env#<environment>` / `found#<kind>#<what>`
    pub fn found(environment: &EnvironmentName, kind: FoundKind, what: &str) -> Self {
        Key::new(Key::of_environment(environment), format!("found#{}#{what}", kind.word()))
    }
    /// `runs#<environment>` / `<time>#<run>`
    pub fn listed(environment: &EnvironmentName, time: Timestamp, run: &ReleaseId) -> Self {
        Key::new(Key::runs(environment), format!("{}#{run}", in_order(time)))
    }
    /// `runs#<environment>`: the partition of the runs of an environment.
    pub(super) fn runs(environment: &EnvironmentName) -> String {
        format!("runs#{environment}")
    }
    /// `pace` / `<action>`: up to when the calls of the whole account are reserved.
    pub fn rate_limit(action: &str) -> Self {
        Key::new("pace".to_owned(), action)
    }

    /// Returns the second after which the table forgets the row, counted from now; none if it stays, or says so itself.
    pub fn expires(&self) -> Option<i64> {
        Some(Timestamp::now().plus_seconds(self.kept_days()? * 24 * 3600).millis() / 1000)
    }

    /// Returns how long a row of a release, of an alert or of the list of runs is kept; all others stay, or say so
    /// themselves.
    pub(super) fn kept_days(&self) -> Option<i64> {
        if self.pk.starts_with("runs#") {
            return Some(RELEASE_DAYS);
        }
        let is = |kind| self.sk.starts_with(kind);
        if self.pk.starts_with("open#") {
            return Some(MESSAGE_DAYS);
        }
        if self.pk.starts_with("alert#") {
            return Some(if is("count#") { COUNT_DAYS } else { MESSAGE_DAYS });
        }
        if !self.pk.starts_with("release#") {
            return None;
        }
        Some(if is("alert#") || is("tests#") || is("run#") { MESSAGE_DAYS } else { RELEASE_DAYS })
    }

    pub(super) fn attributes(&self) -> HashMap<String, AttributeValue> {
        HashMap::from([
            ("pk".to_owned(), AttributeValue::S(self.pk.clone())),
            ("sk".to_owned(), AttributeValue::S(self.sk.clone())),
        ])
    }
}

/// Writes a moment so that text is in the order of time: every one has milliseconds.
pub(super) fn in_order(time: Timestamp) -> String {
    let millis = time.millis().rem_euclid(1000);
    let seconds = Timestamp::from_millis(time.millis() - millis).to_string();
    format!("{}.{millis:03}Z", seconds.trim_end_matches('Z'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_runs_of_an_environment_stand_in_the_order_of_time() {
        let (dev, run) = (EnvironmentName::parse("dev").unwrap(), ReleaseId::parse("r1").unwrap());
        let key = |millis| Key::listed(&dev, Timestamp::from_millis(millis), &run).sk;
        assert_eq!(key(1_795_000_000_000), "2026-11-18T11:06:40.000Z#r1");
        let keys = [1_795_000_000_000, 1_795_000_000_500, 1_795_000_001_000].map(key);
        assert!(keys.is_sorted(), "{keys:?}");
    }
}
