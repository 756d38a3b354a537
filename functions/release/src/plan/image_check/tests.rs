//! Tables for what is expected of images.

mod signatures;

use pipeline::clock::Timestamp;
use pipeline::ids::{EnvironmentName, ReleaseId};
use pipeline::rows::OrderKey;

use super::*;
use crate::plan::tests::{digest, environment, repository, row};
use crate::ports::Vulnerability;

fn platform(text: &str) -> Platform {
    let (os, architecture) = text.split_once('/').unwrap();
    Platform { os: os.to_owned(), architecture: architecture.to_owned() }
}

fn finding(id: &str, severity: &str, is_fixable: Option<bool>) -> Vulnerability {
    let fixed_in = is_fixable.filter(|fixable| *fixable).map(|_| "3.0.2".to_owned());
    let (package, severity) = (Some("openssl 3.0.1".to_owned()), severity.to_owned());
    Vulnerability { id: id.to_owned(), severity, package, is_fixable, fixed_in }
}

fn done(findings: &[Vulnerability]) -> Option<Result<Scan, Fault>> {
    Some(Ok(Scan::Done { findings: findings.to_vec(), unlisted: 0 }))
}

fn image() -> Built {
    let labels = [("team".to_owned(), "shop".to_owned()), ("commit".to_owned(), "1a2b3c".to_owned())].into();
    let env = ["PATH", "DB_PASSWORD", "API_TOKEN"].map(str::to_owned).to_vec();
    let config = Config { platform: Platform::default(), labels, env, created: None };
    Built { platforms: vec![Platform::default()], image: Some((digest('b'), config)) }
}

fn inspected(scan: Option<Result<Scan, Fault>>) -> Inspected {
    Inspected { built: Ok(image()), scan, signings: None }
}

/// How a check is asked: what it has beside its image, by force, and seconds after the release began to wait.
#[derive(Clone, Copy, Default)]
struct How {
    more: &'static str,
    force: bool,
    waited: i64,
}

fn judged_how(check: &str, inspected: Inspected, How { more, force, waited }: How) -> Verdict {
    let text =
        format!(r#"{{"variables":{{"team":"sh*"}},"checks":[{{"name":"image","image":{check}{more}}}]}}"#);
    let pack = Pack::read("pack", &text).unwrap();
    let mut row = row("users");
    row.commit = Some("1a2b3c".to_owned());
    let wanted = ((repository(), digest('b')), platform("linux/amd64"));
    let asked = [Asked { row: &row, wanted: wanted.clone(), pack: &pack }];
    let (name, environment) = (EnvironmentName::parse("dev").unwrap(), environment());
    let (release, since) = (ReleaseId::parse("r9").unwrap(), Timestamp::from_millis(0));
    let (order, now) = (OrderKey::new(since, since, None), since.plus_seconds(waited));
    let context =
        PlanContext { name: &name, environment: &environment, order: &order, release: &release, since, now };
    judge(&asked, &[(wanted, inspected)].into(), force, context)
}

fn judged(check: &str, inspected: Inspected) -> Vec<String> {
    let Verdict { refused, warned, early } = judged_how(check, inspected, How::default());
    assert_eq!((warned, early), (Vec::new(), None), "{check}");
    refused
}

#[test]
fn what_an_image_says_of_itself_is_what_is_expected_or_it_is_refused() {
    for (check, refused) in [
        (r#"{}"#, &[][..]),
        (r#"{"labels":{"team":"shop","commit":"${image.commit}"}}"#, &[]),
        (r#"{"labels":{"team":"${team}","commit":"??2b*"}}"#, &[]),
        (r#"{"labels":{"team":"SHOP"}}"#, &[r#"the label "team" is "shop": expected "SHOP""#]),
        (
            r#"{"labels":{"none":"*","team":"${service}-${environment}"}}"#,
            &[
                r#"the label "none" is not there: expected "*""#,
                r#"the label "team" is "shop": expected "users-dev""#,
            ],
        ),
        (r#"{"forbiddenEnv":["*_SECRET","PASSWORD"]}"#, &[]),
        (
            r#"{"forbiddenEnv":["*_PASSWORD","API_*","?ATH"]}"#,
            &[concat!(
                r#"its environment has "PATH", "DB_PASSWORD", "API_TOKEN": expected no name like "#,
                r#""*_PASSWORD", "API_*", "?ATH""#
            )],
        ),
    ] {
        let expected: Vec<String> =
            refused.iter().map(|why| format!("users: check \"image\": {why}")).collect();
        assert_eq!(judged(check, inspected(None)), expected, "{check}");
    }
}

#[test]
fn an_image_is_built_for_what_its_service_runs_on() {
    let built = |platforms: &[&str], has_image: bool| {
        let platforms = platforms.iter().map(|one| platform(one)).collect();
        let image = image().image.filter(|_| has_image);
        Inspected { built: Ok(Built { platforms, image }), scan: None, signings: None }
    };
    let (asked, not) = ("{}", r#"{"platform":false,"labels":{"team":"*"}}"#);
    for (check, inspected, said) in [
        (asked, built(&["linux/arm64", "linux/amd64"], true), None),
        (
            asked,
            built(&["linux/arm64"], true),
            Some("it is built for linux/arm64: expected linux/amd64, which the service runs on"),
        ),
        (
            asked,
            built(&["linux/arm64", "windows/amd64"], false),
            Some(
                "it is built for linux/arm64, windows/amd64: expected linux/amd64, which the service runs on",
            ),
        ),
        (
            asked,
            built(&[], false),
            Some("it is built for nothing: expected linux/amd64, which the service runs on"),
        ),
        (not, built(&["linux/arm64"], true), None),
        (
            not,
            built(&["linux/arm64", "windows/amd64"], false),
            Some(
                "it could not be measured: no image of its index is for linux/amd64; set \"force\" and \"reason\" to \
                 override",
            ),
        ),
    ] {
        let expected: Vec<String> = said.iter().map(|why| format!("users: check \"image\": {why}")).collect();
        assert_eq!(judged(check, inspected), expected);
    }
    let child = |letter, named: Option<&str>| Child { digest: digest(letter), platform: named.map(platform) };
    let children = [child('a', None), child('b', Some("unknown/unknown")), child('c', Some("linux/arm64"))];
    let chosen = |wanted: &str| child_for(&children, &platform(wanted)).map(|child| child.digest.clone());
    assert_eq!(chosen("linux/arm64"), Some(digest('c')));
    assert_eq!(chosen("linux/amd64"), Some(digest('a')), "it may be what bears no platform");
    assert_eq!(child_for(&children[1..], &platform("linux/amd64")), None);
}

#[test]
fn nothing_that_is_found_reaches_the_severity() {
    let [high, low, none] = [
        finding("CVE-2024-1234", "HIGH", Some(true)),
        finding("CVE-2024-1", "LOW", Some(true)),
        finding("CVE-2024-2", "CRITICAL", Some(false)),
    ];
    let basic = Vulnerability { is_fixable: None, fixed_in: None, ..high.clone() };
    let said = "HIGH CVE-2024-1234 in openssl 3.0.1 (fixed in 3.0.2): expected nothing of HIGH or above";
    let unrated = finding("CVE-2024-3", "UNTRIAGED", None);
    let odd = finding("CVE-2024-4", "APOCALYPTIC", None);
    let many: Vec<Vulnerability> = (0..5).map(|n| finding(&format!("CVE-{n}"), "MEDIUM", None)).collect();
    for (scan, found, refused) in [
        (r#"{"below":"HIGH"}"#, vec![], None),
        (r#"{"below":"HIGH"}"#, vec![low.clone(), unrated.clone()], None),
        (r#"{"below":"HIGH"}"#, vec![low.clone(), high.clone()], Some(said)),
        (r#"{"below":"CRITICAL"}"#, vec![high.clone()], None),
        (r#"{"below":"HIGH","except":["cve-2024-1234"]}"#, vec![high.clone()], None),
        (r#"{"below":"HIGH","except":["CVE-2024-123"]}"#, vec![high.clone()], Some(said)),
        (r#"{"below":"HIGH","fixableOnly":true}"#, vec![none.clone()], None),
        (
            r#"{"below":"HIGH","fixableOnly":true}"#,
            vec![none.clone(), basic.clone()],
            Some("HIGH CVE-2024-1234 in openssl 3.0.1: expected nothing of HIGH or above that has a fix"),
        ),
        (
            r#"{"below":"HIGH"}"#,
            vec![high.clone(), none.clone()],
            Some(
                "CRITICAL CVE-2024-2 in openssl 3.0.1, HIGH CVE-2024-1234 in openssl 3.0.1 (fixed in 3.0.2): expected \
                 nothing of HIGH or above",
            ),
        ),
        (
            r#"{"below":"UNDEFINED"}"#,
            vec![unrated],
            Some("UNTRIAGED CVE-2024-3 in openssl 3.0.1: expected nothing of UNDEFINED or above"),
        ),
        (
            r#"{"below":"CRITICAL"}"#,
            vec![odd],
            Some("APOCALYPTIC CVE-2024-4 in openssl 3.0.1: expected nothing of CRITICAL or above"),
        ),
        (
            r#"{"below":"MEDIUM"}"#,
            many,
            Some(
                "MEDIUM CVE-0 in openssl 3.0.1, MEDIUM CVE-1 in openssl 3.0.1, MEDIUM CVE-2 in openssl 3.0.1 and 2 more: \
                 expected nothing of MEDIUM or above",
            ),
        ),
    ] {
        let check = format!(r#"{{"scan":{scan}}}"#);
        let expected: Vec<String> =
            refused.iter().map(|why| format!("users: check \"image\": {why}")).collect();
        assert_eq!(judged(&check, inspected(done(&found))), expected, "{scan}");
    }
}

/// What becomes of a release.
#[derive(Debug, PartialEq)]
enum Becomes {
    Goes,
    Warned,
    Waits(i64),
    Refused,
}

fn becomes(check: &str, inspected: Inspected, how: How) -> (Becomes, String) {
    let Verdict { refused, warned, early } = judged_how(check, inspected, how);
    match (refused.first(), warned.first(), early) {
        (Some(why), None, None) => (Becomes::Refused, why.clone()),
        (None, Some(why), None) => (Becomes::Warned, why.clone()),
        (None, None, Some((seconds, why))) => (Becomes::Waits(seconds), why),
        (None, None, None) => (Becomes::Goes, String::new()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_not_known_yet_is_waited_for_and_then_it_is_as_if_there_were_no_scan() {
    let scan = |word: &str| Some(Ok(Scan::Pending(word.to_owned())));
    let (refuse, allow) = (r#"{"scan":{"below":"LOW"}}"#, r#"{"scan":{"below":"LOW","unscanned":"allow"}}"#);
    let how = |waited| How { waited, ..How::default() };
    for (check, waited, expected) in [
        (refuse, 0, Becomes::Waits(10)),
        (refuse, 90, Becomes::Waits(30)),
        (refuse, 3_599, Becomes::Waits(60)),
        (refuse, 3_600, Becomes::Refused),
        (allow, 3_599, Becomes::Waits(60)),
        (allow, 3_600, Becomes::Goes),
    ] {
        assert_eq!(becomes(check, inspected(scan("PENDING")), how(waited)).0, expected, "{check} {waited}");
    }
    let (_, why) = becomes(refuse, inspected(scan("IN_PROGRESS")), how(0));
    let status = "its scan is not done, its status is IN_PROGRESS: expected COMPLETE or ACTIVE";
    assert_eq!(why, format!("users: check \"image\": {status}"));
    let (_, why) = becomes(refuse, inspected(scan("IN_PROGRESS")), how(3_600));
    assert_eq!(why, format!("users: check \"image\": it could not be measured: {status}; {TO_OVERRIDE}"));

    // What AWS asks to slow down about is waited for as well, and is never let in by `allow`.
    let throttled = || inspected(Some(Err(Fault::Throttled("too many".to_owned()))));
    assert_eq!(becomes(allow, throttled(), how(0)).0, Becomes::Waits(10));
    assert_eq!(becomes(allow, throttled(), how(3_600)).0, Becomes::Refused);
}

#[test]
fn what_could_not_be_measured_may_be_overridden_and_what_failed_may_not() {
    let advises = How { more: r#","advisory":true"#, ..How::default() };
    let forces = How { force: true, ..How::default() };
    let scan = r#"{"scan":{"below":"LOW"}}"#;
    let missing = || inspected(Some(Ok(Scan::Missing("ECR has no scan of it".to_owned()))));
    let denied = || inspected(Some(Err(Fault::Denied("AccessDenied: no".to_owned()))));
    let unread =
        || Inspected { built: Err(Fault::NotFound("the image x".to_owned())), scan: None, signings: None };
    let unlisted = || inspected(Some(Ok(Scan::Done { findings: vec![], unlisted: 7 })));
    let pending = || inspected(Some(Ok(Scan::Pending("PENDING".to_owned()))));
    for (seen, said) in [
        (&missing as &dyn Fn() -> Inspected, "it is not scanned, ECR has no scan of it: expected a scan"),
        (&denied, "AccessDenied: no: expected that it may ecr:DescribeImageScanFindings"),
        (&unread, "the image x does not exist: expected that it may ecr:BatchGetImage"),
        (&unlisted, "ECR counts 7 findings and lists none"),
    ] {
        let (refused, why) = becomes(scan, seen(), How::default());
        assert!(refused == Becomes::Refused && why.contains(said) && why.ends_with(TO_OVERRIDE), "{why}");
        for how in [advises, forces] {
            let (warned, why) = becomes(scan, seen(), how);
            assert!(warned == Becomes::Warned && why.contains(said) && !why.contains(TO_OVERRIDE), "{why}");
        }
    }
    assert_eq!(becomes(scan, pending(), forces).0, Becomes::Warned, "who overrides does not wait");
    assert_eq!(becomes(scan, pending(), advises).0, Becomes::Waits(10), "its answer is of use");

    let bad = || inspected(done(&[finding("CVE-2024-1", "LOW", None)]));
    assert_eq!(becomes(scan, bad(), forces).0, Becomes::Refused);
    assert!(!becomes(scan, bad(), forces).1.contains("force"));
    assert_eq!(becomes(scan, bad(), advises).0, Becomes::Warned);
    let allow = r#"{"scan":{"below":"LOW","unscanned":"allow"}}"#;
    assert_eq!(becomes(allow, missing(), How::default()).0, Becomes::Goes);
    assert_eq!(
        becomes(allow, denied(), How::default()).0,
        Becomes::Refused,
        "nobody knows if it was scanned"
    );
}

#[test]
fn whatever_ecr_says_a_sentence_is_one_line_and_bounded() {
    let long = "x\n".repeat(5_000);
    let odd = Vulnerability {
        id: long.clone(),
        severity: long.clone(),
        package: Some(long.clone()),
        is_fixable: Some(true),
        fixed_in: Some(long.clone()),
    };
    let denied = Some(Err(Fault::Denied(long.clone())));
    for scan in [done(&[odd.clone(), odd]), denied, Some(Ok(Scan::Missing(long)))] {
        let (_, why) = becomes(r#"{"scan":{"below":"LOW"}}"#, inspected(scan), How::default());
        assert!(why.chars().count() < 700 && !why.contains('\n'), "{why}");
    }
}
