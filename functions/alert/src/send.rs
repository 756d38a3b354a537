//! Hands a message to its channels, at once and each alone: one that fails or hangs stops no other.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::{join, join_all};
use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::metrics::{Metrics, Unit};
use tokio::time::timeout;

use crate::channel::{Call, Channel, Failed};
use crate::delivery::{Delivery, Place, Status};
use crate::document::Document;
use crate::kind::AlertKind;
use crate::message::{Facts, Message};
use crate::port::{Port, Signals};
use crate::route::{self, Chosen, TOPIC};
use crate::secret::{Secret, Secrets};
use crate::{Alert, AlertContext, Request};

/// How long one channel may take, all its requests together, and how long one read or write beside; the function's own
/// time-out is above all of them together.
const DEADLINE: Duration = Duration::from_secs(12);
pub(crate) const PATIENCE: Duration = Duration::from_secs(3);

/// What became of a message, channel by channel.
#[derive(Debug, Default)]
pub struct Sent {
    /// The channels that have it, now or since an earlier call.
    pub delivered: Vec<String>,
    /// Those that may have it later, why not now, and after how many seconds at least.
    pub later: Vec<(String, String, Option<u32>)>,
    /// Those that will not have it, and why.
    pub failed: Vec<(String, String)>,
}

/// What is told.
#[derive(Debug)]
pub(crate) struct Told {
    /// Where it is recorded what each channel has been told; nowhere for a sample, or if somebody tries the channels.
    pub place: Option<Place>,
    /// The record of it before anybody is told.
    pub due: Delivery,
    /// The one channel that is tried.
    pub only: Option<String>,
    /// The message for those who may read what tasks logged, and for all others.
    pub messages: [Message; 2],
}

/// What is told, after what was told before.
struct Telling {
    told: Told,
    /// What each channel was told before.
    before: BTreeMap<String, Delivery>,
    now: Timestamp,
}

impl Told {
    /// Renders what there is to tell of a release.
    pub(crate) fn of(request: &Request, context: &AlertContext, now: Timestamp) -> Self {
        let facts = Facts { request, context, now: request.at.unwrap_or(now) };
        let head = context.report.head.as_ref();
        let due = Delivery {
            plan: head.map(|head| head.plan.clone()),
            ..Delivery::due(request.outcome, facts.now)
        };
        Told {
            place: request.is_recorded().then(|| Place::Release(request.release.clone())),
            due,
            only: request.channel.clone(),
            messages: [true, false].map(|details| Message::of(&facts, details)),
        }
    }

    fn is_test(&self) -> bool {
        self.due.outcome == AlertKind::Test
    }

    fn message(&self, channel: &Channel) -> &Message {
        let [whole, short] = &self.messages;
        if channel.details { whole } else { short }
    }

    fn note(&mut self, note: &str) {
        if !note.is_empty() {
            self.messages.iter_mut().for_each(|message| message.paragraphs.insert(0, note.to_owned()));
        }
    }
}

/// Counts a try to tell a channel something.
fn measured(told: &Told, channel: &Channel, status: Status) -> Metrics {
    let metric = match status {
        Status::Sent => ("AlertsDelivered", Unit::Count, vec![1]),
        Status::Due => ("AlertsDelayed", Unit::Count, vec![1]),
        Status::Failed => ("AlertsFailed", Unit::Count, vec![1]),
    };
    let release = match &told.place {
        Some(Place::Release(release)) => Some(release),
        _ => None,
    };
    Metrics::default().with("release", release).with("channel", &channel.name).under(&[], &[metric])
}

impl<P: Port> Alert<P> {
    /// Tells a message to every channel that does not have it yet.
    pub(crate) async fn send(&self, told: Told, now: Timestamp) -> Sent {
        let (document, before) = join(self.document(), async {
            let Some(place) = &told.place else { return BTreeMap::new() };
            // What cannot be read is as if nothing were told: to be told twice is better than not at all.
            let reading = async { self.port.deliveries(place).await.unwrap_or_default() };
            timeout(PATIENCE, reading).await.unwrap_or_default()
        })
        .await;
        let (document, unread) = document;
        let mut sent = self.send_by(&document, before, told, now).await;
        if let Some(why) = unread {
            sent.later.push(("the channels of the document".to_owned(), why, None));
        }
        sent
    }

    /// Tells it to the channels of a document, after what they were told before.
    pub(crate) async fn send_by(
        &self,
        document: &Document,
        before: BTreeMap<String, Delivery>,
        mut told: Told,
        now: Timestamp,
    ) -> Sent {
        let chosen = chosen(document, &told, &before);
        told.note(&chosen.notes.join("\n"));
        told.messages.iter_mut().for_each(|message| message.lead_to(self.port.dashboard()));
        let mut telling = Telling { told, before, now };
        let mut sent = self.tell_all(&telling, &chosen.channels).await;
        if telling.told.is_test() {
            sent.failed.extend(chosen.notes.into_iter().map(|note| ("the document".to_owned(), note)));
        } else if !sent.failed.is_empty()
            && !telling.told.due.outcome.is_progress()
            && !chosen.channels.iter().any(|one| one.name == TOPIC)
        {
            // What nobody else can be told is told to the topic, and why.
            let failed: Vec<String> =
                sent.failed.iter().map(|(name, why)| format!("{name} ({why})")).collect();
            telling.told.note(&format!("This was not delivered by {}.", failed.join(" and ")));
            let topic = self.tell_all(&telling, &[document.topic()]).await;
            sent.delivered.extend(topic.delivered);
            sent.later.extend(topic.later);
            sent.failed.extend(topic.failed);
        }
        sent.delivered.sort();
        sent
    }

    /// Reads the document; of one that cannot be read now, why.
    pub(crate) async fn document(&self) -> (Document, Option<String>) {
        read(self.port.settings()).await
    }

    async fn tell_all(&self, telling: &Telling, channels: &[Channel]) -> Sent {
        let each = channels
            .iter()
            .map(async |channel| (channel.name.clone(), self.tell_one(telling, channel).await));
        let mut sent = Sent::default();
        for (name, result) in join_all(each).await {
            match result {
                Ok(true) => sent.delivered.push(name),
                Ok(false) => {}
                Err(Failed::Later(why, after)) => sent.later.push((name, why, after)),
                Err(Failed::Final(why)) => sent.failed.push((name, why)),
            }
        }
        sent
    }

    /// Tells one channel, unless it has the message already or something newer; says whether it has it.
    async fn tell_one(&self, telling: &Telling, channel: &Channel) -> Result<bool, Failed> {
        let Telling { told, before, now } = telling;
        let before = before.get(&channel.name);
        let due = told.due.after(before);
        if let Some(before) = before {
            match (before.is_of_the_same(&due), before.status) {
                (true, Status::Sent) => return Ok(true),
                (true, Status::Failed) => {
                    return Err(Failed::Final(before.error.clone().unwrap_or_default()));
                }
                // Another call tells it, or has tried.
                (true, Status::Due) if due.outcome.is_progress() => return Ok(false),
                // A call of this function ended while it rang, or just before.
                (true, Status::Due) if channel.is_telephone() && before.error.is_none() => {
                    return Err(may_have_rung());
                }
                // It was told something newer since.
                (false, _) if before.time > due.time => return Ok(false),
                _ => {}
            }
        }
        let message = told.message(channel);
        if !self.record(told, channel, before, &due).await {
            return Ok(false);
        }
        let result = match timeout(DEADLINE, self.calls(channel, message, before, *now)).await {
            Ok(result) => result,
            Err(_) if channel.is_telephone() => Err(may_have_rung()),
            Err(_) => Err(Failed::Later("it did not answer in time".to_owned(), None)),
        };
        let record = match &result {
            Ok(named) => Delivery {
                status: Status::Sent,
                thread: before.and_then(|before| channel.thread(before)).or(named.clone()),
                open: channel.opens(message, before),
                ..due.clone()
            },
            Err(Failed::Later(why, _)) => Delivery { error: Some(why.clone()), ..due.clone() },
            Err(Failed::Final(why)) => {
                Delivery { status: Status::Failed, error: Some(why.clone()), ..due.clone() }
            }
        };
        measured(told, channel, record.status).tell(*now);
        self.record(told, channel, Some(&due), &record).await;
        result.map(|_| true)
    }

    /// Records how far a delivery is; where that fails, it may be told twice.  Tells whether it may be told.
    ///
    /// What only says how far a release is gives way to whatever another call has recorded meanwhile.
    async fn record(
        &self,
        told: &Told,
        channel: &Channel,
        before: Option<&Delivery>,
        delivery: &Delivery,
    ) -> bool {
        let Some(place) = &told.place else { return true };
        if told.due.outcome.is_progress() {
            return self.replaces(place, channel, before, delivery).await;
        }
        let recording = self.port.record(place, &channel.name, delivery);
        let late = |_| Err(Fault::Unavailable("the ledger did not answer in time".to_owned()));
        if let Err(fault) = timeout(PATIENCE, recording).await.unwrap_or_else(late) {
            tracing::warn!(
                channel = channel.name,
                fault = fault.name(),
                "a delivery is not recorded: {fault}"
            );
        }
        true
    }

    /// Makes the requests of a channel, one after the other; returns what names the first message there.
    async fn calls(
        &self,
        channel: &Channel,
        message: &Message,
        before: Option<&Delivery>,
        now: Timestamp,
    ) -> Result<Option<String>, Failed> {
        let mut secrets = Secrets::default();
        for reference in channel.references() {
            secrets.0.insert(reference.clone(), self.port.secret(reference).await);
        }
        let mut thread = None;
        for call in channel.calls(message, before, &secrets, now).map_err(failed)? {
            match call {
                Call::Publish(publication) => self.port.publish(publication).await.map_err(failed)?,
                Call::Post(post) => {
                    let named = channel.read(&self.port.post(post).await.map_err(failed)?)?;
                    thread = thread.or(named);
                }
                Call::Edit(post) => {
                    // The news has been told: only what stood there before is older.
                    let edited = self.port.post(post).await.map_err(failed);
                    if let Err(why) = edited.and_then(|answer| channel.read(&answer)) {
                        tracing::warn!(channel = channel.name, "the first message was not edited: {why:?}");
                    }
                }
                Call::Ring(call) => {
                    // Whatever breaks now, somebody may have been called already.
                    let answer = self.port.ring(call).await.ok().flatten().ok_or_else(may_have_rung)?;
                    channel.read(&answer)?;
                }
            }
        }
        Ok(thread)
    }
}

impl<P: Port + Signals> Alert<P> {
    /// Reads the document for its rules.
    pub(crate) async fn rules(&self, anew: bool) -> (Document, Option<String>) {
        read(self.port.recent_settings(anew)).await
    }
}

/// Reads a document; of one that cannot be read now, why.
async fn read(
    reading: impl Future<Output = Result<Option<(String, Secret)>, Fault>>,
) -> (Document, Option<String>) {
    match timeout(PATIENCE, reading).await {
        Ok(Ok(Some((name, text)))) => (Document::read(&name, &text), None),
        Ok(Ok(None)) => (Document::default(), None),
        Ok(Err(fault)) => (Document::default(), Some(fault.to_string())),
        Err(_) => (Document::default(), Some("their document was not read in time".to_owned())),
    }
}

/// Chooses the channels of a message, and those that were told something which it ends or goes on with.
fn chosen(document: &Document, told: &Told, before: &BTreeMap<String, Delivery>) -> Chosen {
    let [message, _] = &told.messages;
    if told.is_test() {
        return route::all(document, told.only.as_deref());
    }
    if told.due.outcome == AlertKind::Resolved {
        let beginning = [AlertKind::NeedsHuman, AlertKind::Resolved];
        let heard = before.iter().filter(|(_, before)| beginning.contains(&before.outcome));
        return route::named(document, heard.map(|(name, _)| name.as_str()));
    }
    let mut chosen = route::choose(document, message);
    if told.due.outcome.is_progress() {
        return chosen;
    }
    let goes_on = before.iter().filter(|(_, before)| before.open.is_some() || before.thread.is_some());
    for (name, _) in goes_on {
        if let Some(Ok(channel)) = document.channels.get(name) {
            chosen.add(channel.clone());
        }
    }
    chosen
}

fn may_have_rung() -> Failed {
    Failed::Final("it did not answer; the call may have been made".to_owned())
}

/// Says whether what failed may be done later.
fn failed(fault: Fault) -> Failed {
    match fault {
        Fault::Throttled(_) | Fault::Unavailable(_) => Failed::Later(fault.to_string(), None),
        fault => Failed::Final(fault.to_string()),
    }
}
