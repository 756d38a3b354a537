//! Asks a real server over real sockets: one that answers well, and ones that answer as badly as they can.

#![expect(clippy::unwrap_used, clippy::panic, reason = "this is how a test fails")]

mod elsewhere;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use health_test::probe::{Answer, CONNECT, Probe, ProbeResult, Web};
use pack::Method;
use pack::kind::http::{Body, Request};
use pack::policy::Policy;
use tokio::net::TcpSocket;
use tokio::time::timeout;

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(50);

/// Serves each connection with `answer`; hands out what was asked.
fn server(answer: fn(&mut TcpStream) -> std::io::Result<()>) -> (SocketAddr, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (asked, heard) = channel();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|n| n == 1) {
                head.push(byte[0]);
            }
            drop(asked.send(String::from_utf8(head).unwrap()));
            // The other side may hang up, and often means to.
            drop(answer(&mut stream));
        }
    });
    (address, heard)
}

fn probe(loopback: bool) -> Probe {
    Probe::within(Policy { loopback }, CONNECT).unwrap()
}

/// An address that takes no connection and refuses none, as behind a security group without a rule.
struct Silence {
    listener: tokio::net::TcpListener,
    _queued: Vec<tokio::net::TcpStream>,
}

impl Silence {
    /// Fills the queue of a listener that never accepts: the kernel drops what comes then.
    async fn new() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(1).unwrap();
        let mut queued = Vec::new();
        let connect = || tokio::net::TcpStream::connect(listener.local_addr().unwrap());
        while let Ok(stream) = timeout(SHORT, connect()).await {
            queued.push(stream.unwrap());
        }
        Silence { listener, _queued: queued }
    }

    fn address(&self) -> SocketAddr {
        self.listener.local_addr().unwrap()
    }
}

async fn ask(url: &str) -> ProbeResult {
    probe(true).ask(&Request::get(url), LONG).await
}

fn answer(result: ProbeResult) -> Answer {
    match result {
        ProbeResult::Answer(answer) => answer,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_answer_comes_with_status_body_and_time() {
    let (address, heard) =
        server(|stream| stream.write_all(b"HTTP/1.1 503 No\r\nContent-Length: 4\r\n\r\nwait"));
    let result = answer(ask(&format!("http://{address}/health?deep=1")).await);
    assert_eq!((result.status, result.body.as_str(), result.cut), (503, "wait", false));
    let asked = heard.recv().unwrap().to_lowercase();
    assert!(asked.starts_with("get /health?deep=1 http/1.1\r\n"), "{asked}");
    assert!(asked.contains("user-agent: tidegate-health-test\r\n"), "{asked}");
    assert!(!asked.contains("accept-encoding") && !asked.contains("cookie"), "{asked}");
}

#[tokio::test]
async fn a_request_takes_headers_and_a_body_along() {
    let (address, heard) = server(|stream| {
        stream.write_all(b"HTTP/1.1 201 C\r\nLocation: /7\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n")
    });
    let request = Request {
        method: Method::Post,
        headers: vec![("authorization".to_owned(), "Bearer t".to_owned())],
        body: Some(Body::Json(r#"{"user":"a"}"#.to_owned())),
        ..Request::get(format!("http://{address}/login"))
    };
    let result = answer(probe(true).ask(&request, LONG).await);
    assert_eq!(result.header("location").collect::<Vec<_>>(), ["/7"]);
    let asked = heard.recv().unwrap().to_lowercase();
    for line in ["authorization: bearer t", "content-type: application/json", "content-length: 12"] {
        assert!(asked.contains(&format!("{line}\r\n")), "{asked}");
    }
    // A type that the pack names is the only one, and a text has none.
    let typed = vec![("Content-Type".to_owned(), "application/vnd.a+json".to_owned())];
    drop(probe(true).ask(&Request { headers: typed, ..request.clone() }, LONG).await);
    let asked = heard.recv().unwrap().to_lowercase();
    assert!(asked.contains("content-type: application/vnd.a+json\r\n"), "{asked}");
    assert_eq!(asked.matches("content-type").count(), 1, "{asked}");
    let text = Request { body: Some(Body::Text("a=b".to_owned())), headers: vec![], ..request };
    drop(probe(true).ask(&text, LONG).await);
    let asked = heard.recv().unwrap().to_lowercase();
    assert!(asked.contains("content-length: 3\r\n") && !asked.contains("content-type"), "{asked}");
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let (address, heard) = server(|stream| {
        stream.write_all(
            b"HTTP/1.1 302 F\r\nLocation: /elsewhere\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n",
        )
    });
    assert_eq!(answer(ask(&format!("http://{address}/")).await).status, 302);
    drop(heard.recv().unwrap());
    assert!(heard.recv_timeout(Duration::from_millis(50)).is_err());
}

#[tokio::test]
async fn a_body_without_an_end_is_read_to_its_cap() {
    let (address, _) = server(|stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nok ")?;
        loop {
            stream.write_all(&[b'x'; 4096])?;
        }
    });
    let result = answer(ask(&format!("http://{address}/")).await);
    assert_eq!((result.body.len(), result.cut, result.body.starts_with("ok x")), (64 * 1024, true, true));
}

#[tokio::test]
async fn a_body_of_exactly_the_cap_is_whole() {
    let (address, _) = server(|stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 65536\r\n\r\n")?;
        stream.write_all(&[b'x'; 65536])
    });
    let result = answer(ask(&format!("http://{address}/")).await);
    assert_eq!((result.body.len(), result.cut), (64 * 1024, false));
}

#[tokio::test]
async fn a_compressed_body_stays_compressed() {
    let (address, _) = server(|stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc")
    });
    assert_eq!(answer(ask(&format!("http://{address}/")).await).body, "abc");
}

#[tokio::test]
async fn a_slow_drip_ends_with_the_deadline() {
    let (address, _) = server(|stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")?;
        loop {
            stream.write_all(b".")?;
            thread::sleep(Duration::from_millis(20));
        }
    });
    let start = Instant::now();
    let result = ask(&format!("http://{address}/")).await;
    assert_eq!(result, ProbeResult::NoAnswer("no whole answer within 5000 ms".to_owned()));
    assert!(start.elapsed() < Duration::from_secs(8));
}

#[tokio::test]
async fn what_only_this_look_had_no_time_for_says_nothing_about_the_service() {
    let (address, _) = server(|_| {
        thread::sleep(LONG);
        Ok(())
    });
    let url = format!("http://{address}/");
    let result = probe(true).ask(&Request::get(url), Duration::from_millis(50)).await;
    assert_eq!(result, ProbeResult::Nothing("no time was left for it in this poll".to_owned()));
}

#[tokio::test]
async fn a_service_that_does_not_answer_has_failed() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let ProbeResult::NoAnswer(why) = ask(&format!("http://{closed}/")).await else { panic!("it answered") };
    assert!(why.starts_with("no answer: Connection refused"), "{why}");
    let (address, _) = server(|stream| stream.write_all(b"SSH-2.0-OpenSSH\r\n"));
    assert!(matches!(ask(&format!("http://{address}/")).await, ProbeResult::NoAnswer(_)));
}

#[tokio::test]
async fn a_connection_that_nobody_takes_is_no_failure_of_the_service() {
    let silence = Silence::new().await;
    let impatient = Probe::within(Policy { loopback: true }, SHORT).unwrap();
    let url = format!("http://{}/", silence.address());
    let result = impatient.ask(&Request::get(url), LONG).await;
    assert_eq!(result, ProbeResult::Unreached("no connection within 50 ms".to_owned()));
    // This one is connected to, and slow.
    let (address, _) = server(|_| {
        thread::sleep(LONG);
        Ok(())
    });
    let url = format!("http://{address}/");
    let result = impatient.ask(&Request::get(url), SHORT * 4).await;
    assert_eq!(result, ProbeResult::Nothing("no time was left for it in this poll".to_owned()));
}

#[tokio::test]
async fn a_connection_is_made_or_refused_where_the_way_is_open() {
    let silence = Silence::new().await;
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let open = TcpListener::bind("127.0.0.1:0").unwrap();
    let no_connection = Err("no connection within 50 ms".to_owned());
    for (host, port, expected) in [
        ("127.0.0.1", open.local_addr().unwrap().port(), Ok(())),
        ("127.0.0.1", closed.port(), Ok(())),
        ("localhost", closed.port(), Ok(())),
        ("127.0.0.1", silence.address().port(), no_connection),
        ("0.0.0.0", 80, Err("the policy refuses the address 0.0.0.0: it is unspecified".to_owned())),
    ] {
        assert_eq!(probe(true).connect(host, port, SHORT).await, expected, "{host}:{port}");
    }
    let why = probe(true).connect("no-such-host.invalid", 80, LONG).await.unwrap_err();
    assert!(why.starts_with("no-such-host.invalid has no address"), "{why}");
}

#[tokio::test]
async fn a_name_without_an_address_cannot_be_measured() {
    let ProbeResult::Unreached(why) = ask("http://no-such-host.invalid/").await else {
        panic!("it was asked")
    };
    assert!(why.starts_with("no-such-host.invalid has no address"), "{why}");
}

#[tokio::test]
async fn a_forbidden_address_is_not_even_connected_to() {
    let (address, heard) = server(|_| Ok(()));
    let url = format!("http://{address}/");
    let result = probe(false).ask(&Request::get(url), LONG).await;
    assert_eq!(
        result,
        ProbeResult::Nothing("the policy refuses the address 127.0.0.1: it is this machine".to_owned())
    );
    assert!(heard.recv_timeout(Duration::from_millis(50)).is_err());
}
