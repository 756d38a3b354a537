//! Tries packs against a server on this machine, as somebody does on a laptop.

#![expect(clippy::unwrap_used, reason = "this is how a test fails")]

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Command;
use std::thread;

/// Serves `{"status":"ok"}` to whoever sends the token.
fn server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut head = [0; 4096];
            let read = stream.read(&mut head).unwrap_or_default();
            let knows =
                String::from_utf8_lossy(head.get(..read).unwrap_or_default()).contains("Bearer hush-1234");
            let (status, body) =
                if knows { ("200 OK", r#"{"status":"ok"}"#) } else { ("401 No", "no, hush-1234!") };
            let length = body.len();
            drop(write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n{body}"));
        }
    });
    url
}

fn tried(pack: &str, arguments: &[&str]) -> (i32, String, String) {
    let name = thread::current().name().unwrap().replace("::", "-");
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&folder).unwrap();
    let (file, secrets) = (folder.join("tests.json"), folder.join("secrets.json"));
    std::fs::write(&file, pack).unwrap();
    std::fs::write(&secrets, r#"{"token":"hush-1234"}"#).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_try-pack"));
    command.arg("--pack").arg(file).arg("--secrets").arg(secrets).args(arguments);
    let output = command.output().unwrap();
    let [out, err] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    (output.status.code().unwrap(), out, err)
}

const HEALTH: &str = r#"{"secrets":{"token":{"parameter":"/a"}},"checks":[
    {"name":"health","http":{"url":"http://${task.address}/${user}","json":{"$.status":"ok"},
     "headers":{"authorization":"Bearer ${secret.token}"}}},
    {"name":"image","image":{}}, {"name":"self test","task":{"command":["check"]}},
    {"name":"open","http":{"url":"http://${target.address}/"},"attempts":2,"interval":"1s","advisory":true}],
    "variables":{"user":"a"}}"#;

#[test]
fn what_passes_and_what_cannot_be_run_here_is_shown_and_nothing_secret() {
    let (code, out, _) = tried(HEALTH, &["--url", &server()]);
    assert_eq!(code, 0, "{out}");
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines[0].split_whitespace().collect::<Vec<_>>(), ["CHECK", "PASSED", "LAST", "SAID"]);
    for (line, name) in [(lines[1], "image"), (lines[2], "self test")] {
        assert!(line.starts_with(name) && line.ends_with("not run here: it needs AWS"), "{out}");
    }
    assert!(lines[3].starts_with("health     1 of 1  passed  as expected at 1 address"), "{out}");
    assert!(lines[4].starts_with("open       0 of 1  failed  GET http://127.0.0.1"), "{out}");
    assert!(lines[4].ends_with("ms: no, ***!") && !out.contains("hush"), "{out}");
}

#[test]
fn each_end_has_its_exit_code() {
    let url = server();
    let open = ["--url", &url, "--check", "open"];
    let failing = HEALTH.replace(r#","advisory":true"#, "");
    assert_eq!(tried(&failing, &open).0, 1);
    let far = failing
        .replace("${target.address}", "no-such-host.invalid")
        .replace("\"1s\"", "\"1s\",\"patience\":\"1s\"");
    let (code, out, _) = tried(&far, &open);
    assert_eq!(code, 2, "{out}");
    assert!(out.contains("unmeasured"), "{out}");
    for (arguments, pack, said) in [
        (vec!["--url", &url], "{\"cheks\":[]}", "cheks"),
        (vec!["--url", "users:80"], HEALTH, "URL: \"users:80\""),
        (
            vec!["--url", &url, "--check", "helth"],
            HEALTH,
            "CHECK: \"helth\" is not in the pack: expected health",
        ),
        (vec!["--url", &url, "--phase", "open"], HEALTH, "PHASE: \"open\""),
        (vec!["--url", &url, "--vars", "user"], HEALTH, "VARS: \"user\" has no ="),
        (vec!["--ulr", &url], HEALTH, "--ulr"),
    ] {
        let (code, _, err) = tried(pack, &arguments);
        assert_eq!(code, 3, "{arguments:?}");
        assert!(err.contains(said), "{err}");
    }
    assert_eq!(tried(HEALTH, &["--url", &url, "--check", "self test"]).0, 4);
    assert_eq!(tried(HEALTH, &["--url", &url, "--phase", "bake"]).0, 4);
}
