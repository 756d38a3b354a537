//! Puts answers on the wire, one log line each.

use std::error::Error;
use std::fmt::Arguments;
use std::io::{self, BufRead, BufReader, Write, stdout};
use std::net::{TcpListener, TcpStream};
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::answer::{Answer, answer};
use crate::behaviour::{Baked, Behaviour};

/// Says how long a version that crashes is alive: long enough to be seen running.
const LIFE: Duration = Duration::from_secs(1);

/// Says how long a client may take to ask: one that never does must not stay for ever.
const PATIENCE: Duration = Duration::from_secs(10);

/// Listens on an address and answers until the process ends.
pub(crate) fn serve(baked: Baked, address: &str) -> Result<ExitCode, Box<dyn Error + Send + Sync>> {
    let listener =
        TcpListener::bind(address).map_err(|error| format!("cannot listen on {address}: {error}"))?;
    log(format_args!("{} listens on {}", baked.version, listener.local_addr()?));
    let baked = Arc::new(baked);
    let server = thread::spawn({
        let baked = Arc::clone(&baked);
        move || accept(&listener, &baked)
    });
    if baked.behaviour == Behaviour::Crashes {
        thread::sleep(LIFE);
        log(format_args!("{} fatal: crashes as baked in", baked.version));
        return Ok(ExitCode::FAILURE);
    }
    server.join().map_err(|_| "the server panicked")?;
    Err("stopped accepting connections".into())
}

/// Gives every connection a thread of its own, so that nobody waits for somebody else's silence.
fn accept(listener: &TcpListener, baked: &Arc<Baked>) {
    for connection in listener.incoming().flatten() {
        let baked = Arc::clone(baked);
        thread::spawn(move || {
            // A client that went away does not concern the next one.
            let _ = answer_one(&connection, &baked);
        });
    }
}

/// Answers one request and closes the connection.
fn answer_one(mut connection: &TcpStream, baked: &Baked) -> io::Result<()> {
    connection.set_read_timeout(Some(PATIENCE))?;
    let mut lines = BufReader::new(connection).lines();
    let asked = lines.next().transpose()?.unwrap_or_default();
    // The head ends with an empty line; nothing that is answered here reads a body.
    for line in lines {
        if line?.is_empty() {
            break;
        }
    }
    let mut words = asked.split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let path = target.split('?').next().unwrap_or_default();
    let Answer { status, content_type, body } = answer(baked, path);
    if path == "/" && baked.behaviour == Behaviour::Panics {
        log(format_args!("thread 'orders' panicked at src/orders.rs:42:9: {} lost an order", baked.version));
    }
    log(format_args!("{} {method} {path} {status}", baked.version));
    write!(
        connection,
        "HTTP/1.1 {status} {status}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

/// Writes one line; a closed log must not end the service, as `println!` would.
fn log(line: Arguments<'_>) {
    let _ = writeln!(stdout(), "{line}");
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn idle_connections_do_not_hold_up_a_probe() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let baked = Baked { version: "v2".to_owned(), behaviour: Behaviour::Good };
        thread::spawn(move || accept(&listener, &Arc::new(baked)));

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
