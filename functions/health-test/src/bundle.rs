//! Makes a few lines of what failed tasks left behind.  Pure.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use pipeline::text::{self, readable};

use crate::rollout::{Ended, Exit};

/// How many kinds of ends are told of.
const KINDS: usize = 5;

/// Of how many tasks the log is read.
const TASKS: usize = 2;

/// How many lines of log are kept, of all tasks together.
pub const LINES: usize = 10;

/// How many characters a line may have.
const WIDTH: usize = 200;

/// Tells how tasks ended: a line for each kind of end, the most frequent first.
pub fn stopped(ended: &[Ended]) -> Vec<String> {
    let mut kinds: BTreeMap<(String, String), usize> = BTreeMap::new();
    for task in ended {
        *kinds.entry((head(task), tail(task))).or_default() += 1;
    }
    let mut kinds: Vec<_> = kinds.into_iter().collect();
    kinds.sort_by_key(|(_, count)| Reverse(*count));
    let lines = kinds.into_iter().take(KINDS).map(|((head, tail), count)| {
        let count = if count == 1 { "1 task".to_owned() } else { format!("{count} tasks") };
        // A long reason must not push the exit codes out.
        let tail = cut(&tail, WIDTH / 2);
        let head = cut(&format!("{count}: {head}"), WIDTH - tail.chars().count());
        format!("{head}{tail}")
    });
    lines.collect()
}

/// Names the tasks whose log says most: those that ended by themselves, and of those the last ones.
pub fn telling(ended: &[Ended]) -> Vec<String> {
    let mut ended: Vec<&Ended> = ended.iter().collect();
    ended.sort_by_key(|task| {
        let rank = match task.code.as_str() {
            "EssentialContainerExited" => 0,
            // It hardly wrote a line.
            "TaskFailedToStart" => 2,
            _ => 1,
        };
        (rank, Reverse(task.at))
    });
    few(ended.into_iter().map(|task| task.id.as_str()))
}

/// Keeps as many tasks as are read.
pub fn few<'a>(tasks: impl Iterator<Item = &'a str>) -> Vec<String> {
    tasks.take(TASKS).map(str::to_owned).collect()
}

/// Keeps the last lines of some streams: an equal share of each, and what one does not use goes to the others.
pub fn logs(streams: &[Vec<String>]) -> Vec<String> {
    let written: Vec<Vec<String>> = streams.iter().map(|stream| written(stream)).collect();
    let mut shares: Vec<(usize, usize)> = written.iter().map(Vec::len).enumerate().collect();
    shares.sort_by_key(|(_, length)| *length);
    let (mut left, mut waiting) = (LINES, shares.len());
    for (_, share) in &mut shares {
        *share = (*share).min(left.div_ceil(waiting));
        left -= *share;
        waiting -= 1;
    }
    shares.sort_unstable();
    let kept = written.into_iter().zip(shares);
    kept.flat_map(|(lines, (_, share))| {
        let skipped = lines.len() - share;
        lines.into_iter().skip(skipped)
    })
    .collect()
}

/// Says in place of a part what became of it.
pub fn unread(part: &str, why: &str) -> Vec<String> {
    vec![cut(&plain(&format!("{part}: {why}")), WIDTH)]
}

fn head(task: &Ended) -> String {
    let reason = if task.reason.is_empty() { "ECS gave no reason" } else { &task.reason };
    let code = if task.code.is_empty() { String::new() } else { format!(" ({})", task.code) };
    plain(&format!("{reason}{code}"))
}

fn tail(task: &Ended) -> String {
    let exits = task.exits.iter().filter_map(|Exit { container, code, reason }| {
        let reason = if task.reason.contains(reason.as_str()) { "" } else { reason };
        match (code, reason) {
            (None, "") => None,
            (None, reason) => Some(format!("{container} {reason}")),
            (Some(code), "") => Some(format!("{container} exit code {code}")),
            (Some(code), reason) => Some(format!("{container} exit code {code} ({reason})")),
        }
    });
    let exits: Vec<String> = exits.collect();
    if exits.is_empty() { String::new() } else { plain(&format!("; {}", exits.join(", "))) }
}

fn written(stream: &[String]) -> Vec<String> {
    let lines = stream.iter().map(|line| cut(plain(line).trim_end(), WIDTH));
    lines.filter(|line| !line.trim().is_empty()).collect()
}

/// Writes a text so that it can be read on one line.
pub fn plain(text: &str) -> String {
    text.chars().map(readable).collect()
}

fn cut(text: &str, width: usize) -> String {
    text::cut(text.chars(), width)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(id: &str, code: &str, reason: &str, exits: &[(Option<i32>, &str)], at: i64) -> Ended {
        let exits = exits.iter().zip(["app", "proxy"]);
        let exits = exits.map(|((code, reason), name)| Exit {
            container: name.to_owned(),
            code: *code,
            reason: (*reason).to_owned(),
        });
        Ended {
            id: id.to_owned(),
            started_by: "ecs-svc/2".to_owned(),
            code: code.to_owned(),
            reason: reason.to_owned(),
            exits: exits.collect(),
            at,
        }
    }

    fn lines(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    fn numbered(name: &str, count: usize) -> Vec<String> {
        (1..=count).map(|n| format!("{name}{n}")).collect()
    }

    const EXITED: (&str, &str) = ("EssentialContainerExited", "Essential container in task exited");

    #[test]
    fn an_end_is_told_with_its_code_and_its_exit_codes() {
        let out_of_memory = "OutOfMemoryError: Container killed due to memory usage";
        let pull = "CannotPullContainerError: not found";
        let (code, reason) = EXITED;
        for (task, expected) in [
            (
                ended("t", code, reason, &[(Some(1), "")], 0),
                "1 task: Essential container in task exited (EssentialContainerExited); app exit code 1",
            ),
            (
                ended("t", code, reason, &[(Some(137), out_of_memory), (Some(0), "")], 0),
                "1 task: Essential container in task exited (EssentialContainerExited); app exit code 137 \
                 (OutOfMemoryError: Container killed due to memory usage), proxy exit code 0",
            ),
            (
                ended("t", "TaskFailedToStart", pull, &[(None, pull), (None, "")], 0),
                "1 task: CannotPullContainerError: not found (TaskFailedToStart)",
            ),
            (ended("t", "", "", &[(None, "gone")], 0), "1 task: ECS gave no reason; app gone"),
            (ended("t", "", "two\nlines", &[], 0), "1 task: two lines"),
        ] {
            assert_eq!(stopped(&[task]), [expected]);
        }
    }

    #[test]
    fn kinds_are_counted_and_the_most_frequent_come_first() {
        let (code, reason) = EXITED;
        let mut all = vec![ended("s", "ServiceSchedulerInitiated", "Scaling activity", &[(Some(0), "")], 0)];
        all.extend((0..2).map(|at| ended("t", code, reason, &[(Some(1), "")], at)));
        assert_eq!(
            stopped(&all),
            [
                "2 tasks: Essential container in task exited (EssentialContainerExited); app exit code 1",
                "1 task: Scaling activity (ServiceSchedulerInitiated); app exit code 0",
            ]
        );
        let many: Vec<Ended> = (0..9).map(|exit| ended("t", code, reason, &[(Some(exit), "")], 0)).collect();
        assert_eq!(stopped(&many).len(), KINDS);
        assert!(stopped(&[]).is_empty());
    }

    #[test]
    fn a_long_reason_is_cut_and_the_exit_code_is_kept() {
        let [line] = &stopped(&[ended("t", "X", &"ä".repeat(500), &[(Some(7), "")], 0)])[..] else {
            unreachable!("one kind is one line")
        };
        assert!(line.ends_with("ä...; app exit code 7"), "{line}");
        assert_eq!(line.chars().count(), WIDTH);
    }

    #[test]
    fn the_tasks_that_ended_by_themselves_tell_most() {
        let of = |id: &str, code: &str, at| ended(id, code, "", &[], at);
        let all = [
            of("scaled", "ServiceSchedulerInitiated", 9),
            of("first", EXITED.0, 1),
            of("unstarted", "TaskFailedToStart", 8),
            of("third", EXITED.0, 3),
            of("second", EXITED.0, 2),
        ];
        assert_eq!(telling(&all), ["third", "second"]);
        assert_eq!(telling(all.get(..3).unwrap_or_default()), ["first", "scaled"]);
        assert!(telling(&[]).is_empty());
    }

    #[test]
    fn streams_share_the_lines_that_are_kept() {
        for (lengths, expected) in [
            (&[][..], &[][..]),
            (&[3], &["a1", "a2", "a3"]),
            (&[12], &["a3", "a4", "a5", "a6", "a7", "a8", "a9", "a10", "a11", "a12"]),
            (&[9, 9], &["a5", "a6", "a7", "a8", "a9", "b5", "b6", "b7", "b8", "b9"]),
            (&[1, 12], &["a1", "b4", "b5", "b6", "b7", "b8", "b9", "b10", "b11", "b12"]),
            (&[12, 0, 2], &["a5", "a6", "a7", "a8", "a9", "a10", "a11", "a12", "c1", "c2"]),
        ] {
            let names = ["a", "b", "c"].iter().zip(lengths);
            let streams: Vec<Vec<String>> = names.map(|(name, count)| numbered(name, *count)).collect();
            assert_eq!(logs(&streams), lines(expected), "{lengths:?}");
        }
    }

    #[test]
    fn a_line_is_cut_and_without_control_characters() {
        let stream = lines(&["\u{1b}[31mred\u{1b}[0m\n", "", " \r\n", &"x".repeat(300)]);
        assert_eq!(logs(&[stream]), [" [31mred [0m".to_owned(), format!("{}...", "x".repeat(197))]);
        assert_eq!(unread("logs", "not allowed\nto read"), ["logs: not allowed to read"]);
    }
}
