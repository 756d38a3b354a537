//! SNS: one message to one topic; whoever subscribed chose e-mail or SMS, and what to filter by.

use serde_json::json;

use crate::message::Message;

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

/// Renders a message.
pub fn publication(message: &Message) -> Publication {
    let text = message.text();
    let by_protocol = json!({"default": text, "email": text, "sms": message.sms});
    let mut attributes = vec![
        ("severity", message.severity.name().to_owned()),
        ("outcome", message.outcome.name().to_owned()),
    ];
    // SNS takes no empty values.
    attributes.extend(message.release.as_ref().map(|release| ("release", release.to_string())));
    attributes.extend(message.environment.clone().map(|environment| ("environment", environment)));
    Publication { subject: message.subject.clone(), message: by_protocol.to_string(), attributes }
}
