//! Hands a message to its channels, at once and each alone: one that fails or hangs stops no other.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;
use pipeline::Fault;
use pipeline::clock::Timestamp;
use tokio::time::timeout;

use crate::channel::{Call, Channel, Failed};
use crate::delivery::{Delivery, Status};
use crate::document::Document;
use crate::message::{Facts, Message};
use crate::port::Port;
use crate::route::{self, Chosen};
use crate::secret::Secrets;
use crate::{Alert, AlertContext, Request};

/// How long one channel may take, all its requests together; the function's own time-out is well above it.
const DEADLINE: Duration = Duration::from_secs(12);

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

/// What is told, and to whom.
struct Told<'a> {
    request: &'a Request,
    context: &'a AlertContext,
    /// The message for those who may read what tasks logged, and for all others.
    messages: [Message; 2],
    now: Timestamp,
}

impl Told<'_> {
    fn message(&self, channel: &Channel) -> &Message {
        let [whole, short] = &self.messages;
        if channel.details { whole } else { short }
    }

    /// Tells whether it is in the ledger, or given whole as in a sample: then nothing is read or written.
    fn is_recorded(&self) -> bool {
        self.request.report.is_none() && !self.request.is_test()
    }
}

impl<P: Port> Alert<P> {
    /// Tells a message to every channel that does not have it yet.
    pub(crate) async fn send(&self, request: &Request, context: &AlertContext, now: Timestamp) -> Sent {
        let at = request.at.unwrap_or(now);
        let facts = Facts { request, context, now: at };
        let messages = [true, false].map(|details| Message::of(&facts, details));
        let mut told = Told { request, context, messages, now };
        let (chosen, unread) = self.chosen(&told).await;
        let note = chosen.notes.join("\n");
        if !note.is_empty() {
            told.messages.iter_mut().for_each(|message| message.paragraphs.insert(0, note.clone()));
        }
        let before = match told.is_recorded() {
            // What cannot be read is as if nothing were told: to be told twice is better than not at all.
            true => self.port.deliveries(&request.release).await.unwrap_or_default(),
            false => BTreeMap::new(),
        };
        let each = chosen.channels.iter().map(async |channel| {
            (channel.name.clone(), self.tell_one(&told, channel, before.get(&channel.name)).await)
        });
        let mut sent = Sent::default();
        for (name, result) in join_all(each).await {
            match result {
                Ok(true) => sent.delivered.push(name),
                Ok(false) => {}
                Err(Failed::Later(why, after)) => sent.later.push((name, why, after)),
                Err(Failed::Final(why)) => sent.failed.push((name, why)),
            }
        }
        sent.delivered.sort();
        if let Some(why) = unread {
            sent.later.push(("the channels of the document".to_owned(), why, None));
        }
        sent
    }

    /// Chooses the channels; of a document that cannot be read now, the topic, and why.
    async fn chosen(&self, told: &Told<'_>) -> (Chosen, Option<String>) {
        let (document, unread) = match self.port.settings().await {
            Ok(Some((name, text))) => (Document::read(&name, &text), None),
            Ok(None) => (Document::default(), None),
            Err(fault) => (Document::default(), Some(fault.to_string())),
        };
        let [message, _] = &told.messages;
        match told.request.is_test() {
            true => (route::all(&document, told.request.channel.as_deref()), unread),
            false => (route::choose(&document, message), unread),
        }
    }

    /// Tells one channel, unless it has the message already or something newer; says whether it has it.
    async fn tell_one(
        &self,
        told: &Told<'_>,
        channel: &Channel,
        before: Option<&Delivery>,
    ) -> Result<bool, Failed> {
        let (request, report) = (told.request, &told.context.report);
        let due = Delivery::due(request, report, told.now, before);
        if let Some(before) = before {
            match (before.is_of_the_same(&due), before.status) {
                (true, Status::Sent) => return Ok(true),
                (true, Status::Failed) => {
                    return Err(Failed::Final(before.error.clone().unwrap_or_default()));
                }
                // It was told something newer since.
                (false, _) if request.at.is_some_and(|at| before.time > at) => return Ok(false),
                _ => {}
            }
        }
        let message = told.message(channel);
        let written = told.is_recorded();
        if written && let Err(fault) = self.port.record(&request.release, &channel.name, &due).await {
            tracing::warn!(
                channel = channel.name,
                fault = fault.name(),
                "not recorded before it is told: {fault}"
            );
        }
        let told = timeout(DEADLINE, self.calls(channel, message, before, told.now)).await;
        let told = told.unwrap_or_else(|_| Err(Failed::Later("it did not answer in time".to_owned(), None)));
        let record = match &told {
            Ok(thread) => Delivery {
                status: Status::Sent,
                thread: due.thread.clone().or(thread.clone()),
                paged: channel.pages(message),
                ..due
            },
            Err(Failed::Later(why, _)) => Delivery { error: Some(why.clone()), ..due },
            Err(Failed::Final(why)) => Delivery { status: Status::Failed, error: Some(why.clone()), ..due },
        };
        if written && let Err(fault) = self.port.record(&request.release, &channel.name, &record).await {
            tracing::warn!(channel = channel.name, fault = fault.name(), "told, but not recorded: {fault}");
        }
        told.map(|_| true)
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
                Call::Ring(call) => {
                    let answer = self.port.ring(call).await.map_err(failed)?;
                    // Somebody may have been called already.
                    let unanswered =
                        || Failed::Final("it did not answer; the call may have been made".to_owned());
                    channel.read(&answer.ok_or_else(unanswered)?)?;
                }
            }
        }
        Ok(thread)
    }
}

/// Says whether what failed may be done later.
fn failed(fault: Fault) -> Failed {
    match fault {
        Fault::Throttled(_) | Fault::Unavailable(_) => Failed::Later(fault.to_string(), None),
        fault => Failed::Final(fault.to_string()),
    }
}
