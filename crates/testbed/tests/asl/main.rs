//! The contract of `statemachine/release.asl.json`: what AWS checks too late or not at all, and what the pipeline promises.
//!
//! A rule is a function from a definition to its findings.  Each test asks that the definition has none, and that a
//! copy damaged in one place has the one that belongs to the damage.

#[cfg(test)]
mod calls;
#[cfg(test)]
mod document;
#[cfg(test)]
mod follow_up;
#[cfg(test)]
mod form;
#[cfg(test)]
mod graph;
#[cfg(test)]
mod items;
#[cfg(test)]
mod names;
#[cfg(test)]
mod template;
#[cfg(test)]
mod variables;
