//! How things are drawn.

use states::Random;

/// Draws one of several; of none, the default.
pub fn one_of<T: Clone + Default>(random: &mut Random, all: &[T]) -> T {
    let drawn = usize::try_from(random.below(all.len() as u64)).unwrap_or_default();
    all.get(drawn).cloned().unwrap_or_default()
}

/// Draws yes once in so many times.
pub fn some(random: &mut Random, times: u64) -> bool {
    random.below(times) == 0
}

/// Draws a span of time, in milliseconds.
pub fn below(random: &mut Random, end: u64) -> i64 {
    i64::try_from(random.below(end)).unwrap_or_default()
}
