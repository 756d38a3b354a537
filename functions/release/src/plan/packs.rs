//! The live tests that moves have to pass: which can be asked, and which text is kept.  Pure.

use std::collections::{BTreeMap, BTreeSet};

use pack::site::{Logged, Site};
use pack::{NOTHING, Pack, Phase, Source, Values};
use pipeline::environment::{Environment, TestsDocument};
use pipeline::ids::{EnvironmentName, PackHash, ServiceName};
use pipeline::rows::MoveRow;

use super::PlanDraft;
use crate::ports::{Prober, Service};

/// The live tests of services that ask something of an image before anything is touched.
pub type OfImages = BTreeMap<ServiceName, Pack>;

/// Gives each move of a draft the live tests of its service, as they are written now, unless it has some: those that
/// its image has passed here before.
///
/// A service without any is given those that ask nothing: what is written meanwhile is for the next release.
/// Those that can never be asked refuse what goes forward.  They never stop what goes back, which goes without them.
/// Returns those that ask something of an image; of what goes back it is never asked.
pub fn pin(
    draft: &mut PlanDraft,
    environment: &EnvironmentName,
    policy: &Environment,
    documents: &BTreeMap<ServiceName, Vec<TestsDocument>>,
    prober: Prober,
    is_back: bool,
) -> OfImages {
    let mut of_images = OfImages::new();
    let names: BTreeSet<String> = draft.services.iter().flat_map(|one| one.connect.clone()).collect();
    let (mut mistakes, mut unasked) = (Vec::new(), Vec::new());
    for row in &mut draft.moves {
        let documents = documents.get(&row.service).map(Vec::as_slice).unwrap_or_default();
        if documents.is_empty() && is_back {
            continue;
        }
        let service = draft.services.iter().find(|service| service.name == row.service);
        let read = usable(documents, service, &row.containers, &names, prober).and_then(|pack| {
            let known = Values::default().with("environment", environment.as_str());
            let strangers = pack.strangers(&policy.tests.hosts, &known.with("service", row.service.as_str()));
            if strangers.is_empty() { Ok(pack) } else { Err(strangers) }
        });
        let (text, wrong) = match read {
            Ok(pack) => {
                row.alarms.extend(pack.alarms().cloned());
                row.alarms.sort();
                row.alarms.dedup();
                let text = pack.text().to_owned();
                let dark = pack.of(Phase::Dark).filter(|check| check.on == [Phase::Dark]);
                let never = dark.filter(|_| row.traffic.is_none() && !is_back);
                unasked.extend(never.map(|check| {
                    let (service, name) = (&row.service, &check.name);
                    format!("{service}: live test {name:?} is not asked, since the service has no gate in the dark")
                }));
                if !is_back && pack.of(Phase::Open).next().is_some() {
                    of_images.insert(row.service.clone(), pack);
                }
                (text, Vec::new())
            }
            Err(wrong) => (NOTHING.to_owned(), wrong),
        };
        let instead = match row.pack {
            _ if !is_back => "",
            Some(_) => "; the rollback is judged by the live tests that its image has passed",
            None => "; it is rolled back without its live tests",
        };
        mistakes.extend(wrong.into_iter().map(|why| format!("{}: {why}{instead}", row.service)));
        if row.pack.is_none() {
            let hash = pack::hash(&text);
            row.pack = Some(hash.clone());
            draft.packs.insert(hash, text);
        }
    }
    draft.warn(unasked);
    match is_back {
        true => draft.warn(mistakes),
        false => draft.refuse(mistakes),
    }
    of_images
}

/// Returns the live tests that a move was judged by, if there was one in them.
pub fn asked(row: &MoveRow) -> Option<&PackHash> {
    row.pack.as_ref().filter(|hash| hash.is_something())
}

/// Reads live tests, or says why they cannot be used for a service.
fn usable(
    documents: &[TestsDocument],
    service: Option<&Service>,
    moved: &[String],
    connect_names: &BTreeSet<String>,
    Prober { in_vpc, policy }: Prober,
) -> Result<Pack, Vec<String>> {
    if documents.is_empty() {
        return Pack::read("no live tests", NOTHING).map_err(|fault| vec![fault.to_string()]);
    }
    let named: Vec<String> = documents.iter().map(|one| format!("the parameter {}", one.path)).collect();
    let sources = named.iter().zip(documents).map(|(what, one)| Source { what, text: &one.text });
    let pack = pack::merge(&sources.collect::<Vec<_>>()).map_err(|fault| vec![fault.to_string()])?;
    let never = match service {
        Some(Service { balanced, revision, .. }) => {
            // Without a word Docker takes bridge, but for Windows, where it takes nat.
            let default = (revision.platform.os == "windows").then_some("nat");
            let (network_mode, target_groups) =
                (revision.network_mode.as_deref().or(default), balanced.len());
            let ports = Some((revision.ports.as_slice(), moved));
            let logged = Some(Logged { containers: &revision.logs, moved });
            pack.never(&Site { in_vpc, network_mode, target_groups, ports, logged, connect_names, policy })
        }
        None => pack.nowhere(policy),
    };
    if never.is_empty() { Ok(pack) } else { Err(never) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::findings::refusals;
    use crate::plan::tests::{candidate, environment, row};

    fn draft() -> PlanDraft {
        let mut service = candidate(":main-1").service;
        service.balanced = vec![("app".to_owned(), 8080)];
        service.revision.network_mode = Some("awsvpc".to_owned());
        PlanDraft { moves: vec![row("users")], services: vec![service], ..PlanDraft::default() }
    }

    fn pinned(mut draft: PlanDraft, url: &str, within: &str, prober: Prober, is_back: bool) -> PlanDraft {
        let text =
            format!(r#"{{"checks":[{{"name":"health","http":{{"url":"{url}","within":"{within}"}}}}]}}"#);
        let texts = written([("/tidegate/environments/dev/services/users/tests", text)]);
        pin(&mut draft, &EnvironmentName::parse("dev").unwrap(), &environment(), &texts, prober, is_back);
        draft
    }

    fn written<const N: usize>(documents: [(&str, String); N]) -> BTreeMap<ServiceName, Vec<TestsDocument>> {
        let documents =
            documents.into_iter().map(|(path, text)| TestsDocument { path: path.to_owned(), text });
        [(ServiceName::parse("users").unwrap(), documents.collect())].into()
    }

    #[test]
    fn the_platform_team_requires_a_check_that_a_service_cannot_replace() {
        let check = |url: &str, more: &str| {
            format!(r#"{{"checks":[{{"name":"a","http":{{"url":"http://{url}/"}}{more}}}]}}"#)
        };
        let merged = |required: &str| {
            let (mut draft, policy) = (draft(), environment());
            let (platform, own) = (check("platform.example", required), check("own.example", ""));
            let texts = written([("/tidegate/environments/dev/tests", platform), ("/own", own)]);
            pin(&mut draft, &EnvironmentName::parse("dev").unwrap(), &policy, &texts, INSIDE, false);
            draft
        };
        let replaced = merged("");
        let text = &replaced.packs[replaced.moves[0].pack.as_ref().unwrap()];
        assert!(text.contains("own.example") && !text.contains("platform.example"), "{text}");
        let refused = merged(r#","required":true"#);
        let why = refusals(&refused.findings).next().unwrap();
        assert!(why.starts_with("users: the parameter /own: check \"a\""), "{why}");
    }

    const TARGET: &str = "http://${target.address}/health";
    const INSIDE: Prober = Prober { in_vpc: true, policy: pack::policy::Policy { loopback: false } };

    #[test]
    fn live_tests_are_kept_in_their_one_text() {
        let draft = pinned(draft(), TARGET, "5s", INSIDE, false);
        assert!(draft.findings.is_empty(), "{:?}", draft.findings);
        let hash = draft.moves[0].pack.clone().unwrap();
        assert!(draft.packs[&hash].contains(TARGET));
        assert_eq!(pack::hash(&draft.packs[&hash]), hash);
        assert_eq!(asked(&draft.moves[0]), Some(&hash));
        let nothing = MoveRow { pack: Some(pack::hash(NOTHING)), ..row("users") };
        assert_eq!(asked(&nothing), None, "no image has passed them");
    }

    #[test]
    fn what_is_asked_in_the_dark_alone_is_told_where_there_is_none() {
        let text =
            r#"{"checks":[{"name":"listener","http":{"url":"http://shop.test:9000/"},"on":["dark"]}]}"#;
        let told = |traffic| {
            let mut draft = draft();
            draft.moves[0].traffic = traffic;
            let texts = written([("/own", text.to_owned())]);
            pin(&mut draft, &EnvironmentName::parse("dev").unwrap(), &environment(), &texts, INSIDE, false);
            draft.findings.into_iter().map(|finding| finding.text).collect::<Vec<_>>()
        };
        let why = "users: live test \"listener\" is not asked, since the service has no gate in the dark";
        assert_eq!(told(None), [why]);
        let gate = pipeline::service_deployment::Stage::of("POST_TEST_TRAFFIC_SHIFT");
        let traffic =
            pipeline::rows::Traffic { strategy: "CANARY".to_owned(), gate, seconds: 60, drain_minutes: 0 };
        assert!(told(Some(traffic)).is_empty());
    }

    #[test]
    fn a_service_without_live_tests_is_not_given_any_that_are_written_later() {
        let (mut draft, policy, none) = (draft(), environment(), BTreeMap::new());
        pin(&mut draft, &EnvironmentName::parse("dev").unwrap(), &policy, &none, INSIDE, false);
        let name = draft.moves[0].pack.clone().unwrap();
        assert_eq!((draft.packs[&name].as_str(), asked(&draft.moves[0])), (NOTHING, None));
    }

    #[test]
    fn what_goes_back_is_judged_by_what_its_image_has_passed() {
        let mut back = draft();
        let passed = pack::hash(r#"{"checks":[]}"#);
        back.moves[0].pack = Some(passed.clone());
        let back = pinned(back, TARGET, "6s", INSIDE, true);
        assert_eq!((&back.moves[0].pack, back.packs.len()), (&Some(passed), 0));
        assert!(back.findings[0].text.ends_with("judged by the live tests that its image has passed"));
    }

    #[test]
    fn what_can_never_be_asked_refuses_and_stops_no_rollback() {
        let mode = |mode: Option<&str>| {
            let mut draft = draft();
            draft.services[0].revision.network_mode = mode.map(str::to_owned);
            draft
        };
        let mut windows = mode(None);
        windows.services[0].revision.platform.os = "windows".to_owned();
        for mode in [mode(Some("bridge")), mode(Some("host")), mode(None)] {
            let accepted = pinned(mode, TARGET, "5s", INSIDE, false);
            assert!(accepted.findings.is_empty(), "{:?}", accepted.findings);
        }
        let mut connected = draft();
        connected.services[0].connect = vec!["users.shop".to_owned()];
        let mut alone = draft();
        alone.services[0].balanced.clear();
        let outside = Prober { in_vpc: false, ..INSIDE };
        for (draft, url, within, prober, said) in [
            (mode(Some("none")), TARGET, "5s", INSIDE, "the network mode of the service is none"),
            (mode(Some("default")), TARGET, "5s", INSIDE, "is default"),
            (windows, TARGET, "5s", INSIDE, "is nat"),
            (connected, "http://users.shop/", "5s", INSIDE, "Service Connect"),
            (alone, TARGET, "5s", INSIDE, "no target group"),
            (draft(), TARGET, "5s", outside, "runs outside"),
            (draft(), TARGET, "6s", INSIDE, "write 5s or less"),
            (draft(), TARGET, "soon", INSIDE, "\"soon\" is not a length of time"),
        ] {
            let refused = pinned(draft.clone(), url, within, prober, false);
            let why = refusals(&refused.findings).next().unwrap();
            let place = "users: the parameter /tidegate/environments/dev/services/users/tests";
            assert!(why.contains(said) && why.starts_with(place) && !why.contains("rolled back"), "{why}");

            let back = pinned(draft, url, within, prober, true);
            assert!(!back.is_refused() && back.findings[0].text.ends_with("without its live tests"));
            assert_eq!(back.packs.values().collect::<Vec<_>>(), [NOTHING]);
            assert_eq!(back.moves[0].pack, Some(pack::hash(NOTHING)));
        }
    }

    #[test]
    fn a_log_that_cannot_be_searched_refuses_the_check_that_wants_it() {
        let text = r#"{"checks":[{"name":"quiet","logs":{"pattern":"ERROR"}}]}"#;
        for (why, refused) in [(None, false), (Some("its log driver is splunk".to_owned()), true)] {
            let (mut draft, policy) = (draft(), environment());
            draft.moves[0].containers = vec!["app".to_owned()];
            draft.services[0].revision.logs = [("app".to_owned(), why)].into();
            let texts = written([("/tidegate/tests/users", text.to_owned())]);
            pin(&mut draft, &EnvironmentName::parse("dev").unwrap(), &policy, &texts, INSIDE, false);
            let said = refusals(&draft.findings).any(|why| why.contains("its log driver is splunk"));
            assert_eq!((draft.is_refused(), said), (refused, refused), "{:?}", draft.findings);
        }
    }

    #[test]
    fn a_secret_goes_to_the_service_and_to_hosts_that_the_environment_lists() {
        let text = |url: &str| {
            format!(
                r#"{{"secrets":{{"token":{{"parameter":"/shop/token"}}}},"checks":[{{"name":"a","http":
                {{"url":"{url}","headers":{{"authorization":"${{secret.token}}"}}}}}}]}}"#
            )
        };
        for (url, refused) in [
            (TARGET, false),
            ("https://users.dev.shop.example/", false),
            ("https://${service}.${environment}.shop.example/", false),
            ("https://attacker.example/", true),
        ] {
            let (mut draft, mut policy) = (draft(), environment());
            policy.tests.hosts = ["users.dev.shop.example".to_owned()].into();
            let texts = written([("/tidegate/tests/users", text(url))]);
            pin(&mut draft, &EnvironmentName::parse("dev").unwrap(), &policy, &texts, INSIDE, false);
            assert_eq!(draft.findings.len(), usize::from(refused), "{url}: {:?}", draft.findings);
        }
    }

    #[test]
    fn alarms_of_the_live_tests_watch_their_move_beside_those_of_the_environment() {
        let text = r#"{"checks":[{"name":"alarms","alarms":{"names":["users-latency","users-5xx"]}}]}"#;
        let (mut draft, policy) = (draft(), environment());
        draft.moves[0].alarms = vec!["users-5xx".to_owned()];
        let texts = written([("/tidegate/tests/users", text.to_owned())]);
        pin(&mut draft, &EnvironmentName::parse("dev").unwrap(), &policy, &texts, INSIDE, false);
        assert_eq!(draft.moves[0].alarms, ["users-5xx", "users-latency"]);
        assert!(draft.findings.is_empty(), "{:?}", draft.findings);
    }
}
