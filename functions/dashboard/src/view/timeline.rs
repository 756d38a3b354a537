//! The timeline of a release: a line for each move, wave by wave.

use maud::{Markup, html};
use pipeline::clock::Timestamp;
use pipeline::rows::{HeadRow, MoveOutcome, MoveRow, Verdict};
use pipeline::text::line;

use super::{Frame, NAME, duration};
use crate::story::{Move, Story};

const LINE: u32 = 20;
const BAR: u32 = 12;
const TOP: u32 = 22;

/// What happens to a move in a part of its line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Wait,
    Prepare,
    Rollout,
    Stays,
    Back,
}

impl Step {
    const ALL: [Step; 5] = [Step::Wait, Step::Prepare, Step::Rollout, Step::Stays, Step::Back];

    fn class(self) -> &'static str {
        match self {
            Step::Wait => "wait",
            Step::Prepare => "prepare",
            Step::Rollout => "rollout",
            Step::Stays => "stays",
            Step::Back => "back",
        }
    }

    fn says(self) -> &'static str {
        match self {
            Step::Wait => "waits",
            Step::Prepare => "tags, registers, tests before",
            Step::Rollout => "rolls out, live tests",
            Step::Stays => "runs, watched",
            Step::Back => "rolls back",
        }
    }
}

/// Where moments are drawn.
struct Axis {
    from: Timestamp,
    to: Timestamp,
    left: u32,
    width: u32,
}

impl Axis {
    fn x(&self, moment: Timestamp) -> f64 {
        let whole = (self.to.millis() - self.from.millis()).max(1) as f64;
        let part = (moment.millis() - self.from.millis()).max(0) as f64 / whole;
        f64::from(self.left) + f64::from(self.width) * part.min(1.0)
    }
}

/// Draws the moves that are shown in full.
pub fn draw(frame: &Frame<'_>, story: &Story, head: &HeadRow) -> Markup {
    let ended = story.listed.as_ref().and_then(|listed| listed.ended);
    let to = ended.unwrap_or(frame.now);
    let width = frame.width();
    let left = (width / 4).min(190);
    let axis = Axis { from: head.opened, to, left, width: width - left - 12 };
    let mut shown: Vec<&Move> = story.shown().iter().collect();
    shown.sort_by_key(|one| one.key.order());
    let height = TOP + LINE * u32::try_from(shown.len()).unwrap_or_default() + 4;
    let took = duration(to.seconds_since(head.opened).max(0));
    html! {
        svg role="img" aria-label={ "Timeline of " (took) " for " (shown.len()) " services" }
            width=(width) height=(height) viewBox={ "0 0 " (width) " " (height) } {
            (ticks(&axis, height))
            @for (y, one) in (0..).map(|n| TOP + LINE * n).zip(&shown) {
                text x="0" y=(y + BAR) { (line(one.row.service.as_str(), NAME)) }
                @for (step, from, until) in steps(&one.row, one.fate, (to, head.outcome.is_some())) {
                    @let (x, end) = (axis.x(from), axis.x(until));
                    rect class=(step.class()) x=(pixels(x)) y=(y + 2) width=(pixels((end - x).max(1.0))) height=(BAR) {
                        title { (one.row.service) " " (step.says()) ": " (duration(until.seconds_since(from).max(0))) }
                    }
                }
            }
        }
        div class="bar quiet" {
            @for step in Step::ALL {
                span {
                    svg width="14" height="12" viewBox="0 0 14 12" aria-hidden="true" {
                        rect class=(step.class()) x="1" y="1" width="12" height="10" {}
                    }
                    " " (step.says())
                }
            }
        }
    }
}

fn ticks(axis: &Axis, height: u32) -> Markup {
    let whole = axis.to.seconds_since(axis.from).max(1);
    html! {
        @for part in 0..=4 {
            @let seconds = whole * part / 4;
            @let x = axis.x(axis.from.plus_seconds(seconds));
            line class="axis" x1=(pixels(x)) x2=(pixels(x)) y1=(TOP - 4) y2=(height) {}
            text x=(pixels(x)) y="12" text-anchor=(["start", "middle", "middle", "middle", "end"][part as usize]) {
                (if part == 0 { "0".to_owned() } else { duration(seconds) })
            }
        }
    }
}

/// Returns the parts of the line of a move, up to a moment.
fn steps(
    row: &MoveRow,
    fate: MoveOutcome,
    (to, closed): (Timestamp, bool),
) -> Vec<(Step, Timestamp, Timestamp)> {
    let back = row.goes_back_since();
    let decided = row.decided.filter(|_| row.touched.is_some());
    let good = row.verdict == Some(Verdict::Healthy);
    let stays = decided.filter(|_| good && (fate == MoveOutcome::Deployed || back.is_some()));
    let ends = if fate == MoveOutcome::Untouched && closed { row.leased } else { Some(to) };
    let judged = decided.filter(|_| !good && back.is_some());
    let moments = [
        (Step::Wait, row.leased),
        (Step::Prepare, row.started),
        // What a release before has left there was updated long ago.
        (
            Step::Rollout,
            row.touched.map(|touched| row.started.map_or(touched, |started| touched.max(started))),
        ),
        (Step::Stays, stays),
        (Step::Wait, judged),
        (Step::Back, back),
    ];
    let begun: Vec<(Step, Timestamp)> =
        moments.into_iter().filter_map(|(step, moment)| Some((step, moment?))).collect();
    let next = begun.iter().skip(1).map(|(_, moment)| *moment);
    // What was decided against and never went back ends there.
    let last = if stays.is_none() && back.is_none() { row.decided.or(ends) } else { ends };
    let until = next.chain(last);
    begun.iter().zip(until).map(|((step, from), until)| (*step, *from, until.max(*from))).collect()
}

fn pixels(x: f64) -> String {
    format!("{x:.1}")
}
