//! Asks in another place than the URL names, follows where an answer leads, and trusts an authority of the team's own.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::*;

const EMPTY: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

#[tokio::test]
async fn another_place_is_connected_to_and_the_request_stays_that_of_the_url() {
    let (address, heard) = server(|stream| stream.write_all(EMPTY));
    for (url, host) in [
        ("http://users.shop.test/health", "host: users.shop.test\r\n"),
        ("http://users.shop.test:8443/health", "host: users.shop.test:8443\r\n"),
    ] {
        let request = Request { connect: Some(address.to_string()), ..Request::get(url) };
        assert_eq!(answer(probe(true).ask(&request, LONG).await).status, 200);
        let asked = heard.recv().unwrap().to_lowercase();
        assert!(asked.starts_with("get /health http/1.1\r\n") && asked.contains(host), "{asked}");
    }
    let forbidden = Request { connect: Some(address.to_string()), ..Request::get("http://users.shop.test/") };
    let why = "the policy refuses the address 127.0.0.1: it is this machine";
    assert_eq!(probe(false).ask(&forbidden, LONG).await, ProbeResult::Nothing(why.to_owned()));
    let nowhere = Request { connect: Some("no-such-host.invalid:80".to_owned()), ..forbidden };
    assert!(matches!(probe(true).ask(&nowhere, LONG).await, ProbeResult::Unreached(_)));
}

#[tokio::test]
async fn a_redirect_is_followed_as_often_as_it_may_and_takes_nothing_along() {
    let (address, heard) =
        server(|stream| stream.write_all(b"HTTP/1.1 302 F\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n"));
    let secret = vec![("authorization".to_owned(), "Bearer hush".to_owned())];
    let request = Request { follow: 2, headers: secret, ..Request::get(format!("http://{address}/first")) };
    assert_eq!(answer(probe(true).ask(&request, LONG).await).status, 302);
    let asked: Vec<String> = heard.try_iter().collect();
    let paths: Vec<&str> = asked.iter().filter_map(|one| one.split(' ').nth(1)).collect();
    assert_eq!(paths, ["/first", "/again", "/again"]);
    let with_secret: Vec<bool> = asked.iter().map(|one| one.contains("hush")).collect();
    assert_eq!(with_secret, [true, false, false]);
}

#[tokio::test]
async fn a_redirect_to_where_nobody_may_go_is_not_followed_and_is_no_failure() {
    let (address, _) = server(|stream| {
        stream.write_all(
            b"HTTP/1.1 302 F\r\nLocation: http://169.254.169.254/latest\r\nContent-Length: 0\r\n\r\n",
        )
    });
    let request = Request { follow: 1, ..Request::get(format!("http://{address}/")) };
    let why = "the policy refuses the address 169.254.169.254: it is link-local";
    assert_eq!(probe(true).ask(&request, LONG).await, ProbeResult::Nothing(why.to_owned()));
    let (address, _) = server(|stream| {
        stream.write_all(
            b"HTTP/1.1 302 F\r\nLocation: http://no-such-host.invalid/\r\nContent-Length: 0\r\n\r\n",
        )
    });
    let request = Request { follow: 1, ..Request::get(format!("http://{address}/")) };
    assert!(matches!(probe(true).ask(&request, LONG).await, ProbeResult::Nothing(_)));
}

/// Serves one connection after the other over TLS; returns its address, and its authority in PEM.
fn tls(name: &str) -> (SocketAddr, String) {
    drop(rustls::crypto::ring::default_provider().install_default());
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder().with_no_client_auth();
    let config = Arc::new(config.with_single_cert(vec![certificate.der().clone()], key).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut stream = StreamOwned::new(ServerConnection::new(Arc::clone(&config)).unwrap(), stream);
            let mut head = [0; 4096];
            // Who does not trust the certificate hangs up.
            if stream.read(&mut head).is_ok() {
                drop(stream.write_all(EMPTY));
            }
        }
    });
    (address, authority.pem())
}

#[tokio::test]
async fn a_certificate_is_checked_against_the_authority_of_the_pack_and_the_name_of_the_url() {
    let (address, ca) = tls("users.shop.test");
    let (_, another) = tls("users.shop.test");
    let place = Some(address.to_string());
    let request = |url: &str, ca: Option<&String>| Request {
        connect: place.clone(),
        ca: ca.cloned(),
        ..Request::get(url)
    };
    let good = request("https://users.shop.test/", Some(&ca));
    assert_eq!(answer(probe(true).ask(&good, LONG).await).status, 200);
    for wrong in [
        request("https://users.shop.test/", Some(&another)),
        request("https://orders.shop.test/", Some(&ca)),
        request("https://users.shop.test/", None),
    ] {
        let result = probe(true).ask(&wrong, LONG).await;
        let refused = matches!(&result, ProbeResult::NoAnswer(why) if why.contains("certificate"));
        // Where no certificate at all is trusted, that is what is said.
        assert!(refused || wrong.ca.is_none(), "{result:?}");
    }
    let unreadable = request("https://users.shop.test/", Some(&"hush".to_owned()));
    assert!(matches!(probe(true).ask(&unreadable, LONG).await, ProbeResult::Nothing(_)));
}
