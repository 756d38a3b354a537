//! What people look at: pages of rows, and never more of them than are shown.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::item::row_of;
use super::{Key, Ledger};
use crate::Fault;
use crate::aws::fault_of;
use crate::clock::Timestamp;
use crate::ids::{EnvironmentName, ReleaseId, ServiceName};
use crate::rows::{FoundRow, FrozenRow, ListedRun, ServiceRow};
use aws_sdk_dynamodb::types::AttributeValue;

/// What is said of an environment as a whole.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Standing {
    /// Whether it lets releases in; none if nobody ever froze it.
    pub frozen: Option<FrozenRow>,
    /// What sweeps have found and told, each with what it is about, as long as it is so.
    pub found: Vec<(String, FoundRow)>,
}

/// A run as it is listed.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// Its place in the list: the next page is what comes before it.
    pub place: String,
    /// When it began.
    pub began: Option<Timestamp>,
    /// The run.
    pub run: Option<ReleaseId>,
    /// What is listed of it.
    pub row: ListedRun,
}

/// The part of a partition that is looked at: between two keys, both of them included.
struct Range<'a> {
    from: &'a str,
    to: &'a str,
    most: i32,
    newest_first: bool,
}

impl Ledger {
    /// Reads the services of an environment whose names come after one, in the order of their names.
    pub async fn services_after(
        &self,
        environment: &EnvironmentName,
        after: Option<&ServiceName>,
        most: usize,
    ) -> Result<Vec<(ServiceName, ServiceRow)>, Fault> {
        // A space is before every character that a name may have.
        let from = after.map_or_else(|| "service#".to_owned(), |after| format!("service#{after} "));
        let range = Range { from: &from, to: "service#~", most: count(most), newest_first: false };
        let rows = self.part(&Key::of_environment(environment), &range).await?.into_iter();
        rows.map(|(sk, row)| Ok((ServiceName::parse(sk.trim_start_matches("service#"))?, row))).collect()
    }

    /// Reads what is said of an environment as a whole.
    pub async fn standing(&self, environment: &EnvironmentName) -> Result<Standing, Fault> {
        let from = Key::new(Key::of_environment(environment), "found#");
        let rows: Vec<(String, Value)> = self.between(&from, &Key::frozen(environment)).await?;
        let mut standing = Standing::default();
        for (sk, row) in rows {
            // A row that a later version has changed beyond reading is as good as none.
            match sk.splitn(3, '#').collect::<Vec<_>>().as_slice() {
                ["frozen"] => standing.frozen = serde_json::from_value(row).ok(),
                [_, _, what] => {
                    let row = serde_json::from_value(row).ok();
                    let open = row.filter(|row: &FoundRow| row.told.is_some() && !row.gone);
                    standing.found.extend(open.map(|row| ((*what).to_owned(), row)));
                }
                _ => {}
            }
        }
        Ok(standing)
    }

    /// Reads the runs of an environment, the newest first: all, or those before a place in the list.
    pub async fn runs_before(
        &self,
        environment: &EnvironmentName,
        before: Option<&str>,
        most: usize,
    ) -> Result<Vec<Listed>, Fault> {
        // One more: the range includes the place itself.
        let range = Range { from: "0", to: before.unwrap_or("~"), most: count(most + 1), newest_first: true };
        let rows = self.part(&Key::runs(environment), &range).await?.into_iter();
        let others = rows.filter(|(place, _)| Some(place.as_str()) != before).take(most);
        Ok(others.map(|(place, row)| listed(place, row)).collect())
    }

    async fn part<Row: DeserializeOwned>(
        &self,
        pk: &str,
        range: &Range<'_>,
    ) -> Result<Vec<(String, Row)>, Fault> {
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let query = self.client.query().table_name(&self.table).consistent_read(true);
        let query = query.key_condition_expression("pk = :pk AND sk BETWEEN :from AND :to");
        let query = query.expression_attribute_values(":pk", text(pk));
        let query = query.expression_attribute_values(":from", text(range.from));
        let query = query.expression_attribute_values(":to", text(range.to));
        let query = query.limit(range.most).scan_index_forward(!range.newest_first);
        let attempted = format!("list {pk} {} to {}", range.from, range.to);
        let answer = query.send().await.map_err(|error| fault_of(&attempted, &error))?;
        let rows = answer.items.unwrap_or_default().into_iter().map(|item| {
            let sk = item.get("sk").and_then(|sk| sk.as_s().ok()).cloned().unwrap_or_default();
            let row = row_of(&Key::new(pk.to_owned(), sk.clone()), item)?;
            Ok((sk, row))
        });
        rows.collect()
    }
}

fn count(most: usize) -> i32 {
    i32::try_from(most).unwrap_or(i32::MAX)
}

/// Reads the place of a run in the list, which is its key.
fn listed(place: String, row: ListedRun) -> Listed {
    let (began, run) = place.split_once('#').unwrap_or((&place, ""));
    let (began, run) = (Timestamp::parse(began).ok(), ReleaseId::parse(run).ok());
    Listed { place, began, run, row }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_of_a_run_says_when_it_began() {
        let listed = listed("2026-11-18T11:06:40.000Z#r1".to_owned(), ListedRun::default());
        assert_eq!(listed.began.unwrap().millis(), 1_795_000_000_000);
        assert_eq!(listed.run.unwrap().as_str(), "r1");
    }
}
