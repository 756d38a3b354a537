use super::*;

const REFUSED: [&str; 95] = [
    "file:///etc/passwd",
    "ftp://example.org/",
    "gopher://example.org/",
    "data:text/plain,hello",
    "javascript:alert(1)",
    "ws://example.org/",
    "unix:/var/run/docker.sock",
    "//example.org/",
    "example.org/health",
    "",
    "http://",
    "http:///",
    "http://exa mple.org/",
    "http://user@example.org/",
    "http://user:secret@example.org/",
    "http://@example.org/",
    "http://:@example.org/",
    "http://example.org@169.254.169.254/",
    "http://169.254.169.254@example.org/",
    "http:\\\\user@example.org\\",
    "http://169.254.169.254/latest/meta-data/",
    "http://169.254.170.2/v2/credentials",
    "https://169.254.169.254/",
    "HTTP://169.254.169.254/",
    "http:169.254.169.254/",
    "http:/169.254.169.254/",
    "http:\\\\169.254.169.254\\",
    "http://169.254.169.254./",
    "http://2852039166/",
    "http://0xa9fea9fe/",
    "http://0xa9.0xfe.0xa9.0xfe/",
    "http://0251.0376.0251.0376/",
    "http://169.254.43518/",
    "http://169.16689662/",
    "http://①⑥⑨.254.169.254/",
    "http://169。254。169。254/",
    "http://%31%36%39.254.169.254/",
    "http://[::ffff:169.254.169.254]/",
    "http://[::ffff:a9fe:a9fe]/",
    "http://[::169.254.169.254]/",
    "http://[64:ff9b::169.254.169.254]/",
    "http://[64:ff9b:1::169.254.169.254]/",
    "http://[::ffff:0:169.254.169.254]/",
    "http://./",
    "http://[2002:a9fe:a9fe::1]/",
    "http://[fe80::1]/",
    "http://[febf::1]/",
    "http://[fd00:ec2::254]/",
    "http://0.0.0.0/",
    "http://0/",
    "http://0.1.2.3/",
    "http://[::]/",
    "http://224.0.0.1/",
    "http://239.255.255.255/",
    "http://[ff02::1]/",
    "http://240.0.0.1/",
    "http://255.255.255.255/",
    "http://4294967295/",
    "http://[::ffff:0.0.0.0]/",
    "http://[fe80::1%25eth0]/",
    "http://999.1.1.1/",
    // The parser takes control characters out, wherever they are.
    "http://exam\tple.org/",
    "ht\ntp://example.org/",
    "http:/\r/169.254.169.254/",
    "\u{0}http://example.org/",
    "http://example.org/\u{7f}",
    "http:\t//@example.org/",
    // Nobody's user.
    "http://@169.254.169.254/",
    "http:///user@example.org/",
    "http:/user@example.org/",
    "http:user@example.org/",
    "http://example.org%40169.254.169.254@example.org/",
    "http://user%3Asecret@example.org/",
    // The same address in other words.
    "http://169.254.169.254:80/",
    "http://169.254.169.254?",
    "http://169.254.169.254#a",
    "http:169.254.169.254",
    "http:///169.254.169.254",
    "http://169.254.0xa9fe/",
    "http://0xa9.254.0251.254/",
    "http://00000251.254.169.254/",
    "http://0x00000000a9fea9fe/",
    "http://[0:0:0:0:0:ffff:a9fe:a9fe]/",
    "http://[0000:0000:0000:0000:0000:ffff:169.254.169.254]:80/",
    "http://[::FFFF:169.254.169.254]/",
    "http://[::ffff:0:169.254.169.254]/",
    "http://[64:ff9b:1::a9fe:a9fe]/",
    "http://[2001:0:a9fe:a9fe::1]/",
    "http://[fd12:3456::5efe:169.254.169.254]/",
    "http://[fd12:3456::200:5efe:a9fe:a9fe]/",
    "http://[fd00:ec2::23]/",
    "http://[fd00:0ec2:0000::fd]/",
    "http://[fe80::1%eth0]/",
    "http://[::ffff:224.0.0.1]/",
    "http://169\u{ff0e}254\u{ff0e}169\u{ff0e}254/",
];

const LOOPBACK: [&str; 26] = [
    "http://127.0.0.1:9001/2018-06-01/runtime/invocation/next",
    "http://127.0.0.1/",
    "http://127.255.255.254/",
    "http://127.1/",
    "http://0x7f.1/",
    "http://0x7f000001/",
    "http://2130706433/",
    "http://017700000001/",
    "http://127.0.0.1./",
    "http://[::1]/",
    "http://[0:0:0:0:0:0:0:1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:7f00:1]/",
    "http://localhost/",
    "http://localhost./",
    "http://LOCALHOST/",
    "http://api.localhost/",
    "https://localhost:8443/",
    "http://127.0.0.1:65535?a",
    "http://0177.0.0.1/",
    "http://127.0x0.1/",
    "http://[::127.0.0.1]/",
    "http://[::ffff:0:127.0.0.1]/",
    "http://[64:ff9b::127.0.0.1]/",
    "http://loc%61lhost/",
    "http://ⓛocalhost/",
];

const ALLOWED: [&str; 13] = [
    "http://10.0.0.1:8080/health",
    "http://172.31.255.1/",
    "http://192.168.1.1/",
    "http://100.64.0.1/",
    "https://example.org/",
    "https://example.org/?next=a@b",
    "https://example.org/@me/a@b",
    "https://example.org/#a@b",
    "http://EXAMPLE.org:8080/a/b",
    "http://internal-users-1.eu-west-1.elb.amazonaws.com/health",
    "http://[fd12:3456::1]/",
    "http://[2600:1f18::1]:8080/",
    "http://localhost.example.org/",
];

#[test]
fn no_spelling_of_a_forbidden_place_is_asked() {
    for text in REFUSED {
        assert!(Policy { loopback: false }.url(text).is_err(), "{text}");
        assert!(Policy { loopback: true }.url(text).is_err(), "{text}, with loopback allowed");
    }
}

#[test]
fn this_machine_is_asked_only_where_that_is_allowed() {
    for text in LOOPBACK {
        assert!(Policy { loopback: false }.url(text).is_err(), "{text}");
        assert!(Policy { loopback: true }.url(text).is_ok(), "{text}");
    }
}

#[test]
fn services_are_asked_where_services_are() {
    for text in ALLOWED {
        assert!(Policy { loopback: false }.url(text).is_ok(), "{text}");
    }
}

#[test]
fn a_place_to_connect_to_is_a_host_and_a_port() {
    let policy = Policy { loopback: false };
    for (text, host, port) in [
        ("lb.example.org:443", "lb.example.org", 443),
        ("10.0.0.1:8080", "10.0.0.1", 8080),
        ("[fd12::1]:80", "fd12::1", 80),
        ("LB.example.org.:80", "lb.example.org.", 80),
    ] {
        assert_eq!(policy.connect(text), Ok((host.to_owned(), port)), "{text}");
    }
    for text in [
        "",
        "lb.example.org",
        ":443",
        "lb.example.org:",
        "lb.example.org:0",
        "lb.example.org:65536",
        "lb.example.org:+443",
        "lb.example.org:443/",
        "lb.example.org/:443",
        "lb.example.org?:443",
        "lb.example.org#:443",
        "lb.example.org\\:443",
        "user@lb.example.org:443",
        "http://lb.example.org:443",
        "a:80:443",
        "lb example.org:443",
        "lb.example.org\n:443",
        "169.254.169.254:80",
        "2852039166:80",
        "0xa9fea9fe:80",
        "169.254.169.254.:80",
        "①⑥⑨.254.169.254:80",
        "%31%36%39.254.169.254:80",
        "[::ffff:169.254.169.254]:80",
        "[fd00:ec2::254]:80",
        "::1:80",
        "[::1]:80",
        "127.1:80",
        "localhost:9001",
        "0:80",
    ] {
        assert!(policy.connect(text).is_err(), "{text}: {:?}", policy.connect(text));
    }
    assert!(Policy { loopback: true }.connect("127.0.0.1:80").is_ok());
}

#[test]
fn a_redirect_is_judged_like_what_was_asked() {
    let policy = Policy { loopback: false };
    let to = |from: &str, location: &str| policy.redirect(&Url::parse(from).unwrap(), location);
    for (from, location, expected) in [
        ("http://a.example/b", "/c", "http://a.example/c"),
        ("http://a.example/b/", "c?d@e", "http://a.example/b/c?d@e"),
        ("http://a.example/b", "https://b.example/", "https://b.example/"),
        ("https://a.example/b", "//b.example/@c", "https://b.example/@c"),
        ("http://a.example/b", "/@c", "http://a.example/@c"),
    ] {
        assert_eq!(to(from, location).map(String::from).as_deref(), Ok(expected), "{location}");
    }
    for location in
        REFUSED.into_iter().chain(LOOPBACK).filter(|text| text.contains("://") && !text.starts_with('/'))
    {
        assert!(
            to("http://a.example/", location).is_err(),
            "{location}: {:?}",
            to("http://a.example/", location)
        );
    }
    for location in [
        "http://b.example/",
        "//169.254.169.254/",
        "\\\\169.254.169.254\\",
        "/\\169.254.169.254/",
        "///169.254.169.254/",
        "//user@b.example/",
        "//user:secret@b.example/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "//localhost/",
        "/a\r\nb",
        "//[::1]/",
    ] {
        assert!(to("https://a.example/", location).is_err(), "{location}");
    }
}

#[test]
fn what_a_name_resolves_to_is_judged_like_a_literal() {
    let policy = Policy { loopback: false };
    for address in ["169.254.169.254", "::ffff:169.254.170.2", "127.0.0.1", "::1", "0.0.0.0", "fe80::1"] {
        assert!(policy.address(address.parse().unwrap()).is_err(), "{address}");
    }
    assert_eq!(policy.address("10.1.2.3".parse().unwrap()), Ok(()));
}
