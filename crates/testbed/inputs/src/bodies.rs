//! The bodies: each plays one text through one reader, and asserts what is promised.

mod alert;
mod documents;
mod images;
mod messages;
mod pack;
mod payload;
mod row;
mod task_definition;
mod trigger;
mod url;
mod words;

use crate::World;

/// What became of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was taken, and what was made of it keeps its promises.
    Accepted,
    /// It was refused as it is promised.
    Refused,
}

/// One reader, or what renders what it read.
#[derive(Clone, Copy, Debug)]
pub struct Body {
    /// What it is called.
    pub name: &'static str,
    /// How many texts it is given where the quickest is given a thousand.
    pub share: u64,
    /// The texts that are changed.
    pub samples: fn() -> Vec<String>,
    /// Plays a text.
    ///
    /// # Panics
    ///
    /// If a promise does not hold.
    pub play: fn(&World, &str) -> Outcome,
}

/// All of them; a seed draws the texts of each by its place, so a new one is added at the end.
pub const BODIES: [Body; 24] = [
    payload::RELEASE,
    payload::RETAG,
    payload::DEPLOY,
    payload::HEALTH_TEST,
    payload::ROLLBACK,
    alert::ALERT,
    alert::CHANNELS,
    trigger::EVENT,
    trigger::REQUEST,
    documents::ENVIRONMENT,
    documents::SERVICE_SETTINGS,
    pack::PACK,
    pack::LIVE_TEST,
    url::URL,
    url::ADDRESS,
    row::ROW,
    task_definition::TASK_DEFINITION,
    images::MANIFEST,
    images::LIFECYCLE,
    images::REFERENCE,
    words::IDENTIFIER,
    words::MOMENT,
    words::SPAN,
    messages::LEFT_BEHIND,
];

impl Body {
    /// Returns the body of this name.
    pub fn named(name: &str) -> Option<Body> {
        BODIES.into_iter().find(|body| body.name == name)
    }
}

/// Tells a result apart.
fn outcome<T, E>(result: &Result<T, E>) -> Outcome {
    if result.is_ok() { Outcome::Accepted } else { Outcome::Refused }
}
