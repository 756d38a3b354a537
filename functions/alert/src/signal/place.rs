//! Which environment and which service something is about.

use pipeline::environment::Environments;
use pipeline::ids::{EnvironmentName, ServiceName};

use super::Judged;
use super::rules::AlarmRule;
use crate::kind::{AlertKind, Severity};
use wildmatch::WildMatch;

/// What an alarm is about.
#[derive(Clone, Debug, PartialEq)]
pub struct AlarmPlace {
    /// The environment.
    pub environment: Option<EnvironmentName>,
    /// The service, if it is about one.
    pub service: Option<ServiceName>,
    /// How grave it is.
    pub severity: Severity,
    /// The services whose releases watch it.
    pub judged: Option<Judged>,
}

/// Finds what an alarm is about: by the first rule that fits, or by the environment that names it; none if it is none
/// of ours.
pub fn of_alarm(alarm: &str, rules: &[AlarmRule], environments: &Environments) -> Option<AlarmPlace> {
    let watching = environments.known().find_map(|(name, environment)| {
        let named = environment.alarms.iter().filter(|(_, alarms)| alarms.iter().any(|one| one == alarm));
        let services: Vec<String> = named.map(|(services, _)| services.clone()).collect();
        (!services.is_empty()).then_some(Judged { environment: name, services, later: true })
    });
    let rule = rules.iter().find(|rule| WildMatch::new(&rule.name).matches(alarm));
    if rule.is_none() && watching.is_none() {
        return None;
    }
    let only = watching.as_ref().and_then(|judged| match judged.services.as_slice() {
        [one] => ServiceName::parse(one.as_str()).ok(),
        _ => None,
    });
    let environment = rule.and_then(|rule| rule.environment.clone());
    Some(AlarmPlace {
        environment: environment.or_else(|| watching.as_ref().map(|judged| judged.environment.clone())),
        service: rule.and_then(|rule| rule.service.clone()).or(only),
        severity: rule.map_or(AlertKind::AlarmRaised.severity(), |rule| rule.severity),
        judged: watching,
    })
}

/// Finds the environment of a cluster, given by its name or its ARN.
pub fn of_cluster(cluster: &str, environments: &Environments) -> Option<EnvironmentName> {
    let cluster = cluster.rsplit('/').next().unwrap_or(cluster);
    let mut all = environments.known().filter(|(_, one)| one.cluster_name() == cluster);
    all.next().map(|(name, _)| name)
}
