//! What is due, and when.

use std::collections::{BTreeMap, VecDeque};

use serde_json::Value;
use states::{Event, Random};
use tokio::sync::oneshot;

use super::Action;
use super::call::Begun;
use crate::fake::{Answer, Asked};

/// One thing that is due.
pub enum Due {
    /// Somebody acts.
    Act(Action),
    /// An execution is told something.
    Tell(u64, Event),
    /// A function begins.
    Begin(Box<Begun>),
    /// A function can go on.
    Poll(u64),
    /// A function has had all the time that it may have.
    Kill(u64),
    /// A call of this function reaches AWS.
    Ask(u64, Box<Asked>),
    /// A call that its function has given up reaches AWS.
    Late(u64, String, Value),
    /// Its answer reaches the function.
    Reply(oneshot::Sender<Answer>, Answer),
    /// A write of the state machine itself reaches AWS.
    Write {
        /// Whose.
        execution: u64,
        /// By which its end is told.
        ticket: u64,
        /// What.
        input: Value,
    },
}

/// All of it.
#[derive(Default)]
pub struct Agenda {
    due: BTreeMap<i64, VecDeque<Due>>,
    random: Option<Random>,
}

impl Agenda {
    /// Has a seed draw what comes first of what is due at the same moment; otherwise that is what was added first.
    pub fn seed(&mut self, seed: u64) {
        self.random = Some(Random::new(seed));
    }

    pub fn add(&mut self, at: i64, due: Due) {
        self.due.entry(at).or_default().push_back(due);
    }

    /// Takes one of the things that are due first, if they are due now.
    pub fn draw(&mut self, now: i64) -> Option<Due> {
        let mut first = self.due.first_entry().filter(|first| *first.key() <= now)?;
        let all = first.get_mut();
        let due = match &mut self.random {
            Some(random) => {
                let drawn = random.below(all.len() as u64);
                all.swap_remove_back(usize::try_from(drawn).unwrap_or_default())
            }
            None => all.pop_front(),
        };
        if all.is_empty() {
            first.remove();
        }
        due
    }

    /// Returns when something is due next.
    pub fn next(&self) -> Option<i64> {
        self.due.first_key_value().map(|(at, _)| *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(seed: Option<u64>) -> Vec<u64> {
        let mut agenda = Agenda::default();
        seed.into_iter().for_each(|seed| agenda.seed(seed));
        for n in 0..20 {
            agenda.add(if n < 10 { 5 } else { 3 }, Due::Poll(n));
        }
        assert!(agenda.draw(2).is_none() && agenda.next() == Some(3));
        let drawn = std::iter::from_fn(|| agenda.draw(5)).map(|due| match due {
            Due::Poll(n) => n,
            _ => u64::MAX,
        });
        drawn.collect()
    }

    #[test]
    fn what_is_due_first_comes_first_and_the_seed_draws_the_rest() {
        let order = drawn(Some(1));
        assert!(order[..10].iter().all(|n| *n >= 10) && order[10..].iter().all(|n| *n < 10), "{order:?}");
        assert_eq!(order, drawn(Some(1)));
        assert_ne!(order, drawn(Some(2)));
        assert_eq!(drawn(None), (10..20).chain(0..10).collect::<Vec<_>>());
    }
}
