//! What a person should know before a release: what would go wrong, or be not as it was meant.  Pure.

use pipeline::environment::{self, Environment};
use pipeline::rows::{Finding, FindingKind, MoveRow};
use wildmatch::WildMatch;

use super::PlanDraft;
use super::words::did_you_mean;
use crate::ports::Service;

/// Looks at the services that move; `roles` are those that the stack may hand on, if that is known.
pub fn of(draft: &PlanDraft, roles: Option<&[String]>) -> Vec<Finding> {
    let mut found = Vec::new();
    for row in &draft.moves {
        let service = draft.services.iter().find(|service| service.name == row.service);
        let Some(service) = service else { continue };
        // Nobody may override it: ECS denies it after the tags have moved.
        found.extend(roles.and_then(|roles| unknown_role(service, roles)).map(Finding::refuses));
        found.extend(closed_port(service).map(Finding::warns));
        found.extend(no_restore_point(row).map(Finding::warns));
    }
    found
}

/// Returns what refuses a release.
pub fn refusals(findings: &[Finding]) -> impl Iterator<Item = &str> {
    let refuses = findings.iter().filter(|finding| finding.kind == FindingKind::Refuses);
    refuses.map(|finding| finding.text.as_str())
}

/// Names what the document of an environment says about services that it does not have.
pub fn strangers(services: &[Service], environment: &Environment) -> Vec<String> {
    let waves = environment.waves.iter().flatten().map(|pattern| ("waves", pattern));
    let forward = environment.forward_only.iter().map(|pattern| ("forwardOnly", pattern));
    let alarms = environment.alarms.keys().map(|pattern| ("alarms", pattern));
    let named = waves.chain(forward).chain(alarms);
    let strange = named
        .filter(|(_, pattern)| !services.iter().any(|service| environment::matches(pattern, &service.name)));
    let names = || services.iter().map(|service| service.name.as_str());
    strange
        .map(|(key, pattern)| {
            let (cluster, meant) = (&environment.cluster, did_you_mean(pattern, names()));
            format!("{key:?} names {pattern:?}, and {cluster} has no such service{meant}")
        })
        .collect()
}

/// Names a role of a task definition that the deploy function may not hand on.
fn unknown_role(service: &Service, roles: &[String]) -> Option<String> {
    let may = |role: &String| roles.iter().any(|known| WildMatch::new(known).matches(role));
    let role = service.revision.roles.iter().find(|role| !may(role))?;
    Some(format!(
        "{}: its role {role} is not among the stack's TaskRoleArns, so it cannot be handed on: expected it, or a \
         pattern that matches it, among them",
        service.name
    ))
}

/// Names a port that a target group reaches, and that the task definition does not open.
fn closed_port(service: &Service) -> Option<String> {
    let opens = |(container, port): &&(String, i32)| {
        let mut ports = service.revision.ports.iter();
        ports.any(|open| open.container == *container && i32::from(open.number) == *port)
    };
    let (container, port) = service.balanced.iter().find(|one| !opens(one))?;
    Some(format!(
        "{}: a target group reaches port {port} of the container {container}, which its task definition does not open",
        service.name
    ))
}

fn no_restore_point(row: &MoveRow) -> Option<String> {
    row.restore.is_none().then(|| format!("{}: it cannot be rolled back if it fails", row.service))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::tests::{candidate, row};
    use pipeline::document;
    use pipeline::task_definition::OpenPort;
    use serde_json::json;

    fn draft(change: impl FnOnce(&mut Service)) -> PlanDraft {
        let mut service = candidate(":main-1").service;
        change(&mut service);
        PlanDraft { moves: vec![row("users")], services: vec![service], ..PlanDraft::default() }
    }

    #[test]
    fn a_name_that_fits_no_service_is_told_with_the_nearest() {
        let environment: Environment = document::read(
            "dev",
            json!({"cluster": "dev", "tag": "dev", "waves": [["usres"], ["u*"]], "forwardOnly": ["db"]}),
        )
        .unwrap();
        assert_eq!(
            strangers(&draft(|_| ()).services, &environment),
            [
                "\"waves\" names \"usres\", and dev has no such service; did you mean \"users\"?",
                "\"forwardOnly\" names \"db\", and dev has no such service",
            ]
        );
    }

    #[test]
    fn a_role_that_may_not_be_handed_on_refuses() {
        let role = "arn:aws:iam::123456789012:role/shop/users".to_owned();
        let draft = draft(|service| service.revision.roles = vec![role.clone()]);
        assert!(of(&draft, None).is_empty(), "nobody knows which may");
        assert!(of(&draft, Some(&["arn:aws:iam::123456789012:role/shop/*".to_owned()])).is_empty());
        let found = of(&draft, Some(&[]));
        assert!(refusals(&found).next().unwrap().starts_with("users: its role arn:aws"), "{found:?}");
    }

    #[test]
    fn what_would_fail_is_told_before() {
        let balanced = |number: u16| {
            draft(|service| {
                service.balanced = vec![("app".to_owned(), 8080)];
                service.revision.ports = vec![OpenPort { container: "app".to_owned(), name: None, number }];
            })
        };
        assert!(of(&balanced(8080), None).is_empty());
        let found = of(&balanced(80), None);
        assert!(found[0].text.contains("reaches port 8080 of the container app"));
        assert_eq!(found[0].kind, FindingKind::Warns);

        let mut forced = draft(|_| ());
        forced.moves[0].restore = None;
        assert_eq!(
            of(&forced, None),
            [Finding::warns("users: it cannot be rolled back if it fails".to_owned())]
        );
    }
}
