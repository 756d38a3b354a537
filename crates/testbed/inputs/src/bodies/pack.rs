//! Live tests: the pack that somebody wrote, and what results of asking it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use ::pack::asked::Host;
use ::pack::kind::http::Request;
use ::pack::policy::Policy;
use ::pack::site::{Logged, Site};
use ::pack::{Check, Pack, Phase, Values};
use health_test::places::{Places, Proven};
use health_test::probe::{Answer, ProbeResult, Web};
use health_test::report::Report;
use health_test::round::Round;
use health_test::secrets::Secrets;
use health_test::tests_row::TestsRow;
use health_test::values::Known;
use pipeline::clock::Timestamp;
use serde_json::{Value, json};
use url::Url;

use super::{Body, Outcome, outcome};
use crate::{World, promises};

/// A pack.
pub const PACK: Body = Body { name: "pack", share: 300, samples: packs, play: pack };

/// A pack, and the body that every target answers with.
pub const LIVE_TEST: Body = Body { name: "live-test", share: 200, samples: live_tests, play: live_test };

const KEYS: [&str; 13] = [
    "checks", "name", "http", "attempts", "interval", "url", "method", "status", "contains", "json",
    "within", "before", "check",
];

/// How large the row of some live tests may be: DynamoDB takes 400 KB.
const KEPT: usize = 380 * 1024;

fn packs() -> Vec<String> {
    [
        json!({"checks": [{"name": "health", "http": {"url": "http://${target.address}/health", "method": "POST",
            "status": 204, "contains": "ok", "json": {"$.status": "ok", "$.parts[*].up": true}, "within": "500ms"},
            "attempts": 3, "interval": "1m"}]}),
        json!({"checks": [{"name": "a", "http": {"url": "https://users.example.org:8443/a?b=c#d"}},
            {"name": "b", "http": {"url": "http://proxy.example.org/?of=${target.address}", "json": {"$[?@.a]": 1}}}]}),
        json!({"checks": [{"name": "deep", "http": {"url": "http://a/", "json": {
            "$..book[?(@.price < 10 && !(@.sold == true)) || length(@.title) > 3]..*": null,
            "$[?match(@.a, 'x.*')]": "b"}}}]}),
        json!({}),
    ]
    .map(|pack| pack.to_string())
    .into()
}

fn live_tests() -> Vec<String> {
    let answers = [
        json!({"status": "ok", "parts": [{"up": true}, {"up": false}]}).to_string(),
        "<html>\u{1b}[2J".to_owned(),
        "[".repeat(120) + &"]".repeat(120),
    ];
    let all = packs().into_iter().flat_map(|pack| answers.clone().map(|answer| (pack.clone(), answer)));
    all.map(|(pack, answer)| {
        let pack: Value = serde_json::from_str(&pack).unwrap_or_default();
        json!({"pack": pack, "answer": answer}).to_string()
    })
    .collect()
}

/// A pack is bounded, and asks only where the policy lets it, whatever address a target has.
fn pack(_: &World, text: &str) -> Outcome {
    let read = Pack::read("the parameter", text);
    match &read {
        Ok(pack) => bounded(pack),
        Err(fault) if fault.to_string().contains("JSONPath") => promises::fault(fault),
        Err(fault) => {
            let own = [
                "is not a name",
                "two checks are called",
                "are more than",
                "none of the variables",
                "together",
            ];
            match own.iter().any(|said| fault.to_string().contains(said)) {
                true => promises::fault(fault),
                false => promises::names(fault, &serde_json::from_str(text).unwrap_or_default(), &KEYS),
            }
        }
    }
    assert_eq!(::pack::hash(text).as_str().len(), 64);
    outcome(&read)
}

fn bounded(pack: &Pack) {
    assert!(pack.checks.len() <= 50);
    let names: BTreeSet<&str> = pack.checks.iter().map(|check| check.name.as_str()).collect();
    assert_eq!(names.len(), pack.checks.len(), "two checks have one name");
    for check in &pack.checks {
        let plain = |c: char| c.is_ascii_alphanumeric() || " ._-/".contains(c);
        assert!((1..=64).contains(&check.name.len()) && check.name.chars().all(plain), "{}", check.name);
        assert!(check.attempts > 0);
    }
    let connect_names = &BTreeSet::from(["users.shop".to_owned()]);
    let policy = Policy::default();
    let nowhere = pack.nowhere(policy);
    let logged = Some(Logged { containers: &BTreeMap::new(), moved: &[] });
    let (ports, network_mode) = (Some((&[][..], &[][..])), None);
    let site = Site { in_vpc: false, network_mode, target_groups: 0, ports, logged, connect_names, policy };
    nowhere.iter().chain(&pack.never(&site)).for_each(|why| promises::sentence(why));
    assert!(nowhere.iter().all(|why| pack.never(&site).contains(why)), "{nowhere:?}");
    if !nowhere.is_empty() {
        return;
    }
    let hosts = pack.hosts(&Values::default());
    for check in &pack.checks {
        for target in ["10.0.0.7:8080", "[fd12::7]:8080"] {
            let values = pack.values().with("target.address", target);
            for http in check.kind.requests() {
                let request = http.request(&values).unwrap_or_else(|why| panic!("{}: {why}", check.name));
                let url = &request.url;
                let asked = policy.url(url).unwrap_or_else(|why| panic!("{url}: {why}"));
                let name = asked.host_str().unwrap_or_default().trim_matches(['[', ']']);
                let named = |host: &Host| match host {
                    Host::Target => target.contains(name),
                    Host::Named { name: named, port } => {
                        (name, asked.port_or_known_default()) == (named.as_str(), Some(*port))
                    }
                    _ => false,
                };
                assert!(hosts.keys().any(named), "{url} is none of {hosts:?}");
            }
        }
    }
}

/// Every target answers with one body, and is asked where the policy allows.
struct Answering(String);

impl Web for Answering {
    fn policy(&self) -> Policy {
        Policy::default()
    }
    async fn ask(&self, request: &Request, _: Duration) -> ProbeResult {
        if let Err(why) = self.policy().url(&request.url) {
            return ProbeResult::Nothing(why.to_string());
        }
        let took = Duration::from_millis(12);
        ProbeResult::Answer(Answer { status: 200, headers: vec![], body: self.0.clone(), cut: false, took })
    }
    async fn connect(&self, _: &str, _: u16, _: Duration) -> Result<(), String> {
        Ok(())
    }
}

/// What is reported of an answer is readable, bounded and without the query of its URL; what is handed on stays small.
fn live_test(world: &World, text: &str) -> Outcome {
    let input: Value = serde_json::from_str(text).unwrap_or_default();
    let Ok(pack) = Pack::read("the parameter", &input["pack"].to_string()) else {
        return Outcome::Refused;
    };
    let answer = input["answer"].as_str().map_or_else(|| input["answer"].to_string(), str::to_owned);
    let targets = ["10.0.0.1:80", "[fd12::7]:8080"].map(str::to_owned).to_vec();
    let tasks = vec![IpAddr::from([10, 0, 0, 1]), IpAddr::from([0xfd12, 0, 0, 0, 0, 0, 0, 7])];
    let places = &Places::at(Proven { targets, tasks, ..Proven::default() });
    let (at, known, secrets) = (Timestamp::from_millis(0), Known::default(), Secrets::default());
    let mut row = TestsRow::begun(Phase::Live, at, at.plus_seconds(900));
    let due: Vec<&Check> = pack.of(Phase::Live).collect();
    let round = Round { pack: &pack, known: &known, places, secrets: &secrets };
    let rounds = world.wait(round.ask(&due, &Answering(answer), 1)).rounds(&BTreeSet::new(), &mut row);
    row.count(&pack, 1, rounds, at);
    let judgement = row.judge(&pack, at);
    let report = Report::of(&pack, &row, &judgement, at);
    promises::sentence(&report.reason);
    report.lines.iter().for_each(|line| promises::sentence(line));
    for check in due {
        let shown = &row.transcript[&check.name].last;
        promises::sentence(&shown.text);
        let values = pack.values().with("target.address", "10.0.0.1:80");
        let http = check.kind.requests().first();
        let url = http.and_then(|http| http.request(&values).ok()).and_then(|one| Url::parse(&one.url).ok());
        let secret = url.as_ref().and_then(Url::query).filter(|query| query.len() > 12);
        let head = shown.text.split(": expected").next().unwrap_or_default();
        assert!(secret.is_none_or(|query| !head.contains(query)), "{}", shown.text);
    }
    let kept = serde_json::to_string(&row).unwrap_or_else(|error| panic!("{error}"));
    assert!(kept.len() <= KEPT, "{} bytes are kept", kept.len());
    Outcome::Accepted
}
