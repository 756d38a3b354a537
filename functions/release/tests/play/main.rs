//! The function against a shop in memory: its samples, and whole releases.

#[cfg(test)]
mod contract;
#[cfg(test)]
mod documents;
#[cfg(test)]
mod findings;
#[cfg(test)]
mod images;
#[cfg(test)]
mod notebook;
#[cfg(test)]
mod overlap;
#[cfg(test)]
mod promotion;
#[cfg(test)]
mod run;
#[cfg(test)]
mod shop;
#[cfg(test)]
mod stops;
