//! What a document may say, beyond its form: every refusal names the key, the value, and what was expected.

use std::collections::BTreeSet;

use super::{Environment, OnFailure, Shift};
use crate::Fault;
use crate::ids::EnvironmentName;
use crate::text::shown;

/// The longest pause of a bake: nobody can stop the release, and no alarm is seen, while it lasts.
const LONGEST_BAKE_PAUSE_SECONDS: i64 = 300;

/// The shortest one, unless the bake ends before.
const BAKE_PAUSE_SECONDS: i64 = 60;

/// How many pauses all waves of a release may make together: one costs nine of the 25,000 events of a history.
const MOST_BAKE_PAUSES: i64 = 1_500;

/// What may stand in a pattern of service names, and in one of tags.
const IN_SERVICE: &str = "-_*?";
const IN_TAG: &str = "-_.*?";

impl Environment {
    /// Refuses what cannot be meant, or with which a run could not end as it should.
    pub fn check(&self, name: &EnvironmentName, what: &str) -> Result<(), Fault> {
        let checks = [
            self.check_cluster(),
            self.check_tags(),
            self.check_from(name),
            self.check_waves(),
            patterns("forwardOnly", &self.forward_only, IN_SERVICE, "a service"),
            self.check_alarms(),
            self.check_numbers(),
            self.check_bake(),
            self.check_shift(),
        ];
        match checks.into_iter().find_map(Result::err) {
            Some(why) => Err(Fault::InvalidInput(format!("{what} at {why}"))),
            None => Ok(()),
        }
    }

    /// Names what is set and has no effect.
    pub fn warnings(&self) -> Vec<String> {
        let Environment { soak_minutes, from, .. } = self;
        let soak = (*soak_minutes > 0 && from.is_none()).then(|| {
            format!("\"soakMinutes\" is {soak_minutes}, and has no effect without \"from\": add \"from\", or remove it")
        });
        soak.into_iter().collect()
    }

    /// Returns how long one pause of a bake may last: short enough to stop the release, and long enough for its history.
    pub fn bake_pause_seconds(&self) -> i64 {
        // Services that match no wave make one more.
        let waves = i64::try_from(self.waves.len()).unwrap_or(i64::MAX).saturating_add(1);
        let spread = waves.saturating_mul(i64::from(self.bake_seconds));
        (spread / MOST_BAKE_PAUSES + i64::from(spread % MOST_BAKE_PAUSES > 0)).max(BAKE_PAUSE_SECONDS)
    }

    fn check_cluster(&self) -> Result<(), String> {
        let name = self.cluster_name();
        let valid = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        let named = !name.is_empty() && name.len() <= 255 && name.chars().all(valid);
        if named && (name == self.cluster || self.cluster.starts_with("arn:")) {
            return Ok(());
        }
        let cluster = shown(&self.cluster);
        Err(format!("\"cluster\": {cluster} is not an ECS cluster: expected its name, as in \"shop-prod\""))
    }

    fn check_tags(&self) -> Result<(), String> {
        // A push of such a tag starts no release, and its lifecycle rule would spare it.
        let keep = |tag: &str| tag.starts_with("tidegate.");
        if keep(self.tag.as_str()) {
            return Err(format!("\"tag\": {} is a keep-tag: expected one without \"tidegate.\"", self.tag));
        }
        if let Some((n, tag)) = self.deploy_on.iter().enumerate().find(|(_, tag)| keep(tag)) {
            return Err(format!(
                "\"deployOn[{n}]\": {} matches keep-tags alone, which deploy nothing: remove it",
                shown(tag)
            ));
        }
        patterns("deployOn", &self.deploy_on, IN_TAG, "a tag")
    }

    fn check_from(&self, name: &EnvironmentName) -> Result<(), String> {
        match &self.from {
            Some(from) if from == name => {
                Err(format!("\"from\": {:?} is the environment itself: expected another one", from.as_str()))
            }
            _ => Ok(()),
        }
    }

    fn check_waves(&self) -> Result<(), String> {
        let mut known = BTreeSet::new();
        for (n, wave) in self.waves.iter().enumerate() {
            if wave.is_empty() {
                return Err(format!(
                    "\"waves[{n}]\": the wave is empty: expected the name of a service, or a pattern"
                ));
            }
            patterns(&format!("waves[{n}]"), wave, IN_SERVICE, "a service")?;
            if let Some(twice) = wave.iter().find(|pattern| !known.insert(*pattern)) {
                return Err(format!(
                    "\"waves[{n}]\": {} is in a wave before: expected it once",
                    shown(twice)
                ));
            }
        }
        Ok(())
    }

    fn check_alarms(&self) -> Result<(), String> {
        for (pattern, alarms) in &self.alarms {
            patterns("alarms", std::slice::from_ref(pattern), IN_SERVICE, "a service")?;
            let mut known = BTreeSet::new();
            for (n, alarm) in alarms.iter().enumerate() {
                let place = shown(&format!("alarms.{pattern}[{n}]"));
                if alarm.trim().is_empty() || alarm.chars().count() > 255 {
                    return Err(format!(
                        "{place}: {} is not an alarm: expected 1 to 255 characters",
                        shown(alarm)
                    ));
                }
                if !known.insert(alarm) {
                    return Err(format!("{place}: {} is there twice: expected it once", shown(alarm)));
                }
            }
        }
        Ok(())
    }

    fn check_numbers(&self) -> Result<(), String> {
        // The waiting and the looking of one run must fit into the 25,000 events of a history.
        let limits = [
            ("concurrency", self.concurrency, 1, 1_000),
            ("soakMinutes", self.soak_minutes, 0, 14 * 24 * 60),
            ("approvalMinutes", self.approval_minutes, 1, 14 * 24 * 60),
            ("maxWaitMinutes", self.max_wait_minutes, 0, 24 * 60),
            ("healthTimeoutSeconds", self.health_timeout_seconds, 1, 12 * 3600),
            ("bakeSeconds", self.bake_seconds, 0, 24 * 3600),
            // The gate waits for 15 minutes at the longest, and the numbers come two minutes late.
            ("drainMinutes", self.drain_minutes, 0, 10),
            ("guardMinutes", self.guard_minutes, 0, 24 * 60),
        ];
        match limits.into_iter().find(|(_, value, least, most)| !(*least..=*most).contains(value)) {
            Some((key, value, least, most)) => {
                Err(format!("{key:?}: {value} is out of range: expected {least} to {most}"))
            }
            None => Ok(()),
        }
    }

    fn check_shift(&self) -> Result<(), String> {
        if self.shift == Shift::Together && self.on_failure == OnFailure::UndoFailed {
            return Err("\"onFailure\": \"undo-failed\" has no meaning with \"shift\": \"together\", since what takes \
                        its traffic as one is undone as one: expected \"undo-all\" or \"freeze\""
                .to_owned());
        }
        Ok(())
    }

    fn check_bake(&self) -> Result<(), String> {
        if self.bake_pause_seconds() <= LONGEST_BAKE_PAUSE_SECONDS {
            return Ok(());
        }
        let waves = i64::try_from(self.waves.len()).unwrap_or(i64::MAX).saturating_add(1);
        let most = MOST_BAKE_PAUSES * LONGEST_BAKE_PAUSE_SECONDS / waves;
        Err(format!(
            "\"bakeSeconds\": {} is too long for {} \"waves\" and one for the rest: expected {most} at most, or fewer \
             waves",
            self.bake_seconds,
            self.waves.len()
        ))
    }
}

/// Refuses patterns that could match nothing, and those that are there twice.
fn patterns(key: &str, patterns: &[String], marks: &str, what: &str) -> Result<(), String> {
    let valid = |c: char| c.is_ascii_alphanumeric() || marks.contains(c);
    let mut known = BTreeSet::new();
    for (n, pattern) in patterns.iter().enumerate() {
        let place = if key == "alarms" { key.to_owned() } else { format!("{key}[{n}]") };
        if pattern.is_empty() || !pattern.chars().all(valid) {
            let marks: Vec<String> = marks.chars().map(|mark| format!("'{mark}'")).collect();
            return Err(format!(
                "{place:?}: {} can match no name of {what}: expected letters, digits, {}",
                shown(pattern),
                marks.join(", ")
            ));
        }
        if !known.insert(pattern) {
            return Err(format!("{place:?}: {} is there twice: expected it once", shown(pattern)));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document;
    use serde_json::{Value, json};

    fn environment(more: Value) -> Environment {
        let mut document = json!({"cluster": "shop", "tag": "dev"});
        document.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        document::read("dev", document).unwrap()
    }

    fn refusal(more: Value) -> String {
        let checked = environment(more.clone()).check(&EnvironmentName::parse("dev").unwrap(), "dev");
        checked.err().map_or_else(|| format!("accepted: {more}"), |fault| fault.to_string())
    }

    #[test]
    fn what_cannot_be_meant_is_refused_by_its_key() {
        let service = "expected letters, digits, '-', '_', '*', '?'";
        let tag = "expected letters, digits, '-', '_', '.', '*', '?'";
        let cases = [
            (
                json!({"cluster": ""}),
                "\"cluster\": \"\" is not an ECS cluster: expected its name, as in \"shop-prod\"",
            ),
            (
                json!({"cluster": "shop "}),
                "\"cluster\": \"shop \" is not an ECS cluster: expected its name, as in \"shop-prod\"",
            ),
            (
                json!({"cluster": "shop/dev"}),
                "\"cluster\": \"shop/dev\" is not an ECS cluster: expected its name, as in \"shop-prod\"",
            ),
            (
                json!({"tag": "tidegate.dev"}),
                "\"tag\": tidegate.dev is a keep-tag: expected one without \"tidegate.\"",
            ),
            (json!({"deployOn": [""]}), &format!("\"deployOn[0]\": \"\" can match no name of a tag: {tag}")),
            (
                json!({"deployOn": ["main-*", "feature/*"]}),
                &format!("\"deployOn[1]\": \"feature/*\" can match no name of a tag: {tag}"),
            ),
            (
                json!({"deployOn": ["main-*", "main-*"]}),
                "\"deployOn[1]\": \"main-*\" is there twice: expected it once",
            ),
            (
                json!({"deployOn": ["tidegate.*"]}),
                "\"deployOn[0]\": \"tidegate.*\" matches keep-tags alone, which deploy nothing: remove it",
            ),
            (json!({"from": "dev"}), "\"from\": \"dev\" is the environment itself: expected another one"),
            (
                json!({"waves": [[]]}),
                "\"waves[0]\": the wave is empty: expected the name of a service, or a pattern",
            ),
            (
                json!({"waves": [["a"], [""]]}),
                &format!("\"waves[1][0]\": \"\" can match no name of a service: {service}"),
            ),
            (
                json!({"waves": [["a"], ["b", "a"]]}),
                "\"waves[1]\": \"a\" is in a wave before: expected it once",
            ),
            (
                json!({"forwardOnly": ["a b"]}),
                &format!("\"forwardOnly[0]\": \"a b\" can match no name of a service: {service}"),
            ),
            (
                json!({"alarms": {"": ["red"]}}),
                &format!("\"alarms\": \"\" can match no name of a service: {service}"),
            ),
            (
                json!({"alarms": {"*": ["red", ""]}}),
                "\"alarms.*[1]\": \"\" is not an alarm: expected 1 to 255 characters",
            ),
            (
                json!({"alarms": {"*": ["red", "red"]}}),
                "\"alarms.*[1]\": \"red\" is there twice: expected it once",
            ),
            (json!({"concurrency": 0}), "\"concurrency\": 0 is out of range: expected 1 to 1000"),
            (json!({"drainMinutes": 11}), "\"drainMinutes\": 11 is out of range: expected 0 to 10"),
            (json!({"guardMinutes": 1441}), "\"guardMinutes\": 1441 is out of range: expected 0 to 1440"),
        ];
        for (document, expected) in cases {
            assert_eq!(refusal(document), format!("dev at {expected}"));
        }
    }

    #[test]
    fn what_people_write_is_accepted() {
        for document in [
            json!({}),
            json!({"drainMinutes": 0}),
            json!({"drainMinutes": 10}),
            json!({"cluster": "arn:aws:ecs:eu-west-1:123456789012:cluster/shop-prod"}),
            json!({"deployOn": ["main-????????????", "v1.*", "*"], "from": "test", "waves": [["canary"], ["api_*", "*"]],
                   "forwardOnly": ["*-db"], "alarms": {"*": ["shop 5xx/all"], "api-*": []}}),
        ] {
            let checked = environment(document.clone()).check(&EnvironmentName::parse("dev").unwrap(), "dev");
            assert_eq!(checked, Ok(()), "{document}");
        }
    }

    #[test]
    fn a_bake_is_paused_so_that_it_can_be_stopped_and_its_history_suffices() {
        let waves = |count: usize| json!((0..count).map(|n| [format!("w{n}")]).collect::<Vec<_>>());
        let pause = |count, bake| {
            environment(json!({"waves": waves(count), "bakeSeconds": bake})).bake_pause_seconds()
        };
        assert_eq!(pause(0, 0), 60);
        assert_eq!(pause(4, 18_000), 60);
        assert_eq!(pause(4, 18_001), 61);
        assert_eq!(pause(9, 45_000), 300);
        let refused = |count, bake| refusal(json!({"waves": waves(count), "bakeSeconds": bake}));
        assert!(refused(9, 45_000).starts_with("accepted"));
        assert_eq!(
            refused(9, 45_001),
            "dev at \"bakeSeconds\": 45001 is too long for 9 \"waves\" and one for the rest: expected 45000 at most, \
             or fewer waves"
        );
    }

    #[test]
    fn what_has_no_effect_is_told() {
        let told = |document| environment(document).warnings();
        let works = json!({"shift": "together", "guardMinutes": 30, "from": "test", "soakMinutes": 5});
        assert!(told(works).is_empty());
        let told = told(json!({"soakMinutes": 30}));
        assert!(told.len() == 1 && told[0].starts_with("\"soakMinutes\" is 30"), "{told:?}");
    }
}
