//! What follows from what was reached.  Pure.

use super::doors::{Behind, Door};
use super::{Next, ReachState, Response};

/// The pauses between two tries, about a minute together: a rule that was just added takes a moment.
const PAUSES: [u32; 4] = [5, 10, 20, 30];

/// The first port of an instance that ECS takes by itself, as Linux does for its clients.
const FIRST_OF_ECS: u16 = 32768;

/// How many doors a sentence names.
const NAMED: usize = 3;

/// What one call found.
#[derive(Debug)]
pub(super) struct Found<'a> {
    /// How many moves have live tests.
    pub total: usize,
    /// How many of them this call looked at.
    pub looked_at: usize,
    /// What could not be reached, and why.
    pub shut: Vec<(&'a Door, String)>,
}

/// Decides where the release goes.
pub(super) fn next(state: ReachState, found: Found<'_>, own_groups: &[String]) -> Response {
    let Found { total, looked_at, shut } = found;
    if !shut.is_empty() {
        let because = sentence(&shut, own_groups);
        return match PAUSES.get(state.tries) {
            None => Response { next: Next::Unreachable, because, pause_seconds: 0, state },
            Some(pause) => {
                let state = ReachState { tries: state.tries + 1, ..state };
                Response { next: Next::Pending, because, pause_seconds: *pause, state }
            }
        };
    }
    let state = ReachState { done: state.done + looked_at, tries: 0, ..state };
    if state.done < total {
        let because = format!("{} of {total} services are reached", state.done);
        return Response { next: Next::Pending, because, pause_seconds: 1, state };
    }
    let because = match (total, state.untried) {
        (0, _) => "no live tests are configured".to_owned(),
        (_, 0) => "the live tests can reach every address that they ask".to_owned(),
        (_, 1) => "every address that could be tried can be reached; 1 service has nothing healthy to try"
            .to_owned(),
        (_, n) => {
            format!(
                "every address that could be tried can be reached; {n} services have nothing healthy to try"
            )
        }
    };
    Response { next: Next::Reached, because, pause_seconds: 0, state }
}

fn sentence(shut: &[(&Door, String)], own_groups: &[String]) -> String {
    let named = shut.iter().take(NAMED).map(|(door, why)| one(door, why, own_groups));
    let named: Vec<String> = named.collect();
    match shut.len() - named.len() {
        0 => named.join("; "),
        more => format!("{}; and {more} more", named.join("; ")),
    }
}

/// Says what cannot be reached, and what to change.
fn one(door: &Door, why: &str, own_groups: &[String]) -> String {
    let Door { service, check, sockets, behind } = door;
    let Ok(sockets) = sockets else {
        return format!("live test {check:?} of {service} cannot be asked: {why}");
    };
    let (host, port) = sockets.last().cloned().unwrap_or_default();
    let host = if host.contains(':') { format!("[{host}]") } else { host };
    let own = own_groups.join(", ");
    let advice = match behind {
        Behind::Name if own.is_empty() => {
            "check the name; if it is one of the VPC, set the stack parameters SubnetIds and SecurityGroupIds"
                .to_owned()
        }
        _ if own.is_empty() => {
            "the health-test function runs outside the VPC: set the stack parameters SubnetIds and SecurityGroupIds"
                .to_owned()
        }
        Behind::Tasks(groups) if !groups.is_empty() => format!(
            "add a rule to the security group {} of the tasks that lets {own} in on TCP port {port}",
            groups.join(" or ")
        ),
        Behind::Tasks(_) => {
            format!("add a rule to the security group of the tasks that lets {own} in on TCP port {port}")
        }
        Behind::Instances if port >= FIRST_OF_ECS => format!(
            "add a rule to the security group of the container instances that lets {own} in on TCP ports \
             {FIRST_OF_ECS}-65535, of which ECS takes one for each task"
        ),
        Behind::Instances => format!(
            "add a rule to the security group of the container instances that lets {own} in on TCP port {port}"
        ),
        Behind::Name => format!(
            "add a rule to the security group behind {host} that lets {own} in on TCP port {port}, \
             or give the stack other subnets in SubnetIds that have a route to it"
        ),
    };
    format!(
        "health-test cannot reach {host}:{port}, which live test {check:?} of {service} asks ({why}): {advice}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use pipeline::ids::ServiceName;

    fn door(host: &str, groups: Option<&[&str]>) -> Door {
        let tasks = |groups: &[&str]| Behind::Tasks(groups.iter().map(|group| (*group).to_owned()).collect());
        Door {
            service: ServiceName::parse("users").unwrap(),
            check: "health".to_owned(),
            sockets: Ok(vec![(host.to_owned(), 8080)]),
            behind: groups.map_or(Behind::Name, tasks),
        }
    }

    fn decided(state: ReachState, total: usize, looked_at: usize, shut: &[&Door], own: &[&str]) -> Response {
        let shut = shut.iter().map(|door| (*door, "no connection within 3000 ms".to_owned())).collect();
        let own: Vec<String> = own.iter().map(|group| (*group).to_owned()).collect();
        next(state, Found { total, looked_at, shut }, &own)
    }

    #[test]
    fn moves_are_looked_at_some_at_a_time_until_none_is_left() {
        let state = |done, tries, untried| ReachState { done, tries, untried };
        for (before, total, looked_at, expected, pause, after, said) in [
            (state(0, 0, 0), 0, 0, Next::Reached, 0, state(0, 0, 0), "no live tests are configured"),
            (
                state(0, 0, 0),
                2,
                2,
                Next::Reached,
                0,
                state(2, 0, 0),
                "the live tests can reach every address that they ask",
            ),
            (state(0, 3, 0), 60, 25, Next::Pending, 1, state(25, 0, 0), "25 of 60 services are reached"),
            (state(50, 0, 1), 60, 10, Next::Reached, 0, state(60, 0, 1), "1 service has nothing healthy"),
            (state(50, 0, 9), 60, 10, Next::Reached, 0, state(60, 0, 9), "9 services have nothing healthy"),
        ] {
            let response = decided(before, total, looked_at, &[], &["sg-own"]);
            assert_eq!((response.next, response.pause_seconds, response.state), (expected, pause, after));
            assert!(response.because.contains(said), "{}", response.because);
        }
    }

    #[test]
    fn what_is_shut_is_tried_for_a_minute_and_then_unreachable() {
        let shut = door("10.0.0.1", Some(&["sg-tasks"]));
        let (mut state, mut pauses) = (ReachState { done: 25, ..ReachState::default() }, Vec::new());
        for _ in 0..=PAUSES.len() {
            let response = decided(state, 60, 25, &[&shut], &["sg-own"]);
            assert_eq!(response.state.done, 25);
            if response.next == Next::Unreachable {
                break;
            }
            assert_eq!(response.next, Next::Pending);
            pauses.push(response.pause_seconds);
            state = response.state;
        }
        assert_eq!(pauses, PAUSES);
    }

    #[test]
    fn the_sentence_names_what_to_change() {
        let said = |door: &Door, own: &[&str]| decided(ReachState::default(), 1, 1, &[door], own).because;
        let cannot = |socket: &str| {
            format!(
                "health-test cannot reach {socket}, which live test \"health\" of users asks (no connection within 3000 ms): "
            )
        };
        let tasks = door("10.0.0.1", Some(&["sg-a", "sg-b"]));
        assert_eq!(
            said(&tasks, &["sg-own"]),
            cannot("10.0.0.1:8080")
                + "add a rule to the security group sg-a or sg-b of the tasks that lets sg-own in on TCP port 8080"
        );
        assert_eq!(
            said(&tasks, &[]),
            cannot("10.0.0.1:8080")
                + "the health-test function runs outside the VPC: set the stack parameters SubnetIds and SecurityGroupIds"
        );
        assert!(
            said(&door("lb.example.org", None), &[]).contains("check the name; if it is one of the VPC, set")
        );
        assert_eq!(
            said(&door("fd12::1", Some(&[])), &["sg-own"]),
            cannot("[fd12::1]:8080")
                + "add a rule to the security group of the tasks that lets sg-own in on TCP port 8080"
        );
        assert!(
            said(&door("lb.example.org", None), &["sg-own"])
                .contains("behind lb.example.org that lets sg-own in")
        );
    }

    #[test]
    fn the_way_to_a_task_on_an_instance_is_the_one_to_the_instance() {
        let own = ["sg-own".to_owned()];
        let at = |port| Door {
            sockets: Ok(vec![("10.0.0.1".to_owned(), port)]),
            behind: Behind::Instances,
            ..door("", None)
        };
        for (port, ports) in
            [(8080, "port 8080"), (32768, "ports 32768-65535, of which ECS takes one for each task")]
        {
            let advice =
                "add a rule to the security group of the container instances that lets sg-own in on TCP";
            let said = one(&at(port), "no connection", &own);
            assert!(said.ends_with(&format!("{advice} {ports}")), "{said}");
        }
        assert!(
            one(&at(8080), "no connection", &[])
                .ends_with("set the stack parameters SubnetIds and SecurityGroupIds")
        );
        let lost = Door { sockets: Err(String::new()), ..at(0) };
        let said = one(&lost, "the address of the instance i-1 is not known", &own);
        assert_eq!(
            said,
            "live test \"health\" of users cannot be asked: the address of the instance i-1 is not known"
        );
    }

    #[test]
    fn a_few_are_named_and_the_rest_is_counted() {
        let shut = door("10.0.0.1", None);
        let because = decided(ReachState::default(), 9, 9, &[&shut; 9], &["sg-own"]).because;
        assert_eq!(because.matches("cannot reach").count(), NAMED);
        assert!(because.ends_with("; and 6 more"), "{because}");
    }
}
