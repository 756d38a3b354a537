//! The adapter for what is of no release.

use std::fmt;
use std::time::Duration;

use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::environment::{self, Environments};
use pipeline::ids::{EnvironmentName, ReleaseId, ServiceName};
use pipeline::ledger::Key;
use pipeline::rows::{HeadRow, LeaseRow};
use pipeline::signed::Signed;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::Instant;
use wildmatch::WildMatch;

use super::{Aws, Port, Signals};
use crate::secret::Secret;
use crate::signal::row::SignalRow;

/// How long what was read of Parameter Store does for events: they come in storms, and releases read there, too.
const RECENT: Duration = Duration::from_secs(10);

/// How long the queue may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// What was read last, and when.
#[derive(Default)]
pub(super) struct Recent {
    environments: Option<(Instant, Environments)>,
    settings: Option<(Instant, Option<(String, Secret)>)>,
}

impl fmt::Debug for Recent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The document may hold secrets of older versions.
        f.write_str("Recent")
    }
}

/// `alert#<id>` / `count#<from>`: how often something was seen from a moment on.
#[derive(Debug, Serialize, Deserialize)]
struct Seen {
    times: u64,
}

/// Fields of a row of which nothing is read.
#[derive(Debug, Serialize, Deserialize)]
struct Taken {}

impl Signals for Aws {
    fn parameter(&self) -> &str {
        &self.settings.parameter
    }

    fn is_own_log(&self, group: &str) -> bool {
        self.settings.log_group.as_deref() == Some(group)
    }

    fn origin(&self) -> &str {
        &self.settings.origin
    }

    async fn environments(&self, anew: bool) -> Result<Environments, Fault> {
        let known = self.recent.lock().await.environments.clone();
        if let Some((_, environments)) = known.filter(|(at, _)| !anew && at.elapsed() < RECENT) {
            return Ok(environments);
        }
        let environments = environment::read_all(&self.ssm).await?;
        self.recent.lock().await.environments = Some((Instant::now(), environments.clone()));
        Ok(environments)
    }

    async fn recent_settings(&self, anew: bool) -> Result<Option<(String, Secret)>, Fault> {
        let known = self.recent.lock().await.settings.clone();
        if let Some((_, settings)) = known.filter(|(at, _)| !anew && at.elapsed() < RECENT) {
            return Ok(settings);
        }
        let settings = self.settings().await?;
        self.recent.lock().await.settings = Some((Instant::now(), settings.clone()));
        Ok(settings)
    }

    async fn holder(
        &self,
        environment: &EnvironmentName,
        services: &[String],
        since: Timestamp,
    ) -> Result<Option<ReleaseId>, Fault> {
        let names: Option<Vec<ServiceName>> =
            services.iter().map(|name| ServiceName::parse(name.as_str()).ok()).collect();
        let leases: Vec<LeaseRow> = match names {
            Some(names) => {
                let keys: Vec<Key> = names.iter().map(|name| Key::lease(environment, name)).collect();
                self.ledger.get_all(&keys).await?.into_values().collect()
            }
            None => {
                let rows = self.ledger.list(&format!("env#{environment}"), "lease#").await?;
                let ours = |(key, _): &(String, LeaseRow)| {
                    let name = key.trim_start_matches("lease#");
                    services.iter().any(|pattern| WildMatch::new(pattern).matches(name))
                };
                rows.into_iter().filter(ours).map(|(_, row)| row).collect()
            }
        };
        let held = leases.into_iter().filter(|row| row.holder.is_some() && row.since >= since);
        Ok(held.filter_map(|row| row.release).next())
    }

    async fn is_open(&self, release: &ReleaseId) -> Result<bool, Fault> {
        let head: Option<HeadRow> = self.ledger.get(&Key::head(release)).await?;
        Ok(head.is_some_and(|head| head.outcome.is_none()))
    }

    async fn signal(&self, id: &str) -> Result<Option<SignalRow>, Fault> {
        self.ledger.get(&Key::signal(id)).await
    }

    async fn open(&self, row: &SignalRow, over: Option<u64>) -> Result<bool, Fault> {
        let key = Key::signal(&row.signal.id);
        match over {
            None => self.ledger.put_new(&key, row).await,
            Some(was) => self.ledger.put_when(&key, row, ("#version = :was", json!({"was": was}))).await,
        }
    }

    async fn change(&self, row: &SignalRow, was: u64) -> Result<bool, Fault> {
        let (key, fields) = (Key::signal(&row.signal.id), serde_json::to_value(row));
        let mut fields = fields.map_err(|error| Fault::Defect(format!("unwritable alert: {error}")))?;
        if let Value::Object(fields) = &mut fields {
            // They are counted beside.
            fields.remove("count");
            fields.remove("seen");
            fields.insert("expires".to_owned(), key.expires().into());
        }
        self.ledger.set(&key, fields, Some(("#version = :was", json!({"was": was})))).await
    }

    async fn count(&self, row: &SignalRow, times: u64, at: Timestamp) -> Result<bool, Fault> {
        let unchanged = ("#version = :version", json!({"version": row.version}));
        let (key, fields) = (Key::signal(&row.signal.id), json!({"seen": at.max(row.seen)}));
        Ok(self.ledger.add(&key, ("count", times), fields, Some(unchanged)).await?.is_some())
    }

    async fn seen(&self, id: &str, from: Timestamp, since: Timestamp, times: u64) -> Result<u64, Fault> {
        // What others add after this is theirs: each gets another sum.
        let key = Key::count(id, from);
        let now = self.ledger.add(&key, ("times", times), json!({}), None).await?.unwrap_or_default();
        let last = Key::count(id, Timestamp::from_millis(from.millis() - 1));
        let rows: Vec<(String, Seen)> = self.ledger.between(&Key::count(id, since), &last).await?;
        Ok(now + rows.into_iter().map(|(_, row)| row.times).sum::<u64>())
    }

    async fn was_taken(&self, hash: &str) -> Result<bool, Fault> {
        let row: Option<Taken> = self.ledger.get(&Key::batch(hash)).await?;
        Ok(row.is_some())
    }

    async fn has_taken(&self, hash: &str) -> Result<(), Fault> {
        self.ledger.put(&Key::batch(hash), &Taken {}).await
    }

    async fn keep(&self, text: String) -> Result<(), Fault> {
        let Some(queue) = &self.settings.undelivered else {
            return Err(Fault::NotSupported("no queue keeps what was not delivered".to_owned()));
        };
        let sqs = Signed::new(&self.config, "sqs", PATIENCE)?;
        let message = json!({"QueueUrl": queue, "MessageBody": text}).to_string();
        let answer = sqs.call("AmazonSQS.SendMessage", message).await?;
        match answer {
            Some(answer) if (200..300).contains(&answer.status) => Ok(()),
            Some(answer) => {
                Err(Fault::Unavailable(format!("the queue answered with status {}", answer.status)))
            }
            None => Err(Fault::Unavailable("the queue did not answer".to_owned())),
        }
    }
}
