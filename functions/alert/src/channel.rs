//! The channels, and the record of what each has delivered.

pub mod sns;
pub mod webhook;

use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::ids::ReleaseId;
use serde::{Deserialize, Serialize};

use crate::message::Message;
use crate::occasion::Occasion;
use crate::port::Port;
use crate::{Report, Request};

/// One way to reach people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// The topic: e-mail and SMS.
    Sns,
    /// Any HTTP API.
    Webhook,
}

/// `release#<id>` / `alert#<channel>`: the last message that a channel has delivered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Delivery {
    /// What it told.
    pub outcome: Occasion,
    /// The plan that it told it of: one that became smaller is asked about again.
    pub plan: Option<String>,
    /// When.
    pub time: Timestamp,
}

impl Delivery {
    /// Makes the record of a message.
    pub fn of(request: &Request, report: &Report, time: Timestamp) -> Self {
        Delivery { outcome: request.outcome, plan: report.head.as_ref().map(|head| head.plan.clone()), time }
    }

    fn is_of_the_same(&self, other: &Delivery) -> bool {
        let asks = other.outcome == Occasion::WaitingForApproval;
        self.outcome == other.outcome && (!asks || self.plan == other.plan)
    }
}

impl Channel {
    /// All of them.
    pub const ALL: [Channel; 2] = [Channel::Sns, Channel::Webhook];

    /// Returns its name.
    pub fn name(self) -> &'static str {
        match self {
            Channel::Sns => "sns",
            Channel::Webhook => "webhook",
        }
    }

    /// Delivers a message unless that is recorded already; tells whether the channel has it.
    ///
    /// A channel that is not configured has nothing, and has not failed.
    pub async fn deliver(
        self,
        port: &impl Port,
        message: &Message,
        recorded: Option<(&ReleaseId, &Delivery)>,
    ) -> Result<bool, Fault> {
        if let Some((release, delivery)) = recorded {
            // A record that cannot be read is none: to be told twice is better than not at all.
            let before = port.delivery(release, self.name()).await.unwrap_or_default();
            if before.is_some_and(|before| before.is_of_the_same(delivery)) {
                return Ok(true);
            }
        }
        let delivered = match self {
            Channel::Sns => sns::deliver(port, message).await?,
            Channel::Webhook => webhook::deliver(port, message).await?,
        };
        if let (true, Some((release, delivery))) = (delivered, recorded)
            && let Err(fault) = port.record(release, self.name(), delivery).await
        {
            tracing::warn!(
                channel = self.name(),
                fault = fault.name(),
                "delivered, but not recorded: {fault}"
            );
        }
        Ok(delivered)
    }
}
