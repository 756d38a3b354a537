//! Reads the template, and what it belongs to, as plain JSON.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde_json::{Map, Value, json};

/// The template, its short tags written out as the objects they stand for.
pub(crate) struct Template {
    pub(crate) text: String,
    pub(crate) document: Value,
}

impl Template {
    pub(crate) fn read() -> Self {
        let text = fs::read_to_string(root().join("template.yaml")).expect("template.yaml");
        let documents = Yaml::load_from_str(&text).expect("YAML");
        let document = value_of(documents.first().expect("a document"));
        Template { text, document }
    }

    pub(crate) fn resources(&self) -> &Map<String, Value> {
        self.document["Resources"].as_object().expect("resources")
    }

    pub(crate) fn of_type(&self, wanted: &'static str) -> impl Iterator<Item = (&str, &Value)> {
        self.resources()
            .iter()
            .filter(move |(_, each)| each["Type"] == wanted)
            .map(|(id, each)| (id.as_str(), each))
    }

    pub(crate) fn functions(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.of_type("AWS::Serverless::Function")
    }

    /// Every statement that the template grants, with the function or the machine that it is for.
    pub(crate) fn statements(&self) -> Vec<(String, Value)> {
        let mut found = Vec::new();
        for (id, resource) in self.resources() {
            let properties = &resource["Properties"];
            let (owners, documents): (Vec<String>, Vec<&Value>) = match text(&resource["Type"]).as_str() {
                "AWS::IAM::Role" => {
                    let policies = list(&properties["Policies"]).into_iter();
                    (vec![id.clone()], policies.map(|policy| &policy["PolicyDocument"]).collect())
                }
                "AWS::IAM::Policy" => {
                    let roles = list(&properties["Roles"]).into_iter().map(|role| text(&role["Ref"]));
                    (roles.collect(), vec![&properties["PolicyDocument"]])
                }
                "AWS::IAM::ManagedPolicy" => (self.bearers(id), vec![&properties["PolicyDocument"]]),
                _ => (vec![id.clone()], list(&properties["Policies"])),
            };
            for owner in owners {
                let owner = owner.strip_suffix("Role").unwrap_or(&owner).to_owned();
                let statements =
                    documents.iter().flat_map(|document| list(&document["Statement"])).map(chosen);
                found.extend(statements.map(|statement| (owner.clone(), statement.clone())));
            }
        }
        assert!(found.len() > 20, "only {} statements were found", found.len());
        found
    }

    /// The functions and machines that name a policy which several share.
    fn bearers(&self, policy: &str) -> Vec<String> {
        let named = json!({"Ref": policy});
        let bears = |resource: &Value| list(&resource["Properties"]["Policies"]).contains(&&named);
        self.resources().iter().filter(|(_, each)| bears(each)).map(|(id, _)| id.clone()).collect()
    }
}

/// Collects every state that calls a function: its name, the function's logical id, its time-out.
pub(crate) fn collect_tasks(definition: &Value, into: &mut Vec<(String, String, u64)>) {
    for (name, state) in definition["States"].as_object().into_iter().flatten() {
        collect_tasks(&state["ItemProcessor"], into);
        // A state that waits for an answer by token has the approval's own time-out, which is an expression.
        if let (Some(arn), Some(timeout)) =
            (state["Arguments"]["FunctionName"].as_str(), state["TimeoutSeconds"].as_u64())
        {
            let function = arn.trim_start_matches("${").trim_end_matches("Arn}");
            into.push((name.clone(), function.to_owned(), timeout));
        }
    }
}

pub(crate) fn collect_resources(definition: &Value, into: &mut BTreeSet<String>) {
    for (_, state) in definition["States"].as_object().into_iter().flatten() {
        collect_resources(&state["ItemProcessor"], into);
        into.extend(state["Resource"].as_str().map(str::to_owned));
    }
}

/// `arn:${Partition}:states:::aws-sdk:dynamodb:updateItem` -> `dynamodb:UpdateItem`
pub(crate) fn action_of(resource: &str) -> String {
    let call = resource.trim_start_matches("arn:${Partition}:states:::").trim_start_matches("aws-sdk:");
    let (service, operation) = call.split_once(':').expect("service:operation");
    match (service, operation.split('.').next().expect("an operation")) {
        ("lambda", "invoke") => "lambda:InvokeFunction".to_owned(),
        (service, operation) => format!("{service}:{}{}", operation[..1].to_uppercase(), &operation[1..]),
    }
}

/// Takes the first branch of a condition: what the template grants at most.
pub(crate) fn chosen(value: &Value) -> &Value {
    value.get("Fn::If").map_or(value, |branches| &branches[1])
}

pub(crate) fn machine() -> Value {
    let text = fs::read_to_string(root().join("statemachine/release.asl.json")).expect("the definition");
    serde_json::from_str(&text).expect("JSON")
}

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

pub(crate) fn folders(of: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(root().join(of)).expect("a folder").map(|entry| entry.expect("an entry"));
    entries
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}

/// `health-test` -> `HealthTestFunction`
pub(crate) fn logical_id(binary: &str) -> String {
    let words = binary.split('-').map(|word| word[..1].to_uppercase() + &word[1..]);
    words.collect::<String>() + "Function"
}

pub(crate) fn list(value: &Value) -> Vec<&Value> {
    match value {
        Value::Null => Vec::new(),
        Value::Array(values) => values.iter().collect(),
        one => vec![one],
    }
}

pub(crate) fn strings(value: &Value) -> Vec<String> {
    list(value).into_iter().map(text).collect()
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("not a text: {value}")).to_owned()
}

pub(crate) fn value_of(node: &Yaml) -> Value {
    match node {
        Yaml::Value(Scalar::Null) => Value::Null,
        Yaml::Value(Scalar::Boolean(value)) => json!(value),
        Yaml::Value(Scalar::Integer(value)) => json!(value),
        Yaml::Value(Scalar::FloatingPoint(value)) => json!(value.into_inner()),
        Yaml::Value(Scalar::String(value)) => json!(value),
        Yaml::Sequence(values) => values.iter().map(value_of).collect(),
        Yaml::Mapping(entries) => {
            entries.iter().map(|(key, value)| (text(&value_of(key)), value_of(value))).collect()
        }
        Yaml::Tagged(tag, value) => {
            let short = tag.suffix.as_str();
            let long = if short == "Ref" || short == "Condition" {
                short.to_owned()
            } else {
                format!("Fn::{short}")
            };
            json!({long: value_of(value)})
        }
        other => panic!("not expected in a template: {other:?}"),
    }
}
