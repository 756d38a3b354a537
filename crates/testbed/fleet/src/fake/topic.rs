//! SNS: what was published to the one topic.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// A message.
#[derive(Clone, Debug)]
pub struct Published {
    /// When, in milliseconds since 1970.
    pub at: i64,
    /// The release that it tells of.
    pub release: String,
    /// The environment, if it names one.
    pub environment: String,
    /// What it says of it.
    pub outcome: String,
    /// How urgent it is.
    pub severity: String,
    /// The whole text.
    pub text: String,
}

impl Published {
    pub(super) fn of(input: &Value, at: i64) -> Self {
        let text = |key: &str| input[key].as_str().unwrap_or_default().to_owned();
        Published {
            at,
            release: text("release"),
            environment: text("environment"),
            outcome: text("outcome"),
            severity: text("severity"),
            text: text("Message"),
        }
    }
}

/// Reads a form: its fields, and the message's attributes by their names.
pub fn read(body: &[u8]) -> Value {
    let fields: BTreeMap<String, String> = url::form_urlencoded::parse(body).into_owned().collect();
    let mut read = json!({"Message": fields.get("Message")});
    for (key, name) in &fields {
        let value =
            key.strip_suffix(".Name").and_then(|entry| fields.get(&format!("{entry}.Value.StringValue")));
        if let Some(value) = value {
            read[name] = json!(value);
        }
    }
    read
}

/// Writes an answer in XML.
pub fn write(answer: &Value) -> Vec<u8> {
    let text = |key: &str| answer[key].as_str().unwrap_or_default();
    let xml = match answer.get("__type") {
        Some(_) => format!(
            "<ErrorResponse><Error><Type>Sender</Type><Code>{}</Code><Message>{}</Message></Error>\
             <RequestId>1</RequestId></ErrorResponse>",
            text("__type"),
            text("message")
        ),
        None => format!(
            "<PublishResponse><PublishResult><MessageId>{}</MessageId></PublishResult></PublishResponse>",
            text("MessageId")
        ),
    };
    xml.into_bytes()
}
