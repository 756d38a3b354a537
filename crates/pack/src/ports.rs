//! The ports of the tasks that a pack asks.  Pure.

use pipeline::task_definition::OpenPort;

use crate::asked::TaskPort;

/// Returns the number of a port, or says why there is no such one; `containers` are those that run our image.
pub fn number(ports: &[OpenPort], containers: &[String], which: &TaskPort) -> Result<u16, String> {
    match which {
        TaskPort::Number(number) => Ok(*number),
        TaskPort::Named(name) => {
            let found = ports.iter().find(|port| port.name.as_deref() == Some(name));
            let names = ports.iter().filter_map(|port| port.name.as_deref());
            let known = || some(names, "no port mapping of its task definition has a name");
            found.map(|port| port.number).ok_or_else(|| {
                format!("${{task.port.{name}}} is no port mapping of its task definition: {}", known())
            })
        }
        TaskPort::Only => {
            let ours = ports.iter().filter(|port| containers.contains(&port.container));
            let mut numbers: Vec<u16> = ours.map(|port| port.number).collect();
            numbers.sort_unstable();
            numbers.dedup();
            let numbers = match &*numbers {
                [one] => return Ok(*one),
                numbers => numbers.iter().map(u16::to_string).collect::<Vec<_>>(),
            };
            let known = some(numbers.iter().map(String::as_str), "its containers open none");
            Err(format!(
                "${{task.port}} is the only port of the containers with the image, and they have not one: {known}; \
                 write ${{task.port.NAME}}, or ${{task.ip}} and a number"
            ))
        }
    }
}

/// Lists what there is, or says that there is nothing.
fn some<'a>(known: impl Iterator<Item = &'a str>, nothing: &str) -> String {
    let known: Vec<&str> = known.collect();
    if known.is_empty() { nothing.to_owned() } else { format!("expected one of {}", known.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(container: &str, name: Option<&str>, number: u16) -> OpenPort {
        OpenPort { container: container.to_owned(), name: name.map(str::to_owned), number }
    }

    #[test]
    fn a_port_is_the_only_one_of_our_containers_or_one_of_a_name() {
        let app = ["app".to_owned()];
        let proxy = port("proxy", Some("admin"), 9901);
        let one = [port("app", Some("http"), 8080), proxy.clone()];
        let two = [port("app", Some("http"), 8080), port("app", None, 9090), proxy.clone()];
        let named = |name: &str| TaskPort::Named(name.to_owned());
        for (ports, which, expected) in [
            (&one[..], TaskPort::Only, Ok(8080)),
            (&one, named("admin"), Ok(9901)),
            (&one, TaskPort::Number(7), Ok(7)),
            (&two, TaskPort::Only, Err("expected one of 8080, 9090; write ${task.port.NAME}")),
            (&[proxy], TaskPort::Only, Err("its containers open none; write")),
            (
                &two,
                named("https"),
                Err(
                    "${task.port.https} is no port mapping of its task definition: expected one of http, admin",
                ),
            ),
            (&[], named("https"), Err("no port mapping of its task definition has a name")),
        ] {
            match (number(ports, &app, &which), expected) {
                (Ok(number), Ok(expected)) => assert_eq!(number, expected),
                (Err(why), Err(expected)) => assert!(why.contains(expected), "{why}"),
                other => panic!("{which:?}: {other:?}"),
            }
        }
    }
}
