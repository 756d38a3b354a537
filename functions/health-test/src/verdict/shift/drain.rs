//! Whether requests still reach the old tasks, once all production traffic goes to the new ones.  Pure.
//!
//! A gate waits for the end of that, for a while.  Then it is passed all the same: a drain fails no release, and what
//! cannot be measured is only told.

use pipeline::Fault;
use pipeline::clock::Timestamp;

use super::SHIFT_ARRIVES;
use crate::rollout::{Requests, Route, Span};

/// How many seconds after a minute its requests are counted for sure.
const COUNT_ARRIVES: i64 = 120;

/// For how many seconds after the shift requests to the old tasks hold a gate.
const LONGEST: i64 = 15 * 60;

/// How many seconds before its gate gives up nothing is waited for any longer; the gate has to be answered before that.
const BEFORE_EXPIRY: i64 = 120;

/// What is known of a drain before anything is counted.
#[derive(Clone, Copy, Debug)]
pub struct Drain<'a> {
    /// For how many minutes no request may have reached the old tasks.
    pub minutes: u32,
    /// Where the load balancers of the service send requests.
    pub routes: &'a [Route],
    /// Since when all production traffic goes to the new tasks.
    pub full: Timestamp,
    /// When the gate gives up, if ECS says so.
    pub expires: Option<Timestamp>,
    /// The time.
    pub now: Timestamp,
}

/// What comes of the gate, and why.
#[derive(Clone, Debug, PartialEq)]
pub enum Drained {
    /// It waits.
    NotYet(String),
    /// It may be passed; this is told.
    Told(String),
}

impl Drain<'_> {
    /// Returns the minutes whose requests are to be counted, or what comes of the gate without that.
    pub fn span(&self) -> Result<Span, Drained> {
        if self.minutes == 0 {
            return Err(not_measured("nobody asked for it (drainMinutes is 0)"));
        }
        let Some(first) = self.routes.first() else {
            return Err(not_measured("the service has no load balancer"));
        };
        if let Some(other) = self.routes.iter().find(|route| !route.balancer.starts_with("app/")) {
            return Err(match other.balancer.as_str() {
                "" => not_measured(&format!("ECS does not show the load balancer in front of {}", first.new)),
                other => not_measured(&format!("{other} does not count the requests of a target group")),
            });
        }
        let until = self.now.plus_seconds(-COUNT_ARRIVES).millis();
        let until = Timestamp::from_millis(until - until.rem_euclid(60_000));
        let from = until.plus_seconds(-60 * i64::from(self.minutes));
        match from >= self.full.plus_seconds(SHIFT_ARRIVES) {
            true => Ok(Span { from, until }),
            false if self.gives_up() => Err(not_measured(&format!(
                "its gate gives up before {} minutes after the shift are counted",
                self.minutes
            ))),
            false => Err(Drained::NotYet(format!(
                "it waits until the requests of {} minutes after the shift are counted",
                self.minutes
            ))),
        }
    }

    /// Says what comes of the gate by what was counted in those minutes.
    pub fn judge(&self, span: Span, counted: Result<Requests, Fault>) -> Drained {
        let is_over = self.gives_up() || self.now >= self.full.plus_seconds(LONGEST);
        match counted {
            Ok(Requests { old: 0, new: 0 }) => not_measured("nobody asked either version"),
            Ok(Requests { old: 0, new }) => {
                let (from, until) = (minute(span.from), minute(span.until));
                Drained::Told(format!("no request reached the old tasks from {from} to {until} (new: {new})"))
            }
            Ok(Requests { old, .. }) => {
                let old = old.div_ceil(u64::from(self.minutes.max(1)));
                let still = format!("{old} requests a minute still reached the old tasks");
                if is_over { Drained::Told(format!("not drained: {still}")) } else { Drained::NotYet(still) }
            }
            // It stays denied.
            Err(fault @ Fault::Denied(_)) => not_measured(&fault.to_string()),
            Err(fault) if is_over => not_measured(&fault.to_string()),
            Err(fault) => Drained::NotYet(fault.to_string()),
        }
    }

    /// Tells whether the gate has to be answered now.
    fn gives_up(&self) -> bool {
        self.expires.is_some_and(|expires| self.now >= expires.plus_seconds(-BEFORE_EXPIRY))
    }
}

fn not_measured(why: &str) -> Drained {
    Drained::Told(format!("not measured: {why}"))
}

/// Returns the hour and the minute of a moment.
fn minute(at: Timestamp) -> String {
    at.to_string().get(11..16).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHOP: &str = "app/shop/50dc6c495c0c9188";

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(&format!("2026-11-24T{text}Z")).unwrap()
    }

    fn told(text: &str) -> Drained {
        Drained::Told(text.to_owned())
    }

    fn waits(text: &str) -> Drained {
        Drained::NotYet(text.to_owned())
    }

    /// Says what comes of a gate at a service that took all traffic at 10:02:40, and whose requests are counted so.
    fn drained(
        (now, expires): (&str, Option<&str>),
        (minutes, balancers): (u32, &[&str]),
        counted: Result<(u64, u64), Fault>,
    ) -> Drained {
        let route = |balancer: &&str| Route {
            balancer: (*balancer).to_owned(),
            old: "blue".to_owned(),
            new: "green".to_owned(),
        };
        let routes: Vec<Route> = balancers.iter().map(route).collect();
        let (full, expires) = (at("10:02:40"), expires.map(at));
        let drain = Drain { minutes, routes: &routes, full, expires, now: at(now) };
        match drain.span() {
            Ok(span) => drain.judge(span, counted.map(|(old, new)| Requests { old, new })),
            Err(drained) => drained,
        }
    }

    #[test]
    fn a_gate_is_passed_once_the_old_tasks_are_silent_or_nothing_can_be_known() {
        let denied = || Err(Fault::Denied("not allowed to read a metric".to_owned()));
        let slow = || Err(Fault::Throttled("too fast".to_owned()));
        let silent = "no request reached the old tasks from 10:03 to 10:06 (new: 512)";
        let few = waits("it waits until the requests of 3 minutes after the shift are counted");
        let loud = || Ok((35, 512));
        let still = waits("12 requests a minute still reached the old tasks");
        let anyway = told("not drained: 12 requests a minute still reached the old tasks");
        let none = told("not measured: nobody asked either version");
        for (now, expires, counted, expected) in [
            // Too few minutes are counted.
            ("10:02:40", None, Ok((0, 512)), few.clone()),
            ("10:07:59", None, Ok((0, 512)), few.clone()),
            ("10:07:59", Some("10:10:00"), Ok((0, 512)), few),
            (
                "10:07:59",
                Some("10:09:59"),
                Ok((0, 512)),
                told("not measured: its gate gives up before 3 minutes after the shift are counted"),
            ),
            // The old tasks are silent.
            ("10:08:00", None, Ok((0, 512)), told(silent)),
            ("10:08:59", Some("10:09:59"), Ok((0, 512)), told(silent)),
            (
                "10:09:00",
                None,
                Ok((0, 1)),
                told("no request reached the old tasks from 10:04 to 10:07 (new: 1)"),
            ),
            // Nobody asks.
            ("10:08:00", None, Ok((0, 0)), none),
            // They are not.
            ("10:08:00", None, Ok((36, 0)), still.clone()),
            ("10:08:00", None, loud(), still.clone()),
            ("10:08:00", None, Ok((1, 512)), waits("1 requests a minute still reached the old tasks")),
            ("10:17:39", None, loud(), still.clone()),
            ("10:17:40", None, loud(), anyway.clone()),
            ("10:08:00", Some("10:10:01"), loud(), still),
            ("10:08:00", Some("10:10:00"), loud(), anyway),
            // CloudWatch does not say.
            ("10:08:00", None, denied(), told("not measured: not allowed to read a metric")),
            ("10:08:00", None, slow(), waits("AWS asked to slow down: too fast")),
            ("10:17:40", None, slow(), told("not measured: AWS asked to slow down: too fast")),
        ] {
            assert_eq!(drained((now, expires), (3, &[SHOP]), counted), expected, "{now} {expires:?}");
        }
    }

    #[test]
    fn what_nobody_asks_for_and_what_no_load_balancer_counts_is_not_measured() {
        for (asked, why) in [
            ((0, &[SHOP][..]), "nobody asked for it (drainMinutes is 0)"),
            ((3, &[]), "the service has no load balancer"),
            ((3, &[""]), "ECS does not show the load balancer in front of green"),
            ((3, &["net/shop/1"]), "net/shop/1 does not count the requests of a target group"),
            ((3, &[SHOP, "net/shop/1"]), "net/shop/1 does not count the requests of a target group"),
        ] {
            let expected = told(&format!("not measured: {why}"));
            assert_eq!(drained(("10:03:00", None), asked, Ok((0, 512))), expected);
        }
    }

    #[test]
    fn the_minute_counts_in_which_listeners_have_forgotten_the_old_tasks() {
        let drain =
            |full| Drain { minutes: 1, routes: &[], full: at(full), expires: None, now: at("10:06:00") };
        let span = |full| {
            let routes = [Route { balancer: SHOP.to_owned(), old: String::new(), new: String::new() }];
            Drain { routes: &routes, ..drain(full) }.span().map(|span| (span.from, span.until))
        };
        assert_eq!(span("10:02:45"), Ok((at("10:03:00"), at("10:04:00"))));
        assert!(span("10:02:46").is_err());
    }
}
