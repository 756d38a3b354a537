//! The numbers of leases: a call that began under one writes nothing under a later one.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Oracle;
use crate::fake::State;

/// The number under which a call has begun to work on each service, by environment and service.
pub type Numbers = BTreeMap<(String, String), u64>;

/// What of a move says under which number it works on which service.
const NUMBERED: [&str; 3] = ["environment", "service", "fence"];

impl Oracle {
    /// Sees a call of a function begin for a release.
    pub fn begins(&mut self, account: &State, call: u64, release: &str) {
        let moves = account.table.some_of(&format!("release#{release}"), "move#", &NUMBERED);
        let numbers = moves.iter().filter_map(|row| Some((place_of(row), row["fence"].as_u64()?)));
        self.numbers.insert(call, numbers.collect());
    }

    /// Tells why a call comes too late to write to a service: another release has held it since the call began.
    ///
    /// A release that takes its own lease once more, since a call of it came twice, has it all the time.
    pub(super) fn comes_too_late(
        &self,
        call: u64,
        (environment, service): (&str, &str),
        release: &str,
    ) -> Option<String> {
        let place = (environment.to_owned(), service.to_owned());
        let began = self.numbers.get(&call)?.get(&place)?;
        let given = self.given.get(&(format!("env#{environment}"), format!("lease#{service}")))?;
        let (number, other) = given.range(began + 1..).find(|(_, holder)| *holder != release)?;
        Some(format!("it began under lease {began} of {service}, and {number} was given to {other} since"))
    }

    /// Tells why a call may not write a row of the ledger that belongs to whoever holds a lease.
    pub(super) fn writes_under_another(
        &self,
        account: &State,
        call: u64,
        release: &str,
        (pk, sk): (&str, &str),
    ) -> Option<String> {
        if !sk.starts_with("lease#") && !sk.starts_with("move#") {
            return None;
        }
        let row = account.table.row(pk, sk)?;
        if let Some(service) = sk.strip_prefix("lease#") {
            let holder = row["release"].as_str().filter(|holder| *holder != release)?;
            return Some(format!("it frees {service}, which {holder} holds"));
        }
        let began = self.numbers.get(&call)?.get(&place_of(&row))?;
        let now = row["fence"].as_u64().filter(|now| now != began)?;
        Some(format!("it began under lease {began}, and {sk} is of lease {now}"))
    }

    /// Tells why a move may not be written down: it bears the number of the lease that its release holds.
    pub(super) fn is_written_under_another(
        &self,
        account: &State,
        release: &str,
        item: &Value,
    ) -> Option<String> {
        let text = |key: &str| item[key]["S"].as_str().unwrap_or_default();
        if !text("sk").starts_with("move#") {
            return None;
        }
        let lease = account
            .table
            .row(&format!("env#{}", text("environment")), &format!("lease#{}", text("service")))
            .unwrap_or_default();
        let number: Option<u64> = item["fence"]["N"].as_str().and_then(|number| number.parse().ok());
        (lease["release"] != release || lease["fence"].as_u64() != number)
            .then(|| format!("{} is written down under lease {number:?}, and it is {lease}", text("sk")))
    }

    /// Sees a lease that was taken: its number was never given before, but by the same request that was asked again.
    pub(super) fn sees_lease(&mut self, account: &State, release: &str, pk: &str, sk: &str) {
        let Some(row) = account.table.row(pk, sk).filter(|row| row["release"] == release) else { return };
        let number = row["fence"].as_u64().unwrap_or_default();
        let given = self.given.entry((pk.to_owned(), sk.to_owned())).or_default();
        let (last, holder) =
            given.last_key_value().map(|(n, holder)| (*n, holder.clone())).unwrap_or_default();
        given.insert(number, release.to_owned());
        self.holds(number > last || (number == last && holder == release), || {
            format!("{release} takes {sk} of {pk} as number {number}, after {last} of {holder}")
        });
    }
}

fn place_of(row: &Value) -> (String, String) {
    let text = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
    (text("environment"), text("service"))
}
