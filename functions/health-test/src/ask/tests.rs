use std::cell::RefCell;
use std::time::Duration;

use pack::{Pack, Values};

use super::*;

/// Answers to requests, in their order, and what was asked.
struct Server(RefCell<Vec<ProbeResult>>, RefCell<Vec<Request>>);

fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> ProbeResult {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let took = Duration::from_millis(12);
    ProbeResult::Answer(Answer { status, headers, body: body.to_owned(), cut: false, took })
}

impl Server {
    fn new(answers: impl IntoIterator<Item = ProbeResult>) -> Self {
        let mut answers: Vec<ProbeResult> = answers.into_iter().collect();
        answers.reverse();
        Server(RefCell::new(answers), RefCell::default())
    }

    async fn ask(&self, steps: &str) -> Asked {
        self.ask_all(&format!(r#""journey":[{steps}]"#)).await
    }

    async fn ask_all(&self, kind: &str) -> Asked {
        let pack = Pack::read("pack", &format!(r#"{{"checks":[{{"name":"order",{kind}}}]}}"#)).unwrap();
        let values = Values::default()
            .with("target.address", "10.0.0.1:80")
            .with("release.id", "r1")
            .with("attempt.id", "r1.order");
        let send = async |request: &Request| {
            self.1.borrow_mut().push(request.clone());
            self.0.borrow_mut().pop().unwrap()
        };
        ask(&pack.checks[0], values, &Secrets::default(), send).await
    }
}

const LOGIN: &str = r#"{"name":"login","method":"POST","url":"http://${target.address}/login","body":{"user":"a"},
    "captures":{"session":{"json":"$.session"}},"quiet":true}"#;
const BUY: &str = r#"{"name":"buy","method":"POST","url":"http://${target.address}/orders",
    "headers":{"cookie":"sid=${session}","x-run":"${release.id}"},"status":201,"captures":{"order":{"header":"Location"}}}"#;
const READ: &str = r#"{"name":"read","url":"http://${target.address}${order}","json":{"$.state":"open"},
    "answerHeaders":{"content-type":"application/json*"}}"#;

fn session() -> ProbeResult {
    answer(200, &[], r#"{"session":"hush-1234"}"#)
}

#[tokio::test]
async fn each_step_uses_what_earlier_ones_were_answered() {
    let server = Server::new([
        session(),
        answer(201, &[("location", "/orders/7")], ""),
        answer(200, &[("Content-Type", "application/json; charset=utf-8")], r#"{"state":"open"}"#),
    ]);
    let asked = server.ask(&[LOGIN, BUY, READ].join(",")).await;
    assert_eq!((asked.end, asked.requests), (End::Passed, 3));
    assert_eq!(asked.connected, ["10.0.0.1:80"; 3]);
    let requests = server.1.into_inner();
    let urls: Vec<&str> = requests.iter().map(|request| request.url.as_str()).collect();
    assert_eq!(
        urls,
        ["http://10.0.0.1:80/login", "http://10.0.0.1:80/orders", "http://10.0.0.1:80/orders/7"]
    );
    let sent: Vec<(&str, &str)> =
        requests[1].headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(sent, [("cookie", "sid=hush-1234"), ("x-run", "r1")]);
}

#[tokio::test]
async fn the_first_step_that_fails_ends_it_and_is_named() {
    let order = || answer(201, &[("location", "/orders/7")], "");
    for (answers, said) in [
        (
            vec![answer(500, &[], "a secret of ours")],
            "step \"login\": POST http://10.0.0.1/login: expected status 200, got status 500 in 12 ms",
        ),
        (
            vec![answer(200, &[], "{}")],
            "step \"login\": POST http://10.0.0.1/login: the answer has nothing to capture as \"session\"",
        ),
        (
            vec![session(), answer(401, &[], "who is hush-1234?")],
            "step \"buy\": POST http://10.0.0.1/orders: expected status 201, got status 401 in 12 ms: who is ***?",
        ),
        (
            vec![session(), ProbeResult::NoAnswer("no answer: connection reset".to_owned())],
            "step \"buy\": POST http://10.0.0.1/orders: no answer: connection reset",
        ),
        // What another host is named by stays where it is.
        (
            vec![session(), answer(201, &[("location", "http://evil.example/")], "")],
            "step \"read\": the value of ${order} does not begin with \"/\" and would change the host",
        ),
        (
            vec![session(), order(), answer(200, &[("content-type", "text/html")], r#"{"state":"open"}"#)],
            "step \"read\": GET http://10.0.0.1/orders/7: expected the header content-type to be \
             \"application/json*\", and it is \"text/html\", got status 200 in 12 ms: {\"state\":\"open\"}",
        ),
        (
            vec![session(), order(), answer(200, &[], "")],
            "step \"read\": GET http://10.0.0.1/orders/7: expected the header content-type to be \
             \"application/json*\", and it is not there, got status 200 in 12 ms without a body",
        ),
    ] {
        let asked = Server::new(answers).ask(&[LOGIN, BUY, READ].join(",")).await;
        assert_eq!(asked.end, End::Failed(said.to_owned()));
    }
}

#[tokio::test]
async fn what_could_not_be_asked_is_no_failure() {
    let far = || ProbeResult::Unreached("no connection within 3000 ms".to_owned());
    let asked = Server::new([session(), far()]).ask(&[LOGIN, BUY].join(",")).await;
    let (asked, connected) = (asked.end, asked.connected);
    let End::Unreached { socket, asked, why } = asked else { panic!("{asked:?}") };
    assert_eq!((socket.as_str(), why.as_str()), ("10.0.0.1:80", "no connection within 3000 ms"));
    assert_eq!((asked.as_str(), connected.len()), ("step \"buy\": POST http://10.0.0.1/orders", 1));
    let late = ProbeResult::Nothing("no time was left for it in this poll".to_owned());
    let asked = Server::new([late]).ask(LOGIN).await;
    let said = "step \"login\": POST http://10.0.0.1/login: no time was left for it in this poll";
    assert_eq!((asked.end, asked.connected.len()), (End::Nothing(said.to_owned()), 0));
}

#[test]
fn a_capture_takes_what_is_there_once() {
    let capture = |written: &str| -> Capture { serde_json::from_str(written).unwrap() };
    let cookies = [("set-cookie", "a=1; Path=/"), ("Set-Cookie", "sid=\"two\"; HttpOnly"), ("x-a", "b")];
    let ProbeResult::Answer(answer) = answer(200, &cookies, r#"{"a":[1,2],"b":{"c":true}}"#) else {
        panic!("it is none")
    };
    for (written, found) in [
        (r#"{"json":"$.b.c"}"#, Some(Value::Bool(true))),
        (r#"{"json":"$.a[0]"}"#, Some(1.into())),
        (r#"{"json":"$.a[*]"}"#, None),
        (r#"{"json":"$.d"}"#, None),
        (r#"{"header":"X-A"}"#, Some("b".into())),
        (r#"{"header":"x-b"}"#, None),
        (r#"{"cookie":"sid"}"#, Some("two".into())),
        (r#"{"cookie":"b"}"#, None),
        (r#"{"body":true}"#, Some(answer.body.as_str().into())),
    ] {
        assert_eq!(captured(&capture(written), &answer), found, "{written}");
    }
    let cut = Answer { cut: true, ..answer };
    assert_eq!(captured(&capture(r#"{"body":true}"#), &cut), None);
}

#[tokio::test]
async fn what_a_quiet_step_answered_is_shown_nowhere_not_even_in_part() {
    let quiet = r#"{"name":"a","url":"http://a/","quiet":true,"answerHeaders":{"x-token":"none"}}"#;
    let asked = Server::new([answer(200, &[("x-token", "hush-1234")], "hush-1234")]).ask(quiet).await;
    let said = "step \"a\": GET http://a/: expected the header x-token to be \"none\", and it is another, got status 200 in \
                12 ms";
    assert_eq!(asked.end, End::Failed(said.to_owned()));
    // One that stands where a body, or what is expected of it, is cut.
    let use_it =
        r#"{"name":"b","url":"http://a/","contains":"CUT${session}"}"#.replace("CUT", &"y".repeat(76));
    let body = format!("{}hush-1234", "x".repeat(196));
    let asked = Server::new([session(), answer(200, &[], &body)]).ask(&[LOGIN, &use_it].join(",")).await;
    let End::Failed(said) = asked.end else { panic!("{:?}", asked.end) };
    assert!(!said.contains("hus") && said.contains("***"), "{said}");
}

#[tokio::test]
async fn what_nobody_knows_is_no_failure_of_the_service() {
    for unknown in [
        r#"{"name":"a","url":"http://a/","contains":"${image.commit}"}"#.to_owned(),
        [LOGIN, r#"{"name":"b","url":"http://a/${image.commit}"}"#].join(","),
    ] {
        let asked = Server::new([session()]).ask(&unknown).await;
        assert!(
            matches!(&asked.end, End::Nothing(why) if why.ends_with("${image.commit} has no value")),
            "{asked:?}"
        );
    }
}

#[tokio::test]
async fn a_request_that_is_repeated_is_judged_by_all_of_its_answers() {
    let took = |ms| {
        let took = Duration::from_millis(ms);
        ProbeResult::Answer(Answer { status: 200, headers: vec![], body: String::new(), cut: false, took })
    };
    let kind = r#""http":{"url":"http://a/","repeat":10,"percentiles":{"p90":"50ms"},"headers":{"x":"${attempt.id}"}}"#;
    let nine_quick = |slow: usize| (0..10).map(move |n| took(if n < slow { 51 } else { 50 }));
    let server = Server::new(nine_quick(1));
    let asked = server.ask_all(kind).await;
    assert_eq!((asked.end, asked.requests, asked.took.as_millis()), (End::Passed, 10, 51));
    let attempts = server.1.borrow().iter().map(|request| request.headers[0].1.clone()).collect::<Vec<_>>();
    assert_eq!(
        (attempts[0].as_str(), attempts[9].as_str()),
        ("r1.order.0", "r1.order.9"),
        "each is one of its own"
    );
    let asked = Server::new(nine_quick(2)).ask_all(kind).await;
    let said = "GET http://a/: expected p90 of 10 answers within 50ms, it was 51 ms";
    assert_eq!(asked.end, End::Failed(said.to_owned()));
    // One wrong answer among the quick ones says more than one that never came.
    let late = ProbeResult::Nothing("no time was left for it in this poll".to_owned());
    let wrong = [late, answer(500, &[], "no")].into_iter().chain(nine_quick(0).skip(2));
    let End::Failed(said) = Server::new(wrong).ask_all(kind).await.end else { panic!("it did not fail") };
    assert!(said.contains("expected status 200, got status 500"), "{said}");
}

#[tokio::test]
async fn a_reason_of_the_client_is_blanked_too() {
    let use_it = r#"{"name":"b","url":"http://a/"}"#;
    for result in [
        ProbeResult::NoAnswer("hush-1234 is gone".to_owned()),
        ProbeResult::Nothing("redirected to http://x/hush-1234: it has no address".to_owned()),
        ProbeResult::Unreached("no way to hush-1234".to_owned()),
    ] {
        let asked = Server::new([session(), result]).ask(&[LOGIN, use_it].join(",")).await;
        let said = format!("{:?}", asked.end);
        assert!(said.contains("***") && !said.contains("hush"), "{said}");
    }
}
