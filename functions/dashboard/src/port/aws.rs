//! The port, on AWS.

use std::collections::HashMap;
use std::hash::Hash;

use aws_config::SdkConfig;
use aws_sdk_ssm::Client;
use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::environment::{Environments, read_all};
use pipeline::ids::{EnvironmentName, ReleaseId, ServiceName};
use pipeline::ledger::{Key, Ledger, Listed, Standing, WholeRelease};
use pipeline::payload::MoveKey;
use pipeline::rows::{EvidenceRow, HeadRow, LeaseRow, ListedRun, PlanRow, ServiceRow, SweepRow};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Left, Place, Reads, Shown, Tested, Told, Waiting};

/// The parts of a move that have live tests.
const PARTS: [&str; 3] = ["before", "after", "rollback"];

/// The ledger, and Parameter Store.
#[derive(Debug)]
pub struct Aws {
    ledger: Ledger,
    ssm: Client,
}

impl Aws {
    /// Makes it from the configuration that all clients share.
    pub fn new(config: &SdkConfig, ledger: Ledger) -> Self {
        Aws { ledger, ssm: Client::new(config) }
    }

    /// Reads rows that are asked for by something else than their keys.
    async fn rows<Name: Clone + Eq + Hash, Row: DeserializeOwned>(
        &self,
        names: &[Name],
        key: impl Fn(&Name) -> Key,
    ) -> Result<HashMap<Name, Row>, Fault> {
        let keys: Vec<Key> = names.iter().map(key).collect();
        let mut rows = self.ledger.get_all(&keys).await?;
        Ok(names
            .iter()
            .zip(&keys)
            .filter_map(|(name, key)| Some((name.clone(), rows.remove(key)?)))
            .collect())
    }
}

impl Reads for Aws {
    async fn environments(&self) -> Result<Environments, Fault> {
        read_all(&self.ssm).await
    }

    async fn standing(&self, environment: &EnvironmentName) -> Result<Standing, Fault> {
        self.ledger.standing(environment).await
    }

    async fn swept(&self, environment: &EnvironmentName) -> Result<Option<SweepRow>, Fault> {
        // A row that a later version has changed beyond reading is as good as none.
        let row: Option<Value> = self.ledger.get(&Key::sweep(environment)).await?;
        Ok(row.and_then(|row| serde_json::from_value(row).ok()))
    }

    async fn left(&self, environment: &EnvironmentName) -> Result<Vec<Left>, Fault> {
        let rows = self.ledger.list::<Left>(&Key::opens(environment), "release#").await?.into_iter();
        let named = rows.map(|(sk, row)| Left {
            release: ReleaseId::parse(sk.trim_start_matches("release#")).ok(),
            ..row
        });
        Ok(named.filter(|left| !left.services.is_empty()).collect())
    }

    async fn services(
        &self,
        environment: &EnvironmentName,
        after: Option<&ServiceName>,
        most: usize,
    ) -> Result<Vec<(ServiceName, ServiceRow)>, Fault> {
        self.ledger.services_after(environment, after, most).await
    }

    async fn leases(&self, places: &[Place]) -> Result<HashMap<Place, LeaseRow>, Fault> {
        self.rows(places, |(environment, service)| Key::lease(environment, service)).await
    }

    async fn evidence(&self, images: &[Shown]) -> Result<HashMap<Shown, EvidenceRow>, Fault> {
        self.rows(images, |(environment, repository, digest)| Key::evidence(repository, digest, environment))
            .await
    }

    async fn runs(
        &self,
        environment: &EnvironmentName,
        before: Option<&str>,
        most: usize,
    ) -> Result<Vec<Listed>, Fault> {
        self.ledger.runs_before(environment, before, most).await
    }

    async fn listed(
        &self,
        environment: &EnvironmentName,
        opened: Timestamp,
        release: &ReleaseId,
    ) -> Result<Option<ListedRun>, Fault> {
        self.ledger.get(&Key::listed(environment, opened, release)).await
    }

    async fn waiting(&self, environment: &EnvironmentName) -> Result<Vec<Waiting>, Fault> {
        let rows: Vec<(String, WaitingSince)> =
            self.ledger.list(&Key::of_environment(environment), "waiting#").await?;
        let named = rows.into_iter().filter_map(|(sk, row)| {
            let release = ReleaseId::parse(sk.trim_start_matches("waiting#")).ok()?;
            Some(Waiting { release, since: row.since, answered: row.answered_by.is_some() })
        });
        Ok(named.collect())
    }

    async fn heads(&self, releases: &[ReleaseId]) -> Result<HashMap<ReleaseId, HeadRow>, Fault> {
        self.rows(releases, Key::head).await
    }

    async fn whole(&self, release: &ReleaseId) -> Result<WholeRelease, Fault> {
        self.ledger.whole(release).await
    }

    async fn plan(&self, release: &ReleaseId) -> Result<Vec<PlanRow>, Fault> {
        self.ledger.plan(release).await
    }

    async fn told(&self, release: &ReleaseId) -> Result<Vec<Told>, Fault> {
        let rows = self.ledger.list::<Told>(&Key::of_release(release), "alert#").await?.into_iter();
        let named =
            rows.map(|(sk, told)| Told { channel: sk.trim_start_matches("alert#").to_owned(), ..told });
        Ok(named.collect())
    }

    async fn tests(&self, moves: &[&MoveKey]) -> Result<Vec<Tested>, Fault> {
        let parts = moves.iter().flat_map(|key| PARTS.map(|part| (key.release.clone(), key.order(), part)));
        let parts: Vec<_> = parts.collect();
        let rows =
            self.rows(&parts, |(release, (wave, n), part)| Key::tests(release, *wave, *n, part)).await?;
        let mut tested: Vec<_> = rows.into_iter().collect();
        tested.sort_by_key(|((_, of, part), _)| (*of, PARTS.iter().position(|one| one == part)));
        // What a later version has written otherwise is not shown.
        let read = |((_, of, _), row): (_, Value)| {
            Some(Tested { of, ..serde_json::from_value::<Tested>(row).ok()? })
        };
        Ok(tested.into_iter().filter_map(read).collect())
    }
}

/// What is read of a release that waits: never the token that answers it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WaitingSince {
    #[serde(default)]
    since: Option<Timestamp>,
    #[serde(default)]
    answered_by: Option<Value>,
}
