//! SNS: one message to one topic; whoever subscribed chose e-mail or SMS, and what to filter by.

use pipeline::Fault;
use serde_json::json;

use crate::delivery::Publication;
use crate::message::Message;
use crate::port::Port;

/// Publishes a message.
pub async fn deliver(port: &impl Port, message: &Message) -> Result<bool, Fault> {
    port.publish(publication(message)).await?;
    Ok(true)
}

fn publication(message: &Message) -> Publication {
    let by_protocol = json!({"default": message.text, "email": message.text, "sms": message.sms});
    let mut attributes = vec![
        ("severity", message.severity.name().to_owned()),
        ("outcome", message.outcome.name().to_owned()),
        ("release", message.release.to_string()),
    ];
    // SNS takes no empty values.
    attributes.extend(message.environment.clone().map(|environment| ("environment", environment)));
    Publication { subject: message.subject.clone(), message: by_protocol.to_string(), attributes }
}
