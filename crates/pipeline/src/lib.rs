//! What the functions share: the words of the domain, the rows of the ledger and the shell around a Lambda.
//!
//! Holds no function's logic, and knows nothing about HTTP probes, messages or tags.

pub mod alarm;
pub mod aws;
pub mod clock;
pub mod console;
pub mod document;
pub mod environment;
pub mod fault;
pub mod http;
pub mod ids;
pub mod image;
pub mod lambda;
pub mod ledger;
pub mod metrics;
pub mod payload;
pub mod rate_limit;
pub mod rows;
pub mod service;
pub mod service_deployment;
pub mod settings;
pub mod signed;
pub mod task_definition;
pub mod telemetry;
pub mod text;

pub use fault::Fault;
