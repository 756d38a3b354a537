//! What goes out by a channel, and the record of what it has delivered.

use pipeline::clock::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Request;
use crate::kind::AlertKind;
use crate::report::Report;
use crate::secret::Secret;

/// `release#<id>` / `alert#<channel>`: the last message that a channel has delivered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Delivery {
    /// What it told.
    pub outcome: AlertKind,
    /// The plan that it told it of: one that became smaller is asked about again.
    pub plan: Option<String>,
    /// When.
    pub time: Timestamp,
}

/// One message as SNS takes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Publication {
    /// The subject of an e-mail.
    pub subject: String,
    /// A JSON object, by protocol.
    pub message: String,
    /// What subscriptions filter by.
    pub attributes: Vec<(&'static str, String)>,
}

/// One request to a webhook.
pub struct Post {
    /// Where; often a secret by itself.
    pub url: Secret,
    /// The JSON.
    pub body: String,
    /// The value of `X-Tidegate-Signature`.
    pub signature: Option<String>,
}

impl Delivery {
    /// Makes the record of a message.
    pub fn of(request: &Request, report: &Report, time: Timestamp) -> Self {
        Delivery { outcome: request.outcome, plan: report.head.as_ref().map(|head| head.plan.clone()), time }
    }

    /// Tells whether another message says the same.
    pub fn is_of_the_same(&self, other: &Delivery) -> bool {
        let asks = other.outcome == AlertKind::WaitingForApproval;
        self.outcome == other.outcome && (!asks || self.plan == other.plan)
    }
}
