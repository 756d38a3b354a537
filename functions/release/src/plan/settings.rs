//! What the settings of single services change of a plan.  Pure.

use std::collections::BTreeMap;

use pipeline::Fault;
use pipeline::environment::{ServiceSettings, settings_path};
use pipeline::ids::{EnvironmentName, ServiceName};
use pipeline::rows::MoveRow;

use super::PlanDraft;

/// The settings of services, as far as they have some; a mistake fails only its own service.
pub type Settings = BTreeMap<ServiceName, Result<ServiceSettings, Fault>>;

/// Narrows each move to the containers that its service's settings name.
///
/// A mistake refuses what goes forward.  It never stops what goes back, which changes all containers of the repository.
pub fn apply(draft: &mut PlanDraft, environment: &EnvironmentName, settings: &Settings, is_back: bool) {
    let mut mistakes = Vec::new();
    for row in &mut draft.moves {
        let Some(found) = settings.get(&row.service) else { continue };
        match chosen(row, environment, found) {
            Ok(containers) => row.containers = containers,
            Err(why) => mistakes.push(format!("{}: {why}", row.service)),
        }
    }
    match is_back {
        true => draft.warn(mistakes),
        false => draft.refuse(mistakes),
    }
}

/// Returns the containers that a move changes.
fn chosen(
    row: &MoveRow,
    environment: &EnvironmentName,
    settings: &Result<ServiceSettings, Fault>,
) -> Result<Vec<String>, String> {
    let settings = settings.as_ref().map_err(ToString::to_string)?;
    let Some(named) = &settings.containers else { return Ok(row.containers.clone()) };
    match named.iter().find(|name| !row.containers.contains(name)) {
        Some(unknown) => Err(format!(
            "the parameter {} at \"containers\": {unknown:?} runs no image of {}: expected some of {}",
            settings_path(environment, &row.service),
            row.repository,
            row.containers.join(", ")
        )),
        None => Ok(named.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::tests::row;

    fn applied(settings: Result<ServiceSettings, Fault>, is_back: bool) -> PlanDraft {
        let containers = vec!["app".to_owned(), "worker".to_owned()];
        let moves = vec![MoveRow { containers, ..row("users") }];
        let mut draft = PlanDraft { moves, ..PlanDraft::default() };
        let settings = [(ServiceName::parse("users").unwrap(), settings)].into();
        apply(&mut draft, &EnvironmentName::parse("dev").unwrap(), &settings, is_back);
        draft
    }

    fn naming(containers: &[&str]) -> Result<ServiceSettings, Fault> {
        let containers = Some(containers.iter().map(ToString::to_string).collect());
        Ok(ServiceSettings { containers })
    }

    #[test]
    fn a_move_changes_the_containers_that_the_settings_name_and_otherwise_all() {
        assert_eq!(applied(naming(&["worker"]), false).moves[0].containers, ["worker"]);
        let all = applied(Ok(ServiceSettings::default()), false);
        assert_eq!(all.moves[0].containers, ["app", "worker"]);
        assert!(all.findings.is_empty());
    }

    #[test]
    fn a_mistake_refuses_what_goes_forward_and_nothing_else() {
        let forward = applied(naming(&["wroker"]), false);
        assert!(forward.is_refused());
        assert_eq!(
            forward.findings[0].text,
            "users: the parameter /tidegate/environments/dev/services/users/settings at \"containers\": \"wroker\" runs no \
             image of shop/users: expected some of app, worker"
        );
        let back = applied(Err(Fault::InvalidInput("it is no JSON".to_owned())), true);
        assert!(!back.is_refused() && back.moves[0].containers.len() == 2);
        assert_eq!(back.findings[0].text, "users: it is no JSON");
    }
}
