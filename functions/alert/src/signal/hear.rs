//! Hears what happens outside of releases, and opens, counts or clears an alert for it.

use futures_util::future::join_all;
use pipeline::Fault;
use pipeline::clock::Timestamp;
use serde_json::Value;

use super::decide::{self, Step};
use super::row::{Edition, SignalRow};
use super::watch::Watch;
use super::{Cleared, News, Raised, Signal, alarm, ecs, logs, settings, storm};
use crate::port::{Port, Signals};
use crate::{Alert, Response};

/// How often a row is read anew that somebody else has changed meanwhile.
const MOST_READS: usize = 12;

/// Into how many parts a time is divided in which something is counted.
const PARTS: i64 = 6;

/// How the change of a parameter is called in its event.
const PARAMETER_CHANGED: &str = "Parameter Store Change";

impl<P: Port + Signals> Alert<P> {
    /// Takes an event of EventBridge.
    pub(crate) async fn hear_event(&self, event: Value, now: Timestamp) -> Result<Response, Fault> {
        let kind = event.get("detail-type").and_then(Value::as_str).unwrap_or_default().to_owned();
        let is_of_settings = kind == PARAMETER_CHANGED;
        let environments = self.port.environments(is_of_settings).await?;
        let (mut document, unread) = self.rules(is_of_settings).await;
        let news: Vec<News> = match kind.as_str() {
            "CloudWatch Alarm State Change" => {
                let news = alarm::news(event, &document.rules, &environments, now)?;
                // It may be one that only a rule names, and of what gravity none but a rule says.
                if let (Some(why), true) = (unread, alarm::may_be_of_a_rule(&news)) {
                    return Err(Fault::Unavailable(why));
                }
                news.into_iter().collect()
            }
            PARAMETER_CHANGED => {
                document.mistakes.extend(unread);
                settings::news(event, (&document, self.port.parameter()), &environments, now)?
            }
            _ => ecs::news(event, &document.rules, &environments, now)?.into_iter().collect(),
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
        let (document, unread) = self.rules(false).await;
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

    /// Takes all news of one call at once: one that a channel holds up holds up no other.
    async fn take(&self, news: Vec<News>, now: Timestamp) -> Result<Response, Fault> {
        let each = news.into_iter().map(async |one| match one {
            News::Raised(raised) => self.raise(&raised, now).await,
            News::Cleared(cleared) => self.clear(&cleared, now).await,
        });
        let said: Vec<&'static str> = join_all(each).await.into_iter().collect::<Result<_, Fault>>()?;
        let most = said.iter().find(|said| **said == "told").or(said.last());
        Ok(Response::said(most.copied().unwrap_or("none of ours")))
    }

    /// Takes something that has happened; says what became of it.
    pub(super) async fn raise(&self, raised: &Raised, now: Timestamp) -> Result<&'static str, Fault> {
        let mut times = None;
        for _ in 0..MOST_READS {
            let row = self.port.signal(&raised.signal.id).await?;
            match (decide::raised(row.as_ref(), raised, now), row) {
                (Step::Nothing(why), _) => return Ok(why),
                // Who opened it has counted this, too.
                (Step::Count, Some(row)) if times.is_some_and(|times| times <= row.covered) => {
                    return Ok("counted");
                }
                (Step::Count, Some(row)) => {
                    if self.port.count(&row, raised.times, raised.at).await? {
                        return Ok("counted");
                    }
                }
                (Step::Change(changed), Some(row)) => {
                    if self.port.change(&changed, row.version).await? {
                        self.port.count(&changed, raised.times, raised.at).await?;
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
        Err(busy(&raised.signal.id))
    }

    /// Opens an alert, unless it is too early or a release sees to it; none if somebody else was faster.
    async fn open(
        &self,
        raised: &Raised,
        over: Option<&SignalRow>,
        counted: &mut Option<u64>,
        now: Timestamp,
    ) -> Result<Option<&'static str>, Fault> {
        let times = match raised.from {
            None => raised.times,
            Some((count, seconds)) => {
                let times = match *counted {
                    Some(times) => times,
                    None => self.seen(&raised.signal.id, seconds, raised.times, now).await?,
                };
                *counted = Some(times);
                if times < count {
                    return Ok(Some("counted"));
                }
                times
            }
        };
        let holder = match &raised.judged {
            Some(judged) => {
                self.port.holder(&judged.environment, &judged.services, decide::holds_since(now)).await?
            }
            None => None,
        };
        if holder.is_some() && raised.judged.as_ref().is_some_and(|judged| !judged.later) {
            return Ok(Some("a release sees to it"));
        }
        let row = SignalRow::open(raised.signal.clone(), raised.at, times, over, now);
        let row = match holder {
            Some(release) => SignalRow { held: Some(release), ..row },
            None => row.telling(Edition::Opened, now),
        };
        // Who comes back is there before the row is: whatever ends this call, somebody looks at it.
        self.come_back(&Watch::of(&row), None).await?;
        if !self.port.open(&row, over.map(|row| row.version)).await? {
            return Ok(None);
        }
        if row.held.is_some() {
            return Ok(Some("a release sees to it"));
        }
        if self.is_stormy(&raised.signal, now).await? {
            let untold = SignalRow { version: row.version + 1, seq: 0, told: None, ..row.clone() };
            self.port.change(&untold, row.version).await?;
            if let Some(storm) = storm::of(&raised.signal, now) {
                Box::pin(self.raise(&storm, now)).await?;
            }
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

    /// Tells whether so many alerts of its kind are opened that they are told as one.
    async fn is_stormy(&self, signal: &Signal, now: Timestamp) -> Result<bool, Fault> {
        match storm::counted_as(signal) {
            Some(id) => Ok(self.seen(&id, storm::SECONDS, 1, now).await? > storm::MOST),
            None => Ok(false),
        }
    }

    /// Takes the end of something; says what became of it.
    async fn clear(&self, cleared: &Cleared, now: Timestamp) -> Result<&'static str, Fault> {
        for _ in 0..MOST_READS {
            let row = self.port.signal(&cleared.id).await?;
            let was = row.as_ref().map(|row| row.version);
            let changed = match (decide::cleared(row.as_ref(), cleared, now), &cleared.early) {
                (Step::Change(changed), _) => *changed,
                (Step::Open, Some(signal)) => {
                    let over = SignalRow::over(signal.clone(), cleared.at, row.as_ref(), now);
                    if self.port.open(&over, was).await? {
                        return Ok("nothing is open");
                    }
                    continue;
                }
                (Step::Nothing(why), _) => return Ok(why),
                (Step::Open | Step::Count, _) => return Ok("nothing is open"),
            };
            let holds = changed.clears.as_ref().map_or(0, |(seconds, _)| *seconds);
            self.come_back(&Watch::of(&changed), Some(holds + 1)).await?;
            if self.port.change(&changed, was.unwrap_or_default()).await? {
                if changed.is_due() {
                    self.tell_signal(changed, now).await;
                    return Ok("told");
                }
                return Ok("it is over if that holds");
            }
        }
        Err(busy(&cleared.id))
    }

    /// Ends an alert by hand: nothing may be left that would end it.
    pub(crate) async fn close(&self, id: String, now: Timestamp) -> Result<Response, Fault> {
        let because = "somebody closed it".to_owned();
        let cleared = Cleared { id, at: now, because, holds_seconds: 0, early: None };
        Ok(Response::said(self.clear(&cleared, now).await?))
    }
}

fn busy(id: &str) -> Fault {
    Fault::Unavailable(format!("the alert {} is changed by too many at once", pipeline::text::line(id, 300)))
}
