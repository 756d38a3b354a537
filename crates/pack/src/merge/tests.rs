use proptest::prelude::*;

use super::*;

fn merged(texts: &[&str]) -> Result<Pack, String> {
    let names = ["the first", "the second", "the third", "the fourth"];
    let sources: Vec<Source<'_>> =
        names.iter().zip(texts).map(|(what, text)| Source { what, text }).collect();
    merge(&sources).map_err(|fault| fault.to_string())
}

fn check(name: &str, more: &str) -> String {
    format!(r#"{{"name":"{name}","http":{{"url":"http://a/{name}"}}{more}}}"#)
}

fn pack(checks: &[String]) -> String {
    format!(r#"{{"checks":[{}]}}"#, checks.join(","))
}

fn names(pack: &Pack) -> Vec<&str> {
    pack.checks.iter().map(|check| check.name.as_str()).collect()
}

#[test]
fn the_later_wins_by_name_and_takes_the_place_of_the_earlier() {
    let first = pack(&[check("a", ""), check("b", ""), check("c", "")]);
    let second =
        pack(&[check("b", r#","attempts":9"#), check("d", ""), r#"{"name":"a","off":true}"#.to_owned()]);
    let merged = merged(&[&first, &second]).unwrap();
    assert_eq!(names(&merged), ["b", "c", "d"]);
    assert_eq!((merged.checks[0].attempts, merged.checks[1].attempts), (9, 1));
    assert_eq!((&*merged.checks[0].place, &*merged.checks[1].place), ("the second", "the first"));
}

#[test]
fn a_variable_of_a_later_pack_is_used_by_checks_of_an_earlier_one() {
    let first = r#"{"variables":{"host":"a.example","path":"x"},"checks":[{"name":"a","http":{"url":"http://${host}/${path}"}}]}"#;
    let merged = merged(&[first, r#"{"variables":{"host":"b.example"}}"#]).unwrap();
    assert_eq!(merged.checks[0].kind.requests()[0].url.fill(&merged.values()).unwrap(), "http://b.example/x");
}

#[test]
fn what_is_required_stays_as_it_is() {
    let required = r#"{"variables":{"host":"a.example","ca":"x","free":"x"},
        "secrets":{"t":{"parameter":"/a"},"ca":{"parameter":"/a"},"free":{"parameter":"/a"}},"checks":[
        {"name":"a","http":{"url":"http://${host}/","headers":{"x":"${secret.t}"}},"required":true},
        {"name":"ca","http":{"url":"https://a/","ca":"ca"},"required":true},
        {"name":"b","http":{"url":"http://a/${free}/${ca}","headers":{"x":"${secret.free}"}}}]}"#;
    for (later, said) in [
        (pack(&[check("a", "")]), "the second: check \"a\", key \"name\": the first requires this check"),
        (r#"{"checks":[{"name":"a","off":true}]}"#.to_owned(), "the first requires this check"),
        (
            r#"{"variables":{"host":"b.example"}}"#.to_owned(),
            "the second: variables, key \"host\": the first requires check \"a\", which uses it",
        ),
        (
            r#"{"secrets":{"t":{"parameter":"/b"}}}"#.to_owned(),
            "secrets, key \"t\": the first requires check \"a\"",
        ),
        (
            r#"{"secrets":{"ca":{"parameter":"/b"}}}"#.to_owned(),
            "secrets, key \"ca\": the first requires check \"ca\"",
        ),
    ] {
        let sentence = merged(&[required, &later]).unwrap_err();
        assert!(sentence.contains(said), "{sentence}");
    }
    assert!(merged(&[required, r#"{"variables":{"host":"a.example","other":1}}"#]).is_ok());
    let unused = r#"{"variables":{"ca":"y","free":"y"},"secrets":{"free":{"parameter":"/b"}}}"#;
    assert!(merged(&[required, unused]).is_ok(), "no required check uses them");
    assert!(merged(&[&pack(&[check("a", "")]), required]).is_ok(), "what is required comes later");
}

#[test]
fn only_what_there_is_can_be_off() {
    let first = pack(&[check("health", "")]);
    for (later, said) in [
        (
            r#"{"checks":[{"name":"heatlh","off":true}]}"#,
            "the second: check \"heatlh\", key \"off\": no pack before this one has \"heatlh\": expected `health`; did you mean `health`?",
        ),
        (
            r#"{"checks":[{"name":"health","off":true,"attempts":2}]}"#,
            "key \"attempts\": a check that is off has nothing else",
        ),
    ] {
        let refused = merged(&[&first, later]).unwrap_err();
        assert!(refused.contains(said), "{refused}");
    }
    let sentence = merged(&[r#"{"checks":[{"name":"a","off":true}]}"#]).unwrap_err();
    assert!(sentence.contains("expected none, since there is none"), "{sentence}");
}

#[test]
fn a_mistake_names_the_place_that_it_is_in() {
    let wrong = r#"{"checks":[{"name":"b","http":{"url":"http://a/${c}"}}]}"#;
    let sentence = merged(&[&pack(&[check("a", "")]), wrong, "{}"]).unwrap_err();
    assert!(sentence.starts_with("the second: check \"b\", key \"url\": ${c} is none"), "{sentence}");
    let sentence = merged(&["{}", r#"{"checks":[{"name":"b","htp":{}}]}"#]).unwrap_err();
    assert!(sentence.starts_with("the second: check \"b\" at \"htp\": unknown field `htp`"), "{sentence}");
    let half = format!(r#"{{"variables":{{"a":"{}"}}}}"#, "x".repeat(40_000));
    let sentence = merged(&[&half, &half.replace("\"a\"", "\"b\"")]).unwrap_err();
    assert!(sentence.starts_with("the first with the second: it is 80"), "{sentence}");
    let of = |length: usize| format!(r#"{{"variables":{{"a":"{}"}}}}"#, "x".repeat(length - 22));
    assert!(merged(&[&of(LONGEST)]).is_ok() && merged(&[&of(LONGEST + 1)]).is_err());
}

#[test]
fn the_same_pack_is_always_the_same_text() {
    let written = r#"{ "$schema": "./pack.schema.json", "version": 1,
        "checks": [ {"http": {"url": "http://a/", "json": {"$.b": {"z": 1, "a": [2.50, true]}}}, "name": "a"} ],
        "variables": {"u": "ü"}, "secrets": {} }"#;
    let text = r#"{"checks":[{"http":{"json":{"$.b":{"a":[2.5,true],"z":1}},"url":"http://a/"},"name":"a"}],"variables":{"u":"ü"}}"#;
    assert_eq!(merged(&[written]).unwrap().text(), text);
    assert_eq!(merged(&[text]).unwrap().text(), text, "it is read as it was written");
    assert_eq!(merged(&["{}", text, "{}"]).unwrap().text(), text);
    assert_eq!((merged(&[]).unwrap().text(), merged(&["{}"]).unwrap().text()), ("{}", "{}"));
}

/// Packs with checks of a few names, some of them required, some off.
fn packs() -> impl Strategy<Value = Vec<String>> {
    let one =
        ("[abc]", prop_oneof![Just(""), Just(r#","required":true"#), Just(r#","attempts":2"#), Just("off")]);
    let checks = prop::collection::btree_map(one.0, one.1, 0..3);
    let text = checks.prop_map(|checks| {
        let checks = checks.iter().map(|(name, more)| match *more {
            "off" => format!(r#"{{"name":"{name}","off":true}}"#),
            more => check(name, more),
        });
        pack(&checks.collect::<Vec<_>>())
    });
    prop::collection::vec(text, 1..4)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_order_of_packs_loses_what_is_required(packs in packs().prop_shuffle()) {
        let texts: Vec<&str> = packs.iter().map(String::as_str).collect();
        if let Ok(merged) = merged(&texts) {
            for name in ["a", "b", "c"] {
                let wanted = check(name, r#","required":true"#);
                if packs.iter().any(|pack| pack.contains(&wanted)) {
                    prop_assert!(merged.checks.iter().any(|check| check.name == name && check.required));
                }
            }
            // It can be written down and read again.
            let again = Pack::read("again", merged.text()).unwrap();
            prop_assert_eq!(again.text(), merged.text());
            prop_assert_eq!(names(&again), names(&merged));
        }
    }
}
