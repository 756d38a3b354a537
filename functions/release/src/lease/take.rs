//! The leases of the services of a release: all of them are taken, or none.

use std::collections::BTreeMap;

use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::ids::{ReleaseId, ServiceName};
use pipeline::rows::{HeadRow, LeaseRow};

use super::not_begun;
use crate::payload::Run;
use crate::plan::leases::may_take_over;
use crate::ports::{Execution, Executions, Leases, Releases};

/// How many leases are taken together.
const LEASES_AT_ONCE: usize = 25;

/// The numbers of the leases that are held, by service.
pub(super) type Fences = BTreeMap<ServiceName, u64>;

/// The leases that a call has taken.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// Their numbers.
    pub fences: Fences,
    /// Whether an earlier call of this release may have held them, and have written moves: whoever gives leases back
    /// leaves none.
    pub again: bool,
}

/// Takes the leases of all services of a release, or of none: then says who holds one.
pub(super) async fn take(
    aws: &impl Executions,
    ledger: &(impl Leases + Releases),
    head: &HeadRow,
    run: &Run,
    now: Timestamp,
) -> Result<Result<Taken, String>, Fault> {
    let mut services = head.services.clone();
    services.sort();
    services.dedup();
    let seen = ledger.leases(&head.environment, &services).await?;
    let holds = seen.values().any(|lease| lease.release.as_ref() == Some(&run.release));
    if holds {
        not_begun(ledger, &run.release).await?;
    }
    // Of one that was had go on after its end others may have taken over and freed all that it held.
    let again = holds || run.redrives != Some(0);
    if let Some(why) = holder(aws, &services, &seen, run, now).await? {
        return Ok(Err(why));
    }
    let number = |service: ServiceName| {
        let seen = seen.get(&service).map_or(0, |lease| lease.fence);
        (service, seen + 1)
    };
    let wanted: Vec<(ServiceName, u64)> = services.into_iter().map(number).collect();
    let mut taken = Taken { again, ..Taken::default() };
    for some in wanted.chunks(LEASES_AT_ONCE) {
        if let Some(service) = ledger.take(&head.environment, some, run, now).await? {
            free(ledger, head, run, &taken.fences, now).await?;
            return Ok(Err(format!("{service} is held by a release that took its lease first")));
        }
        taken.fences.extend(some.iter().cloned());
    }
    Ok(Ok(taken))
}

/// Names the first service that is held by somebody who may still write, and who that is.
async fn holder(
    aws: &impl Executions,
    services: &[ServiceName],
    seen: &BTreeMap<ServiceName, LeaseRow>,
    run: &Run,
    now: Timestamp,
) -> Result<Option<String>, Fault> {
    let mut known: BTreeMap<&ReleaseId, Execution> = BTreeMap::new();
    for service in services {
        let Some(LeaseRow { holder: Some(holder), release: Some(release), since, .. }) = seen.get(service)
        else {
            continue;
        };
        if *release == run.release {
            // A later call counts on it: this one is that of which the answer was given up.
            if *since > now {
                return Ok(Some(format!("{service} is held by a later call of this release")));
            }
            continue;
        }
        let execution = match known.get(release) {
            Some(execution) => *execution,
            None => aws.execution(holder).await?,
        };
        known.insert(release, execution);
        if !may_take_over(execution, *since, now) {
            return Ok(Some(format!("{service} is held by release {release}")));
        }
    }
    Ok(None)
}

/// Gives leases back.
pub(super) async fn free(
    ledger: &impl Leases,
    head: &HeadRow,
    run: &Run,
    taken: &Fences,
    now: Timestamp,
) -> Result<(), Fault> {
    let taken: Vec<(&ServiceName, u64)> = taken.iter().map(|(service, fence)| (service, *fence)).collect();
    ledger.free(&head.environment, &taken, &run.release, now).await
}
