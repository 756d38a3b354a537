use serde_json::json;

use super::*;
use crate::kind::Severity;

fn read(value: &Value) -> Document {
    Document::read("/tidegate/alerts", &Secret::new(value.to_string()))
}

/// Returns what is wrong with a channel, whose other keys are right.
fn wrong(name: &str, channel: Value) -> String {
    let document = read(&json!({"channels": {name: channel}}));
    assert!(document.mistakes.is_empty(), "it is the channel alone that is switched off");
    document.channels.into_values().next().unwrap().err().unwrap()
}

#[test]
fn a_document_of_every_kind_is_read() {
    let document = read(&json!({
        "channels": {
            "mail": {"type": "sns"},
            "chat": {"type": "slack", "token": "/tidegate/secrets/slack", "channel": "C0123456789"},
            "old": {"type": "slack-webhook", "url": "/tidegate/secrets/slack-url"},
            "office": {"type": "teams", "url": "/aws/reference/secretsmanager/tidegate/teams", "details": false},
            "pager": {"type": "pagerduty", "key": "/tidegate/secrets/pd", "region": "eu", "pages": "severity"},
            "api": {"type": "http", "url": "https://api.example.org/"},
            "phone": {"type": "voice", "to": ["+4912345678"], "from": "phone-1"}
        },
        "routes": [{"severity": "critical", "environment": ["prod", "shop-*"], "to": ["pager", "sns"], "stop": true}]
    }));
    assert!(document.mistakes.is_empty() && document.channels.values().all(Result::is_ok));
    assert!(!document.channels["office"].as_ref().unwrap().details);
    assert_eq!(document.channels["pager"].as_ref().unwrap().pages, Pages::Severity);
    let [route] = document.routes.as_deref().unwrap() else { panic!("one route") };
    assert!(route.severity == Severity::Critical && route.stop);
}

#[test]
fn what_is_wrong_with_a_channel_names_the_place_and_never_what_stands_there() {
    let reference = "/tidegate/secrets/slack";
    for (channel, said) in [
        (json!({"type": "slak"}), "channels.chat.type: \"slak\" is no type: expected one of sns, slack, "),
        (json!({"type": "slak"}), "; did you mean \"slack\"?"),
        (json!({"token": reference}), "channels.chat.type: expected one of sns"),
        (json!({"type": "slack", "token": reference}), "channels.chat: expected the key \"channel\""),
        (
            json!({"type": "slack", "token": reference, "chanel": "hunter2"}),
            "channels.chat: unknown key \"chanel\": expected token, channel; did you mean \"channel\"?",
        ),
        (
            json!({"type": "slack", "token": "hunter2", "channel": "C1"}),
            "channels.chat.token: expected a reference such as \"/tidegate/secrets/slack\", not the secret itself",
        ),
        (
            json!({"type": "slack", "token": ["hunter2"], "channel": "C1"}),
            "channels.chat.token: it is not of the type",
        ),
        (json!({"type": "sns", "topic": "hunter2"}), "channels.chat: unknown key \"topic\": expected no key"),
        (json!({"type": "sns", "details": "hunter2"}), "channels.chat.details: expected true or false"),
        (json!({"type": "sns", "pages": "hunter2"}), "channels.chat.pages: expected \"act\" or \"severity\""),
        (json!("hunter2"), "channels.chat: expected an object"),
        (
            json!({"type": "voice", "to": ["+49"], "from": "p", "maxPricePerMinute": "hunter2"}),
            "channels.chat.maxPricePerMinute: expected dollars such as \"0.50\"",
        ),
        (
            json!({"type": "voice", "to": ["+49"], "from": "p", "maxPricePerMinute": "50"}),
            "channels.chat.maxPricePerMinute: expected dollars such as \"0.50\"",
        ),
        (
            json!({"type": "voice", "to": ["+49"], "from": "p", "voice": "hunter2"}),
            "channels.chat.voice: expected a voice of Amazon Polly in capitals",
        ),
    ] {
        let why = wrong("chat", channel.clone());
        assert!(why.contains(said) && !why.contains("hunter2"), "{channel}: {why}");
    }
    let why = wrong("Chat Room", json!({"type": "sns"}));
    assert!(why.starts_with("channels.Chat Room: expected a name of at most 32"), "{why}");
}

#[test]
fn what_is_wrong_with_a_route_names_it_with_the_nearest_channel() {
    let channels = json!({
        "chat": {"type": "sns"},
        "phone": {"type": "voice", "to": ["+4912345678"], "from": "phone-1"},
        "broken": {"type": "slack"}
    });
    for (route, said) in [
        (json!({"to": ["chta"]}), "routes[0].to[0]: \"chta\" is no channel; did you mean \"chat\"?"),
        (json!({"to": []}), "routes[0].to: expected the name of a channel"),
        (
            json!({"severity": "info", "to": ["chat", "phone"]}),
            "routes[0].to[1]: \"phone\" is a voice channel, for critical",
        ),
        (json!({"severty": "info", "to": ["chat"]}), "routes[0] at \"severty\": unknown field `severty`"),
        (json!({"severity": "grave", "to": ["chat"]}), "routes[0] at \"severity\": unknown variant `grave`"),
        (json!({"environment": 7, "to": ["chat"]}), "expected a pattern, or a list of patterns"),
        (json!({"severity": "info"}), "missing field `to`"),
    ] {
        let document = read(&json!({"channels": channels, "routes": [route]}));
        let [why] = document.mistakes.as_slice() else { panic!("{:?}", document.mistakes) };
        assert!(why.starts_with("/tidegate/alerts: ") && why.contains(said), "{why}");
    }
    let named = read(&json!({"channels": channels, "routes": [{"to": ["broken", "sns"]}]}));
    assert!(named.mistakes.is_empty(), "what is switched off is a channel all the same");
}

#[test]
fn what_is_wrong_with_the_document_says_what_was_expected() {
    let said = |text: &str| Document::read("/tidegate/alerts", &Secret::new(text)).mistakes.join("\n");
    assert_eq!(said("{\"hunter2\n"), "/tidegate/alerts: it is not JSON at line 2, column 0");
    assert_eq!(said("[]"), "/tidegate/alerts: expected an object");
    assert_eq!(
        said(r#"{"chanels":{}}"#),
        "/tidegate/alerts: unknown key \"chanels\": expected channels, routes, alarms, logs, repeatMinutes, resolveAfterSeconds; did you mean \"channels\"?"
    );
    assert_eq!(said(r#"{"channels":[]}"#), "/tidegate/alerts: channels: expected an object");
    assert_eq!(said(r#"{"routes":{}}"#), "/tidegate/alerts: routes: expected a list");
}

#[test]
fn what_is_wrong_with_a_rule_names_its_place_and_what_was_expected() {
    let log = |more: Value| {
        let mut rule = json!({"name": "panic", "match": "*panicked*"});
        rule.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"logs": [rule]})
    };
    for (document, said) in [
        (json!({"logs": {}}), "logs: expected a list"),
        (json!({"alarms": [{"environment": "prod"}]}), "alarms[0]: missing field `name`"),
        (
            json!({"alarms": [{"name": "a", "servce": "b"}]}),
            "alarms[0] at \"servce\": unknown field `servce`",
        ),
        (
            json!({"alarms": [{"name": "a", "environment": "a b"}]}),
            "alarms[0] at \"environment\": \"a b\" is not",
        ),
        (json!({"logs": [{"name": "panic"}]}), "logs[0]: missing field `match`"),
        (log(json!({"name": "A Panic"})), "logs[0].name: expected at most 32 of a-z, 0-9 and \"-\""),
        (log(json!({"service": "{task}"})), "logs[0].service: \"{task}\" is not an ECS service"),
        (log(json!({"count": 0})), "logs[0].count: expected a whole number from 1 to 100000"),
        (log(json!({"withinSeconds": 5})), "logs[0].withinSeconds: expected a whole number from 10 to 3600"),
        (log(json!({"quietMinutes": 0})), "logs[0].quietMinutes: expected a whole number from 1 to 1440"),
        (log(json!({"action": "undo"})), "logs[0] at \"action\": unknown field `action`"),
        (json!({"repeatMinutes": "4h"}), "repeatMinutes: expected a whole number from 5 to 10080"),
        (json!({"resolveAfterSeconds": 1.5}), "resolveAfterSeconds: expected a whole number from 0 to 3600"),
    ] {
        let read = read(&document);
        assert!(read.mistakes.is_empty(), "routes and channels are as they are: {:?}", read.mistakes);
        let [why] = read.wrong_rules.try_into().unwrap();
        assert!(why.starts_with(&format!("/tidegate/alerts: {said}")), "{why}");
    }
    // One that is wrong leaves the others as they are.
    let two = json!({"logs": [{"name": "a"}, {"name": "b", "match": ["*b*"], "service": "{container}"}]});
    assert_eq!(read(&two).rules.logs.len(), 1);
}

#[test]
fn what_older_documents_name_is_an_api() {
    for document in
        [json!({"webhook": {"url": "https://a/", "secret": "s"}}), json!({"webhook": {"url": "https://a/"}})]
    {
        let read = read(&document);
        assert!(read.routes.is_none() && read.channels["webhook"].is_ok(), "{document}");
    }
    let why =
        read(&json!({"webhook": {"secret": "hunter2"}})).channels.remove("webhook").unwrap().err().unwrap();
    assert_eq!(why, "webhook: expected the key \"url\"");
}
