//! Tells the message that is due of an alert, and records how far that is.

use pipeline::Fault;
use pipeline::clock::Timestamp;

use super::decide;
use super::row::SignalRow;
use crate::delivery::{Delivery, Place};
use crate::message::Message;
use crate::port::{Port, Signals};
use crate::send::{Sent, Told};
use crate::{Alert, named};

impl Told {
    /// Renders what there is to tell of an alert.
    fn of_signal(row: &SignalRow, origin: &str, now: Timestamp) -> Self {
        let signal = &row.signal;
        let due = Delivery { seq: Some(row.seq), ..Delivery::due(signal.kind, row.told.unwrap_or(now)) };
        Told {
            place: Some(Place::Signal(signal.id.clone(), row.opened)),
            due,
            only: None,
            messages: [true, false]
                .map(|details| Message::of_signal(row, origin, row.told.unwrap_or(now), details)),
        }
    }
}

impl<P: Port + Signals> Alert<P> {
    /// Tells it; returns after how many seconds it is tried again, if not every channel has it.
    pub(super) async fn tell_signal(&self, row: SignalRow, now: Timestamp) -> Option<u32> {
        let Sent { later, failed, .. } = self.send(Told::of_signal(&row, self.port.origin(), now), now).await;
        let again = match later.as_slice() {
            [] => None,
            later => decide::tried(&row, later.iter().map(|(_, _, after)| *after)),
        };
        let lost = if again.is_some() { named(&failed, &[]) } else { named(&failed, &later) };
        let is_new = !lost.is_empty() && (row.kept < row.seq || again.is_none());
        let kept = if is_new { self.keep(&row, &lost).await } else { Ok(()) };
        if let Err(fault) = &kept {
            tracing::error!(alert = row.signal.id, "an alert that was not delivered is not kept: {fault}");
        }
        let was = row.version;
        let keeps = if is_new && kept.is_ok() { row.seq } else { row.kept };
        let row = SignalRow { version: was + 1, kept: keeps, ..row };
        let row = match (again, kept) {
            (None, Ok(())) => SignalRow { sent: row.seq, tries: 0, ..row },
            _ => SignalRow { tries: row.tries + 1, ..row },
        };
        // Where this is lost it is told again, and each channel knows that it has it.
        match self.port.change(&row, was).await {
            Ok(true) => {}
            Ok(false) => tracing::info!(alert = row.signal.id, "somebody else has gone on with the alert"),
            Err(fault) => tracing::warn!(alert = row.signal.id, "a delivery is not recorded: {fault}"),
        }
        again
    }

    /// Keeps in the queue what a channel will not have.
    async fn keep(&self, row: &SignalRow, lost: &str) -> Result<(), Fault> {
        // What was logged is for channels whose readers may see it.
        let title = Message::of_signal(row, self.port.origin(), row.opened, false).title;
        let text = serde_json::json!({"alert": row.signal.id, "title": title, "notDeliveredBy": lost});
        self.port.keep(text.to_string()).await
    }
}
