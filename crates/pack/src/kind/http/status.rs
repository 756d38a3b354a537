//! The statuses that may come.

use pipeline::Fault;
use pipeline::text::line;
use serde::Deserialize;
use serde_json::Value;

/// How much is shown of what is none.
const LONGEST_SHOWN: usize = 80;

/// The statuses that may come: a number, a class like `"2xx"`, or a list of them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Value")]
pub struct Status(Vec<(u16, u16)>);

impl Status {
    /// Tells whether this one may come.
    pub fn allows(&self, status: u16) -> bool {
        self.0.iter().any(|(first, last)| (*first..=*last).contains(&status))
    }
}

impl Default for Status {
    fn default() -> Self {
        Status(vec![(200, 200)])
    }
}

impl TryFrom<Value> for Status {
    type Error = Fault;
    fn try_from(value: Value) -> Result<Self, Fault> {
        let one = |value: &Value| range(value).ok_or_else(|| refused(value));
        match &value {
            Value::Array(list) if !list.is_empty() => {
                list.iter().map(one).collect::<Result<_, _>>().map(Status)
            }
            single => Ok(Status(vec![one(single)?])),
        }
    }
}

fn range(value: &Value) -> Option<(u16, u16)> {
    if let Some(class) = value.as_str() {
        let first =
            100 * ["1xx", "2xx", "3xx", "4xx", "5xx"].iter().zip(1..).find(|(one, _)| **one == class)?.1;
        return Some((first, first + 99));
    }
    let number = value.as_u64().and_then(|n| u16::try_from(n).ok());
    number.filter(|n| (100..600).contains(n)).map(|n| (n, n))
}

fn refused(value: &Value) -> Fault {
    Fault::InvalidInput(format!(
        "{} is not a status: expected one like 200 or \"2xx\", or a list of them",
        line(&value.to_string(), LONGEST_SHOWN)
    ))
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (at, (first, last)) in self.0.iter().enumerate() {
            let between = if at == 0 { "" } else { " or " };
            match first == last {
                true => write!(f, "{between}{first}")?,
                false => write!(f, "{between}{}xx", first / 100)?,
            }
        }
        Ok(())
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Status {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Status".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        // One `type` with the rules of each: an `anyOf` would hide from an editor what is wrong.
        schemars::json_schema!({
            "type": ["integer", "string", "array"],
            "minimum": 100, "maximum": 599, "pattern": "^[1-5]xx$", "minItems": 1,
            "items": {"type": ["integer", "string"], "minimum": 100, "maximum": 599, "pattern": "^[1-5]xx$"}
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_status_is_a_number_a_class_or_a_list() {
        for (written, allowed, refused, shown) in [
            (json!(200), &[200][..], &[201, 404][..], "200"),
            (json!("2xx"), &[200, 204, 299], &[199, 300], "2xx"),
            (json!([201, "3xx"]), &[201, 302], &[200, 400], "201 or 3xx"),
        ] {
            let status = Status::try_from(written).unwrap();
            assert!(allowed.iter().all(|one| status.allows(*one)), "{status}");
            assert!(!refused.iter().any(|one| status.allows(*one)), "{status}");
            assert_eq!(status.to_string(), shown);
        }
        for wrong in [
            json!(99),
            json!(600),
            json!("6xx"),
            json!("200"),
            json!([]),
            json!([[200]]),
            json!(true),
            json!(-1),
            json!("+2xx"),
        ] {
            assert!(Status::try_from(wrong.clone()).is_err(), "{wrong}");
        }
    }
}
