//! Single words: identifiers, moments and lengths of time.

use pack::Span;
use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::ids::{
    DeploymentId, Digest, EnvironmentName, PackHash, Registry, ReleaseId, Repository, ServiceName, Tag,
    TaskDefinitionArn,
};
use pipeline::rows::OrderKey;

use super::{Body, Outcome, outcome};
use crate::{World, promises};

/// An identifier of any kind.
pub const IDENTIFIER: Body = Body { name: "identifier", share: 2000, samples: identifiers, play: identifier };

/// A moment, and its place among others.
pub const MOMENT: Body = Body { name: "moment", share: 2000, samples: moments, play: moment };

/// A length of time in a pack.
pub const SPAN: Body = Body { name: "span", share: 2000, samples: spans, play: span };

fn identifiers() -> Vec<String> {
    let hexadecimal = "0a".repeat(32);
    [
        &format!("sha256:{hexadecimal}"),
        hexadecimal.as_str(),
        "main-1a2b3c",
        "shop/users",
        "123456789012",
        "prod-2",
        "users_api",
        "r.1-2_3",
        "ecs-svc/5682cfac8271415498ff",
        "arn:aws:ecs:eu-west-1:123456789012:task-definition/users:7",
    ]
    .map(str::to_owned)
    .into()
}

/// Whatever kind takes a text, it keeps it as it is; and it is short, of one line, and of plain characters.
fn identifier(_: &World, text: &str) -> Outcome {
    let kinds: [(Result<String, Fault>, usize); 10] = [
        (Digest::parse(text).map(String::from), 71),
        (PackHash::parse(text).map(String::from), 64),
        (Tag::parse(text).map(String::from), 128),
        (Repository::parse(text).map(String::from), 256),
        (Registry::parse(text).map(String::from), 12),
        (EnvironmentName::parse(text).map(String::from), 32),
        (ServiceName::parse(text).map(String::from), 255),
        (ReleaseId::parse(text).map(String::from), 80),
        (DeploymentId::parse(text).map(String::from), 255),
        (TaskDefinitionArn::parse(text).map(String::from), 512),
    ];
    let mut accepted = Outcome::Refused;
    for (kind, most) in kinds {
        match kind {
            Ok(kept) => {
                assert_eq!(kept, text);
                assert!((1..=most).contains(&text.len()), "{} characters: {text:.200}", text.len());
                assert!(text.bytes().all(|byte| byte.is_ascii_graphic()), "{text:?}");
                accepted = Outcome::Accepted;
            }
            Err(fault) => {
                promises::fault(&fault);
                assert!(
                    fault.to_string().contains(": expected ") && fault.to_string().len() < 1200,
                    "{fault}"
                );
            }
        }
    }
    accepted
}

fn moments() -> Vec<String> {
    [
        "2026-11-23T10:00:00.25Z",
        "2026-11-23T10:00:00+01:30",
        "1970-01-01T00:00:00Z",
        "9999-12-31T23:59:59.999Z",
    ]
    .map(str::to_owned)
    .into()
}

/// A moment is written as it is read, and keys of pushes are ordered as their moments are.
fn moment(_: &World, text: &str) -> Outcome {
    let read = Timestamp::parse(text);
    match &read {
        Ok(moment) => {
            assert_eq!(Timestamp::parse(&moment.to_string()).as_ref(), Ok(moment), "{text}");
            let digest = Digest::any();
            let key = |moment| OrderKey::new(moment, moment, digest.as_ref());
            // What is said to be older than 1970 is all of one age.
            let age = |moment: Timestamp| moment.millis().max(0);
            for other in [0, 1, 1_795_428_010_000, moment.millis() + 1, moment.millis() - 1] {
                let other = Timestamp::from_millis(other);
                let (own, others) = (key(*moment), key(other));
                assert_eq!(
                    own.as_str().cmp(others.as_str()),
                    age(*moment).cmp(&age(other)),
                    "{text} {other}"
                );
            }
        }
        Err(fault) => {
            promises::fault(fault);
            assert!(fault.to_string().ends_with(": expected RFC 3339"), "{fault}");
        }
    }
    outcome(&read)
}

fn spans() -> Vec<String> {
    ["500ms", "2s", "1m", "0ms", "4294967295m"].map(str::to_owned).into()
}

/// A span is a number with its unit, and no more.
fn span(_: &World, text: &str) -> Outcome {
    let read = Span::try_from(text.to_owned());
    match &read {
        Ok(Span(length)) => {
            let digits = text.chars().take_while(char::is_ascii_digit).count();
            let (number, unit) = text.split_at(digits);
            let number: u128 = number.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
            let unit = [("ms", 1), ("s", 1000), ("m", 60_000)].into_iter().find(|(name, _)| *name == unit);
            assert_eq!(
                unit.map(|(_, milliseconds)| number * milliseconds),
                Some(length.as_millis()),
                "{text}"
            );
        }
        Err(fault) => {
            promises::fault(fault);
            assert!(fault.to_string().ends_with(": expected one like 500ms, 2s or 1m"), "{fault}");
        }
    }
    outcome(&read)
}
