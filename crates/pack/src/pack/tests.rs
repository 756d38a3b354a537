use std::time::Duration;

use super::*;
use crate::kind::Kind;
use crate::kind::http::Http;
use crate::kind::http::Method;

fn refusal(text: &str) -> (&'static str, String) {
    let fault = Pack::read("pack", text).unwrap_err();
    (fault.name(), fault.to_string())
}

fn with(check: &str) -> String {
    format!(r#"{{"checks":[{{"name":"health",{check}}}]}}"#)
}

fn http(pack: &Pack) -> &Http {
    let Kind::Http(http) = &pack.checks[0].kind else { panic!("{pack:?}") };
    http
}

#[test]
fn a_pack_is_read_with_its_defaults() {
    let pack = Pack::read("pack", &with(r#""http":{"url":"http://${target.address}/health"}"#)).unwrap();
    let check = pack.checks.first().unwrap();
    assert_eq!((check.attempts, check.passes, check.interval(Phase::Live)), (1, 1, Span::seconds(2)));
    assert_eq!((check.patience, check.watched), (Span::seconds(120), Span::seconds(120)));
    assert_eq!((&*check.on, check.each), (&[Phase::Live][..], crate::Each::Target));
    assert_eq!(check.interval(Phase::Bake), Span::seconds(30));
    let http = http(&pack);
    assert_eq!((http.method, http.within, http.repeat, http.follow), (Method::Get, None, 1, 0));
    assert!(http.status.allows(200) && !http.status.allows(201));
    let values = Values::default().with("target.address", "10.0.0.1:80");
    assert_eq!(http.request(&values).unwrap().url, "http://10.0.0.1:80/health");
}

#[test]
fn a_pack_is_known_by_the_hash_of_its_text() {
    let empty = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
    assert_eq!(hash("{}").as_str(), empty);
    assert_ne!(hash("{ }"), hash("{}"));
    assert_eq!(hash(Pack::read("pack", r#"{ "checks": [] }"#).unwrap().text()).as_str(), empty);
}

#[test]
fn what_was_written_for_the_first_version_means_the_same() {
    let text = with(
        r#""http":{"url":"http://${target.address}/health?of=${target.address}","method":"POST","status":204,
           "contains":"ok","json":{"$.status":"ok","$.n":1},"within":"500ms"},"attempts":3,"interval":"1m""#,
    );
    let pack = Pack::read("pack", &text).unwrap();
    let check = pack.checks.first().unwrap();
    assert_eq!((check.attempts, check.passes, check.interval(Phase::Live)), (3, 1, Span::seconds(60)));
    let values = Values::default().with("target.address", "[fd12::1]:8080");
    let (request, expected) = (http(&pack).request(&values).unwrap(), http(&pack).expected(&values).unwrap());
    assert_eq!(request.method, Method::Post);
    assert_eq!(request.url, "http://[fd12::1]:8080/health?of=[fd12::1]:8080");
    assert!(request.headers.is_empty() && request.body.is_none() && request.connect.is_none());
    assert_eq!((expected.status.to_string(), expected.contains.as_deref()), ("204".to_owned(), Some("ok")));
    assert_eq!(expected.within, Some(Span(Duration::from_millis(500))));
    let values: Vec<String> = expected.json.iter().map(|(_, value)| value.to_string()).collect();
    assert_eq!(values, ["1", "\"ok\""]);
}

#[test]
fn typing_errors_name_the_nearest_key() {
    for (text, said) in [
        (
            with(r#""http":{"url":"http://a/"},"atempts":2"#),
            "pack: check \"health\" at \"atempts\": unknown field `atempts`, expected one of `name`, `http`, ",
        ),
        (with(r#""http":{"url":"http://a/"},"atempts":2"#), "; did you mean `attempts`?"),
        (
            with(r#""http":{"url":"http://a/","statsu":200}"#),
            "pack: check \"health\" at \"http.statsu\": unknown field `statsu`",
        ),
        (with(r#""http":{"url":"http://a/","statsu":200}"#), "; did you mean `status`?"),
        (with(r#""http":{"url":"http://a/","method":"get"}"#), "unknown variant `get`"),
        (
            r#"{"check":[]}"#.to_owned(),
            "pack at \"check\": unknown field `check`, expected one of `$schema`, `version`, `variables`, `secrets`, `checks`; did you mean `checks`?",
        ),
        (
            r#"{"checks":[{"http":{"url":"http://a/"}}]}"#.to_owned(),
            "pack: check of no name: missing field `name`",
        ),
        (
            with(r#""http":{"url":"http://a/","within":"fast"}"#),
            "\"fast\" is not a length of time: expected one like",
        ),
        (with(r#""http":{"url":"http://a/","json":{"status":"ok"}}"#), "\"status\" is not a JSONPath"),
        (with(r#""attempts":1"#), "a check looks at one thing: expected one of `http`, `journey`"),
        (with(r#""targets":{},"alarms":{"names":["a"]}"#), "a check looks at one thing"),
        ("{".to_owned(), "pack is not JSON"),
        (r#"{"version":0}"#.to_owned(), "there is no version 0: expected 1"),
    ] {
        let (name, sentence) = refusal(&text);
        assert_eq!(name, "InvalidInput");
        assert!(sentence.contains(said), "{sentence}");
    }
}

#[test]
fn what_comes_later_is_not_supported_by_name() {
    for (check, key) in [
        (r#""suite":{"canary":"checkout"}"#, "canary"),
        (r#""image":{"signature":{"cosign":{"key":"k"}}}"#, "cosign"),
        (r#""targets":{"healthyFor":"30s"}"#, "healthyFor"),
        (r#""http":{"url":"http://${test.dns}:${test.port}/"}"#, "${test.dns}"),
        (r#""suite":{"task":"a","environment":{"BASE_URL":"${base.url}"}}"#, "${base.url}"),
    ] {
        let (name, sentence) = refusal(&with(check));
        assert_eq!(name, "NotSupported", "{sentence}");
        assert_eq!(sentence, format!("not supported: pack: check \"health\", key {key:?}: not yet"));
    }
    let (name, sentence) = refusal(r#"{"version":2}"#);
    assert_eq!(
        (name, &*sentence),
        ("NotSupported", "not supported: pack: version 2 of live tests: expected 1")
    );
    let escaped = with(r#""http":{"url":"http://a/","contains":"$${test.dns}"}"#);
    assert!(Pack::read("pack", &escaped).is_ok());
}

#[test]
fn a_pack_is_bounded_and_its_names_are_plain() {
    let check = |name: &str| format!(r#"{{"name":"{name}","http":{{"url":"http://a/"}}}}"#);
    let pack = |checks: Vec<String>| format!(r#"{{"checks":[{}]}}"#, checks.join(","));
    let long = format!(r#""http":{{"url":"http://a/","contains":"{}"}}"#, "x".repeat(64 * 1024));
    for (text, said) in [
        (pack((0..51).map(|n| check(&n.to_string())).collect()), "51 checks are more than 50"),
        (pack(vec![check("a"), check("a")]), "two checks are called \"a\""),
        (pack(vec![check("")]), "\"\" is not a name"),
        (pack(vec![check(&"n".repeat(65))]), "is not a name"),
        (pack(vec![check("a\\u0007")]), "is not a name"),
        (with(r#""http":{"url":"http://a/"},"attempts":0"#), "key \"attempts\": it has no attempts"),
        (
            with(r#""http":{"url":"http://a/"},"passes":2"#),
            "key \"passes\": 2 of 1 attempts cannot pass: expected 1 to 1",
        ),
        (
            with(r#""http":{"url":"http://a/"},"for":"1m""#),
            "key \"for\": it is not watched while the release bakes",
        ),
        (with(&long), "expected at most 65536, together"),
    ] {
        let (name, sentence) = refusal(&text);
        assert!(name == "InvalidInput" && sentence.contains(said), "{sentence}");
    }
    assert_eq!(
        Pack::read("pack", &pack((0..50).map(|n| check(&n.to_string())).collect())).unwrap().checks.len(),
        50
    );
}

/// A check, the key that is wrong in it, and what is said.
const WRONG: &[(&str, &str, &str)] = &[
    (
        r#""http":{"url":"http://a/","captures":{"a":{"body":true}}}"#,
        "http.captures",
        "only a step of a journey has captures",
    ),
    (r#""http":{"url":"http://a/","name":"a"}"#, "http.name", "only a step"),
    (r#""http":{"url":"http://a/","body":{}}"#, "http.body", "GET has none"),
    (r#""http":{"url":"http://a/","headers":{"Host":"b"}}"#, "http.headers", "is set by the client"),
    (r#""http":{"url":"http://a/","headers":{"a b":"b"}}"#, "http.headers", "is not the name of a header"),
    (r#""http":{"url":"http://a/","repeat":101}"#, "http.repeat", "expected 1 to 100"),
    (r#""http":{"url":"http://a/","repeat":0}"#, "http.repeat", "expected 1 to 100"),
    (r#""http":{"url":"http://a/","follow":6}"#, "http.follow", "expected 0 to 5"),
    (
        r#""http":{"url":"http://a/","percentiles":{"p95":"1s"}}"#,
        "http.percentiles",
        "\"repeat\" of at least 2",
    ),
    (r#""journey":[]"#, "journey", "expected 1 to 20"),
    (r#""journey":[{"url":"http://a/"}]"#, "journey[0].name", "a step has a name"),
    (r#""journey":[{"name":"a","url":"http://a/","repeat":2}]"#, "journey[0].repeat", "asked once"),
    (r#""task":{"timeout":"0s"}"#, "task.timeout", "no run takes no time"),
    (r#""task":{"unmeasured":[0]}"#, "task.unmeasured", "exit code 0 is success"),
    (r#""task":{"says":""}"#, "task.says", "expected a text"),
    (r#""suite":{}"#, "suite.task", "expected `task` or `function`"),
    (r#""suite":{"task":"a","function":"b"}"#, "suite.task", "expected `task` or `function`"),
    (r#""suite":{"task":"a","details":{}}"#, "suite.details", "only a function is told this"),
    (r#""suite":{"function":"a","says":"b"}"#, "suite.says", "only a task has this"),
    (
        r#""suite":{"task":"a","environment":{"A":"${task.ip}"}}"#,
        "suite",
        "expected TIDEGATE_TARGETS in what it runs",
    ),
    (r#""suite":{"function":"../a"}"#, "suite.function", "expected its name or its ARN"),
    (r#""suite":{"function":"a","details":["b"]}"#, "suite.details", "expected an object"),
    (r#""task":{"stack":"a"}"#, "task.container", "expected the name of the one that tests"),
    (r#""image":{"platform":false}"#, "image.labels", "it asks nothing"),
    (r#""image":{"signature":{"ecr":{"profiles":[]}}}"#, "image.signature.ecr.profiles", "nobody has signed"),
    (
        r#""image":{"signature":{"ecr":{"profiles":["arn:aws:signer:eu-west-1:123456789012:/signing-profiles/shop","shop"]}}}"#,
        "image.signature.ecr.profiles[1]",
        "\"shop\" is not the ARN of a signing profile: expected one like \"arn:aws:signer:REGION:ACCOUNT:/signing-profiles/NAME\"",
    ),
    (
        r#""metric":{"namespace":"a","metric":"b","stat":"Sum","max":1,"dimensions":{"T":"${target.address}"}}"#,
        "metric",
        "it is of the whole service",
    ),
    (
        r#""metric":{"queries":[{"Id":"a","Expression":"b","Period":60},{"Id":"b","ReturnData":false,"MetricStat":
            {"Period":300,"Stat":"Sum","Metric":{"Namespace":"a","MetricName":"b"}}}],"max":1}"#,
        "metric.queries",
        "they have periods of {60, 300} seconds",
    ),
    (r#""http":{"url":"http://a/?b=${target.group}"}"#, "url", "is a dimension: expected it in \"metric\""),
    (r#""logs":{"pattern":" "}"#, "logs.pattern", "expected a filter"),
    (
        r#""metric":{"namespace":"a","metric":"b","stat":"Sum"}"#,
        "metric.metric",
        "`min`, `max` or `timesBefore`",
    ),
    (r#""metric":{"namespace":"a","stat":"Sum","max":1}"#, "metric.metric", "it is not named"),
    (
        r#""metric":{"namespace":"a","metric":"b","stat":"Sum","max":1,"period":"90s"}"#,
        "metric.period",
        "whole minutes",
    ),
    (
        r#""metric":{"namespace":"a","metric":"b","stat":"Sum","max":1,"min":2}"#,
        "metric.min",
        "more than `max`",
    ),
    (
        r#""metric":{"queries":[{"Id":"a","Expression":"1","ReturnData":false}],"max":1}"#,
        "metric.queries",
        "0 of them return data",
    ),
    (r#""alarms":{"names":[]}"#, "alarms.names", "none is named"),
    (
        r#""http":{"url":"http://a/"},"on":["open"]"#,
        "on",
        "http cannot be asked in open: expected some of live, before, dark, bake",
    ),
    (r#""http":{"url":"http://a/"},"on":[]"#, "on", "no phase"),
    (
        r#""http":{"url":"http://${target.dns}/"},"on":["before"]"#,
        "url",
        "is not known in before: expected \"on\" to be of dark, live, bake",
    ),
    (r#""task":{"command":["${task.ip}"]}"#, "command", "${task.ip} is not known in before"),
    (r#""http":{"url":"http://${task.ip}/${target.address}"}"#, "url", "expected only one of"),
];

#[test]
fn what_a_kind_needs_is_said_with_its_key() {
    for (check, key, said) in WRONG {
        let (name, sentence) = refusal(&with(check));
        let place = format!("pack: check \"health\", key {key:?}: ");
        assert!(
            name == "InvalidInput" && sentence.starts_with(&place) && sentence.contains(said),
            "{sentence}"
        );
    }
}

#[test]
fn what_is_asked_of_new_tasks_alone_is_asked_in_the_dark_too_unless_it_says_when() {
    for (check, dark) in [
        (r#""http":{"url":"http://${target.address}/"}"#, true),
        (r#""http":{"url":"http://${task.address}/"}"#, true),
        (r#""journey":[{"name":"a","url":"http://${target.address}/"}]"#, true),
        (r#""suite":{"task":"e2e"}"#, true),
        (r#""http":{"url":"http://${target.dns}/"}"#, false),
        (r#""http":{"url":"http://shop.test/"}"#, false),
        (r#""http":{"url":"http://${target.dns}/","headers":{"a":"${target.address}"}}"#, false),
        (r#""http":{"url":"http://${target.address}/"},"on":["live"]"#, false),
        (r#""http":{"url":"http://${target.dns}:9000/"},"on":["dark"]"#, true),
        (r#""targets":{}"#, false),
        (r#""logs":{"pattern":"a"}"#, false),
        (r#""task":{}"#, false),
    ] {
        let pack = Pack::read("pack", &with(check)).unwrap();
        let says_dark = check.contains(r#""on":["dark"]"#);
        assert_eq!(pack.of(Phase::Dark).next().is_some(), says_dark, "a service that rolls: {check}");
        let live = pack.of(Phase::Live).count();
        let pack = pack.for_a_gate();
        assert_eq!(
            (pack.of(Phase::Dark).next().is_some(), pack.of(Phase::Live).count()),
            (dark, live),
            "{check}"
        );
    }
}

#[test]
fn the_budget_is_that_of_the_longest_run_for_each_five() {
    let runs = |count: usize, more: &str| {
        let checks =
            (0..count).map(|n| format!(r#"{{"name":"{n}","suite":{{"task":"e2e","timeout":"10m"}}{more}}}"#));
        Pack::read("pack", &format!(r#"{{"checks":[{}]}}"#, checks.collect::<Vec<_>>().join(",")))
    };
    let minutes = |count, more| runs(count, more).unwrap().run_budget(Phase::Live).0.as_secs() / 60;
    assert_eq!((minutes(0, ""), minutes(1, ""), minutes(5, ""), minutes(6, "")), (0, 12, 12, 24));
    assert_eq!(minutes(1, r#","attempts":3"#), 36);
    assert_eq!(runs(1, "").unwrap().run_budget(Phase::Before), Span::seconds(0));
    let sentence = runs(5, r#","attempts":21"#).unwrap_err().to_string();
    assert!(sentence.contains("its runs may take 252m: expected at most 240m"), "{sentence}");
}

#[test]
fn a_path_that_would_take_the_reader_all_its_time_or_its_stack_is_refused_before_it_is_read() {
    let nested = |n: usize, open: &str, close: &str| format!("$[?{}@.a{}]", open.repeat(n), close.repeat(n));
    let with = |path: &str| {
        let json = serde_json::json!({ path: 1 });
        format!(r#"{{"checks":[{{"name":"health","http":{{"url":"http://a/","json":{json}}}}}]}}"#)
    };
    for (path, said) in [
        (nested(40, "@[?", "]"), "expected \"?\" in it 4 times at most"),
        (nested(60, "(", ")"), "expected \"(\" in it 16 times at most"),
        (nested(3000, "(", ")"), "expected 256 bytes at most"),
        (format!("${}", "..*".repeat(6)), "expected \"..\" in it 2 times at most"),
        (format!("${}", "[0,0]".repeat(30)), "expected \",\" in it 8 times at most"),
    ] {
        let fault = Pack::read("pack", &with(&path)).unwrap_err();
        let sentence = fault.to_string();
        assert!(fault.name() == "InvalidInput" && sentence.ends_with(said), "{sentence}");
        assert!(sentence.len() < 400, "{sentence}");
    }
    for path in [nested(3, "@[?", "]"), nested(16, "(", ")"), "$..a..b[0,1,2]".to_owned()] {
        assert!(Pack::read("pack", &with(&path)).is_ok());
    }
}
