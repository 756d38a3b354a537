//! Runs a service's live tests once: every check against every target, and what that means over several looks.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};
use pack::{ADDRESS, Check, Pack};

use crate::check;
use crate::probe::{Came, Question, Web, shown};
use crate::verdict::Finding;

/// How many requests are under way at once.
const AT_ONCE: usize = 16;

/// How long the live tests of one look may take; well below the function's own time-out.
const BUDGET: Duration = Duration::from_secs(10);

/// What became of the checks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// How many checks passed.
    pub passed: usize,
    /// How many requests that took.
    pub requests: usize,
    /// The checks that failed.
    pub failed: Vec<Failed>,
    /// Why checks could not be made.
    pub unmeasured: Vec<String>,
}

/// A check that failed.
#[derive(Clone, Debug, PartialEq)]
pub struct Failed {
    /// Its name.
    pub name: String,
    /// How often it has failed by now.
    pub times: u32,
    /// How often it may.
    pub attempts: u32,
    /// After how many seconds it may be tried again.
    pub interval: u32,
    /// What was asked, expected and got.
    pub transcript: String,
}

impl Report {
    /// Tells what the report means for the rollout.
    pub fn judge(&self) -> (Finding, String) {
        if let Some(failed) = self.failed.iter().find(|failed| failed.times >= failed.attempts) {
            return (Finding::Unhealthy, failed.sentence());
        }
        if let Some(why) = self.unmeasured.first() {
            return (Finding::Unmeasured, why.clone());
        }
        if let Some(failed) = self.failed.first() {
            let interval = self.failed.iter().map(|failed| failed.interval).max().unwrap_or_default();
            return (Finding::AgainIn(interval), failed.sentence());
        }
        match self.passed {
            0 => (Finding::Healthy, "it is stable; no live tests are configured".to_owned()),
            1 => (Finding::Healthy, format!("it is stable; its live test passed ({} asked)", self.requests)),
            n => (
                Finding::Healthy,
                format!("it is stable; its {n} live tests passed ({} asked)", self.requests),
            ),
        }
    }
}

impl Failed {
    fn sentence(&self) -> String {
        let Failed { name, times, attempts, transcript, .. } = self;
        format!("live test {name:?} failed {times} of {attempts} times: {transcript}")
    }
}

/// Runs every check; `failed` counts, from look to look, how often each has failed.
pub async fn run(
    pack: &Pack,
    addresses: &[String],
    web: &impl Web,
    failed: &mut BTreeMap<String, u32>,
) -> Report {
    let end = Instant::now() + BUDGET;
    let ask = async |(check, url): (&Check, String)| {
        let left = end.saturating_duration_since(Instant::now());
        let question = Question { method: check.http.method, url: &url };
        let came = if left.is_zero() {
            Came::Nothing("no time was left for it in this look".to_owned())
        } else {
            web.ask(question, left).await
        };
        (url, came)
    };
    let mut report = Report::default();
    for check in &pack.checks {
        if check.is_per_target() && addresses.is_empty() {
            report.unmeasured.push(format!(
                "live test {:?} asks {ADDRESS}, and no target of the service has an address of its own",
                check.name
            ));
            continue;
        }
        let asked = stream::iter(urls(check, addresses)).map(|url| ask((check, url)));
        let came: Vec<(String, Came)> = asked.buffered(AT_ONCE).collect().await;
        report.requests += came.len();
        report.add(check, &came, failed);
    }
    report
}

/// A load balancer would answer from one target at random, so each is asked.
fn urls(check: &Check, addresses: &[String]) -> Vec<String> {
    if check.is_per_target() {
        addresses.iter().map(|address| check.http.url_for(address)).collect()
    } else {
        vec![check.http.url.clone()]
    }
}

impl Report {
    fn add(&mut self, check: &Check, came: &[(String, Came)], failed: &mut BTreeMap<String, u32>) {
        let mistakes = came.iter().filter_map(|(url, came)| {
            let mistake = match came {
                Came::Answer(answer) => check::mistake(&check.http, answer)?,
                Came::NoAnswer(why) => why.clone(),
                Came::Nothing(_) => return None,
            };
            Some(format!("{} {}: {mistake}", check.http.method.as_str(), shown(url)))
        });
        let mistakes: Vec<String> = mistakes.collect();
        if let Some(first) = mistakes.first() {
            let times = failed.entry(check.name.clone()).or_default();
            *times = times.saturating_add(1);
            let others = match mistakes.len() - 1 {
                0 => String::new(),
                1 => "; so did 1 other target".to_owned(),
                more => format!("; so did {more} other targets"),
            };
            self.failed.push(Failed {
                name: check.name.clone(),
                times: *times,
                attempts: check.attempts,
                interval: u32::try_from(check.interval.0.as_millis().div_ceil(1000))
                    .unwrap_or(u32::MAX)
                    .max(1),
                transcript: format!("{first}{others}"),
            });
            return;
        }
        let nothing = came.iter().find_map(|(url, came)| match came {
            Came::Nothing(why) => Some(format!("live test {:?}: {}: {why}", check.name, shown(url))),
            _ => None,
        });
        match nothing {
            Some(why) => self.unmeasured.push(why),
            None => self.passed += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::Answer;
    use pipeline::Fault;

    /// Answers with what the host of the URL says.
    struct Hosts;

    impl Web for Hosts {
        fn check(&self, _: &Pack) -> Result<(), Fault> {
            Ok(())
        }
        async fn ask(&self, question: Question<'_>, _: Duration) -> Came {
            match question.url.split("//").nth(1).unwrap() {
                host if host.starts_with("good") => Came::Answer(Answer {
                    status: 200,
                    body: String::new(),
                    cut: false,
                    took: Duration::ZERO,
                }),
                host if host.starts_with("bad") => Came::NoAnswer("no answer: connection refused".to_owned()),
                _ => Came::Nothing("it has no address".to_owned()),
            }
        }
    }

    async fn report(urls: &[&str], addresses: &[&str]) -> Report {
        let checks = urls.iter().enumerate();
        let checks: Vec<String> =
            checks.map(|(n, url)| format!(r#"{{"name":"c{n}","http":{{"url":"{url}"}}}}"#)).collect();
        let pack = Pack::read("pack", &format!(r#"{{"checks":[{}]}}"#, checks.join(","))).unwrap();
        let addresses: Vec<String> = addresses.iter().map(|address| (*address).to_owned()).collect();
        run(&pack, &addresses, &Hosts, &mut BTreeMap::new()).await
    }

    const EACH: &str = "http://${target.address}/";

    #[tokio::test]
    async fn every_target_is_asked_and_a_plain_url_once() {
        let good = report(&[EACH, "http://good/"], &["good1:80", "good2:80", "good3:80"]).await;
        assert_eq!((good.passed, good.requests), (2, 4));
        assert_eq!(
            good.judge(),
            (Finding::Healthy, "it is stable; its 2 live tests passed (4 asked)".to_owned())
        );
    }

    #[tokio::test]
    async fn one_bad_target_among_good_ones_is_found() {
        let (finding, reason) =
            report(&[EACH], &["good1:80", "bad2:81", "good3:80", "bad4:81"]).await.judge();
        assert_eq!(finding, Finding::Unhealthy);
        assert_eq!(
            reason,
            "live test \"c0\" failed 1 of 1 times: GET http://bad2:81/: no answer: connection refused; so did 1 other target"
        );
    }

    #[tokio::test]
    async fn what_cannot_be_asked_is_unmeasured_unless_something_failed() {
        let (finding, reason) = report(&[EACH], &["good1:80", "nowhere:80"]).await.judge();
        assert_eq!(
            (finding, reason.as_str()),
            (Finding::Unmeasured, "live test \"c0\": http://nowhere/: it has no address")
        );
        assert_eq!(report(&[EACH], &["bad1:80", "nowhere:80"]).await.judge().0, Finding::Unhealthy);
    }

    #[tokio::test]
    async fn a_service_without_targets_cannot_be_asked_target_by_target() {
        let (finding, reason) = report(&["http://good/", EACH], &[]).await.judge();
        assert_eq!(finding, Finding::Unmeasured);
        assert_eq!(
            reason,
            "live test \"c1\" asks ${target.address}, and no target of the service has an address of its own"
        );
    }
}
