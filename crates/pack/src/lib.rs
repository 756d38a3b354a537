//! A service's live tests, as people write them: JSON in Parameter Store.
//!
//! Reads packs, makes one of several, says what they will ask, and judges what came of it.  It asks nothing itself: who
//! only reads packs needs no HTTP client.

pub mod asked;
pub mod blank;
pub mod check;
pub mod ended;
pub mod judge;
pub mod kind;
pub mod merge;
pub mod mistake;
pub mod pack;
pub mod percentiles;
pub mod phase;
pub mod policy;
pub mod ports;
#[cfg(feature = "schema")]
pub mod schema;
pub mod secret;
pub mod site;
pub mod span;
pub mod standing;
pub mod template;
pub mod url_template;
pub mod values;
pub mod variable;

mod later;
mod texts;

pub use crate::pack::{NOTHING, Pack, hash};
pub use check::Check;
pub use kind::Kind;
pub use kind::http::{Http, Method};
pub use merge::{Source, merge};
pub use phase::Phase;
pub use site::LONGEST_ANSWER;
pub use span::Span;
pub use values::Values;
pub use variable::Each;
