//! What is of no release, in memory: environments, leases, alerts, and the time in which somebody comes back to them.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use alert::port::{Port, Signals};
use alert::secret::Secret;
use alert::signal::row::SignalRow;
use alert::{Alert, Response};
use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::environment::Environments;
use pipeline::ids::{EnvironmentName, ReleaseId};
use serde_json::Value;
use tokio::task::yield_now;
use wildmatch::WildMatch;

use crate::fixture::Fixture;

/// The rows, the leases, and what is to come.
#[derive(Default)]
pub struct World {
    pub rows: RefCell<BTreeMap<String, SignalRow>>,
    pub counts: RefCell<BTreeMap<(String, Timestamp), u64>>,
    /// The release that holds the lease of a service, and since when.
    pub leases: RefCell<BTreeMap<String, (String, Timestamp)>>,
    pub batches: RefCell<BTreeSet<String>>,
    pub kept: RefCell<Vec<Value>>,
    /// How many of the next changes of rows are lost.
    pub lost: Cell<u32>,
    pub calls: Cell<u32>,
    /// What draws the order of calls; 0 keeps it.
    pub seed: Cell<u64>,
    taken_up: Cell<usize>,
    agenda: RefCell<Vec<(Timestamp, Value)>>,
}

pub fn at(time: &str) -> Timestamp {
    Timestamp::parse(&format!("2026-11-23T{time}Z")).unwrap()
}

impl World {
    async fn called(&self) {
        self.calls.set(self.calls.get() + 1);
        // Whoever else runs may come between any two calls, in an order that a seed draws if there is one.
        let seed = self.seed.get();
        self.seed.set(seed.wrapping_mul(6_364_136_223_846_793_005));
        for _ in 0..=seed >> 61 {
            yield_now().await;
        }
    }
}

impl Fixture {
    /// Hands an event over at a moment.
    pub async fn hear(&self, event: &Value, time: Timestamp) -> Result<Response, Fault> {
        let answer = Alert { port: self }.handle(event.clone(), time).await;
        self.take_up(time);
        answer
    }

    /// Lets time pass: whoever comes back does so at its moment.
    pub async fn until(&self, time: Timestamp) {
        while let Some((now, input)) = self.next(time) {
            let answer = Alert { port: self }.handle(input, now).await.unwrap();
            self.take_up(now);
            if let Some(follow) = answer.follow {
                let next = now.plus_seconds(follow.seconds.into());
                self.world.agenda.borrow_mut().push((next, serde_json::to_value(follow).unwrap()));
            }
        }
    }

    /// Takes who comes back first until a moment.
    fn next(&self, time: Timestamp) -> Option<(Timestamp, Value)> {
        let mut agenda = self.world.agenda.borrow_mut();
        agenda.sort_by_key(|(at, _)| *at);
        let is_due = agenda.first().is_some_and(|(at, _)| *at <= time);
        is_due.then(|| agenda.remove(0))
    }

    /// Says how many executions are on their way.
    pub fn coming_back(&self) -> usize {
        self.world.agenda.borrow().len()
    }

    /// Starts what was asked for since, each name once.
    fn take_up(&self, now: Timestamp) {
        let followed = self.followed.borrow();
        for (n, (name, input)) in followed.iter().enumerate().skip(self.world.taken_up.get()) {
            if followed.iter().take(n).any(|(earlier, _)| earlier == name) {
                continue;
            }
            let input: Value = serde_json::from_str(input).unwrap();
            let seconds = input["seconds"].as_i64().unwrap();
            self.world.agenda.borrow_mut().push((now.plus_seconds(seconds), input));
        }
        self.world.taken_up.set(followed.len());
    }

    /// The titles that the topic was told, in the order of time.
    pub fn titles(&self) -> Vec<String> {
        let published = self.published.borrow();
        let titles = published.iter().map(|each| {
            let message: Value = serde_json::from_str(&each.message).unwrap();
            message["email"].as_str().unwrap().lines().next().unwrap().to_owned()
        });
        titles.collect()
    }

    /// A release takes the lease of a service of prod.
    pub fn lease(&self, service: &str, release: &str, since: &str) {
        self.world.leases.borrow_mut().insert(service.to_owned(), (release.to_owned(), at(since)));
    }
}

impl Signals for &Fixture {
    fn parameter(&self) -> &str {
        "/tidegate/alerts"
    }
    fn is_own_log(&self, group: &str) -> bool {
        group == "/aws/lambda/own"
    }
    fn origin(&self) -> &str {
        "123456789012/eu-west-1/tidegate"
    }
    async fn recent_settings(&self, _: bool) -> Result<Option<(String, Secret)>, Fault> {
        if self.unread.get() {
            return Err(Fault::Throttled("could not read the parameter /tidegate/alerts".to_owned()));
        }
        self.settings().await
    }
    async fn environments(&self, _: bool) -> Result<Environments, Fault> {
        self.world.called().await;
        let texts = self.environments.iter().map(|(name, text)| (name.as_str(), text.as_str()));
        Ok(Environments::read(texts))
    }
    async fn holder(
        &self,
        _: &EnvironmentName,
        services: &[String],
        since: Timestamp,
    ) -> Result<Option<ReleaseId>, Fault> {
        self.world.called().await;
        let leases = self.world.leases.borrow();
        let ours = |service: &str| services.iter().any(|pattern| WildMatch::new(pattern).matches(service));
        let mut held = leases.iter().filter(|(service, (_, at))| ours(service) && *at >= since);
        held.next().map(|(_, (release, _))| ReleaseId::parse(release.as_str())).transpose()
    }
    async fn is_open(&self, release: &ReleaseId) -> Result<bool, Fault> {
        self.world.called().await;
        Ok(self.world.leases.borrow().values().any(|(holder, _)| holder == release.as_str()))
    }
    async fn signal(&self, id: &str) -> Result<Option<SignalRow>, Fault> {
        self.world.called().await;
        Ok(self.world.rows.borrow().get(id).cloned())
    }
    async fn open(&self, row: &SignalRow, over: Option<u64>) -> Result<bool, Fault> {
        self.world.called().await;
        let mut rows = self.world.rows.borrow_mut();
        let is = rows.get(&row.signal.id).map(|row| row.version) == over;
        if is {
            assert_eq!(row.version, over.unwrap_or_default() + 1);
            rows.insert(row.signal.id.clone(), row.clone());
        }
        Ok(is)
    }
    async fn change(&self, row: &SignalRow, was: u64) -> Result<bool, Fault> {
        self.world.called().await;
        if self.world.lost.get() > 0 {
            self.world.lost.set(self.world.lost.get() - 1);
            return Err(Fault::Unavailable("could not reach the ledger".to_owned()));
        }
        assert_eq!(row.version, was + 1, "whoever has read the row before has to see that it changed");
        let mut rows = self.world.rows.borrow_mut();
        let Some(before) = rows.get(&row.signal.id).filter(|row| row.version == was) else {
            return Ok(false);
        };
        let row = SignalRow { count: before.count, seen: before.seen, ..row.clone() };
        rows.insert(row.signal.id.clone(), row);
        Ok(true)
    }
    async fn count(&self, row: &SignalRow, times: u64, at: Timestamp) -> Result<bool, Fault> {
        self.world.called().await;
        let mut rows = self.world.rows.borrow_mut();
        let open = rows.get_mut(&row.signal.id);
        let open = open.filter(|open| open.version == row.version);
        let Some(open) = open else { return Ok(false) };
        open.count += times;
        open.seen = at.max(row.seen);
        Ok(true)
    }
    async fn seen(&self, id: &str, from: Timestamp, since: Timestamp, times: u64) -> Result<u64, Fault> {
        self.world.called().await;
        let mut counts = self.world.counts.borrow_mut();
        *counts.entry((id.to_owned(), from)).or_default() += times;
        let ours = counts.iter().filter(|((one, at), _)| one == id && (since..=from).contains(at));
        Ok(ours.map(|(_, times)| times).sum())
    }
    async fn was_taken(&self, hash: &str) -> Result<bool, Fault> {
        self.world.called().await;
        Ok(self.world.batches.borrow().contains(hash))
    }
    async fn has_taken(&self, hash: &str) -> Result<(), Fault> {
        self.world.called().await;
        self.world.batches.borrow_mut().insert(hash.to_owned());
        Ok(())
    }
    async fn keep(&self, text: String) -> Result<(), Fault> {
        self.world.kept.borrow_mut().push(serde_json::from_str(&text).unwrap());
        Ok(())
    }
}
