//! From whom a lease may be taken.

use serde_json::Value;

use super::Oracle;
use crate::fake::State;

/// How long a function may go on after its execution has ended, in milliseconds.
const LONGEST_CALL_MS: i64 = 60_000;

impl Oracle {
    /// Tells why a release may not take the leases that it is about to take: whoever holds one may still write.
    pub(super) fn takes_from_the_living(
        &self,
        account: &State,
        release: &str,
        input: &Value,
    ) -> Option<String> {
        let items = input["TransactItems"].as_array()?.iter().filter_map(|item| item.get("Update"));
        let mut keys = items.map(|update| (&update["Key"]["pk"]["S"], &update["Key"]["sk"]["S"]));
        keys.find_map(|(pk, sk)| {
            let (pk, sk) = (pk.as_str()?, sk.as_str().filter(|sk| sk.starts_with("lease#"))?);
            let lease = account.table.row(pk, sk)?;
            let holder = lease["release"].as_str().filter(|holder| *holder != release)?;
            // Whoever is had go on has lost its leases, or finds that out.
            if self.redriven.contains(holder) {
                return None;
            }
            let mut executions = account.executions.iter();
            let ended = executions.find(|(arn, _)| arn.rsplit(':').next() == Some(holder))?.1;
            match ended {
                None => Some(format!("it takes {sk} from {holder}, which runs")),
                Some(ended) => (account.now - ended < LONGEST_CALL_MS)
                    .then(|| format!("it takes {sk} from {holder}, which has only just ended")),
            }
        })
    }
}
