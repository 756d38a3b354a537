//! What the template says about the functions and the machine.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use saphyr::{LoadableYamlNode, Yaml};

use crate::document::root;

/// Returns each function's time-out in seconds, by the function's logical id.
pub fn timeouts() -> BTreeMap<String, u64> {
    read(|template| {
        let general = template["Globals"]["Function"]["Timeout"].as_integer();
        let resources = template["Resources"].as_mapping().expect("resources").iter();
        let functions =
            resources.filter(|(_, resource)| resource["Type"].as_str() == Some("AWS::Serverless::Function"));
        let timed = functions.map(|(id, function)| {
            let own = function["Properties"].as_mapping_get("Timeout").and_then(Yaml::as_integer);
            let seconds = own.or(general).expect("a time-out");
            (name(id), seconds.try_into().expect("seconds"))
        });
        timed.collect()
    })
}

/// Returns the names for which the template puts values into the definition.
pub fn substitutions() -> BTreeSet<String> {
    read(|template| {
        let given = &template["Resources"]["ReleaseMachine"]["Properties"]["DefinitionSubstitutions"];
        given.as_mapping().expect("substitutions").keys().map(name).collect()
    })
}

fn read<T>(take: impl Fn(&Yaml) -> T) -> T {
    let text = fs::read_to_string(root().join("template.yaml")).expect("the template");
    take(Yaml::load_from_str(&text).expect("YAML").first().expect("a document"))
}

fn name(key: &Yaml) -> String {
    key.as_str().expect("a name").to_owned()
}
