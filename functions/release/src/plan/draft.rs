//! What a release would do, as far as it is known: its moves, what stays, and where it goes.

use std::collections::BTreeMap;

use pipeline::ids::{PackHash, ServiceName};
use pipeline::rows::{Finding, MoveRow, ServiceRow};

use super::candidates::{Candidate, no_restore_point};
use super::decision::{Decision, decide};
use super::findings::refusals;
use super::restore::{found_otherwise, rolled_back_already};
use super::spec::{ImageSelection, PlanContext, ReleaseSpec};
use super::words::did_you_mean;
use crate::answer::Untouched;
use crate::ports::{ClusterSnapshot, Service};

/// How many reasons a refusal gives.
const REASONS: usize = 20;

/// How many services one release may move: its head, and what the machine says of it, have a size.
pub const MOST_MOVES: usize = 2_000;

/// What a release would do.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PlanDraft {
    /// The services that move.
    pub moves: Vec<MoveRow>,
    /// The services that do not, and why.
    pub untouched: Vec<Untouched>,
    /// What a person should know of it; the release may not be if one of them refuses it.
    pub findings: Vec<Finding>,
    /// How long to wait before looking again, and why.
    pub early: Option<(i64, String)>,
    /// The live tests that the moves have to pass, as they are written.
    pub packs: BTreeMap<PackHash, String>,
    /// All services that were looked at.
    pub services: Vec<Service>,
    /// What the ledger knows of those that it is about.
    pub known: BTreeMap<ServiceName, ServiceRow>,
    /// How many services run the image already.
    pub there: usize,
    /// Of how many services a newer push wants something else.
    pub newer: usize,
    /// Of how many a request that came later does.
    pub overruled: usize,
}

/// Where a release goes that was planned.
#[derive(Debug, PartialEq)]
pub enum Admission {
    /// On.
    Go,
    /// No service is meant.
    Nothing(String),
    /// All run the image already.
    There(String),
    /// A newer push wants something else of all of them.
    Superseded(String),
    /// At least one may not move.
    Refused(String),
    /// It is too early to say.
    Early(i64, String),
}

impl PlanDraft {
    /// Decides about the services that a release is about; `untouched` are those that it is not.
    pub fn new(
        seen: ClusterSnapshot,
        candidates: &[Candidate],
        untouched: Vec<Untouched>,
        spec: &ReleaseSpec,
        context: PlanContext<'_>,
    ) -> Self {
        let mut draft = PlanDraft { services: seen.services, untouched, ..PlanDraft::default() };
        let mut unfit = Vec::new();
        for candidate in candidates {
            let why = draft.add(candidate, spec, context);
            unfit.extend(why.map(|why| Untouched { service: candidate.service.name.clone(), why }));
        }
        draft.leave(unfit, spec);
        draft.leave_unreadable(seen.unreadable, spec);
        if draft.moves.len() > MOST_MOVES {
            let count = draft.moves.len();
            draft.refuse([format!("{count} services would move: expected {MOST_MOVES} at most")]);
        }
        draft
    }

    /// Adds what is decided about one service; says why it can never be moved, if that is so.
    fn add(&mut self, candidate: &Candidate, spec: &ReleaseSpec, context: PlanContext<'_>) -> Option<String> {
        let service = &candidate.service.name;
        self.known.insert(service.clone(), candidate.row.clone());
        match decide(candidate, spec, context) {
            Decision::Move(row) => {
                let restore = row.restore.as_ref();
                self.tell(restore.and_then(|restore| found_otherwise(candidate, restore)));
                self.tell(restore.and_then(|restore| rolled_back_already(candidate, spec, restore)));
                self.moves.push(*row);
            }
            Decision::There => {
                self.there += 1;
                let why = format!("it runs {} already", candidate.digest.short());
                self.untouched.extend(stays(spec, service, why));
            }
            Decision::Superseded => {
                self.newer += 1;
                let why = "a newer push was accepted for it".to_owned();
                self.untouched.extend(stays(spec, service, why));
            }
            Decision::Overruled => {
                self.overruled += 1;
                let why = "a request that came later has decided what it runs".to_owned();
                self.untouched.extend(stays(spec, service, why));
            }
            Decision::Refused(why) => self.refuse([why]),
            Decision::Unfit(why) => return Some(why),
        }
        None
    }

    /// Leaves out the services that can never be moved: they stand in the way only of who wants nothing but them.
    fn leave(&mut self, unfit: Vec<Untouched>, spec: &ReleaseSpec) {
        if spec.services.is_some() || self.moves.is_empty() {
            return self
                .refuse(unfit.into_iter().map(|Untouched { service, why }| format!("{service}: {why}")));
        }
        self.warn(unfit.iter().map(|Untouched { service, why }| format!("{service} is left out: {why}")));
        self.untouched.extend(unfit);
    }

    /// Leaves out the services that cannot be read; one that is named, or that may be all that is meant, refuses.
    fn leave_unreadable(&mut self, unreadable: BTreeMap<ServiceName, String>, spec: &ReleaseSpec) {
        let none = self.moves.is_empty() && self.there + self.newer + self.overruled == 0;
        for (service, why) in unreadable {
            match &spec.services {
                Some(named) if named.contains(&service) => {
                    self.refuse([format!("{service} cannot be read: {why}")]);
                }
                Some(_) => {}
                None if none => {
                    self.refuse([format!("{service} may belong to this release, and cannot be read: {why}")]);
                }
                None => self.warn([format!("{service} is left out, since it cannot be read: {why}")]),
            }
        }
    }

    /// Adds why the release may not be.
    pub fn refuse(&mut self, why: impl IntoIterator<Item = String>) {
        self.findings.extend(why.into_iter().map(Finding::refuses));
    }

    /// Adds what somebody should look at, and what stops nothing.
    pub fn warn(&mut self, why: impl IntoIterator<Item = String>) {
        self.findings.extend(why.into_iter().map(Finding::warns));
    }

    /// Adds what is good to know.
    pub fn tell(&mut self, what: impl IntoIterator<Item = String>) {
        self.findings.extend(what.into_iter().map(Finding::tells));
    }

    /// Tells whether the release may not be.
    pub fn is_refused(&self) -> bool {
        refusals(&self.findings).next().is_some()
    }

    /// Says where the release goes.
    pub fn admission(&self, spec: &ReleaseSpec, context: PlanContext<'_>) -> Admission {
        let (cluster, words) = (&context.environment.cluster, spec.to.words());
        if self.is_refused() {
            return Admission::Refused(some_of(&refusals(&self.findings).collect::<Vec<_>>()));
        }
        if let Some((seconds, why)) = &self.early {
            return Admission::Early(*seconds, why.clone());
        }
        match (self.moves.is_empty(), self.newer, self.there) {
            (false, ..) => Admission::Go,
            (true, ..) if self.overruled > 0 => Admission::Refused(format!(
                "a request that came later than the push of {words} has decided what {} runs: start a release of it, \
                 if it is meant all the same",
                context.name
            )),
            (true, 0, 0) => Admission::Nothing(nothing(spec, cluster, &self.untouched)),
            (true, 0, _) => Admission::There(format!("every service of {cluster} runs {words} already")),
            (true, ..) => {
                Admission::Superseded(format!("a newer push than {words} was accepted for {}", context.name))
            }
        }
    }
}

/// Says of a service that it stays, where all services of the environment are meant, or those of another release.
pub fn stays(spec: &ReleaseSpec, service: &ServiceName, why: String) -> Option<Untouched> {
    let all = spec.repository.is_none() || matches!(spec.to, ImageSelection::RestorePointsOf(_));
    all.then(|| Untouched { service: service.clone(), why })
}

/// Says the first few reasons, and counts the others: a cause has a size.
fn some_of(reasons: &[&str]) -> String {
    let said = reasons.get(..REASONS).unwrap_or(reasons).join("; ");
    match reasons.len().saturating_sub(REASONS) {
        0 => said,
        more => format!("{said}; and {more} more"),
    }
}

/// Says why no service is meant.
fn nothing(spec: &ReleaseSpec, cluster: &str, untouched: &[Untouched]) -> String {
    match &spec.to {
        ImageSelection::RestorePointsOf(release)
            if untouched.iter().any(|one| one.why != no_restore_point(release)) =>
        {
            let own = untouched.iter().filter(|one| one.why != no_restore_point(release));
            let said: Vec<String> = own.map(|one| format!("{}: {}", one.service, one.why)).collect();
            some_of(&said.iter().map(String::as_str).collect::<Vec<_>>())
        }
        ImageSelection::Images(_) if spec.takes_what_is_verified_before() => {
            format!("no service of {cluster} has a newer verified image")
        }
        ImageSelection::Images(images) => {
            let names: Vec<&str> = images.keys().map(|repository| repository.as_str()).collect();
            format!("no service of {cluster} runs an image of {}", names.join(", "))
        }
        ImageSelection::RestorePointsOf(release) => {
            format!("{release} wrote no restore point for a service of {cluster}")
        }
        ImageSelection::Previous | ImageSelection::Present => {
            format!("no version was verified before the one that the services of {cluster} run")
        }
    }
}

/// Names a service that was asked for and that the cluster does not have.
pub fn unknown_service(
    seen: &ClusterSnapshot,
    named: Option<&[ServiceName]>,
    cluster: &str,
) -> Option<String> {
    let names: Vec<&str> = seen.names().map(ServiceName::as_str).collect();
    let unknown = named.into_iter().flatten().find(|named| !names.contains(&named.as_str()))?;
    let meant = did_you_mean(unknown.as_str(), names.iter().copied());
    Some(format!("{cluster} has no service {:?}{meant}", unknown.as_str()))
}
