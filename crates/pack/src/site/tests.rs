use super::*;

pub(crate) const TARGET: &str = "http://${target.address}/health";

pub(crate) fn pack(http: &[&str]) -> Pack {
    let checks = http.iter().enumerate();
    let checks: Vec<String> =
        checks.map(|(n, http)| format!(r#"{{"name":"c{n}","http":{{{http}}}}}"#)).collect();
    Pack::read("pack", &format!(r#"{{"checks":[{}]}}"#, checks.join(","))).unwrap()
}

pub(crate) fn url(url: &str) -> String {
    format!(r#""url":"{url}""#)
}

fn check_never(http: &str, site: &Site<'_>, said: Option<&str>) {
    let never = pack(&[http]).never(site);
    match said {
        None => assert_eq!(never, [""; 0], "{http}"),
        Some(said) => {
            let [one] = &never[..] else { panic!("{http}: {never:?}") };
            assert!(one.starts_with("pack: check \"c0\", key ") && one.contains(said), "{one}");
        }
    }
}

#[test]
fn what_can_never_be_asked_is_said_with_what_to_do() {
    let connect_names = &BTreeSet::from(["users.shop".to_owned()]);
    let good = Site {
        in_vpc: true,
        network_mode: Some("awsvpc"),
        target_groups: 1,
        ports: None,
        logged: None,
        connect_names,
        policy: Policy::default(),
    };
    let within = |within: &str| format!(r#""url":"http://a/","within":"{within}""#);
    let mode = |network_mode| Site { network_mode, ..good };
    for (http, site, said) in [
        (url(TARGET), good, None),
        (
            url(TARGET),
            Site { in_vpc: false, ..good },
            Some("\"url\": ${target.address} is an address in the VPC"),
        ),
        (url(TARGET), Site { target_groups: 0, ..good }, Some("the service has no target group")),
        (url(TARGET), mode(Some("bridge")), None),
        (url(TARGET), mode(Some("host")), None),
        (url(TARGET), mode(None), None),
        (url(TARGET), mode(Some("none")), Some("the network mode of the service is none: ask through")),
        (url(TARGET), mode(Some("nat")), Some("is nat: ask through its load balancer, or use one of")),
        (url(TARGET), Site { in_vpc: false, ..mode(None) }, Some("is an address in the VPC")),
        (url("http://a/"), Site { in_vpc: false, target_groups: 0, ..mode(None) }, None),
        (url("http://users.shop:8080/"), good, Some("users.shop is a name of Service Connect")),
        (url("http://USERS.shop./"), good, Some("Service Connect")),
        (url("http://users.shop.example.org/"), good, None),
        (
            url("http://169.254.169.254/"),
            good,
            Some("\"url\": the policy refuses the address 169.254.169.254"),
        ),
        (url("http://${target.address}:80/"), good, Some("it cannot be read")),
        (within("5s"), good, None),
        (within("1ms"), good, None),
        (within("5001ms"), good, Some("\"within\": an answer is waited for 5 s at most, and 5001 ms")),
        (within("1m"), good, Some("write 5s or less")),
        (within("0s"), good, Some("\"within\": no answer takes no time")),
    ] {
        check_never(&http, &site, said);
    }
}

#[test]
fn a_task_is_asked_where_it_has_an_address_and_the_port_that_is_meant() {
    let connect_names = &BTreeSet::new();
    let policy = Policy::default();
    let network_mode = Some("awsvpc");
    let (in_vpc, target_groups, ports, logged) = (true, 1, None, None);
    let good = Site { in_vpc, network_mode, target_groups, ports, logged, connect_names, policy };
    let mode = |network_mode| Site { network_mode, ..good };
    let none = Site { ports: Some((&[], &[])), target_groups: 0, ..good };
    let open = [OpenPort { container: "app".to_owned(), name: None, number: 8080 }];
    for (http, site, said) in [
        (url("http://${task.address}/"), good, None),
        (
            url("http://${task.address}/"),
            Site { in_vpc: false, ..good },
            Some("${task.address} is an address in"),
        ),
        (
            url("http://${task.ip}:${task.port}/"),
            mode(Some("none")),
            Some("${task.address} needs tasks that can be connected to by an address"),
        ),
        (url("http://${task.ip}:${task.port}/"), mode(Some("bridge")), None),
        (
            url("http://${task.ip}:8080/"),
            mode(Some("bridge")),
            Some("whose port 8080 may be another service's: write"),
        ),
        (
            url("http://${task.ip}:8080/"),
            mode(None),
            Some("in the network mode bridge ${task.ip} is the address of"),
        ),
        (url("http://${task.ip}:8080/"), Site { ports: Some((&open, &[])), ..mode(Some("host")) }, None),
        (
            url("http://${task.ip}/"),
            Site { ports: Some((&open, &[])), ..mode(Some("host")) },
            Some("whose port 80 may be"),
        ),
        (url("http://${task.address}/"), none, Some("its containers open none")),
        (url("http://${task.ip}:80/"), none, None),
        (url("http://${task.ip}:${task.port.a}/"), none, Some("${task.port.a} is no")),
        (url("http://${target.dns}/"), good, None),
        (url("http://${target.dns}/"), Site { target_groups: 0, ..good }, Some("the service has none")),
    ] {
        check_never(&http, &site, said);
    }
}

#[test]
fn what_cloudwatch_can_never_be_asked_is_said_by_its_key() {
    let connect_names = &BTreeSet::new();
    let foreign = Some("its log driver is awsfirelens".to_owned());
    let containers = &[("app".to_owned(), None), ("proxy".to_owned(), foreign)].into();
    let (app, both) = (["app".to_owned()], ["app".to_owned(), "proxy".to_owned()]);
    let site = |moved, target_groups| Site {
        ports: None,
        in_vpc: false,
        network_mode: None,
        target_groups,
        logged: Some(Logged { containers, moved }),
        connect_names,
        policy: Policy::default(),
    };
    let metric = |name: &str| {
        format!(
            r#""metric":{{"namespace":"a","metric":"b","stat":"Sum","max":1,"dimensions":{{"c":"${{{name}}}"}}}}"#
        )
    };
    let driver = "key \"logs.container\": the log of the container \"proxy\" cannot be searched: its log driver is \
                  awsfirelens; expected the driver awslogs";
    for (check, site, said) in [
        (r#""logs":{"pattern":"a"}"#.to_owned(), site(&app[..], 0), None),
        (r#""logs":{"pattern":"a"}"#.to_owned(), site(&both[..], 0), Some(driver)),
        (r#""logs":{"pattern":"a","container":"proxy"}"#.to_owned(), site(&app[..], 0), Some(driver)),
        (
            r#""logs":{"pattern":"a","container":"prxy"}"#.to_owned(),
            site(&app[..], 0),
            Some("has no container \"prxy\": expected one of `app`, `proxy`; did you mean `proxy`?"),
        ),
        (metric("target.group"), site(&app[..], 1), None),
        (metric("service"), site(&app[..], 0), None),
        (
            metric("target.group"),
            site(&app[..], 0),
            Some(
                "key \"metric.dimensions\": ${target.group} is the only target group of a service, and this one has none",
            ),
        ),
        (metric("target.group"), site(&app[..], 2), Some("and this one has 2: write the dimension itself")),
    ] {
        let pack = Pack::read("pack", &format!(r#"{{"checks":[{{"name":"w",{check}}}]}}"#)).unwrap();
        let never = pack.never(&site);
        assert_eq!(pack.nowhere(Policy::default()), [""; 0]);
        match said {
            None => assert_eq!(never, [""; 0], "{check}"),
            Some(said) => assert!(never.len() == 1 && never[0].contains(said), "{check}: {never:?}"),
        }
    }
}

#[test]
fn every_check_that_can_never_be_asked_is_said() {
    let late = r#""url":"http://127.0.0.1/","within":"10s""#;
    assert_eq!(pack(&[&url(TARGET), late, late]).nowhere(Policy::default()).len(), 4);
    assert_eq!(pack(&[&url(TARGET), late]).nowhere(Policy { loopback: true }).len(), 1);
}
