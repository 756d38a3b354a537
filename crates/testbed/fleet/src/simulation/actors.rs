//! Draws what people, build servers and other hands do.

use serde_json::{Value, json};
use states::Random;

use super::draw::{below, one_of, some};
use super::world::{ALARM, ENVIRONMENTS, REPOSITORIES, SERVICES, document};
use super::{Size, trains};
use crate::fake::{End, RunEnd};
use crate::machine::{Action, Hand, Pushed};

/// How long after one act the next one comes at the latest.
const LONGEST_PAUSE_MS: u64 = 240_000;

/// How long after the last act all environments are resumed.
const LAST_RESUME_MS: i64 = 1_800_000;

/// How late the event of a push may come.
const LATEST_EVENT_MS: u64 = 600_000;

/// Who does what, and when, in milliseconds since 1970.
pub type Acts = Vec<(i64, Action)>;

/// Draws so many acts, each of which may have others in its train.
pub fn draw(random: &mut Random, size: Size, start: i64) -> Acts {
    let (mut acts, mut at, mut releases) = (Vec::new(), start, Vec::new());
    for n in 0..size.actions {
        // Now and then somebody else does something at the very same moment.
        if !some(random, 6) {
            at += below(random, LONGEST_PAUSE_MS);
        }
        let name = format!("r{n}");
        match random.below(20) {
            0..8 => push(random, &name, at, &mut acts),
            8..14 => request(random, &name, at, &releases, &mut acts),
            14..16 => stop(random, &releases, at, &mut acts),
            _ => hand(random, at, &mut acts),
        }
        // Whoever is on call does not leave an environment frozen for long.
        if n % 4 == 3 {
            let resume = asked(json!({"mode": "resume"}), "dev");
            acts.push((at, Action::Start(format!("{name}-resume"), resume)));
        }
        releases.push(name);
    }
    trains::add(&mut Random::new(random.draw()), size.rates.invocations > 0, &mut acts);
    // In the end nothing is left frozen: what a freeze holds would wait for a day.
    let last = acts.iter().map(|(at, _)| *at).max().unwrap_or(at);
    for environment in ENVIRONMENTS {
        let resume = asked(json!({"mode": "resume"}), environment);
        acts.push((last + LAST_RESUME_MS, Action::Start(format!("{environment}-resume"), resume)));
    }
    acts.sort_by_key(|(at, _)| *at);
    acts
}

fn push(random: &mut Random, name: &str, at: i64, acts: &mut Acts) {
    const ENDS: [End; 10] = [
        End::Completes,
        End::Completes,
        End::Completes,
        End::Completes,
        End::Completes,
        End::GivenUp,
        End::SentBack,
        End::Never,
        End::OtherImage,
        End::AnswersBadly,
    ];
    let late = if some(random, 5) { below(random, LATEST_EVENT_MS) } else { 0 };
    let repository = one_of(random, &REPOSITORIES).to_owned();
    let pushed = Pushed {
        name: name.to_owned(),
        repository,
        end: one_of(random, &ENDS),
        run: RunEnd::Passes,
        twice: some(random, 6),
        late,
    };
    let next = |suffix: &str| {
        Action::Push(Pushed {
            name: format!("{name}-{suffix}"),
            end: End::Completes,
            late: 0,
            ..pushed.clone()
        })
    };
    match random.below(8) {
        // Two within one second.
        0 => acts.push((at + below(random, 900), next("too"))),
        // Somebody stops it in the middle, somebody pushes once more, and somebody has the first one go on.
        1 | 2 => {
            let stopped = at + below(random, 60_000);
            acts.push((stopped, Action::Stop(name.to_owned())));
            acts.push((stopped + 20_000, next("next")));
            let later = stopped + 60_000 + below(random, LONGEST_PAUSE_MS);
            acts.push((later, Action::Redrive(name.to_owned())));
        }
        _ => {}
    }
    acts.push((at, Action::Push(pushed)));
}

fn stop(random: &mut Random, releases: &[String], at: i64, acts: &mut Acts) {
    let recent = releases.get(releases.len().saturating_sub(3)..).unwrap_or_default();
    let name = one_of(random, recent);
    acts.push((at, Action::Stop(name.clone())));
    if some(random, 2) {
        acts.push((at + below(random, LONGEST_PAUSE_MS), Action::Redrive(name)));
    }
}

fn request(random: &mut Random, name: &str, at: i64, releases: &[String], acts: &mut Acts) {
    let environment = one_of(random, &["dev", "dev", "dev", "staging", "prod"]);
    // Mostly one of the last; now and then a request that an alert has printed hours ago.
    let recent = if some(random, 4) { 0 } else { releases.len().saturating_sub(4) };
    let release = one_of(random, releases.get(recent..).unwrap_or_default());
    let tags = ["main-0".to_owned(), "main-r1".to_owned(), format!("main-{release}")];
    let image = json!({one_of(random, &REPOSITORIES): one_of(random, &tags)});
    let answer = |random: &mut Random| {
        let mode = one_of(random, &["approve", "approve", "approve", "reject"]);
        let back = usize::try_from(random.below(3)).unwrap_or_default();
        Action::Answer { name: name.to_owned(), mode, back: if back == 2 { 1 } else { 0 } }
    };
    let input = match random.below(18) {
        0 | 1 => json!({"mode": "abort", "release": release, "rollback": !some(random, 3)}),
        2 | 3 => json!({"mode": "rollback", "release": release}),
        4 | 5 => json!({"mode": "rollback"}),
        6 => {
            let later = at + below(random, 4 * LONGEST_PAUSE_MS);
            let resume = asked(json!({"mode": "resume"}), environment);
            acts.push((later, Action::Start(format!("{name}-resume"), resume)));
            json!({"mode": "freeze"})
        }
        7 | 8 => json!({"mode": "resume"}),
        9 => json!({"images": image, "force": true}),
        10 => json!({"images": image, "services": [one_of(random, &SERVICES).0]}),
        11 => json!({"mode": "plan", "images": image}),
        // The same person asks twice, or two people answer.
        12 | 13 => {
            acts.push((at, answer(random)));
            if some(random, 3) {
                acts.push((at + below(random, 5_000), rename(answer(random), &format!("{name}-again"))));
            }
            return;
        }
        _ => {
            let environment = one_of(random, &["staging", "prod"]);
            return acts.push((at, Action::Start(name.to_owned(), asked(json!({}), environment))));
        }
    };
    acts.push((at, Action::Start(name.to_owned(), asked(input, environment))));
}

fn rename(action: Action, to: &str) -> Action {
    match action {
        Action::Answer { mode, back, .. } => Action::Answer { name: to.to_owned(), mode, back },
        other => other,
    }
}

/// Addresses a request to an environment.
pub fn asked(mut request: Value, environment: &str) -> Value {
    request["environment"] = environment.into();
    request["reason"] = "drawn".into();
    request
}

fn hand(random: &mut Random, at: i64, acts: &mut Acts) {
    let environment = one_of(random, &ENVIRONMENTS);
    let (service, repositories) = one_of(random, &SERVICES);
    let service = format!("{environment}/{service}");
    let repository = one_of(random, repositories).to_owned();
    let later = at + below(random, LONGEST_PAUSE_MS);
    let mut does = |at, hand| acts.push((at, Action::Hand(hand)));
    match random.below(18) {
        16 => {
            let operation = one_of(
                random,
                &["ecr.PutImage", "ecs.UpdateService", "ecs.DescribeServices", "dynamodb.TransactWriteItems"],
            );
            does(at, Hand::Slow(operation, 9_000));
            does(later, Hand::Slow(operation, 0));
        }
        17 => acts.push((at, Action::Bypass)),
        0 | 1 => {
            does(at, Hand::Deploy(service, repository));
            if some(random, 3) {
                let back = asked(json!({"mode": "rollback"}), environment);
                acts.push((later, Action::Start(format!("back-{}", later / 1000), back)));
            }
        }
        2 | 3 => does(at, Hand::Force(service)),
        4 | 5 => does(at, Hand::Infrastructure(service)),
        6 => {
            does(at, Hand::Scale(service.clone(), 0));
            does(later, Hand::Scale(service, 2));
        }
        7 if some(random, 3) => does(at, Hand::Delete(service)),
        7 | 8 => {
            let name = format!("/tidegate/environments/{environment}");
            let changed = document(environment, random).to_string();
            does(
                at,
                Hand::Store(name.clone(), one_of(random, &["{", "{\"cluster\": 1}", &changed]).to_owned()),
            );
            does(later, Hand::Store(name, changed));
        }
        9 => {
            let (tag, other) =
                one_of(random, &[("dev", "main-0"), ("prod", "dev"), ("tidegate.dev.a.live", "main-0")]);
            does(at, Hand::Tag(repository, tag.to_owned(), other.to_owned()));
        }
        10..13 => does(at, Hand::Expire(repository, one_of(random, &[1, 2, 3]))),
        13 | 14 => {
            does(at, Hand::Alarm(ALARM.to_owned(), true));
            does(later, Hand::Alarm(ALARM.to_owned(), false));
        }
        _ => does(at, one_of(random, &[Some(Hand::Annotate), Some(Hand::Older)]).unwrap_or(Hand::Annotate)),
    }
}
