//! A telephone: it is called for what somebody must act on now, and told in a few sentences.

use serde::de::Error;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::Failed;
use crate::message::Message;
use crate::port::http::Answer;
use crate::secret::{Kept, Secrets};

/// Who is called, by which number.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Settings {
    /// The numbers, one after the other in the document; the first one is called.
    pub to: Vec<Kept>,
    /// The number, pool or sender that calls.
    pub from: String,
    /// The voice.
    #[serde(default, deserialize_with = "voice")]
    pub voice: Option<String>,
    /// What a minute may cost at most, in dollars.
    #[serde(default, deserialize_with = "price")]
    pub max_price_per_minute: Option<String>,
}

/// Reads the name of a voice, as Amazon Polly has it.
fn voice<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let name = String::deserialize(deserializer)?;
    let is_one = !name.is_empty() && name.len() <= 32 && name.chars().all(|c| c.is_ascii_uppercase());
    let expected = "expected a voice of Amazon Polly in capitals, such as \"MATTHEW\"";
    if is_one { Ok(Some(name)) } else { Err(D::Error::custom(expected)) }
}

/// Reads a price, as AWS takes it.
fn price<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let price = String::deserialize(deserializer)?;
    let digits = |text: &str, (least, most): (usize, usize)| {
        (least..=most).contains(&text.len()) && text.chars().all(|c| c.is_ascii_digit())
    };
    let is_one =
        price.split_once('.').is_some_and(|(whole, part)| digits(whole, (0, 2)) && digits(part, (1, 4)));
    if is_one { Ok(Some(price)) } else { Err(D::Error::custom("expected dollars such as \"0.50\"")) }
}

/// Returns what `SendVoiceMessage` is asked for.
pub fn call(settings: &Settings, message: &Message, known: &Secrets) -> Result<String, pipeline::Fault> {
    let Some(to) = settings.to.first() else {
        return Err(pipeline::Fault::InvalidInput("it names no number to call".to_owned()));
    };
    let mut body = Map::new();
    let mut put = |key: &str, value: &str| drop(body.insert(key.to_owned(), value.into()));
    put("DestinationPhoneNumber", known.of(to)?.reveal().trim());
    put("OriginationIdentity", &settings.from);
    put("MessageBodyTextType", "TEXT");
    put("VoiceId", settings.voice.as_deref().unwrap_or("MATTHEW"));
    put("MessageBody", &spoken(message));
    if let Some(price) = &settings.max_price_per_minute {
        put("MaxPricePerMinute", price);
    }
    Ok(Value::Object(body).to_string())
}

/// Reads an answer, whose error stands in its body: one that was throttled may be asked again.
pub fn read(answer: &Answer) -> Result<Option<String>, Failed> {
    let error: Value = serde_json::from_str(&answer.body).unwrap_or_default();
    let name = error.get("__type").and_then(Value::as_str).unwrap_or_default();
    let name = name.rsplit('#').next().unwrap_or_default();
    if name.chars().all(|c| c.is_ascii_alphanumeric()) && !name.is_empty() {
        let why = format!("it answered {name}");
        return match name {
            "ThrottlingException" | "InternalServerException" => Err(Failed::Later(why, answer.retry_after)),
            _ => Err(Failed::Final(why)),
        };
    }
    super::by_status(answer).map(|()| None)
}

/// Says a message aloud, twice, without a digest or a URL.
pub fn spoken(message: &Message) -> String {
    let place = message.environment.as_deref().map_or_else(String::new, |name| format!(", in {name},"));
    if message.release.is_none() {
        // Its title says what, where and why.
        let title = message.title.trim_end_matches(message.act.phrase()).trim_end();
        let title = title.to_lowercase();
        let act = message.act.phrase();
        return format!(
            "This is Tidegate, the deployment pipeline. {}. {title} {act} I repeat. {title} {act}",
            message.severity.name()
        );
    }
    let what = match message.services.as_slice() {
        [] => "A release".to_owned(),
        [one] => one.clone(),
        [one, others @ ..] => format!("{one} and {} more", others.len()),
    };
    let happened = format!("{what}{place} {}.", message.outcome.words().to_lowercase());
    let act = message.act.phrase();
    format!(
        "This is Tidegate, the deployment pipeline. {}. {happened} {act} I repeat. {happened} {act} Details are in the \
         alert.",
        message.severity.name()
    )
}
