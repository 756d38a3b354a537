//! Posts to a real server over a real socket.

#![expect(clippy::unwrap_used, reason = "this is how a test fails")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use alert::channel::Post;
use alert::port::http::{Answer, Hosts, post};
use alert::secret::Secret;

/// Serves one connection with `answer`; hands out what was posted.
fn server(answer: &'static str) -> (SocketAddr, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (posted, heard) = channel();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut buffer = vec![0; 65536];
            let mut request = String::new();
            while !request.ends_with('}') {
                let n = stream.read(&mut buffer).unwrap();
                request.push_str(std::str::from_utf8(buffer.get(..n).unwrap()).unwrap());
            }
            drop(stream.write_all(answer.as_bytes()));
            drop(posted.send(request));
        }
    });
    (address, heard)
}

fn to(url: &str) -> Post {
    let headers = vec![("webhook-signature", Secret::new("v1,00"))];
    Post { url: Secret::new(url), headers, body: r#"{"release":"r-1"}"#.to_owned() }
}

/// Allows this machine, or nothing but https.
fn hosts(loopback: bool) -> Hosts {
    Hosts { loopback, instead: None }
}

#[tokio::test]
async fn a_post_is_json_with_its_headers_and_its_answer_is_read() {
    let answer = "HTTP/1.1 429 Slow\r\nRetry-After: 7\r\nContent-Length: 5\r\n\r\nlater";
    let (address, heard) = server(answer);
    let read = post(to(&format!("http://{address}/in?a=b")), &hosts(true)).await.unwrap();
    assert_eq!(read, Answer { status: 429, body: "later".to_owned(), retry_after: Some(7) });
    let request = heard.recv().unwrap();
    assert!(request.starts_with("POST /in?a=b HTTP/1.1\r\n"), "{request}");
    let head = request.to_lowercase();
    assert!(head.contains("\r\ncontent-type: application/json\r\n"), "{request}");
    assert!(head.contains("\r\nwebhook-signature: v1,00\r\n"), "{request}");
    assert!(request.ends_with("\r\n\r\n{\"release\":\"r-1\"}"), "{request}");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (address, heard) = server("HTTP/1.1 307 T\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(post(to(&format!("http://{address}/")), &hosts(true)).await.unwrap().status, 307);
    drop(heard.recv().unwrap());
    assert!(heard.try_recv().is_err());
}

#[tokio::test]
async fn of_a_long_answer_the_beginning_is_read() {
    let long: &'static str = Box::leak(
        format!("HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n{}", "x".repeat(300_000)).into_boxed_str(),
    );
    let (address, _) = server(long);
    assert_eq!(post(to(&format!("http://{address}/")), &hosts(true)).await.unwrap().body.len(), 256 * 1024);
}

#[tokio::test]
async fn on_one_machine_something_may_stand_for_all_other_hosts() {
    let (address, heard) = server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let instead = Hosts { loopback: true, instead: Some(format!("http://{address}")) };
    post(to("https://slack.com/api/chat.postMessage"), &instead).await.unwrap();
    assert!(heard.recv().unwrap().starts_with("POST /slack.com/api/chat.postMessage HTTP/1.1\r\n"));
    let elsewhere = Hosts { loopback: false, ..instead };
    assert!(post(to("https://127.0.0.1:9/"), &elsewhere).await.is_err(), "only where that is allowed");
}

#[tokio::test]
async fn plain_http_is_refused_except_to_this_machine_where_that_is_allowed() {
    for (url, loopback) in [
        ("http://127.0.0.1:9/c4nary", false),
        ("http://hooks.example.org/c4nary", true),
        ("http://127.0.0.1.example.org/c4nary", true),
        ("ftp://127.0.0.1/c4nary", true),
    ] {
        let fault = post(to(url), &hosts(loopback)).await.unwrap_err();
        assert_eq!(fault.name(), "InvalidInput");
        assert!(fault.to_string().ends_with("is not https"), "{fault}");
        assert!(!fault.to_string().contains("c4nary"), "{fault}");
    }
    let unreadable = post(to("c4nary"), &hosts(true)).await.unwrap_err();
    assert_eq!(unreadable.to_string(), "its URL cannot be read");
}

#[tokio::test]
async fn a_failure_names_the_host_and_nothing_else_of_the_url() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (broken, _) = server("nonsense\r\n\r\n");
    for (address, said) in [
        (closed, "127.0.0.1 did not answer: it could not be connected to"),
        (broken, "127.0.0.1 did not answer: the connection broke"),
    ] {
        let url = format!("http://user:c4nary@{address}/c4nary?c4nary#c4nary");
        let Err(fault) = post(to(&url), &hosts(true)).await else { panic!("it answered") };
        assert_eq!((fault.name(), fault.to_string().as_str()), ("Unavailable", said));
    }
}
