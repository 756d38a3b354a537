use crate::pack::Pack;

fn read(checks: &str) -> Result<Pack, String> {
    let text = format!(
        r#"{{"variables":{{"user":"ann","shop":"https://partner.example"}},"secrets":{{"token":{{"parameter":"/a"}}}},"checks":[{checks}]}}"#
    );
    Pack::read("pack", &text).map_err(|fault| fault.to_string())
}

fn journey(steps: &[&str]) -> String {
    let steps = steps.iter().enumerate().map(|(n, step)| format!(r#"{{"name":"s{n}",{step}}}"#));
    format!(r#"{{"name":"a","journey":[{}]}}"#, steps.collect::<Vec<_>>().join(","))
}

#[test]
fn what_a_check_knows_can_be_written() {
    for check in [
        r#"{"name":"a","http":{"url":"http://${target.address}/${user}","headers":{"x":"${secret.token}"}}}"#.to_owned(),
        r#"{"name":"a","http":{"url":"${shop}/health","contains":"${image.commit}"},"on":["before","live"]}"#.to_owned(),
        r#"{"name":"a","http":{"url":"https://a.example/","connect":"${target.dns}:443","ca":"token"}}"#.to_owned(),
        r#"{"name":"a","http":{"url":"http://${task.ip}:${task.port.http}/"}}"#.to_owned(),
        r#"{"name":"a","suite":{"task":"e2e","environment":{"A":"https://${service}.${environment}.test"}}}"#.to_owned(),
        r#"{"name":"a","image":{"labels":{"org.opencontainers.image.revision":"${image.commit}"}}}"#.to_owned(),
        r#"{"name":"a","metric":{"namespace":"A","metric":"B","dimensions":{"T":"${target.group}"},"stat":"p95","max":1}}"#.to_owned(),
        journey(&[
            r#""url":"http://${task.address}/","captures":{"order":{"header":"location"}}"#,
            r#""url":"http://${task.address}${order}","json":{"$.id":"${order}"},"method":"PUT","body":{"a":["${order}"]}"#,
        ]),
    ] {
        assert!(read(&check).is_ok(), "{check}: {:?}", read(&check));
    }
}

#[test]
fn what_a_check_cannot_know_is_refused_with_the_nearest_name() {
    let refused = [
        (
            r#"{"name":"a","http":{"url":"http://${target.adress}/"}}"#.to_owned(),
            "url",
            "${target.adress} is none of its variables: expected one of `task.address`, ",
        ),
        (
            r#"{"name":"a","http":{"url":"http://${target.adress}/"}}"#.to_owned(),
            "url",
            "; did you mean `target.address`?",
        ),
        (r#"{"name":"a","http":{"url":"http://a/${usr}"}}"#.to_owned(), "url", "; did you mean `user`?"),
        (
            r#"{"name":"a","http":{"url":"http://a/${secret.tokn}"}}"#.to_owned(),
            "url",
            "expected `token`; did you mean `token`?",
        ),
        (r#"{"name":"a","http":{"url":"http://a/","ca":"tokn"}}"#.to_owned(), "ca", "did you mean `token`?"),
        (
            r#"{"name":"a","http":{"url":"http://${secret.token}.example/"}}"#.to_owned(),
            "url",
            "must not reach the host",
        ),
        (
            r#"{"name":"a","http":{"url":"http://${image.commit}.example/"}}"#.to_owned(),
            "url",
            "must not reach the host",
        ),
        (
            r#"{"name":"a","http":{"url":"http://a/","connect":"${release.id}:80"}}"#.to_owned(),
            "connect",
            "is no host",
        ),
        (
            r#"{"name":"a","suite":{"task":"e2e","environment":{"A":"${secret.token}"}}}"#.to_owned(),
            "environment",
            "would be shown",
        ),
        (
            r#"{"name":"a","suite":{"task":"e2e","command":["${secret.token}"]}}"#.to_owned(),
            "command",
            "would be shown",
        ),
        (
            r#"{"name":"a","suite":{"function":"e2e","details":{"a":["${secret.token}"]}}}"#.to_owned(),
            "details",
            "would be shown",
        ),
        (r#"{"name":"a","image":{"labels":{"a":"${secret.token}"}}}"#.to_owned(), "labels", "would be shown"),
        (
            r#"{"name":"a","image":{"labels":{"a":"${attempt.id}"}}}"#.to_owned(),
            "labels",
            "is not known in open, which is when image is asked",
        ),
    ];
    for (check, key, said) in refused {
        says(&check, key, said);
    }
}

#[test]
fn a_journey_knows_what_earlier_steps_captured_but_for_hosts() {
    let refused = [
        (
            journey(&[r#""url":"http://a/${order}","captures":{"order":{"body":true}}"#]),
            "journey[0].url",
            "none of its variables",
        ),
        (
            journey(&[r#""url":"http://a/","captures":{"user":{"body":true}}"#]),
            "journey[0].captures",
            "has a meaning already",
        ),
        (
            journey(&[r#""url":"http://a/","captures":{"service":{"body":true}}"#]),
            "journey[0].captures",
            "has a meaning already",
        ),
        (
            journey(&[
                r#""url":"http://a/","captures":{"host":{"body":true}}"#,
                r#""url":"http://${host}/""#,
            ]),
            "journey[1].url",
            "${host} must not reach the host",
        ),
        (
            journey(&[
                r#""url":"http://a/","captures":{"host":{"body":true}}"#,
                r#""url":"http://a/","connect":"${host}:80""#,
            ]),
            "journey[1].connect",
            "${host} is no host",
        ),
    ];
    for (check, key, said) in refused {
        says(&check, key, said);
    }
}

fn says(check: &str, key: &str, said: &str) {
    let sentence = read(check).unwrap_err();
    let place = format!("pack: check \"a\", key {key:?}: ");
    assert!(sentence.starts_with(&place) && sentence.contains(said), "{check}: {sentence}");
}

#[test]
fn names_of_a_team_are_its_own() {
    for (text, said) in [
        (r#"{"variables":{"service":"a"}}"#, "pack: variables, key \"service\": it has a meaning already"),
        (
            r#"{"variables":{"a.b":"a"}}"#,
            "pack: variables, key \"a.b\": it has a meaning already or is no name",
        ),
        (r#"{"variables":{"a":"${b}"}}"#, "pack: variables, key \"a\": a variable holds no other one"),
        (r#"{"secrets":{"a b":{"parameter":"/a"}}}"#, "pack: secrets, key \"a b\": it has a meaning already"),
        (r#"{"secrets":{"a":{"paramter":"/a"}}}"#, "did you mean `parameter`?"),
    ] {
        let sentence = Pack::read("pack", text).unwrap_err().to_string();
        assert!(sentence.contains(said), "{sentence}");
    }
}
