//! Whether a lifecycle policy would take an image that is still needed.  Pure.

use pipeline::Fault;
use pipeline::document;
use pipeline::rows::MoveRow;
use serde::Deserialize;
use wildmatch::WildMatch;

/// From which count on a rule counts as one that keeps all that it matches: ECR has no more images in a repository.
const ALL: u64 = 100_000;

/// A policy, as ECR keeps it; what is not needed here is not read.
#[derive(Deserialize)]
struct Policy {
    #[serde(default)]
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    rule_priority: u64,
    selection: Selection,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Selection {
    tag_status: String,
    #[serde(default)]
    tag_prefix_list: Vec<String>,
    #[serde(default)]
    tag_pattern_list: Vec<String>,
    count_type: String,
    count_number: u64,
}

/// Says that nobody knows what a policy would take.
pub fn unknown(row: &MoveRow, fault: &Fault) -> String {
    format!(
        "the lifecycle policy of {} cannot be read, so that a rule of it could expire what runs: {fault}",
        row.repository
    )
}

/// Says that a policy would take what a move leaves running, or its restore point, if it would.
pub fn finding(policy: &str, row: &MoveRow) -> Result<Option<String>, Fault> {
    let keep = |kind: &str| format!("tidegate.{}.{}.{kind}", row.environment, row.service);
    let (live, previous) = (keep("live"), keep("previous"));
    let live = endangers(policy, &[&live, &row.tag])?;
    let taken = live.or(endangers(policy, &[&previous])?);
    Ok(taken.map(|rule| {
        let repository = &row.repository;
        format!(
            "the lifecycle rule {rule} of {repository} would expire what runs, or the version to roll back to: expected a rule before it \
             that keeps tidegate.*"
        )
    }))
}

/// Returns the priority of the rule that could take an image with these tags, if one could.
///
/// The rule with the lowest number that matches an image has it; no later one takes what that one keeps.
fn endangers(policy: &str, tags: &[&str]) -> Result<Option<u64>, Fault> {
    let mut policy: Policy = document::read_text("the lifecycle policy", policy)?;
    policy.rules.sort_by_key(|rule| rule.rule_priority);
    let first = policy.rules.into_iter().find(|rule| rule.selection.matches(tags));
    Ok(first.filter(|rule| !rule.selection.keeps_all()).map(|rule| rule.rule_priority))
}

impl Selection {
    /// Tells whether it selects an image; several prefixes or patterns must all be met, each by some tag.
    fn matches(&self, tags: &[&str]) -> bool {
        let prefix = |prefix: &String| tags.iter().any(|tag| tag.starts_with(prefix.as_str()));
        let pattern = |pattern: &String| {
            let pattern = WildMatch::new(pattern);
            tags.iter().any(|tag| pattern.matches(tag))
        };
        match self.tag_status.as_str() {
            "any" => true,
            "tagged" => self.tag_prefix_list.iter().all(prefix) && self.tag_pattern_list.iter().all(pattern),
            // An image with a keep-tag is never untagged.
            _ => false,
        }
    }

    fn keeps_all(&self) -> bool {
        self.count_type == "imageCountMoreThan" && self.count_number >= ALL
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const TAGS: [&str; 2] = ["tidegate.prod.users.live", "prod"];

    fn rule(priority: u64, selection: Value) -> Value {
        let mut all = json!({"countType": "imageCountMoreThan", "countNumber": 10});
        all.as_object_mut().unwrap().extend(selection.as_object().unwrap().clone());
        json!({"rulePriority": priority, "selection": all, "action": {"type": "expire"}})
    }

    fn check(rules: &[Value], expected: Option<u64>) {
        let policy = json!({"rules": rules}).to_string();
        assert_eq!(endangers(&policy, &TAGS).unwrap(), expected, "{policy}");
    }

    #[test]
    fn the_first_rule_that_matches_decides() {
        let spares =
            rule(1, json!({"tagStatus": "tagged", "tagPatternList": ["tidegate.*"], "countNumber": ALL}));
        let any = rule(9, json!({"tagStatus": "any"}));
        check(&[any.clone(), spares.clone()], None);
        check(std::slice::from_ref(&any), Some(9));
        let older = json!({"tagStatus": "tagged", "tagPrefixList": ["tidegate."], "countType": "sinceImagePushed",
                           "countUnit": "days", "countNumber": ALL});
        check(&[rule(2, older), spares.clone()], None);
        let before = rule(0, json!({"tagStatus": "tagged", "tagPrefixList": ["prod"]}));
        check(&[before, spares], Some(0));
    }

    #[test]
    fn a_rule_for_other_images_takes_nothing_of_ours() {
        check(&[rule(1, json!({"tagStatus": "untagged"}))], None);
        check(&[rule(1, json!({"tagStatus": "tagged", "tagPrefixList": ["feature-"]}))], None);
        check(&[rule(1, json!({"tagStatus": "tagged", "tagPatternList": ["pr*d", "feature*"]}))], None);
        check(&[rule(1, json!({"tagStatus": "tagged", "tagPatternList": ["pr*d", "*live"]}))], Some(1));
        check(&[], None);
        assert_eq!(endangers("no JSON", &TAGS).unwrap_err().name(), "InvalidInput");
    }
}
