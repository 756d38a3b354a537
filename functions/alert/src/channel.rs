//! The channels: each has a message once.

pub mod sns;
pub mod webhook;

use pipeline::Fault;
use pipeline::ids::ReleaseId;

use crate::delivery::Delivery;
use crate::message::Message;
use crate::port::Port;

/// One way to reach people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// The topic: e-mail and SMS.
    Sns,
    /// Any HTTP API.
    Webhook,
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
