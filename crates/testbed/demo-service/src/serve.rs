//! Puts answers on the wire, one log line each.

use std::error::Error;
use std::fmt::Arguments;
use std::io::{Write, stdout};
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tiny_http::{Header, Response, Server};

use crate::answer::{Answer, answer};
use crate::behaviour::{Baked, Behaviour};

/// Says how many answers can be written at the same time; reading requests takes no worker.
const WORKERS: usize = 4;

/// Says how long a version that crashes is alive: long enough to be seen running.
const LIFE: Duration = Duration::from_secs(1);

/// Listens on an address and answers until the process ends.
pub(crate) fn serve(baked: Baked, address: &str) -> Result<ExitCode, Box<dyn Error + Send + Sync>> {
    let server = Server::http(address).map_err(|error| format!("cannot listen on {address}: {error}"))?;
    log(format_args!("{} listens on {}", baked.version, server.server_addr()));

    let (server, baked) = (Arc::new(server), Arc::new(baked));
    let workers: Vec<_> = (0..WORKERS)
        .map(|_| {
            let (server, baked) = (Arc::clone(&server), Arc::clone(&baked));
            thread::spawn(move || answer_requests(&server, &baked))
        })
        .collect();

    if baked.behaviour == Behaviour::Crashes {
        thread::sleep(LIFE);
        log(format_args!("{} fatal: crashes as baked in", baked.version));
        return Ok(ExitCode::FAILURE);
    }
    for worker in workers {
        worker.join().map_err(|_| "a worker panicked")?;
    }
    Err("stopped accepting connections".into())
}

fn answer_requests(server: &Server, baked: &Baked) {
    for request in server.incoming_requests() {
        let path = request.url().split('?').next().unwrap_or_default();
        let answer = answer(baked, path);
        log(format_args!("{} {} {path} {}", baked.version, request.method(), answer.status));
        // A client that went away does not concern the next one.
        let _ = request.respond(response(answer));
    }
}

fn response(answer: Answer) -> Response<impl std::io::Read> {
    let response = Response::from_string(answer.body).with_status_code(answer.status);
    match Header::from_bytes("Content-Type", answer.content_type) {
        Ok(header) => response.with_header(header),
        Err(()) => response,
    }
}

/// Writes one line; a closed log must not end the service, as `println!` would.
fn log(line: Arguments<'_>) {
    let _ = writeln!(stdout(), "{line}");
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::TcpStream;

    use super::*;

    #[test]
    fn idle_connections_do_not_hold_up_a_probe() {
        let server = Arc::new(Server::http("127.0.0.1:0").unwrap());
        let address = server.server_addr().to_ip().unwrap();
        let baked = Baked { version: "v2".to_owned(), behaviour: Behaviour::Good };
        thread::spawn(move || answer_requests(&server, &baked));

        let _idle: Vec<_> = (0..20).map(|_| TcpStream::connect(address).unwrap()).collect();
        let mut probe = TcpStream::connect(address).unwrap();
        probe.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        probe.write_all(b"GET /health?deep=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        let mut seen = String::new();
        probe.read_to_string(&mut seen).unwrap();

        assert!(seen.starts_with("HTTP/1.1 200"), "{seen}");
        assert!(seen.contains("Content-Type: application/json"), "{seen}");
        assert!(seen.ends_with(r#"{"status":"ok","version":"v2"}"#), "{seen}");
    }
}
