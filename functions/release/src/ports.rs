//! What the function asks of the world: narrow ports, each for one subject, whose types are ours.

mod aws;
mod guards;
mod images;
mod ledger;

pub use aws::{
    AlarmStates, Alarms, ClusterSnapshot, Clusters, Digests, Documents, Execution, Executions, LiveTests,
    Pause, Prober, Revision, Revisions, Service, Shifting, TaskImages,
};
pub use guards::Guards;
pub use images::{
    Child, Config, ImageId, Images, Index, Mutability, Origin, Platform, Scan, Signed, Signing, StoredImage,
    Vulnerability,
};
pub use ledger::{
    AlarmVerdict, Approvals, Claim, Ending, Events, Freezes, History, ImageKey, Leases, Proof, Proven,
    PushKey, Releases, Runs, Sweeps,
};
