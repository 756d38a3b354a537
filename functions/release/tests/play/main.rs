//! The function against a shop in memory: its samples, and whole releases.

#[cfg(test)]
mod contract;
#[cfg(test)]
mod memory;
#[cfg(test)]
mod run;
