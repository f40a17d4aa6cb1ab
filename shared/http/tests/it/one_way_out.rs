//! S16: there is one client. Whatever else could speak to the world is found here, in the sources and among the
//! dependencies, so that a second way out fails the build.

use std::fs;
use std::path::{Path, PathBuf};

/// What opens a connection, looks up a name or makes a client.
const WAYS_OUT: [&str; 13] = [
    "TcpStream::connect",
    "TcpSocket::",
    "UdpSocket::",
    "UnixStream::connect",
    "UnixDatagram::",
    "lookup_host",
    "to_socket_addrs",
    "reqwest::",
    "hyper::client",
    "hyper_util::client",
    "legacy::Client",
    "ureq::",
    "curl::",
];

/// Crates that are clients of HTTP by themselves.
const CLIENTS: [&str; 14] = [
    "ureq",
    "isahc",
    "curl",
    "curl-sys",
    "attohttpc",
    "surf",
    "awc",
    "minreq",
    "http_req",
    "oxhttp",
    "nyquest",
    "aws-smithy-http-client",
    "hyper-tls",
    "cyper",
];

/// Where one of these is right, and why.
const EXCEPT: [(&str, &str); 3] = [
    ("shared/http/", "the one way out"),
    (
        "shared/bridge/src/irc/wire.rs",
        "IRC is no HTTP; the owner configures its host, and only the command holds the connection",
    ),
    ("bench/", "measures the functions from outside; nothing of it is deployed"),
];

#[test]
fn s16_no_source_opens_another_way_out() {
    let root = root();
    let mut used = [false; EXCEPT.len()];
    let mut files = 0;
    for folder in ["shared", "functions", "cli", "bench"] {
        for path in sources(&root.join(folder)) {
            let text = fs::read_to_string(&path).unwrap();
            let name = path.strip_prefix(&root).unwrap().to_str().unwrap();
            files += 1;
            for way in WAYS_OUT.iter().filter(|way| text.contains(**way)) {
                match EXCEPT.iter().position(|(place, _)| name.starts_with(place)) {
                    Some(place) => used[place] = true,
                    None => panic!("{name} uses {way}: requests leave through chela_http::HttpClient only"),
                }
            }
        }
    }
    assert!(files > 200, "{files} files were read");
    assert_eq!(used, [true; EXCEPT.len()], "an exception that nobody needs is removed");
}

#[test]
fn s16_no_dependency_is_another_client() {
    let lock = fs::read_to_string(root().join("Cargo.lock")).unwrap();
    assert!(lock.contains("name = \"reqwest\""));
    for client in CLIENTS {
        assert!(!lock.contains(&format!("name = \"{client}\"\n")), "{client} came in: one client, chela-http");
    }
    assert_eq!(lock.matches("name = \"reqwest\"\n").count(), 1, "one version of it");
}

/// Sources that run in production: tests may speak to their own servers.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !["tests", "target", "node_modules", "testkit"].contains(&name.as_str()) {
            found.extend(sources(&path));
        } else if name.ends_with(".rs") && name != "tests.rs" {
            found.push(path);
        }
    }
    found
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().parent().unwrap().to_path_buf()
}
