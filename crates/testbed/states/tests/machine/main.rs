//! Plays small machines, one rule of Step Functions after the other, and the machine of the releases.

#[cfg(test)]
mod calls;
#[cfg(test)]
mod definition;
#[cfg(test)]
mod flow;
#[cfg(test)]
mod maps;
#[cfg(test)]
mod play;
#[cfg(test)]
mod release;
#[cfg(test)]
mod stops;
