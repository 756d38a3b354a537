//! What runs where: services by environments, in the order of promotion.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use futures_util::future::try_join_all;
use futures_util::try_join;
use pipeline::Fault;
use pipeline::environment::{Environment, Environments};
use pipeline::ids::{Digest, EnvironmentName, ReleaseId, Repository, ServiceName};
use pipeline::ledger::Standing;
use pipeline::rows::{FoundKind, Hold, LeaseRow, Quarantine, ServiceRow, SweepRow, VerifiedImage};

use crate::port::{Left, Place, Reads, Shown};

/// How many services of all environments together a page has.
const CELLS: usize = 160;

/// How many rows a page has at most, and at least.
const MOST_ROWS: usize = 50;
const LEAST_ROWS: usize = 10;

/// A page of the board.
#[derive(Debug, Default)]
pub struct Board {
    /// The environments, each behind the one that it takes its images from.
    pub columns: Vec<Column>,
    /// The documents that cannot be read, and why.
    pub broken: Vec<(String, String)>,
    /// The services, each with a cell for each environment.
    pub rows: Vec<(ServiceName, Vec<Option<Cell>>)>,
    /// Whether it is the first page.
    pub is_first: bool,
    /// The last service of this page, if there are more.
    pub next: Option<ServiceName>,
}

/// An environment.
#[derive(Debug)]
pub struct Column {
    /// Its name.
    pub name: EnvironmentName,
    /// Its policy.
    pub policy: Environment,
    /// What is said of it as a whole.
    pub standing: Standing,
    /// How far its last sweep is, which compares with ECS.
    pub swept: Option<SweepRow>,
    /// What releases have left to a person.
    pub left: Vec<Left>,
}

impl Column {
    /// Tells whether nothing goes forward in it.
    pub fn is_frozen(&self) -> bool {
        self.policy.frozen || self.standing.frozen.as_ref().is_some_and(|row| row.frozen)
    }
}

/// A service in an environment.
#[derive(Debug, PartialEq)]
pub struct Cell {
    /// How it is.
    pub state: State,
    /// What it runs, by repository.
    pub images: Vec<Image>,
}

/// How a service is.
#[derive(Debug, PartialEq)]
pub enum State {
    /// A release holds it.
    Moving(ReleaseId),
    /// A release has left it to a person, who has not settled it.
    Left(ReleaseId),
    /// ECS does not have it any more.
    Gone,
    /// It does not run what was verified, as a sweep has found.
    Drift(String),
    /// Somebody rolled it back, and it stays there.
    Held(Hold),
    /// It runs what was verified.
    Verified,
    /// Nothing was verified yet.
    Unknown,
}

/// An image that a service runs.
#[derive(Debug, PartialEq)]
pub struct Image {
    /// What was verified.
    pub fact: VerifiedImage,
    /// Another one that the environment before runs, verified.
    pub ahead: Option<Ahead>,
}

/// What the environment before runs.
#[derive(Debug, PartialEq)]
pub struct Ahead {
    /// What was verified there.
    pub fact: VerifiedImage,
    /// Whether it failed here.
    pub quarantine: Option<Quarantine>,
    /// Whether somebody has rolled this service back from it.
    pub is_held: bool,
}

/// Reads a page.
pub async fn read(port: &impl Reads, after: Option<&ServiceName>) -> Result<Board, Fault> {
    let environments = port.environments().await?;
    let order = in_order(&environments);
    let most = (CELLS / order.len().max(1)).clamp(LEAST_ROWS, MOST_ROWS);
    let columns = try_join_all(order.into_iter().map(|(name, policy)| async move {
        let (standing, services, swept, left) = try_join!(
            port.standing(&name),
            port.services(&name, after, most + 1),
            port.swept(&name),
            port.left(&name)
        )?;
        let column = Column { name, policy, standing, swept, left };
        Ok::<_, Fault>((column, services.into_iter().collect::<BTreeMap<_, _>>()))
    }))
    .await?;
    let (columns, services): (Vec<Column>, Vec<_>) = columns.into_iter().unzip();
    // Each environment has told the next ones of its own: of all of them, so many are complete.
    let names: BTreeSet<&ServiceName> = services.iter().flat_map(BTreeMap::keys).collect();
    let more = names.len() > most;
    let names: Vec<ServiceName> = names.into_iter().take(most).cloned().collect();
    let known = Known { columns: &columns, services: &services };
    let places = known.places(&names);
    let ahead: Vec<Shown> = known.ahead(&names);
    let (leases, evidence) = try_join!(port.leases(&places), port.evidence(&ahead))?;
    let quarantine: HashMap<Shown, Quarantine> =
        evidence.into_iter().filter_map(|(image, row)| Some((image, row.quarantine?))).collect();
    let rows = names.iter().map(|name| {
        let cells = (0..columns.len()).map(|n| known.cell(n, name, &leases, &quarantine));
        (name.clone(), cells.collect())
    });
    let rows = rows.collect();
    let next = names.last().filter(|_| more).cloned();
    let broken = environments.broken().map(|(name, fault)| (name.to_owned(), fault.to_string())).collect();
    Ok(Board { columns, broken, rows, is_first: after.is_none(), next })
}

/// Puts each environment behind the one that it takes its images from; those that begin a chain by their names.
pub(crate) fn in_order(environments: &Environments) -> Vec<(EnvironmentName, Environment)> {
    let mut left: BTreeMap<EnvironmentName, &Environment> = environments.known().collect();
    let mut order = Vec::new();
    while let Some(begins) = left
        .iter()
        .find(|(_, one)| one.from.as_ref().is_none_or(|from| !left.contains_key(from)))
        .or_else(|| left.iter().next()) // documents that take from each other in a circle
        .map(|(name, _)| name.clone())
    {
        let mut next = Some(begins);
        while let Some(name) = next {
            let Some(policy) = left.remove(&name) else { break };
            next =
                left.iter().find(|(_, one)| one.from.as_ref() == Some(&name)).map(|(name, _)| name.clone());
            order.push((name, policy.clone()));
        }
    }
    order
}

/// What was read, before it is put together.
struct Known<'a> {
    columns: &'a [Column],
    services: &'a [BTreeMap<ServiceName, ServiceRow>],
}

impl Known<'_> {
    fn places(&self, names: &[ServiceName]) -> Vec<Place> {
        let columns = self.columns.iter().zip(self.services);
        let places = columns.flat_map(|(column, services)| {
            let known = names.iter().filter(|name| services.contains_key(*name));
            known.map(|name| (column.name.clone(), name.clone()))
        });
        places.collect()
    }

    /// Returns the images that an environment does not run, and the one before it does.
    fn ahead(&self, names: &[ServiceName]) -> Vec<Shown> {
        let mut images: BTreeSet<Shown> = BTreeSet::new();
        for (n, column) in self.columns.iter().enumerate() {
            for name in names {
                let row = self.services.get(n).and_then(|services| services.get(name));
                let ahead = row.into_iter().flat_map(|row| self.ahead_of(n, name, row));
                images.extend(
                    ahead.map(|(repository, fact)| (column.name.clone(), repository, fact.digest.clone())),
                );
            }
        }
        images.into_iter().collect()
    }

    /// Returns what the environment before has verified of a service, by repository, where it is another image.
    fn ahead_of(&self, n: usize, name: &ServiceName, row: &ServiceRow) -> Vec<(Repository, VerifiedImage)> {
        let before = self.columns.get(n).and_then(|column| column.policy.from.as_ref());
        let before = before.and_then(|from| self.columns.iter().position(|column| column.name == *from));
        let Some(upstream) = before.and_then(|n| self.services.get(n)?.get(name)) else { return Vec::new() };
        let known = row.repositories().into_iter().filter_map(|repository| {
            let (here, there) = (row.verified(repository)?, upstream.verified(repository)?);
            // By when releases brought them: what the one before has gone back to is not new.
            let brought = |fact: &VerifiedImage| upstream.released(repository, &fact.digest);
            let offered = brought(there).unwrap_or(there.since);
            let is_newer = here.release.is_none() || offered > brought(here).unwrap_or(here.since);
            let is_held = upstream.hold(repository, &there.digest).is_some();
            (here.digest != there.digest && is_newer && !is_held).then(|| (repository.clone(), there.clone()))
        });
        known.collect()
    }

    fn cell(
        &self,
        n: usize,
        name: &ServiceName,
        leases: &HashMap<Place, LeaseRow>,
        quarantine: &HashMap<Shown, Quarantine>,
    ) -> Option<Cell> {
        let (column, row) = (self.columns.get(n)?, self.services.get(n)?.get(name)?);
        let lease = leases.get(&(column.name.clone(), name.clone()));
        let ahead = self.ahead_of(n, name, row);
        let failed = |repository: &Repository, digest: &Digest| {
            quarantine.get(&(column.name.clone(), repository.clone(), digest.clone())).cloned()
        };
        let images = row.repositories().into_iter().filter_map(|repository| {
            let ahead = ahead.iter().find(|(of, _)| of == repository).map(|(_, fact)| Ahead {
                fact: fact.clone(),
                quarantine: failed(repository, &fact.digest),
                is_held: row.hold(repository, &fact.digest).is_some(),
            });
            Some(Image { fact: row.verified(repository)?.clone(), ahead })
        });
        Some(Cell { state: state(name, row, lease, column), images: images.collect() })
    }
}

/// Says how a service is; what needs somebody comes first.
fn state(name: &ServiceName, row: &ServiceRow, lease: Option<&LeaseRow>, column: &Column) -> State {
    if let Some(release) =
        lease.filter(|lease| lease.holder.is_some()).and_then(|lease| lease.release.clone())
    {
        return State::Moving(release);
    }
    if column.swept.as_ref().is_some_and(|swept| swept.gone.contains(name)) {
        return State::Gone;
    }
    let repositories = row.repositories();
    let verified_by = |release: &ReleaseId| {
        let mut facts = repositories.iter().filter_map(|repository| row.verified(repository));
        facts.any(|fact| fact.release.as_ref() == Some(release))
    };
    let left = column.left.iter().filter(|left| left.services.contains(name));
    // A release that left others to a person may have deployed this one.
    if let Some(release) = left.filter_map(|left| left.release.as_ref()).find(|release| !verified_by(release))
    {
        return State::Left(release.clone());
    }
    let mut found = column.standing.found.iter();
    if let Some((_, drift)) = found.find(|(what, one)| one.kind == FoundKind::Drift && what == name.as_str())
    {
        return State::Drift(drift.text.clone());
    }
    match repositories.iter().find_map(|repository| row.holds(repository).into_iter().next()) {
        Some(hold) => State::Held(hold),
        None if repositories.is_empty() => State::Unknown,
        None => State::Verified,
    }
}
