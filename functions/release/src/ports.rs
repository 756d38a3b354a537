//! What the function asks of the world: narrow ports, each for one subject, whose types are ours.

mod aws;
mod ledger;

pub use aws::{
    Alarm, AlarmStates, Alarms, ClusterSnapshot, Clusters, Containers, Digests, Documents, Executions,
    ImageId, Images, Index, LiveTests, Mutability, Prober, Revision, Service, Source,
};
pub use ledger::{AlarmVerdict, Approvals, Events, Freezes, History, ImageKey, Leases, Releases};
