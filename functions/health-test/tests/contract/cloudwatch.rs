//! CloudWatch in memory: what tasks log, and numbers.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use health_test::rollout::{Found, Line, Requests, Route, Search, Span, Stream};
use pack::kind::metric::Asked;
use pipeline::Fault;
use pipeline::clock::Timestamp;

use crate::requests::now;

/// What is in CloudWatch; all of it by seconds after the moment of the samples.
#[derive(Default)]
pub struct CloudWatch {
    /// Lines: the task, when, and what it says.
    pub lines: RefCell<Vec<(&'static str, i64, &'static str)>>,
    /// The values of the one metric, by when their period begins.
    pub values: RefCell<BTreeMap<i64, f64>>,
    /// How many requests come to the old and to the new tasks.
    pub requests: Cell<(u64, u64)>,
    /// For which spans they were counted, by seconds after the moment of the samples.
    pub counted: RefCell<Vec<(i64, i64)>>,
    /// How often it asks to slow down before it answers.
    pub throttles: Cell<u32>,
    /// What was asked.
    pub searched: RefCell<Vec<Search>>,
    pub measured: RefCell<Vec<Vec<Asked>>>,
}

impl CloudWatch {
    /// Each task has a container that is moved and one that is not; their streams name the revision, too.
    pub fn streams(revision: &str, tasks: &[String]) -> Vec<Stream> {
        let of = |task: &String, container: &str| Stream {
            container: container.to_owned(),
            group: format!("/ecs/{}", revision.rsplit('/').next().unwrap_or_default()),
            name: format!("{container}/{container}/{task}"),
        };
        tasks.iter().flat_map(|task| ["app", "proxy"].map(|container| of(task, container))).collect()
    }

    pub fn search(&self, search: &Search) -> Result<Found, Fault> {
        self.searched.borrow_mut().push(search.clone());
        self.answers()?;
        let lines = self.lines.borrow();
        let found = lines.iter().filter_map(|(task, at, text)| {
            let stream = search.streams.iter().find(|stream| stream.ends_with(task))?;
            let at = now().plus_seconds(*at);
            let fits =
                search.pattern.split_whitespace().any(|term| text.contains(term.trim_start_matches('?')));
            let line = Line { at: at.millis(), stream: stream.clone(), text: (*text).to_owned() };
            (fits && (search.from..=search.until).contains(&at)).then_some(line)
        });
        Ok(Found { lines: found.collect(), streams: search.streams.len(), cut: false })
    }

    pub fn measure(&self, queries: &[Asked], begins: Timestamp) -> Result<Option<f64>, Fault> {
        self.measured.borrow_mut().push(queries.to_vec());
        self.answers()?;
        Ok(self.values.borrow().get(&begins.seconds_since(now())).copied())
    }

    pub fn requests(&self, routes: &[Route], span: Span) -> Result<Requests, Fault> {
        let [Route { balancer, old, new }] = routes else { panic!("{routes:?}") };
        let group = |arn: &String| arn.rsplit('/').nth(1).unwrap_or_default().to_owned();
        assert_eq!(
            (balancer.as_str(), group(old), group(new)),
            ("app/users/1", "users-2".to_owned(), "users".to_owned())
        );
        self.counted.borrow_mut().push((span.from.seconds_since(now()), span.until.seconds_since(now())));
        self.answers()?;
        let (old, new) = self.requests.get();
        Ok(Requests { old, new })
    }

    fn answers(&self) -> Result<(), Fault> {
        let left = self.throttles.get();
        self.throttles.set(left.saturating_sub(1));
        if left > 0 { Err(Fault::Throttled("Rate exceeded".to_owned())) } else { Ok(()) }
    }
}
