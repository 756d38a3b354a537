//! One round of live tests: every check that is due, against every address that it asks.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};
use pack::kind::http::Request;
use pack::standing::Outcome;
use pack::values::ATTEMPT;
use pack::{Check, Kind, Pack};

use crate::ask::{Asked, End, ask};
use crate::places::{Behind, Place, Places};
use crate::probe::{ProbeResult, Web};
use crate::secrets::Secrets;
use crate::tests_row::TestsRow;
use crate::values::Known;

/// How many requests are under way at once.
const AT_ONCE: usize = 16;

/// How long the live tests of one poll may take; well below the function's own time-out.
const BUDGET: Duration = Duration::from_secs(10);

/// What came of the checks that were asked: what it says, and what it has shown.
pub type Rounds = BTreeMap<String, (Outcome, String)>;

/// What one round asks, and with what.
pub struct Round<'a> {
    /// All live tests.
    pub pack: &'a Pack,
    /// What is known of the move.
    pub known: &'a Known,
    /// Where they are asked.
    pub places: &'a Places,
    /// The secrets of the checks that are due.
    pub secrets: &'a Secrets,
}

/// What came of each ask of one round.
pub struct RoundAsked(Vec<(String, Asking)>);

/// What came of one check.
enum Asking {
    /// It was asked at these tasks, or elsewhere.
    At(Vec<(Option<Behind>, Asked)>),
    /// It was seen without asking, or could not be asked.
    Said(Outcome, String),
}

impl Round<'_> {
    /// Asks the checks that are due.
    pub async fn ask(&self, due: &[&Check], web: &impl Web, poll: u32) -> RoundAsked {
        let end = Instant::now() + BUDGET;
        let send = async |request: &Request| {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return ProbeResult::Nothing("no time was left for it in this poll".to_owned());
            }
            web.ask(request, left).await
        };
        let mut round = Vec::new();
        for check in due {
            if Instant::now() >= end {
                // Their turn comes first in the next poll.
                break;
            }
            let asking = match self.at_each(check, poll) {
                // The poll has seen them before it came here.
                _ if matches!(check.kind, Kind::Targets(_)) => {
                    Asking::Said(Outcome::Passed, "all targets of its tasks are healthy".to_owned())
                }
                Ok(each) => {
                    let asking = each.into_iter().map(async |Place { task, values, .. }| {
                        let asked = match values {
                            Ok(values) => ask(check, values, self.secrets, &send).await,
                            Err(why) => Asked::not(End::Nothing(why)),
                        };
                        (task, asked)
                    });
                    Asking::At(stream::iter(asking).buffered(AT_ONCE).collect().await)
                }
                Err(why) => Asking::Said(Outcome::Unmeasured, why),
            };
            round.push((check.name.clone(), asking));
        }
        RoundAsked(round)
    }

    /// Returns the places and the values for each ask of a check, or why it cannot be asked.
    fn at_each(&self, check: &Check, poll: u32) -> Result<Vec<Place>, String> {
        let Known { values, attempt } = self.known;
        let values = self.secrets.add(check, values.clone().or(self.pack.values()))?;
        let places = self.places.of_check(check)?.into_iter().map(|place| {
            // The same where a poll is repeated: what was asked then is asked again, and is not another attempt.
            let attempt = format!("{attempt}.{}.{poll}.{}", check.name, place.name);
            let values = place.values.map(|own| values.clone().or(own).with(ATTEMPT, attempt));
            Place { values, ..place }
        });
        Ok(places.collect())
    }
}

impl RoundAsked {
    /// Returns the tasks at which something did not pass: they may be gone by now.
    pub fn doubtful(&self) -> BTreeSet<Behind> {
        let all = self.0.iter().flat_map(|(_, asking)| match asking {
            Asking::At(asked) => asked.as_slice(),
            Asking::Said(..) => &[],
        });
        all.filter(|(_, asked)| asked.end != End::Passed).filter_map(|(task, _)| task.clone()).collect()
    }

    /// Returns what the checks come to without the tasks that have ended meanwhile.
    pub fn rounds(self, gone: &BTreeSet<Behind>, row: &mut TestsRow) -> Rounds {
        let rounds = self.0.into_iter().map(|(check, asking)| {
            let said = match asking {
                Asking::Said(outcome, text) => (outcome, text),
                Asking::At(asked) => {
                    let stays = |(task, asked): &(Option<Behind>, Asked)| {
                        asked.end == End::Passed || task.as_ref().is_none_or(|task| !gone.contains(task))
                    };
                    let asked: Vec<Asked> = asked.into_iter().filter(stays).map(|(_, asked)| asked).collect();
                    outcome(&asked, row)
                }
            };
            (check, said)
        });
        rounds.collect()
    }
}

/// Says what a round comes to over all its addresses, and what it has shown.
fn outcome(asked: &[Asked], row: &mut TestsRow) -> (Outcome, String) {
    for socket in asked.iter().flat_map(|one| &one.connected) {
        row.remember(socket.clone());
    }
    // A way that was open once is no riddle any more: it is the service that cannot be connected to.
    let ends = asked.iter().map(|one| match &one.end {
        End::Passed => (Outcome::Passed, String::new()),
        End::Failed(mistake) => (Outcome::Failed, mistake.clone()),
        End::Unreached { socket, asked, why } if row.answered.contains(socket) => {
            (Outcome::Failed, format!("{asked}: {why}, and it was connected to before"))
        }
        End::Unreached { asked, why, .. } => (Outcome::Unmeasured, format!("{asked}: {why}")),
        End::Nothing(why) => (Outcome::Unmeasured, why.clone()),
    });
    let ends: Vec<(Outcome, String)> = ends.collect();
    if ends.is_empty() {
        return (Outcome::Unmeasured, "all the tasks that it asked have ended meanwhile".to_owned());
    }
    let outcome = Outcome::over(ends.iter().map(|(outcome, _)| *outcome));
    if outcome == Outcome::Passed {
        let slowest = asked.iter().map(|one| one.took).max().unwrap_or_default().as_millis();
        return (outcome, format!("as expected at {}, in {slowest} ms at most", addresses(asked.len())));
    }
    let alike: Vec<&String> = ends.iter().filter(|(one, _)| *one == outcome).map(|(_, text)| text).collect();
    let first = alike.first().map(|text| text.as_str()).unwrap_or_default();
    let others = match alike.len().saturating_sub(1) {
        0 => String::new(),
        more => format!("; {} more did not pass either", addresses(more)),
    };
    (outcome, format!("{first}{others}"))
}

fn addresses(count: usize) -> String {
    if count == 1 { "1 address".to_owned() } else { format!("{count} addresses") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::places::Proven;
    use crate::probe::Answer;
    use pack::Phase;
    use pack::judge::Judgement;
    use pack::policy::Policy;
    use pipeline::clock::Timestamp;

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
                host if host.starts_with("good") || host == "10.0.0.1/" => ProbeResult::Answer(Answer {
                    status: 200,
                    headers: vec![],
                    body: String::new(),
                    cut: false,
                    took: Duration::from_millis(7),
                }),
                host if host.starts_with("bad") || host == "10.0.0.2/" => {
                    ProbeResult::NoAnswer("no answer: connection refused".to_owned())
                }
                host if host.starts_with("far") => {
                    ProbeResult::Unreached("no connection within 3000 ms".to_owned())
                }
                _ => ProbeResult::Nothing("it has no address".to_owned()),
            }
        }
    }

    fn begun() -> TestsRow {
        let at = Timestamp::from_millis(0);
        TestsRow::begun(Phase::Live, at, at.plus_seconds(900))
    }

    /// Asks a check at each address, and returns what it comes to and what it shows.
    async fn asked(url: &str, addresses: &[&str], row: &mut TestsRow) -> (Outcome, String) {
        let text =
            format!(r#"{{"checks":[{{"name":"c","http":{{"url":"{url}"}},"attempts":9,"passes":5}}]}}"#);
        let pack = Pack::read("pack", &text).unwrap();
        let targets = addresses.iter().map(|address| (*address).to_owned()).collect();
        let places = &Places::at(Proven { targets, ..Proven::default() });
        let (known, secrets) = (Known::default(), Secrets::default());
        let round = Round { pack: &pack, known: &known, places, secrets: &secrets };
        let due: Vec<&Check> = pack.of(Phase::Live).collect();
        let poll = row.standing.look + 1;
        let rounds = round.ask(&due, &Hosts, poll).await.rounds(&BTreeSet::new(), row);
        row.count(&pack, poll, rounds, Timestamp::from_millis(0));
        let shown = &row.transcript["c"].last;
        (shown.outcome, shown.text.clone())
    }

    const EACH: &str = "http://${target.address}/";

    #[tokio::test]
    async fn every_target_is_asked_and_a_plain_url_once() {
        let good = &["good1:80", "good2:80", "good3:80"];
        let passed = |at: &str| (Outcome::Passed, format!("as expected at {at}, in 7 ms at most"));
        assert_eq!(asked(EACH, good, &mut begun()).await, passed("3 addresses"));
        assert_eq!(asked("http://good/", good, &mut begun()).await, passed("1 address"));
    }

    #[tokio::test]
    async fn one_bad_target_among_good_ones_is_found() {
        let text = "GET http://bad2:81/: no answer: connection refused; 1 address more did not pass either";
        let found = asked(EACH, &["good1:80", "bad2:81", "good3:80", "bad4:81"], &mut begun()).await;
        assert_eq!(found, (Outcome::Failed, text.to_owned()));
    }

    #[tokio::test]
    async fn what_cannot_be_asked_is_unmeasured_unless_something_failed() {
        let text = "GET http://nowhere/: it has no address";
        let found = asked(EACH, &["good1:80", "nowhere:80"], &mut begun()).await;
        assert_eq!(found, (Outcome::Unmeasured, text.to_owned()));
        assert_eq!(asked(EACH, &["bad1:80", "nowhere:80"], &mut begun()).await.0, Outcome::Failed);
        let (outcome, text) = asked(EACH, &[], &mut begun()).await;
        assert_eq!(outcome, Outcome::Unmeasured);
        assert_eq!(text, "it asks ${target.address}, and no target of the service has an address");
    }

    #[tokio::test]
    async fn a_task_that_has_ended_since_is_not_held_against_the_service() {
        let text = r#"{"checks":[{"name":"c","http":{"url":"http://${task.ip}/"}}]}"#;
        let pack = Pack::read("pack", text).unwrap();
        let [first, second] = ["10.0.0.1", "10.0.0.2"].map(|address| address.parse().unwrap());
        let (good, bad) = (Behind::Address(first), Behind::Address(second));
        let places = &Places::at(Proven { tasks: vec![first, second], ..Proven::default() });
        let (known, secrets) = (Known::default(), Secrets::default());
        let round = Round { pack: &pack, known: &known, places, secrets: &secrets };
        let due: Vec<&Check> = pack.of(Phase::Live).collect();
        for (gone, expected, said) in [
            ([].into(), Outcome::Failed, "GET http://10.0.0.2/: no answer: connection refused"),
            ([bad.clone()].into(), Outcome::Passed, "as expected at 1 address, in 7 ms at most"),
            ([good].into(), Outcome::Failed, "GET http://10.0.0.2/: no answer: connection refused"),
        ] {
            let asked = round.ask(&due, &Hosts, 1).await;
            assert_eq!(asked.doubtful(), [bad.clone()].into());
            assert_eq!(asked.rounds(&gone, &mut begun())["c"], (expected, said.to_owned()));
        }
        let places = &Places::at(Proven { tasks: vec![second], ..Proven::default() });
        let asked = Round { places, ..round }.ask(&due, &Hosts, 1).await;
        let (outcome, said) = asked.rounds(&[bad].into(), &mut begun())["c"].clone();
        assert_eq!(
            (outcome, &*said),
            (Outcome::Unmeasured, "all the tasks that it asked have ended meanwhile")
        );
    }

    #[tokio::test]
    async fn an_address_that_was_never_connected_to_is_unmeasured_and_a_failure_afterwards() {
        let mut row = begun();
        let far = asked(EACH, &["good1:80", "far2:80"], &mut row).await;
        let text = "GET http://far2/: no connection within 3000 ms";
        assert_eq!(far, (Outcome::Unmeasured, text.to_owned()));
        // What refuses a connection is there, and so is what answers badly.
        asked(EACH, &["bad3:80"], &mut row).await;
        assert_eq!(row.answered, ["bad3:80", "good1:80"].map(str::to_owned).into());
        row.answered = ["far2:80".to_owned()].into();
        let (outcome, text) = asked(EACH, &["good1:80", "far2:80"], &mut row).await;
        assert_eq!(outcome, Outcome::Failed);
        assert!(text.ends_with("http://far2/: no connection within 3000 ms, and it was connected to before"));
        // Another port is another way.
        assert_eq!(asked(EACH, &["far2:81"], &mut row).await.0, Outcome::Unmeasured);
    }

    #[tokio::test]
    async fn the_first_failure_is_shown_for_as_long_as_the_row_is_kept() {
        let mut row = begun();
        asked(EACH, &["bad1:80"], &mut row).await;
        asked(EACH, &["bad2:80"], &mut row).await;
        asked(EACH, &["good3:80"], &mut row).await;
        let shown = &row.transcript["c"];
        assert!(shown.first_failure.as_ref().unwrap().text.contains("http://bad1"), "{shown:?}");
        assert_eq!((row.standing.checks["c"].failed, row.standing.look), (2, 3));
        let pack = Pack::read("pack", r#"{"checks":[{"name":"c","http":{"url":"http://a/"}}]}"#).unwrap();
        assert!(matches!(row.judge(&pack, Timestamp::from_millis(0)), Judgement::Unhealthy { .. }));
    }
}
