//! Hears what happens outside of releases, and opens, counts or clears an alert for it.

use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::ids::EnvironmentName;
use serde_json::Value;

use super::decide::{self, Step};
use super::row::{Edition, SignalRow};
use super::watch::Watch;
use super::{Cleared, News, Raised, Signal, alarm, ecs, logs, settings};
use crate::kind::{AlertKind, Severity};
use crate::port::{Port, Signals};
use crate::{Alert, Response};

/// How often a row is read anew that somebody else has changed meanwhile.
const MOST_READS: usize = 8;

/// How many alerts of one environment are opened within a minute before they are told as one.
const STORM: u64 = 20;

/// After how many seconds without another one a storm is over.
const STORM_QUIET_SECONDS: u32 = 600;

/// Into how many parts a time is divided in which something is counted.
const PARTS: i64 = 6;

impl<P: Port + Signals> Alert<P> {
    /// Takes an event of EventBridge.
    pub(crate) async fn hear_event(&self, event: Value, now: Timestamp) -> Result<Response, Fault> {
        let kind = event.get("detail-type").and_then(Value::as_str).unwrap_or_default().to_owned();
        let (document, _) = self.document().await;
        let environments = self.port.environments().await?;
        let rules = &document.rules;
        let news = match kind.as_str() {
            "CloudWatch Alarm State Change" => {
                alarm::news(event, rules, &environments, now)?.into_iter().collect()
            }
            "Parameter Store Change" => {
                settings::news(event, (&document, self.port.parameter()), &environments, now)?
            }
            _ => ecs::news(event, rules, &environments, now)?.into_iter().collect(),
        };
        self.take(news, now).await
    }

    /// Takes a batch of log lines.
    pub(crate) async fn hear_logs(&self, payload: &Value, now: Timestamp) -> Result<Response, Fault> {
        let batch = logs::unpack(payload)?;
        if self.port.is_own_log(batch.group()) {
            // What this function logs of a line would be another line.
            return Ok(Response::said("its own log"));
        }
        let (document, unread) = self.document().await;
        if let Some(why) = unread {
            return Err(Fault::Unavailable(why));
        }
        let (news, hash) = (batch.news(&document.rules, now), batch.hash());
        if news.is_empty() {
            return Ok(Response::said("nothing to tell"));
        }
        if self.port.was_taken(&hash).await? {
            return Ok(Response::said("it was heard before"));
        }
        let taken = self.take(news, now).await?;
        self.port.has_taken(&hash).await?;
        Ok(taken)
    }

    async fn take(&self, news: Vec<News>, now: Timestamp) -> Result<Response, Fault> {
        let mut said = "none of ours";
        for one in news {
            said = match one {
                News::Raised(raised) => self.raise(&raised, now).await?,
                News::Cleared(cleared) => match (self.clear(&cleared, now).await?, said) {
                    // What comes with it says more.
                    ("nothing is open", "none of ours") => "nothing is open",
                    (said, _) => said,
                },
            };
        }
        Ok(Response::said(said))
    }

    /// Takes something that has happened; says what became of it.
    async fn raise(&self, raised: &Raised, now: Timestamp) -> Result<&'static str, Fault> {
        let mut times = None;
        for _ in 0..MOST_READS {
            let row = self.port.signal(&raised.signal.id).await?;
            match (decide::raised(row.as_ref(), raised, now), row) {
                (Step::Nothing(why), _) => return Ok(why),
                (Step::Count, Some(row)) => {
                    if self.port.count(&row, raised.times, raised.at).await? {
                        return Ok("counted");
                    }
                }
                (Step::Change(changed), Some(row)) => {
                    if self.port.change(&changed, row.version).await? {
                        return Ok("it goes on");
                    }
                }
                (_, row) => {
                    if let Some(said) = self.open(raised, row.as_ref(), &mut times, now).await? {
                        return Ok(said);
                    }
                }
            }
        }
        Err(Fault::Unavailable(format!("the alert {} is changed by too many at once", raised.signal.id)))
    }

    /// Opens an alert, unless it is too early or a release sees to it; none if somebody else was faster.
    async fn open(
        &self,
        raised: &Raised,
        over: Option<&SignalRow>,
        counted: &mut Option<u64>,
        now: Timestamp,
    ) -> Result<Option<&'static str>, Fault> {
        let times = match (&raised.from, &counted) {
            (None, _) => raised.times,
            (Some(_), Some(times)) => *times,
            (Some((_, seconds)), None) => self.seen(&raised.signal.id, *seconds, raised.times, now).await?,
        };
        *counted = Some(times);
        if raised.from.is_some_and(|(count, _)| times < count) {
            return Ok(Some("counted"));
        }
        let holder = match &raised.judged {
            Some(judged) => self.port.holder(&judged.environment, &judged.services).await?,
            None => None,
        };
        if holder.is_some() && raised.judged.as_ref().is_some_and(|judged| !judged.later) {
            return Ok(Some("a release sees to it"));
        }
        let row = SignalRow::open(raised.signal.clone(), raised.at, times, now);
        let row = match holder {
            Some(release) => SignalRow { held: Some(release), ..row },
            None => row.telling(Edition::Opened, now),
        };
        // Who comes back is there before the row is: whatever ends this call, somebody looks at it.
        self.come_back(&Watch::of(&row, now), now).await?;
        if !self.port.open(&row, over.map(|row| row.version)).await? {
            return Ok(None);
        }
        if row.held.is_some() {
            return Ok(Some("a release sees to it"));
        }
        if self.is_stormy(&raised.signal, now).await? {
            let untold = SignalRow { version: row.version + 1, seq: 0, told: None, ..row.clone() };
            self.port.change(&untold, row.version).await?;
            let environment = raised.signal.environment.as_ref();
            Box::pin(self.raise(&storm(environment, now), now)).await?;
            return Ok(Some("told with many others"));
        }
        self.tell_signal(row, now).await;
        Ok(Some("told"))
    }

    /// Counts what has been seen; returns how often that was within so many seconds.
    async fn seen(&self, id: &str, seconds: u32, times: u64, now: Timestamp) -> Result<u64, Fault> {
        let part = (i64::from(seconds) * 1000 / PARTS).max(1);
        let from = Timestamp::from_millis(now.millis().div_euclid(part) * part);
        let since = Timestamp::from_millis(from.millis() - part * (PARTS - 1));
        self.port.seen(id, from, since, times).await
    }

    /// Tells whether so many alerts of an environment are opened that they are told as one.
    async fn is_stormy(&self, signal: &Signal, now: Timestamp) -> Result<bool, Fault> {
        if signal.severity == Severity::Info || signal.kind == AlertKind::Storm {
            return Ok(false);
        }
        Ok(self.seen(&storm_id(signal.environment.as_ref()), 60, 1, now).await? > STORM)
    }

    /// Takes the end of something; says what became of it.
    async fn clear(&self, cleared: &Cleared, now: Timestamp) -> Result<&'static str, Fault> {
        for _ in 0..MOST_READS {
            let row = self.port.signal(&cleared.id).await?;
            let changed = match decide::cleared(row.as_ref(), cleared, now) {
                Step::Change(changed) => *changed,
                Step::Nothing(why) => return Ok(why),
                Step::Open | Step::Count => return Ok("nothing is open"),
            };
            if changed.resolved.is_none() {
                let seconds = changed.clears.as_ref().map_or(0, |(seconds, _)| *seconds);
                self.come_back(&Watch { seconds: seconds + 1, ..Watch::of(&changed, now) }, now).await?;
            }
            if self.port.change(&changed, row.map_or(0, |row| row.version)).await? {
                if changed.is_due() {
                    self.tell_signal(changed, now).await;
                    return Ok("told");
                }
                return Ok("it is over if that holds");
            }
        }
        Err(Fault::Unavailable(format!("the alert {} is changed by too many at once", cleared.id)))
    }
}

fn storm_id(environment: Option<&EnvironmentName>) -> String {
    format!("storm/{}", environment.map_or("-", EnvironmentName::as_str))
}

/// What is told in place of many.
fn storm(environment: Option<&EnvironmentName>, now: Timestamp) -> Raised {
    let signal = Signal {
        id: storm_id(environment),
        kind: AlertKind::Storm,
        severity: Severity::Critical,
        environment: environment.cloned(),
        service: None,
        about: "alerts".to_owned(),
        because: format!(
            "more than {STORM} were opened within a minute; further ones are counted and not told"
        ),
        lines: Vec::new(),
        link: None,
        quiet_seconds: Some(STORM_QUIET_SECONDS),
    };
    Raised { signal, at: now, times: 1, once: false, from: None, judged: None }
}
