use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use aws_sdk_ssm::config::retry::RetryConfig;
use aws_sdk_ssm::config::timeout::TimeoutConfig;
use aws_sdk_ssm::config::{Credentials, Region};
use aws_sdk_ssm::error::SdkError;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::*;

const FOUND: &str = r#"{"Parameter":{"Name":"a","Value":"b"}}"#;
const LONG: Duration = Duration::from_secs(20);

/// What stands for AWS: its address, and how many have connected.
struct Server {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
}

impl Server {
    fn new<Stream: Read + Write + Send + 'static>(
        tries: usize,
        wrap: impl Fn(std::net::TcpStream) -> Stream + Send + 'static,
        serve: fn(&mut Stream),
    ) -> Self {
        let connections = Arc::new(AtomicUsize::default());
        let (listener, counted) = (TcpListener::bind("127.0.0.1:0").unwrap(), Arc::clone(&connections));
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for stream in listener.incoming().take(tries).flatten() {
                counted.fetch_add(1, Ordering::SeqCst);
                let mut stream = wrap(stream);
                thread::spawn(move || serve(&mut stream));
            }
        });
        Server { address, connections }
    }

    fn plain(serve: fn(&mut std::net::TcpStream)) -> Self {
        Server::new(usize::MAX, |stream| stream, serve)
    }
}

/// Answers each request of a connection until the other side hangs up.
fn answer<Stream: Read + Write>(stream: &mut Stream) {
    let mut asked = [0; 8192];
    while stream.read(&mut asked).is_ok_and(|length| length > 0) {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{FOUND}", FOUND.len());
        stream.write_all(head.as_bytes()).and_then(|()| stream.flush()).unwrap();
    }
}

/// Says nothing until the other side hangs up.
fn hang<Stream: Read>(stream: &mut Stream) {
    while stream.read(&mut [0; 8192]).is_ok_and(|length| length > 0) {}
}

/// Reads a parameter at an endpoint, and returns its value or the kind and the cause of the failure.
async fn ask(client: &aws_sdk_ssm::Client) -> Result<String, (&'static str, String)> {
    match client.get_parameter().name("a").send().await {
        Ok(found) => Ok(found.parameter().and_then(|found| found.value()).unwrap_or_default().to_owned()),
        Err(SdkError::DispatchFailure(failure)) => {
            let kinds = [
                (failure.is_timeout(), "timeout"),
                (failure.is_io(), "io"),
                (failure.is_user(), "user"),
                (failure.is_other(), "other"),
            ];
            let kind = kinds.iter().find(|(is, _)| *is).map_or("", |(_, kind)| kind);
            Err((kind, cause_of(&SdkError::<io::Error, ()>::DispatchFailure(failure))))
        }
        Err(error) => Err(("", cause_of(&error))),
    }
}

fn client(url: &str) -> aws_sdk_ssm::Client {
    client_by(url, Http::new())
}

fn client_by(url: &str, http: Http) -> aws_sdk_ssm::Client {
    let timeouts = TimeoutConfig::builder().read_timeout(Duration::from_millis(300)).build();
    let retries = RetryConfig::standard().with_initial_backoff(Duration::from_millis(1));
    let config = crate::aws::config("test").into_builder().http_client(http).endpoint_url(url);
    let config = config.region(Region::new("eu-west-1"));
    let config = config.credentials_provider(aws_sdk_ssm::config::SharedCredentialsProvider::new(
        Credentials::new("a", "b", None, None, "test"),
    ));
    aws_sdk_ssm::Client::new(&config.timeout_config(timeouts).retry_config(retries).build())
}

#[tokio::test]
async fn calls_share_a_connection() {
    let server = Server::plain(answer);
    let client = client(&format!("http://{}", server.address));
    for _ in 0..3 {
        assert_eq!(ask(&client).await.as_deref(), Ok("b"));
    }
    assert_eq!(server.connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn what_failed_on_the_wire_is_named_and_tried_again_on_another_connection() {
    let server = Server::plain(hang);
    let hung = ask(&client(&format!("http://{}", server.address))).await.unwrap_err();
    assert_eq!(hung, ("timeout", "no answer within 300ms".to_owned()));
    assert_eq!(server.connections.load(Ordering::SeqCst), 3);

    let server = Server::plain(|stream| drop(stream.read(&mut [0; 8192])));
    let (kind, why) = ask(&client(&format!("http://{}", server.address))).await.unwrap_err();
    assert!(["io", "other"].contains(&kind), "{kind}: {why}");
    assert_eq!(server.connections.load(Ordering::SeqCst), 3, "{kind}: {why}");

    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (kind, why) = ask(&client(&format!("http://{nobody}"))).await.unwrap_err();
    assert!(kind == "io" && why.contains("refused"), "{kind}: {why}");
    let (kind, why) = ask(&client("http://no-such-host.invalid")).await.unwrap_err();
    assert!(kind == "io" && why.contains("failed to lookup"), "{kind}: {why}");
}

#[tokio::test]
async fn a_document_is_read_if_it_is_small_enough_and_comes_in_time() {
    let server = Server::plain(answer);
    let url = format!("http://{}/hush", server.address);
    let http = Http::new();
    assert_eq!(http.get(&url, LONG, 100).await, Ok(FOUND.as_bytes().to_vec()));
    assert_eq!(
        http.get(&url, LONG, 10).await,
        Err(Fault::NotSupported("an answer of more than 10 bytes".into()))
    );
    let hung = format!("http://{}/hush", Server::plain(hang).address);
    let late = Err(Fault::Unavailable("no answer within 100ms".into()));
    assert_eq!(http.get(&hung, Duration::from_millis(100), 100).await, late);
    // The handshake of TLS has to end in time, too.
    let late = Err(Fault::Unavailable("no connection within 2s".into()));
    assert_eq!(http.get(&hung.replace("http:", "https:"), LONG, 100).await, late);
    let none = http.get("hush hush", LONG, 100).await.unwrap_err().to_string();
    assert!(!none.contains("hush"), "{none}");
}

#[tokio::test]
async fn tls_trusts_its_roots_and_nobody_else() {
    drop(rustls::crypto::ring::default_provider().install_default());
    let authority = || {
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap()
    };
    let (ours, key) = (authority(), KeyPair::generate().unwrap());
    let certificate =
        CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &ours).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder().with_no_client_auth();
    let config = Arc::new(config.with_single_cert(vec![certificate.der().clone()], key).unwrap());
    let wrap = move |stream| StreamOwned::new(ServerConnection::new(Arc::clone(&config)).unwrap(), stream);
    let server = Server::new(usize::MAX, wrap, answer);
    let asked_by = |root: &CertifiedIssuer<'_, KeyPair>| {
        let mut roots = RootCertStore::empty();
        roots.add(root.der().clone()).unwrap();
        let trust = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        client_by(&format!("https://localhost:{}", server.address.port()), Http::trusting(trust))
    };
    let trusted = asked_by(&ours);
    for _ in 0..2 {
        assert_eq!(ask(&trusted).await.as_deref(), Ok("b"));
    }
    let (kind, why) = ask(&asked_by(&authority())).await.unwrap_err();
    assert!(kind == "io" && why.starts_with("invalid peer certificate"), "{kind}: {why}");
    assert_eq!(server.connections.load(Ordering::SeqCst), 1 + 3);
}
