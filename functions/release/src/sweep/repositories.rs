//! The looks at the repositories of an environment: what was pushed, what is gone, and what its tag names.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt, stream};
use pipeline::Fault;
use pipeline::environment::Environment;
use pipeline::ids::{Digest, EnvironmentName, Repository, ServiceName};
use pipeline::image::RepositoryRef;
use pipeline::rows::{FoundKind, PushRow, ServiceRow, SweepRow};

use super::Context;
use crate::intake::lost::Lost;
use crate::intake::push::Push;
use crate::observe;
use crate::plan::sweep::Found;
use crate::plan::sweep::images::{gone, needed, other_than_verified, tag, unlisted};
use crate::plan::sweep::lost::{self, Candidate, Moment, Shelf, candidates, is_lost};
use crate::plan::sweep::told::changes;
use crate::ports::{Events, Executions, Freezes, History, ImageId, Images, PushKey, StoredImage, Sweeps};

/// How many repositories are listed at once: ECR does not say how often it may be asked.
const AT_ONCE: usize = 4;

/// Looks at so many repositories, behind the one that was looked at last.
pub(super) async fn look(
    aws: &(impl Images + Executions),
    ledger: &(impl History + Freezes + Events + Sweeps),
    context: Context<'_>,
    name: &EnvironmentName,
    policy: &Environment,
    row: SweepRow,
    count: u32,
) -> Result<SweepRow, Fault> {
    let rows = ledger.services(name, None).await?;
    let met: BTreeMap<&ServiceName, &ServiceRow> =
        rows.iter().filter(|(service, _)| !row.gone.contains(service)).collect();
    let all: BTreeSet<Repository> =
        met.values().flat_map(|row| row.repositories()).chain(&row.unmet).cloned().collect();
    let next = next(&all, row.last.as_ref(), count);
    let stored: Vec<_> = stream::iter(&next)
        .map(async |repository| aws.stored(&place(context, repository)).await)
        .buffered(AT_ONCE)
        .collect()
        .await;
    let (mut shelves, mut found, mut read) = (Vec::new(), Vec::new(), BTreeMap::new());
    for (repository, stored) in next.iter().zip(stored) {
        match stored {
            Ok(images) => drop(read.insert(repository, images)),
            Err(fault) => found.push(unreadable(repository, &fault)),
        }
    }
    for (repository, images) in &read {
        shelves.push(shelf(name, policy, repository, images, &met));
    }
    let (lost, started) = lost_pushes(ledger, context, &shelves, &row).await?;
    let own: BTreeSet<String> = lost.iter().map(|one| one.place.clone()).collect();
    found.extend(lost);
    let held: BTreeSet<ServiceName> = ledger.held(name).await?.into_keys().collect();
    let moves = |shelf: &Shelf<'_>| row.busy || shelf.services.iter().any(|(name, _)| held.contains(*name));
    for shelf in &shelves {
        found.extend(kept(aws, context, shelf).await?);
        if !moves(shelf) && !own.contains(shelf.repository.as_str()) {
            found.extend(tagged(ledger, shelf).await?);
        }
    }
    let in_motion: BTreeSet<&str> =
        shelves.iter().filter(|shelf| moves(shelf)).map(|shelf| shelf.repository.as_str()).collect();
    let looked: BTreeSet<&str> = read.keys().map(|repository| repository.as_str()).collect();
    let known = ledger.found(name).await?;
    let looked = |kind: FoundKind, place: &str| {
        looked.contains(place) && !(kind == FoundKind::Tag && in_motion.contains(place))
    };
    let release = &context.run.release;
    let changes = changes(&known, &found, |row| looked(row.kind, &row.place), release, context.now);
    // First: what is told and does not start comes again with the next sweep, and what starts untold would be silent.
    ledger.note_found(name, &changes).await?;
    for Lost { execution, event } in &started {
        aws.start(&context.run.machine, execution, event).await?;
    }
    let left = row.left.saturating_sub(count);
    let row = SweepRow { left, last: next.last().cloned(), ..row };
    ledger.note_progress(name, &row).await?;
    Ok(row)
}

/// Returns so many repositories behind one, from the beginning again behind the last one.
fn next(all: &BTreeSet<Repository>, last: Option<&Repository>, count: u32) -> Vec<Repository> {
    let behind = |one: &&Repository| last.is_none_or(|last| *one > last);
    let count = usize::try_from(count).unwrap_or(usize::MAX).min(all.len());
    let (after, before): (Vec<_>, Vec<_>) = all.iter().partition(behind);
    after.into_iter().chain(before).take(count).cloned().collect()
}

fn place(context: Context<'_>, repository: &Repository) -> RepositoryRef {
    RepositoryRef { registry: context.home.account.clone(), repository: repository.clone() }
}

fn unreadable(repository: &Repository, fault: &Fault) -> Found {
    let why = format!("the images of {repository} cannot be read: {fault}");
    Found::unreadable(repository.as_str(), &why, Fault::RETRIED.contains(&fault.name()))
}

fn shelf<'a>(
    name: &'a EnvironmentName,
    policy: &'a Environment,
    repository: &'a Repository,
    images: &'a [StoredImage],
    met: &BTreeMap<&'a ServiceName, &'a ServiceRow>,
) -> Shelf<'a> {
    let of = |row: &ServiceRow| row.verified(repository).is_some() || row.order(repository).is_some();
    let services = met.iter().filter(|(_, row)| of(row)).map(|(service, row)| (*service, *row)).collect();
    Shelf { name, policy, repository, images, services }
}

/// Finds the pushes that were lost, and what they start.
async fn lost_pushes(
    ledger: &(impl Freezes + Sweeps),
    context: Context<'_>,
    shelves: &[Shelf<'_>],
    row: &SweepRow,
) -> Result<(Vec<Found>, Vec<Lost>), Fault> {
    let moment = Moment { now: context.now, first: row.first, asked: context.asked };
    let mut all: Vec<(&Shelf<'_>, Candidate)> = Vec::new();
    for shelf in shelves {
        let found = candidates(shelf, context.environments, context.home);
        // Most were there before, or run: nobody has to be asked of them.
        all.extend(found.into_iter().filter(|one| is_lost(one, &[], shelf, moment)).map(|one| (shelf, one)));
    }
    let Some((shelf, _)) = all.first() else { return Ok(Default::default()) };
    let (name, frozen) = (shelf.name, shelf.policy.frozen);
    let pushes: Vec<Push> =
        all.iter().flat_map(|(_, one)| &one.pushes).map(|(push, _)| push.clone()).collect();
    let seen = ledger.seen(name, &pushes).await?;
    all.retain(|(shelf, one)| is_lost(one, &seen_of(one, &seen), shelf, moment));
    if all.is_empty() {
        return Ok(Default::default());
    }
    let freeze = observe::freeze(ledger, name, frozen).await?.map(|freeze| freeze.named(name));
    let (mut found, mut started) = (Vec::new(), Vec::new());
    for (told, lost) in all.iter().filter_map(|(_, one)| lost::found(one, freeze.as_deref())) {
        found.push(told);
        started.extend(Some(lost).filter(|_| freeze.is_none()));
    }
    Ok((found, started))
}

fn seen_of<'a>(candidate: &Candidate, seen: &'a BTreeMap<PushKey, PushRow>) -> Vec<&'a PushRow> {
    let key = |push: &Push| (push.repository.clone(), push.tag.clone(), push.digest.clone());
    candidate.pushes.iter().filter_map(|(push, _)| seen.get(&key(push))).collect()
}

/// Finds the images that services need and that are gone.
async fn kept(aws: &impl Images, context: Context<'_>, shelf: &Shelf<'_>) -> Result<Vec<Found>, Fault> {
    let needed = needed(shelf);
    let missing = unlisted(&needed, shelf.images);
    if missing.is_empty() {
        return Ok(Vec::new());
    }
    // One without a tag is not listed, and may be there.
    let ids: Vec<ImageId> = missing.iter().cloned().map(ImageId::Digest).collect();
    let there = match aws.images(&place(context, shelf.repository), &ids).await {
        Ok(there) => there,
        Err(fault) => return Ok(vec![unreadable(shelf.repository, &fault)]),
    };
    let missing: BTreeSet<Digest> =
        missing.into_iter().filter(|digest| !there.contains_key(digest.as_str())).collect();
    Ok(gone(shelf, &needed, &missing))
}

/// Finds the tag of the environment on another image than what was verified.
async fn tagged(ledger: &impl Events, shelf: &Shelf<'_>) -> Result<Option<Found>, Fault> {
    let Some((named, verified)) = other_than_verified(shelf) else { return Ok(None) };
    let writes = ledger.writes(shelf.name, shelf.repository).await?;
    Ok(Some(tag(shelf, named, verified, &writes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_look_goes_on_behind_the_last_and_begins_again() {
        let all: BTreeSet<Repository> =
            ["ab", "cd", "ef"].map(|name| Repository::parse(name).unwrap()).into();
        let names = |last: Option<&str>, count| {
            let last = last.map(|name| Repository::parse(name).unwrap());
            let next = next(&all, last.as_ref(), count);
            next.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(names(None, 2), "ab cd");
        assert_eq!(names(Some("cd"), 2), "ef ab");
        assert_eq!(names(Some("de"), 9), "ef ab cd", "it is gone meanwhile");
        assert_eq!(names(Some("zz"), 1), "ab");
    }
}
