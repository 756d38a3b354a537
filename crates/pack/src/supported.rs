//! What is carried out of the format: what nobody can do yet is refused by its name.

use std::iter;

use pipeline::Fault;
use serde_json::{Map, Value};

use crate::check::Check;
use crate::merge::Source;
use crate::pack::Pack;
use crate::texts;
use crate::variable::{self, Known};

/// What is not carried out yet: keys of runs, variables.
const NOT_YET: [&str; 4] = [
    // Keys of runs.
    "stack", "function", "each", // Variables, those of the team as `NAME`.
    "base.url",
];

/// Reads a pack that can be carried out; `what` names its text in a refusal.
pub fn read(what: &str, text: &str) -> Result<Pack, Fault> {
    merge(&[Source { what, text }])
}

/// Makes one such pack of several, of which the later wins.
pub fn merge(sources: &[Source<'_>]) -> Result<Pack, Fault> {
    let pack = crate::merge::merge(sources)?;
    ensure(&pack).map(|()| pack)
}

/// Refuses a pack that cannot be carried out yet.
pub fn ensure(pack: &Pack) -> Result<(), Fault> {
    for check in &pack.checks {
        if let Some(key) = words(check).into_iter().find(|word| NOT_YET.contains(&word.as_str())) {
            let Check { name, place, .. } = check;
            let why = format!("{place}: check {name:?}, key {key:?}: health-test cannot do that yet");
            return Err(Fault::NotSupported(why));
        }
    }
    Ok(())
}

/// Returns all that a check uses.
fn words(check: &Check) -> Vec<String> {
    let steps = check.written.get("journey").and_then(Value::as_array).into_iter().flatten();
    let own = ["http", "task", "suite", "image"].into_iter().filter_map(|key| check.written.get(key));
    let keys =
        iter::once(&check.written).chain(own).chain(steps).filter_map(Value::as_object).flat_map(Map::keys);
    let phases = check.on.iter().map(|phase| phase.as_str().to_owned());
    let variables = texts::variables(&check.kind).into_iter().map(|(_, name)| match variable::find(name) {
        Some(Known { name, .. }) => name.trim_end_matches('.'),
        None if variable::secret(name).is_some() => "secret.NAME",
        None => "NAME",
    });
    keys.cloned().chain(phases).chain(variables.map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_health_test_cannot_do_yet_is_refused_by_name() {
        let named = [
            (r#""task":{"stack":"a"}"#, "stack"),
            (r#""suite":{"function":"a"}"#, "function"),
            (r#""suite":{"task":"a","each":true}"#, "each"),
            (r#""journey":[{"name":"a","url":"${base.url}/"}]"#, "base.url"),
        ];
        for (check, key) in named {
            let text = format!(
                r#"{{"variables":{{"user":"a"}},"secrets":{{"token":{{"parameter":"/a"}}}},"checks":[{{"name":"a",{check}}}]}}"#
            );
            assert!(Pack::read("pack", &text).is_ok(), "the format knows it: {text}");
            let fault = read("pack", &text).unwrap_err();
            assert_eq!(fault.name(), "NotSupported");
            assert_eq!(
                fault.to_string(),
                format!("not supported: pack: check \"a\", key {key:?}: health-test cannot do that yet")
            );
        }
    }

    #[test]
    fn what_can_be_done_is_read() {
        let journey = r#"{"checks":[{"name":"a","journey":[
            {"name":"login","url":"http://${target.address}/","method":"POST","body":{"user":"${user}"},"quiet":true,
             "captures":{"token":{"json":"$.token"}}},
            {"name":"read","url":"http://${target.address}/","headers":{"authorization":"Bearer ${token}"},
             "answerHeaders":{"content-type":"text/*"}}]}],"variables":{"user":"a"}}"#;
        assert!(read("pack", journey).is_ok(), "{:?}", read("pack", journey));
        let watched = r#"{"checks":[{"name":"a","logs":{"pattern":"?ERROR","onlyNew":true}},
            {"name":"b","metric":{"namespace":"a","metric":"b","stat":"Sum","dimensions":{"c":"${target.group}"},"max":1}},
            {"name":"c","metric":{"queries":[{"Id":"a","Expression":"1"}],"timesBefore":2}}]}"#;
        assert!(read("pack", watched).is_ok(), "{:?}", read("pack", watched));
        for http in [
            r#""url":"http://${target.address}/","method":"DELETE","status":["2xx",404],"within":"1s""#,
            r#""url":"http://a/","contains":"${target.address}","json":{"$.a":1}"#,
            r#""url":"http://${service}.${environment}/${image.commit}","contains":"${release.id} ${attempt.id}""#,
            r#""url":"http://${task.address}/","contains":"${task.ip} ${task.port} ${task.port.http}""#,
            r#""url":"https://a/","connect":"${target.dns}:443""#,
            r#""url":"http://a/","connect":"b:80","follow":2,"repeat":9,"percentiles":{"p95":"1s"}"#,
            r#""url":"https://a/","ca":"token","headers":{"authorization":"Bearer ${secret.token}"}"#,
        ] {
            let text = format!(
                r#"{{"version":1,"checks":[{{"name":"a","http":{{{http}}},"attempts":3,"passes":2,"patience":"1m",
                "advisory":true,"on":["live"],"required":true}}],"secrets":{{"token":{{"parameter":"/a"}}}}}}"#
            );
            assert!(read("pack", &text).is_ok(), "{:?}", read("pack", &text));
        }
        let image = r#"{"checks":[{"name":"a","on":["open"],"image":{"labels":{"signature":"${service}"},
            "platform":false,"forbiddenEnv":["function"],"scan":{"below":"LOW","unscanned":"allow"},
            "signature":{"ecr":{"profiles":["arn:aws:signer:eu-west-1:123456789012:/signing-profiles/shop"]}}}}]}"#;
        assert!(read("pack", image).is_ok(), "{:?}", read("pack", image));
    }
}
