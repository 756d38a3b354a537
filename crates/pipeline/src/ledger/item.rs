//! Rows as DynamoDB keeps them.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Serialize, de::DeserializeOwned};

use super::key::Key;
use crate::Fault;
use crate::text::{LONGEST_SENTENCE, line};

/// The attribute after which the table forgets a row, in seconds since 1970.
pub(super) const EXPIRES: &str = "expires";

/// A row as DynamoDB keeps it, its keys included.
pub(super) type Item = HashMap<String, AttributeValue>;

/// Writes a row as DynamoDB keeps it, its keys included.
pub(super) fn item_of<Row: Serialize>(key: &Key, row: &Row) -> Result<Item, Fault> {
    let mut item = attributes_of(key, row)?;
    item.extend(key.attributes());
    if let Some(expires) = key.expires() {
        item.insert(EXPIRES.to_owned(), AttributeValue::N(expires.to_string()));
    }
    Ok(item)
}

/// Writes fields as DynamoDB keeps them.
pub(super) fn attributes_of<Row: Serialize>(
    key: &Key,
    row: &Row,
) -> Result<HashMap<String, AttributeValue>, Fault> {
    serde_dynamo::to_item(row)
        .map_err(|error| Fault::Defect(format!("{} {} cannot be written: {error}", key.pk, key.sk)))
}

/// Reads a row as DynamoDB keeps it.
pub(super) fn row_of<Row: DeserializeOwned>(key: &Key, mut item: Item) -> Result<Row, Fault> {
    item.remove("pk");
    item.remove("sk");
    // The reader of rows has no word for it.
    if item.values().any(is_unknown) {
        let why = "an attribute has a type that is not known: expected one of S, N, B, SS, NS, BS, M, L, NULL, BOOL";
        return Err(Fault::InvalidInput(format!("the row {} {} is unreadable: {why}", key.pk, key.sk)));
    }
    serde_dynamo::from_item(item).map_err(|error| {
        let why = line(&error.to_string(), LONGEST_SENTENCE);
        Fault::InvalidInput(format!("the row {} {} is unreadable: {why}", key.pk, key.sk))
    })
}

/// Tells whether a value is, or holds, one of a type that DynamoDB has and the SDK does not know.
fn is_unknown(value: &AttributeValue) -> bool {
    match value {
        AttributeValue::L(items) => items.iter().any(is_unknown),
        AttributeValue::M(fields) => fields.values().any(is_unknown),
        other => other.is_unknown(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::ids::{EnvironmentName, ReleaseId, Repository, ServiceName, TaskDefinitionArn};

    fn check(key: &Key, days: Option<i64>) {
        let item = item_of(key, &serde_json::json!({})).unwrap();
        let expires: Option<i64> = item.get(EXPIRES).map(|value| value.as_n().unwrap().parse().unwrap());
        let in_days = expires.map(|expires| {
            let seconds = expires - Timestamp::now().millis() / 1000;
            (seconds + 3600) / (24 * 3600)
        });
        assert_eq!(in_days, days, "{} {}", key.pk, key.sk);
    }

    #[test]
    fn what_belongs_to_a_release_expires_and_what_is_known_of_a_service_does_not() {
        let release = ReleaseId::parse("r1").unwrap();
        let environment = EnvironmentName::parse("dev").unwrap();
        let (service, repository) = (ServiceName::parse("a").unwrap(), Repository::parse("shop/a").unwrap());
        let arn = TaskDefinitionArn::parse("arn:aws:ecs:r:1:task-definition/users:2").unwrap();
        check(&Key::head(&release), Some(400));
        check(&Key::a_move(&release, 0, 0), Some(400));
        check(&Key::repository(&release, 0), Some(400));
        check(&Key::plan(&release, &service), Some(400));
        check(&Key::alert(&release, "sns"), Some(90));
        check(&Key::new("release#r1".to_owned(), "tests#0#0"), Some(90));
        check(&Key::open(&environment, &release), Some(90));
        check(&Key::signal("alarm/a"), Some(90));
        check(&Key::told("alarm/a", Timestamp::from_millis(0), "sns"), Some(90));
        check(&Key::count("log/panic/1", Timestamp::from_millis(0)), Some(2));
        check(&Key::new("pack#0".to_owned(), "text"), None);
        check(&Key::listed(&environment, Timestamp::from_millis(0), &release), Some(400));
        check(&Key::revision(&arn), None);
        check(&Key::service(&environment, &service), None);
        check(&Key::tag(&environment, &repository), None);
    }
}
