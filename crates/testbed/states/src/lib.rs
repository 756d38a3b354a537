//! Reads a state machine in Amazon States Language, and plays it without a clock and without AWS.
//!
//! [`Machine::build`] reads a definition and refuses, by name, all that is not known here, so that nothing is played by
//! a rule that AWS does not have.  [`Execution`] is one execution with the items of its Maps: it is told what happened
//! and when, and says what is to be done.  Whoever drives it owns the time and does the work.
//!
//! What is known: JSONata definitions with Task, Choice, Wait, Pass, Map, Succeed and Fail; Retry and Catch; calls of
//! Lambda functions, also with a task token, DynamoDB's UpdateItem and SQS's SendMessage.

pub mod definition;
pub mod execution;
pub mod history;
pub mod jsonata;
pub mod moment;
mod random;
pub mod rules;
mod template;

pub use definition::{Integration, Machine};
pub use execution::{Effect, End, Event, Execution, Identity, Status};
pub use history::{Happening, Record};
pub use random::Random;
