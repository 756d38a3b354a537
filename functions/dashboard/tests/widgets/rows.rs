//! A ledger in memory: rows as they were recorded, and documents of environments.

use std::collections::HashMap;

use dashboard::port::{Left, Place, Reads, Shown, Tested, Told, Waiting};
use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::environment::Environments;
use pipeline::ids::{EnvironmentName, ReleaseId, ServiceName};
use pipeline::ledger::{Listed, Standing, WholeRelease};
use pipeline::payload::MoveKey;
use pipeline::rows::{EvidenceRow, HeadRow, LeaseRow, ListedRun, PlanRow, ServiceRow, SweepRow};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Rows by their keys, and documents by their names.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    pub rows: Vec<Value>,
    pub documents: Vec<(String, String)>,
}

impl Rows {
    /// Reads recorded rows.
    pub fn recorded(text: &str) -> Self {
        let Ok(Value::Array(rows)) = serde_json::from_str(text) else { panic!("no rows") };
        Rows { rows, documents: Vec::new() }
    }

    /// Adds the document of an environment.
    pub fn with(mut self, name: &str, document: &Value) -> Self {
        self.documents.push((format!("/tidegate/environments/{name}"), document.to_string()));
        self
    }

    /// Adds a row.
    pub fn add(&mut self, pk: &str, sk: &str, mut row: Value) {
        row["pk"] = pk.into();
        row["sk"] = sk.into();
        self.rows.push(row);
    }

    /// Returns the rows of a partition whose second keys begin so, in their order.
    fn list<Row: DeserializeOwned>(&self, pk: &str, prefix: &str) -> Vec<(String, Row)> {
        let of = |row: &&Value| row["pk"] == pk && row["sk"].as_str().unwrap_or_default().starts_with(prefix);
        let mut rows: Vec<(String, Row)> = self.rows.iter().filter(of).map(read).collect();
        rows.sort_by(|(one, _), (other, _)| one.cmp(other));
        rows
    }

    fn get<Row: DeserializeOwned>(&self, pk: &str, sk: &str) -> Option<Row> {
        self.list(pk, sk).into_iter().find(|(key, _)| key == sk).map(|(_, row)| row)
    }
}

fn read<Row: DeserializeOwned>(row: &Value) -> (String, Row) {
    let mut row = row.clone();
    let fields = row.as_object_mut().unwrap();
    fields.remove("pk");
    let sk = fields.remove("sk").unwrap();
    (sk.as_str().unwrap().to_owned(), serde_json::from_value(row).unwrap())
}

impl Reads for Rows {
    async fn environments(&self) -> Result<Environments, Fault> {
        Ok(Environments::read(self.documents.iter().map(|(path, text)| (path.as_str(), text.as_str()))))
    }

    async fn standing(&self, environment: &EnvironmentName) -> Result<Standing, Fault> {
        let pk = format!("env#{environment}");
        let found = self.list(&pk, "found#").into_iter();
        let what = |sk: &str| sk.splitn(3, '#').nth(2).unwrap_or_default().to_owned();
        Ok(Standing {
            frozen: self.get(&pk, "frozen"),
            found: found.map(|(sk, row)| (what(&sk), row)).collect(),
        })
    }

    async fn swept(&self, environment: &EnvironmentName) -> Result<Option<SweepRow>, Fault> {
        Ok(self.get(&format!("env#{environment}"), "sweep"))
    }

    async fn left(&self, environment: &EnvironmentName) -> Result<Vec<Left>, Fault> {
        let rows = self.list::<Left>(&format!("open#{environment}"), "release#").into_iter();
        let named = rows.map(|(sk, row)| Left {
            release: ReleaseId::parse(sk.trim_start_matches("release#")).ok(),
            ..row
        });
        Ok(named.collect())
    }

    async fn services(
        &self,
        environment: &EnvironmentName,
        after: Option<&ServiceName>,
        most: usize,
    ) -> Result<Vec<(ServiceName, ServiceRow)>, Fault> {
        let rows = self.list(&format!("env#{environment}"), "service#").into_iter();
        let named =
            rows.map(|(sk, row)| (ServiceName::parse(sk.trim_start_matches("service#")).unwrap(), row));
        Ok(named.filter(|(name, _)| after.is_none_or(|after| name > after)).take(most).collect())
    }

    async fn leases(&self, places: &[Place]) -> Result<HashMap<Place, LeaseRow>, Fault> {
        let row = |place: &Place| self.get(&format!("env#{}", place.0), &format!("lease#{}", place.1));
        Ok(places.iter().filter_map(|place| Some((place.clone(), row(place)?))).collect())
    }

    async fn evidence(&self, images: &[Shown]) -> Result<HashMap<Shown, EvidenceRow>, Fault> {
        let row =
            |image: &Shown| self.get(&format!("digest#{}@{}", image.1, image.2), &format!("env#{}", image.0));
        Ok(images.iter().filter_map(|image| Some((image.clone(), row(image)?))).collect())
    }

    async fn runs(
        &self,
        environment: &EnvironmentName,
        before: Option<&str>,
        most: usize,
    ) -> Result<Vec<Listed>, Fault> {
        let rows = self.list(&format!("runs#{environment}"), "").into_iter().rev();
        let wanted = rows.filter(|(place, _)| before.is_none_or(|before| place.as_str() < before)).take(most);
        let listed = wanted.map(|(place, row)| {
            let (began, run) = place.split_once('#').unwrap();
            let (began, run) = (Timestamp::parse(began).ok(), ReleaseId::parse(run).ok());
            Listed { place: place.clone(), began, run, row }
        });
        Ok(listed.collect())
    }

    async fn listed(
        &self,
        environment: &EnvironmentName,
        _: Timestamp,
        release: &ReleaseId,
    ) -> Result<Option<ListedRun>, Fault> {
        let all = self.runs(environment, None, usize::MAX).await?;
        Ok(all.into_iter().find(|listed| listed.run.as_ref() == Some(release)).map(|listed| listed.row))
    }

    async fn waiting(&self, environment: &EnvironmentName) -> Result<Vec<Waiting>, Fault> {
        let rows = self.list::<Value>(&format!("env#{environment}"), "waiting#").into_iter();
        let named = rows.map(|(sk, row)| Waiting {
            release: ReleaseId::parse(sk.trim_start_matches("waiting#")).unwrap(),
            since: row["since"].as_str().map(|since| Timestamp::parse(since).unwrap()),
            answered: !row["answeredBy"].is_null(),
        });
        Ok(named.collect())
    }

    async fn heads(&self, releases: &[ReleaseId]) -> Result<HashMap<ReleaseId, HeadRow>, Fault> {
        let row = |id: &ReleaseId| self.get(&format!("release#{id}"), "head");
        Ok(releases.iter().filter_map(|id| Some((id.clone(), row(id)?))).collect())
    }

    async fn whole(&self, release: &ReleaseId) -> Result<WholeRelease, Fault> {
        let pk = format!("release#{release}");
        let key = |sk: &str| {
            let numbers: Vec<u32> = sk.split('#').skip(1).map(|n| n.parse().unwrap()).collect();
            MoveKey::new(release.clone(), numbers[0], numbers[1])
        };
        let mut moves: Vec<_> =
            self.list(&pk, "move#").into_iter().map(|(sk, row)| (key(&sk), row)).collect();
        moves.sort_by_key(|(key, _)| key.order());
        let repositories = self.list(&pk, "repo#").into_iter().map(|(_, row)| row).collect();
        Ok(WholeRelease { head: self.get(&pk, "head"), moves, repositories })
    }

    async fn plan(&self, release: &ReleaseId) -> Result<Vec<PlanRow>, Fault> {
        Ok(self.list(&format!("release#{release}"), "plan#").into_iter().map(|(_, row)| row).collect())
    }

    async fn told(&self, release: &ReleaseId) -> Result<Vec<Told>, Fault> {
        let rows = self.list::<Told>(&format!("release#{release}"), "alert#").into_iter();
        Ok(rows
            .map(|(sk, told)| Told { channel: sk.trim_start_matches("alert#").to_owned(), ..told })
            .collect())
    }

    async fn tests(&self, moves: &[&MoveKey]) -> Result<Vec<Tested>, Fault> {
        let of = |key: &&MoveKey| {
            let (wave, n) = key.order();
            let rows =
                self.list::<Tested>(&format!("release#{}", key.release), &format!("tests#{wave}#{n}#"));
            rows.into_iter().map(move |(_, tested)| Tested { of: (wave, n), ..tested })
        };
        Ok(moves.iter().flat_map(of).collect())
    }
}
