//! HTML of the widgets: no script, nothing from elsewhere, every text escaped by the templates.

mod act;
pub mod environments;
mod icon;
pub mod plan;
pub mod release;
pub mod releases;
mod timeline;

pub use act::{Act, Button};

use std::cell::Cell;

use maud::{Markup, PreEscaped, html};
use pipeline::clock::Timestamp;
use pipeline::environment::{Environment, OnFailure};
use pipeline::ids::{Digest, ReleaseId};
use pipeline::text::line;
use serde_json::json;

use crate::Places;
use crate::request::Context;

/// How wide a widget is drawn where nobody says how wide it is, in pixels.
const WIDTH: u32 = 960;

/// How much of a name is shown.
const NAME: usize = 28;

/// How much of a sentence is shown.
const SENTENCE: usize = 300;

/// What every widget is drawn within: for whom, where its buttons lead, and when.
pub struct Frame<'a> {
    /// For whom.
    pub context: &'a Context,
    /// Where buttons lead.
    pub places: &'a Places,
    /// The moment that is drawn.
    pub now: Timestamp,
    /// How far the clock of who looks is from UTC, in minutes.
    offset: i64,
    /// How many buttons there are: each starts a run of its own.
    buttons: Cell<u32>,
}

impl<'a> Frame<'a> {
    /// Makes it.
    pub fn new(context: &'a Context, places: &'a Places, now: Timestamp) -> Self {
        let offset = minutes(&context.timezone.offset).unwrap_or_default();
        Frame { context, places, now, offset, buttons: Cell::new(0) }
    }

    /// Puts a widget into its frame.
    pub fn page(&self, drawn: &Markup) -> String {
        let theme = if self.context.theme == "dark" { "dark" } else { "light" };
        html! {
            div class={ "tidegate cwdb-no-default-styles " (theme) } {
                style { (PreEscaped(include_str!("view/style.css"))) }
                (drawn)
            }
        }
        .into_string()
    }

    /// Returns how many pixels there are from left to right.
    pub fn width(&self) -> u32 {
        let given = self.context.width;
        if (300.0..=4000.0).contains(&given) { given as u32 - 32 } else { WIDTH }
    }

    /// Shows a moment by the clock of who looks.
    pub fn time(&self, moment: Timestamp) -> Markup {
        let local = moment.plus_seconds(self.offset * 60).to_string();
        let (day, clock) = (local.get(..10).unwrap_or_default(), local.get(11..16).unwrap_or_default());
        html! { time datetime=(moment) title=(moment) { (day) " " (clock) } }
    }

    /// Shows how long something took.
    pub fn took(&self, from: Timestamp, to: Option<Timestamp>) -> Markup {
        let seconds = to.unwrap_or(self.now).seconds_since(from).max(0);
        html! { span class="quiet took" { (duration(seconds)) @if to.is_none() { " so far" } } }
    }

    /// Names the run that a button starts: it is one, however often the button is pressed, and no other button's.
    pub fn next_run(&self, act: &Act) -> String {
        let n = self.buttons.get() + 1;
        self.buttons.set(n);
        // Two who look at once may be shown buttons with the same number.
        let what = serde_json::to_string(act).unwrap_or_default();
        let mark = what
            .bytes()
            .fold(0xcbf2_9ce4_u32, |mark, byte| (mark ^ u32::from(byte)).wrapping_mul(0x0100_0193));
        format!("{}-{}-{n}-{mark:08x}", act.word(), self.now.millis())
    }

    /// Shows a release by the beginning of its name, which opens it in this widget.
    pub fn release(&self, id: &ReleaseId) -> Markup {
        html! {
            button type="button" class="link" title=(id) { (begun(id)) }
            (self.call(&json!({"view": "release", "release": id})))
        }
    }

    /// Shows a way to another view in this widget.
    pub fn goes(&self, label: &str, to: &serde_json::Value) -> Markup {
        html! { button type="button" class="btn" { (label) } (self.call(to)) }
    }

    fn call(&self, to: &serde_json::Value) -> Markup {
        html! { cwdb-action action="call" display="widget" endpoint=(self.places.draws) { (to) } }
    }
}

/// Names a release by as much as is read: of what Step Functions has drawn, the beginning.
pub fn begun(id: &ReleaseId) -> String {
    match id.as_str().split('-').map(str::len).collect::<Vec<_>>().as_slice() {
        [8, 4, 4, 4, 12] => line(id.as_str().get(..8).unwrap_or_default(), NAME),
        _ => line(id.as_str(), NAME),
    }
}

/// Shows a digest by its beginning.
pub fn digest(digest: &Digest) -> Markup {
    html! { code title=(digest) { (digest.short()) } }
}

/// Shows the commit that an image was built from.
pub fn commit(commit: Option<&str>) -> Markup {
    html! { @if let Some(commit) = commit { span class="quiet" title=(commit) { (line(commit, 12)) } } }
}

/// Shows a sentence that somebody else has written.
pub fn sentence(text: &str) -> Markup {
    html! { (line(text, SENTENCE)) }
}

/// Says what an environment does with what is bad.
pub fn if_bad(policy: &Environment) -> &'static str {
    match policy.on_failure {
        OnFailure::UndoAll => "If a live test fails, all go back.",
        OnFailure::UndoFailed => "What fails a live test goes back.",
        OnFailure::Freeze => "If a live test fails, it stops, and nothing goes back.",
    }
}

/// Says how long something takes.
pub fn duration(seconds: i64) -> String {
    match (seconds / 86_400, seconds / 3600, seconds / 60) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) if minutes < 10 && seconds % 60 > 0 => format!("{minutes} min {} s", seconds % 60),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) if minutes % 60 > 0 => format!("{hours} h {} min", minutes % 60),
        (0, hours, _) => format!("{hours} h"),
        (days, hours, _) if days < 3 && hours % 24 > 0 => format!("{days} d {} h", hours % 24),
        (days, _, _) => format!("{days} d"),
    }
}

/// Reads the distance of a clock from UTC, as in `+01:00`.
fn minutes(offset: &str) -> Option<i64> {
    let (sign, rest) = match offset.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':')?;
    let (hours, minutes): (i64, i64) = (hours.parse().ok()?, minutes.parse().ok()?);
    ((0..=14).contains(&hours) && (0..60).contains(&minutes)).then_some(sign * (hours * 60 + minutes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_said_as_exactly_as_it_matters() {
        for (seconds, said) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (310, "5 min 10 s"),
            (1510, "25 min"),
            (3600, "1 h"),
            (5400, "1 h 30 min"),
            (90_000, "1 d 1 h"),
            (864_000, "10 d"),
        ] {
            assert_eq!(duration(seconds), said);
        }
    }

    #[test]
    fn a_moment_is_shown_by_the_clock_of_who_looks() {
        let moment = Timestamp::parse("2026-11-23T23:30:00Z").unwrap();
        for (offset, shown) in [
            ("", "2026-11-23 23:30"),
            ("+01:00", "2026-11-24 00:30"),
            ("-05:30", "2026-11-23 18:00"),
            ("+99:00", "2026-11-23 23:30"),
            ("ü1:00", "2026-11-23 23:30"),
        ] {
            let mut context = Context::default();
            context.timezone.offset = offset.to_owned();
            let places = Places::default();
            let html = Frame::new(&context, &places, moment).time(moment).into_string();
            assert!(html.contains(&format!(">{shown}<")), "{offset}: {html}");
        }
    }
}
