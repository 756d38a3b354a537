//! What the function asks of the world: narrow ports, each for one subject, whose types are ours.

mod aws;
mod ledger;

pub use aws::{
    AlarmStates, Alarms, ClusterSnapshot, Clusters, Digests, Documents, Execution, Executions, ImageId,
    Images, Index, LiveTests, Mutability, Prober, Revision, Service, TaskImages,
};
pub use ledger::{AlarmVerdict, Approvals, Events, Freezes, History, ImageKey, Leases, Proven, Releases};
