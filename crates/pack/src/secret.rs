//! Secrets: where they are, and how they are kept out of what is shown.

use serde::Deserialize;

use pipeline::Fault;

/// What Parameter Store puts before the name of a secret of Secrets Manager.
const SECRETS_MANAGER: &str = "/aws/reference/secretsmanager/";

/// Where a secret is: a parameter, or a secret of Secrets Manager, which Parameter Store hands on.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(with = "Written", inline))]
pub struct SecretRef {
    /// The name to give to GetParameter.
    pub parameter: String,
    /// The key of the value, if it is an object.
    pub key: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "SecretRef"))]
#[cfg_attr(feature = "schema", schemars(extend("oneOf" = [{"required": ["parameter"]}, {"required": ["secret"]}])))]
struct Written {
    /// The name of a parameter.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    parameter: Option<String>,
    /// The name of a secret of Secrets Manager.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    secret: Option<String>,
    /// The key of the value, if it is an object.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    key: Option<String>,
}

impl TryFrom<Written> for SecretRef {
    type Error = Fault;
    fn try_from(Written { parameter, secret, key }: Written) -> Result<Self, Fault> {
        let parameter = match (parameter, secret) {
            (Some(parameter), None) if !parameter.is_empty() => parameter,
            (None, Some(secret)) if !secret.is_empty() => format!("{SECRETS_MANAGER}{secret}"),
            _ => {
                return Err(Fault::InvalidInput(
                    "a secret is in one place: expected `parameter` or `secret`, and its name".to_owned(),
                ));
            }
        };
        Ok(SecretRef { parameter, key })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_secret_is_read_from_parameter_store_wherever_it_is() {
        for (written, parameter, key) in [
            (json!({"parameter": "/shop/key"}), "/shop/key", None),
            (json!({"secret": "shop/probe"}), "/aws/reference/secretsmanager/shop/probe", None),
            (
                json!({"secret": "shop/probe", "key": "token"}),
                "/aws/reference/secretsmanager/shop/probe",
                Some("token"),
            ),
        ] {
            let secret: SecretRef = serde_json::from_value(written).unwrap();
            assert_eq!((&*secret.parameter, secret.key.as_deref()), (parameter, key));
        }
        for wrong in
            [json!({}), json!({"key": "a"}), json!({"secret": ""}), json!({"secret": "a", "parameter": "b"})]
        {
            assert!(serde_json::from_value::<SecretRef>(wrong.clone()).is_err(), "{wrong}");
        }
    }
}
