//! A history: what somebody does in a world that a seed has drawn, and the shortest part of it that still breaks a promise.

use pipeline::Fault;
use states::Random;
use tokio::runtime::Builder;

use super::{Played, START_MS, Size, actors, play, world};
use crate::fake::Fake;
use crate::machine::Action;
use crate::machine::faults::Rates;

/// A history that can be played, as often as one likes and always the same.
#[derive(Clone, Debug)]
pub struct History {
    /// What draws the world, the order of what happens at one moment, and the faults.
    pub seed: u64,
    /// How often something goes wrong.
    pub rates: Rates,
    /// Who does what, and when, in milliseconds since 1970.
    pub acts: Vec<(i64, Action)>,
}

impl History {
    /// Draws a history.
    pub fn draw(seed: u64, size: Size) -> Self {
        let mut random = Random::new(seed ^ 0x5EED);
        world::build(&Fake::default(), &mut random);
        History { seed, rates: size.rates, acts: actors::draw(&mut random, size, START_MS) }
    }

    /// Plays it to its rest, by a clock of its own.
    pub fn play(&self) -> Result<Played, Fault> {
        let fake = Fake::default();
        fake.open().now = START_MS;
        world::build(&fake, &mut Random::new(self.seed ^ 0x5EED));
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.map_err(|error| Fault::Defect(error.to_string()))?.block_on(play(fake, self))
    }

    /// Returns the shortest history that can be found in it and still breaks a promise, whichever; it has to break one.
    pub fn shortest(&self) -> Result<Self, Fault> {
        let mut shortest = self.clone();
        let calm = History { rates: Rates::default(), ..self.clone() };
        if calm.breaks()? {
            shortest = calm;
        }
        let mut some = shortest.acts.len().div_ceil(2);
        while some > 0 {
            let mut from = 0;
            while from < shortest.acts.len() {
                let mut fewer = shortest.clone();
                fewer.acts.drain(from..(from + some).min(shortest.acts.len()));
                match fewer.breaks()? {
                    true => shortest = fewer,
                    false => from += some,
                }
            }
            some /= 2;
        }
        Ok(shortest)
    }

    fn breaks(&self) -> Result<bool, Fault> {
        Ok(!self.play()?.broken.is_empty())
    }
}
