//! What is told in the place of many alerts at once.

use pipeline::clock::Timestamp;
use pipeline::ids::EnvironmentName;

use super::{Raised, Signal};
use crate::kind::{AlertKind, Severity};

/// How many alerts of one source, gravity and environment are told within so many seconds.
pub const MOST: u64 = 20;
/// The length of that time.
pub const SECONDS: u32 = 60;

/// After how many seconds without another one it is over.
const QUIET_SECONDS: u32 = 600;

/// Names what an alert is counted with, so that lesser ones hide no graver one, and lines of a log no alarm; a storm is
/// counted with nothing.
pub fn counted_as(signal: &Signal) -> Option<String> {
    if signal.kind == AlertKind::Storm {
        return None;
    }
    let source = signal.id.split('/').next().unwrap_or_default();
    let place = signal.environment.as_ref().map_or("-", EnvironmentName::as_str);
    Some(format!("storm/{place}/{source}/{}", signal.severity.name()))
}

/// Returns what is told in the place of an alert, if it is not only good to know.
pub fn of(signal: &Signal, now: Timestamp) -> Option<Raised> {
    let id = counted_as(signal).filter(|_| signal.severity != Severity::Info)?;
    let signal = Signal {
        id,
        kind: AlertKind::Storm,
        service: None,
        about: String::new(),
        because: format!(
            "more than {MOST} like \"{}\" within a minute; the others are counted and not told",
            signal.kind.words().to_lowercase()
        ),
        lines: Vec::new(),
        link: None,
        quiet_seconds: Some(QUIET_SECONDS),
        ..signal.clone()
    };
    Some(Raised { signal, at: now, times: 1, once: false, from: None, judged: None })
}
