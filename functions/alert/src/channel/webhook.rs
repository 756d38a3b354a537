//! A webhook: JSON to any HTTP API, signed if it shares a secret with us.

use std::collections::BTreeMap;

use hmac::{Hmac, KeyInit, Mac};
use pipeline::Fault;
use pipeline::rows::MoveOutcome;
use pipeline::rows::PlanRow;
use pipeline::text::shown;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::Sha256;

use crate::delivery::Post;
use crate::kind::{AlertKind, Severity};
use crate::message::{Message, MoveSummary};
use crate::port::Port;
use crate::secret::Secret;

/// What the parameter must look like.
const EXPECTED: &str = r#"{"webhook":{"url":"https://...","secret":"..."}}"#;

/// The document of the channels.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    webhook: Option<Webhook>,
}

/// Where to post, and the secret to sign with.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Webhook {
    url: Secret,
    secret: Option<Secret>,
}

/// What is posted.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    release: &'a str,
    environment: Option<&'a str>,
    outcome: AlertKind,
    severity: Severity,
    subject: &'a str,
    text: &'a str,
    because: &'a str,
    moves: &'a [MoveSummary],
    more_moves: usize,
    fates: &'a BTreeMap<MoveOutcome, u32>,
    plan: &'a [PlanRow],
    link: Option<&'a str>,
    dedup_key: &'a str,
}

/// Posts a message, if a webhook is configured.
pub async fn deliver(port: &impl Port, message: &Message) -> Result<bool, Fault> {
    let Some(text) = port.settings().await? else { return Ok(false) };
    let Some(webhook) = read(&text)?.webhook else { return Ok(false) };
    let body = body(message)?;
    let signature = webhook.secret.map(|secret| sign(&secret, &body)).transpose()?;
    let status = port.post(Post { url: webhook.url, body, signature }).await?;
    if (200..300).contains(&status) {
        return Ok(true);
    }
    Err(Fault::Unavailable(format!("the webhook answered with status {status}")))
}

/// Reads the settings; a refusal names the place alone, since what stands there may be the secret.
fn read(text: &Secret) -> Result<Settings, Fault> {
    let refused = |place: String| {
        Fault::InvalidInput(format!("the parameter of the channels {place}: expected {EXPECTED}"))
    };
    let value: Value = serde_json::from_str(text.reveal()).map_err(|error| {
        refused(format!("is not JSON at line {}, column {}", error.line(), error.column()))
    })?;
    serde_path_to_error::deserialize(value)
        .map_err(|error| refused(format!("is not right at {}", shown(&error.path().to_string()))))
}

fn body(message: &Message) -> Result<String, Fault> {
    let body = Body {
        release: message.release.as_str(),
        environment: message.environment.as_deref(),
        outcome: message.outcome,
        severity: message.severity,
        subject: &message.subject,
        text: &message.text,
        because: &message.because,
        moves: &message.moves,
        more_moves: message.more_moves,
        fates: &message.fates,
        plan: &message.plan,
        link: message.link.as_deref(),
        dedup_key: &message.dedup_key,
    };
    serde_json::to_string(&body).map_err(|error| Fault::Defect(format!("unwritable message: {error}")))
}

/// Signs a body: whoever shares the secret can tell that it came from here, unchanged.
fn sign(secret: &Secret, body: &str) -> Result<String, Fault> {
    let mac = Hmac::<Sha256>::new_from_slice(secret.reveal().as_bytes());
    let mut mac = mac.map_err(|_| Fault::Defect("HMAC refused a key".to_owned()))?;
    mac.update(body.as_bytes());
    let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("sha256={hex}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_the_hmac_of_the_body() {
        // Test case 2 of RFC 4231.
        assert_eq!(
            sign(&Secret::new("Jefe"), "what do ya want for nothing?").unwrap(),
            "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }

    #[test]
    fn a_webhook_is_optional_and_so_is_its_secret() {
        let read = |text: &str| read(&Secret::new(text)).ok().unwrap().webhook;
        assert!(read("{}").is_none());
        assert!(read(r#"{"webhook":{"url":"https://a/"}}"#).unwrap().secret.is_none());
        assert!(read(r#"{"webhook":{"url":"https://a/","secret":"s"}}"#).unwrap().secret.is_some());
    }

    #[test]
    fn a_refusal_names_the_place_and_never_what_stands_there() {
        for (text, place) in [
            ("hunter2", "is not JSON at line 1"),
            (r#""hunter2""#, "is not right at \".\""),
            (r#"{"webhook":"hunter2"}"#, "\"webhook\""),
            (r#"{"webhook":{"url":["hunter2"]}}"#, "\"webhook.url\""),
            (r#"{"webhook":{"url":"https://a/","secret":{"hunter2":1}}}"#, "\"webhook.secret\""),
            (r#"{"webhook":{"url":"https://a/","sekret":"hunter2"}}"#, "\"webhook.sekret\""),
        ] {
            let Err(fault) = read(&Secret::new(text)) else { panic!("{text} was read") };
            let said = fault.to_string();
            assert!(said.contains(place) && !said.contains("hunter2"), "{said}");
        }
    }
}
