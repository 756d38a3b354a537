//! Any HTTP API: JSON, signed as the Standard Webhooks specification says.

use aws_smithy_types::base64;
use hmac::{Hmac, KeyInit, Mac};
use pipeline::Fault;
use pipeline::clock::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::Sha256;

use super::Post;
use crate::hash;
use crate::message::Message;
use crate::secret::{Kept, Secret, Secrets};

/// How much of the text is posted; the moves are told beside it.
const LONGEST_TEXT: usize = 8_000;

/// Where to post, and what to sign with.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The URL; often a secret by itself.
    pub url: Kept,
    /// One secret, or two while one is replaced by the other.
    #[serde(default)]
    pub secrets: Vec<Kept>,
}

/// Returns the request that tells a message.
pub fn post(
    Settings { url, secrets }: &Settings,
    (channel, message): (&str, &Message),
    known: &Secrets,
    now: Timestamp,
) -> Result<Post, Fault> {
    let body = body(message).to_string();
    // The same for each attempt, so that a receiver knows what it has already; and opaque, since the id of an alert
    // may hold what others chose.
    let edition = message.edition.as_deref().unwrap_or_default();
    let same = format!("{}\n{}\n{edition}\n{channel}", message.dedup_key, message.outcome.name());
    let id = format!("msg_{}", hash::of(same));
    let time = now.millis().div_euclid(1000).to_string();
    let keys = secrets.iter().map(|secret| key(known.of(secret)?));
    let signatures: Vec<String> =
        keys.map(|key| sign(&key?, &format!("{id}.{time}.{body}"))).collect::<Result<_, Fault>>()?;
    let mut headers = vec![("webhook-id", Secret::new(id)), ("webhook-timestamp", Secret::new(time))];
    if !signatures.is_empty() {
        headers.push(("webhook-signature", Secret::new(signatures.join(" "))));
    }
    Ok(Post { url: known.of(url)?.clone(), headers, body })
}

/// What is posted.
pub fn body(message: &Message) -> Value {
    json!({
        "type": message.event,
        "timestamp": message.at,
        "data": {
            "id": message.dedup_key,
            "release": message.release,
            "environment": message.environment,
            "services": message.services,
            "outcome": message.outcome.name(),
            "severity": message.severity,
            "act": message.act,
            "end": message.is_end,
            "title": message.title,
            "because": message.because,
            "text": pipeline::text::cut(message.text().chars(), LONGEST_TEXT),
            "moves": message.moves,
            "moreMoves": message.more_moves,
            "fates": message.fates,
            "plan": message.plan,
            "request": message.ready.as_ref().map(|(_, request)| request),
            "link": message.link,
            "dashboard": message.dashboard,
        }
    })
}

/// Returns the key that a secret stands for: `whsec_` and base64, or any other text as it is.
fn key(secret: &Secret) -> Result<Vec<u8>, Fault> {
    let text = secret.reveal().trim();
    match text.strip_prefix("whsec_") {
        Some(encoded) => base64::decode(encoded)
            .map_err(|_| Fault::InvalidInput("its secret is not base64 after whsec_".to_owned())),
        None => Ok(text.as_bytes().to_vec()),
    }
}

/// Signs a text: whoever shares the secret can tell that it came from here, unchanged and now.
fn sign(key: &[u8], text: &str) -> Result<String, Fault> {
    let mac = Hmac::<Sha256>::new_from_slice(key);
    let mut mac = mac.map_err(|_| Fault::Defect("HMAC refused a key".to_owned()))?;
    mac.update(text.as_bytes());
    Ok(format!("v1,{}", base64::encode(mac.finalize().into_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_that_of_the_specification() {
        // The example of the specification's own libraries.
        let key = key(&Secret::new("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD")).unwrap();
        let body = r#"{"email":"test@example.com","username":"test_user"}"#;
        let text = format!("msg_27UH4WbU6Z5A5EzD8u03UvzRbpk.1649367553.{body}");
        assert_eq!(sign(&key, &text).unwrap(), "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=");
    }

    #[test]
    fn any_other_secret_is_a_key_as_it_is() {
        assert_eq!(key(&Secret::new("Jefe\n")).unwrap(), b"Jefe");
        assert!(key(&Secret::new("whsec_§")).is_err());
    }
}
