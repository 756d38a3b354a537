//! The adapters behind the ports: AWS, and the ledger's table.

mod aws;
mod ledger;

pub use aws::Aws;
