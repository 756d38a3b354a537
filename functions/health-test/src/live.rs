//! Runs a service's live tests once: every check against every target, and what that means over several state.

use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};
use pack::kind::http::Request;
use pack::{Check, Each, Pack, Phase, Values};

use crate::ask::{Asked, End, ask};
use crate::finding::Finding;
use crate::poll_state::PollState;
use crate::probe::{ProbeResult, Web};
use crate::values::Known;

/// The variable that stands for each target of our tasks.
const ADDRESS: &str = "${target.address}";

/// How many requests are under way at once.
const AT_ONCE: usize = 16;

/// How long the live tests of one poll may take; well below the function's own time-out.
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
    /// Why the live tests were left out, if they were.
    pub left_out: Option<String>,
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
            0 => (Finding::Healthy, self.untested()),
            1 => (Finding::Healthy, format!("it is stable; its live test passed ({} asked)", self.requests)),
            n => (
                Finding::Healthy,
                format!("it is stable; its {n} live tests passed ({} asked)", self.requests),
            ),
        }
    }
}

impl Report {
    /// Makes the report of live tests that were left out.
    pub fn without(why: String) -> Self {
        Report { left_out: Some(why), ..Report::default() }
    }

    fn untested(&self) -> String {
        match &self.left_out {
            Some(why) => format!("it is stable; its live tests were left out: {why}"),
            None => "it is stable; no live tests are configured".to_owned(),
        }
    }
}

impl Failed {
    fn sentence(&self) -> String {
        let Failed { name, times, attempts, transcript, .. } = self;
        format!("live test {name:?} failed {times} of {attempts} times: {transcript}")
    }
}

/// Runs every check; `known` are the values of this move, and `state` knows, from poll to poll, how often each check has
/// failed and which addresses answered.
pub async fn run(
    pack: &Pack,
    known: &Known,
    addresses: &[String],
    web: &impl Web,
    state: &mut PollState,
) -> Report {
    let end = Instant::now() + BUDGET;
    let send = async |request: &Request| {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return ProbeResult::Nothing("no time was left for it in this poll".to_owned());
        }
        web.ask(request, left).await
    };
    let known = Known { values: known.values.clone().or(pack.values()), ..known.clone() };
    let mut report = Report::default();
    for check in pack.of(Phase::Live) {
        let each = match at_each(check, &known, addresses, state.count) {
            Ok(each) => each,
            Err(why) => {
                report.unmeasured.push(why);
                continue;
            }
        };
        let asking = stream::iter(each).map(|values| ask(check, values, &send)).buffered(AT_ONCE);
        let asked: Vec<Asked> = asking.collect().await;
        report.requests += asked.iter().map(|one| one.requests).sum::<usize>();
        report.add(check, &asked, state);
    }
    report
}

/// Returns the values for each ask of a check, or why it cannot be asked.
///
/// A load balancer would answer from one target at random, so each is asked.
fn at_each(check: &Check, known: &Known, addresses: &[String], poll: u32) -> Result<Vec<Values>, String> {
    let name = &check.name;
    if check.kind.requests().is_empty() {
        return Err(format!("live test {name:?} cannot be asked yet: it is a {}", check.kind.as_str()));
    }
    // The same where a poll is repeated: what was asked then is asked again, and is not another attempt.
    let attempt =
        |at: &str| known.values.clone().with("attempt.id", format!("{}.{name}.{poll}.{at}", known.attempt));
    Ok(match check.each {
        Each::Once => vec![attempt("once")],
        Each::Target if addresses.is_empty() => {
            return Err(format!(
                "live test {name:?} asks {ADDRESS}, and no target of the service has an address of its own"
            ));
        }
        Each::Target | Each::Task => addresses
            .iter()
            .map(|address| attempt(address).with("target.address", address.as_str()))
            .collect(),
    })
}

impl Report {
    fn add(&mut self, check: &Check, asked: &[Asked], state: &mut PollState) {
        for socket in asked.iter().flat_map(|one| &one.connected) {
            state.remember(socket.clone());
        }
        // A way that was open once is no riddle any more: it is the service that cannot be connected to.
        let was_open = |socket: &str| state.answered.contains(socket);
        let mistakes = asked.iter().filter_map(|one| match &one.end {
            End::Failed(mistake) => Some(mistake.clone()),
            End::Unreached { socket, asked, why } if was_open(socket) => {
                Some(format!("{asked}: {why}, and it was connected to before"))
            }
            End::Passed | End::Unreached { .. } | End::Nothing(_) => None,
        });
        let mistakes: Vec<String> = mistakes.collect();
        if let Some(first) = mistakes.first() {
            let times = state.failed.entry(check.name.clone()).or_default();
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
                interval: u32::try_from(check.interval(Phase::Live).whole_seconds())
                    .unwrap_or(u32::MAX)
                    .max(1),
                transcript: format!("{first}{others}"),
            });
            return;
        }
        let nothing = asked.iter().find_map(|one| match &one.end {
            End::Unreached { asked, why, .. } => Some(format!("{asked}: {why}")),
            End::Nothing(why) => Some(why.clone()),
            End::Passed | End::Failed(_) => None,
        });
        match nothing {
            Some(why) => self.unmeasured.push(format!("live test {:?}: {why}", check.name)),
            None => self.passed += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::Answer;
    use pack::policy::Policy;

    /// Answers with what the host of the URL says.
    struct Hosts;

    impl Web for Hosts {
        fn policy(&self) -> Policy {
            Policy::default()
        }
        async fn connect(&self, _: &str, _: u16, _: Duration) -> Result<(), String> {
            Ok(())
        }
        async fn ask(&self, request: &Request, _: Duration) -> ProbeResult {
            match request.url.split("//").nth(1).unwrap() {
                host if host.starts_with("good") => ProbeResult::Answer(Answer {
                    status: 200,
                    headers: vec![],
                    body: String::new(),
                    cut: false,
                    took: Duration::ZERO,
                }),
                host if host.starts_with("bad") => {
                    ProbeResult::NoAnswer("no answer: connection refused".to_owned())
                }
                host if host.starts_with("far") => {
                    ProbeResult::Unreached("no connection within 3000 ms".to_owned())
                }
                _ => ProbeResult::Nothing("it has no address".to_owned()),
            }
        }
    }

    async fn report(urls: &[&str], addresses: &[&str]) -> Report {
        after(urls, addresses, &mut PollState::default()).await
    }

    async fn after(urls: &[&str], addresses: &[&str], state: &mut PollState) -> Report {
        let checks = urls.iter().enumerate();
        let checks: Vec<String> =
            checks.map(|(n, url)| format!(r#"{{"name":"c{n}","http":{{"url":"{url}"}}}}"#)).collect();
        let pack = Pack::read("pack", &format!(r#"{{"checks":[{}]}}"#, checks.join(","))).unwrap();
        let addresses: Vec<String> = addresses.iter().map(|address| (*address).to_owned()).collect();
        run(&pack, &Known::default(), &addresses, &Hosts, state).await
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
            (Finding::Unmeasured, "live test \"c0\": GET http://nowhere/: it has no address")
        );
        assert_eq!(report(&[EACH], &["bad1:80", "nowhere:80"]).await.judge().0, Finding::Unhealthy);
    }

    #[tokio::test]
    async fn an_address_that_was_never_connected_to_is_unmeasured_and_a_failure_afterwards() {
        let mut state = PollState::default();
        let (finding, reason) = after(&[EACH], &["good1:80", "far2:80"], &mut state).await.judge();
        assert_eq!(
            (finding, reason.as_str()),
            (Finding::Unmeasured, "live test \"c0\": GET http://far2/: no connection within 3000 ms")
        );
        // What refuses a connection is there, and so is what answers badly.
        after(&[EACH], &["bad3:80"], &mut state).await;
        assert_eq!(state.answered, ["bad3:80", "good1:80"].map(str::to_owned).into());
        state.answered = ["far2:80".to_owned()].into();
        let (finding, reason) = after(&[EACH], &["good1:80", "far2:80"], &mut state).await.judge();
        assert_eq!(finding, Finding::Unhealthy);
        assert!(
            reason.ends_with("http://far2/: no connection within 3000 ms, and it was connected to before")
        );
        // Another port is another way.
        assert_eq!(after(&[EACH], &["far2:81"], &mut state).await.judge().0, Finding::Unmeasured);
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
