//! Draws what people and build servers do.

use serde_json::{Value, json};
use states::Random;

use crate::cluster::{NAME, Placed};
use crate::fake::End;
use crate::machine::{Action, Pushed};

/// How long after one act the next one comes at the latest.
const LONGEST_PAUSE_MS: u64 = 240_000;

/// What was drawn.
pub struct Drawn {
    /// The document of the environment.
    pub policy: Value,
    /// Who does what, and when.
    pub acts: Vec<(i64, Action)>,
    /// From when on nothing goes wrong any more.
    pub calm: i64,
}

/// Draws so many acts from a seed.
pub fn draw(seed: u64, actions: u64, start: i64, placed: &[Placed]) -> Drawn {
    let mut random = Random::new(seed ^ 0x5EED);
    let on_failure = pick(&mut random, &["undo-all", "undo-all", "undo-failed", "freeze"]);
    let waves = pick(&mut random, &[json!([]), json!([["a"]]), json!([["a"], ["b"]])]);
    let policy = json!({
        "cluster": NAME, "tag": NAME, "deployOn": ["main-*"], "waves": waves, "concurrency": 2,
        "bakeSeconds": pick(&mut random, &[0, 30, 90]), "onFailure": on_failure, "maxWaitMinutes": 30
    });
    let (mut acts, mut at, mut releases) = (Vec::new(), start, Vec::new());
    for n in 0..actions {
        at += i64::try_from(random.below(LONGEST_PAUSE_MS)).unwrap_or_default();
        let name = format!("r{n}");
        let act = act(&mut random, &name, placed, &releases);
        if let Action::Push(_) | Action::Start(..) = act {
            releases.push(name.clone());
        }
        if let Action::Push(pushed) = &act
            && random.below(4) == 0
        {
            // Somebody stops it in the middle, somebody pushes once more, and somebody has the first one go on.
            let stopped = at + i64::try_from(random.below(60_000)).unwrap_or_default();
            let next = Pushed { name: format!("{name}-next"), end: End::Completes, ..pushed.clone() };
            let later = stopped + 60_000 + i64::try_from(random.below(LONGEST_PAUSE_MS)).unwrap_or_default();
            acts.push((stopped, Action::Stop(name.clone())));
            acts.push((stopped + 20_000, Action::Push(next)));
            acts.push((later, Action::Redrive(name.clone())));
        }
        acts.push((at, act));
    }
    acts.sort_by_key(|(at, _)| *at);
    Drawn { policy, acts, calm: at }
}

fn act(random: &mut Random, name: &str, placed: &[Placed], releases: &[String]) -> Action {
    let start = |input: Value| Action::Start(name.to_owned(), input);
    let earlier = pick(random, releases.get(releases.len().saturating_sub(4)..).unwrap_or_default());
    let one = pick(random, placed);
    match (random.below(20), earlier) {
        (0 | 1, Some(release)) => Action::Stop(release),
        (2, Some(release)) => start(ask(json!({"mode": "abort", "release": release}))),
        (3, Some(release)) => start(ask(json!({"mode": "rollback", "release": release}))),
        (4, _) => start(ask(json!({"mode": "rollback"}))),
        (5, _) if random.below(2) == 0 => start(ask(json!({"mode": "freeze"}))),
        (5..=7, _) => start(ask(json!({"mode": "resume"}))),
        (8, _) => one.map_or_else(|| start(json!({})), Action::Overtake),
        (9, _) => start(ask(json!({"images": {"shop/a": "main-0"}, "force": true}))),
        _ => {
            const ENDS: [End; 8] = [
                End::Completes,
                End::Completes,
                End::Completes,
                End::Completes,
                End::GivenUp,
                End::SentBack,
                End::Never,
                End::OtherImage,
            ];
            let repository = one.map(|one| one.repository).unwrap_or_default();
            let end = pick(random, &ENDS).unwrap_or_default();
            let twice = random.below(6) == 0;
            Action::Push(Pushed { name: name.to_owned(), repository, end, twice })
        }
    }
}

fn ask(mut request: Value) -> Value {
    request["environment"] = NAME.into();
    request["reason"] = "drawn".into();
    request
}

fn pick<T: Clone>(random: &mut Random, all: &[T]) -> Option<T> {
    let drawn = usize::try_from(random.below(all.len() as u64)).unwrap_or_default();
    all.get(drawn).cloned()
}
