//! `inflight serve` as clients meet it: over a socket.
#![cfg(feature = "cli")]
#![allow(clippy::disallowed_methods, reason = "deadlines of sockets are in real time")]
#![allow(clippy::unwrap_used, reason = "a test may end by panicking")]

use inflight::cli::serve::{Limits, Server};
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Generous: a busy machine must not fail a test, a hanging server must.
const PATIENCE: Duration = Duration::from_secs(20);

/// A site of its own for each test; removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Folder {
        let name = format!("inflight-serve-{}-{test}", std::process::id());
        let top = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&top);
        let site = top.join("site");
        fs::create_dir_all(site.join("sub")).unwrap();
        fs::create_dir_all(site.join(".git")).unwrap();
        fs::write(top.join("secret.txt"), "secret").unwrap();
        fs::write(site.join(".git/config"), "secret").unwrap();
        fs::write(site.join("index.html"), "<!doctype html><title>top</title>").unwrap();
        fs::write(site.join("sub/index.html"), "<!doctype html><title>sub</title>").unwrap();
        fs::write(site.join("page.0123456789abcdef.wasm"), "wasm as built").unwrap();
        fs::write(site.join("page.0123456789abcdef.wasm.br"), "BR").unwrap();
        fs::write(site.join("page.0123456789abcdef.wasm.gz"), "GZIP").unwrap();
        fs::write(site.join("图 1.svg"), "<svg/>").unwrap();
        Folder(top)
    }

    fn site(&self) -> PathBuf {
        self.0.join("site")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn start(root: &Path, limits: Limits) -> SocketAddr {
    let server = Server::bind(root, 0, limits).unwrap();
    let address = server.address().unwrap();
    std::thread::spawn(move || server.run());
    address
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Sends `request` as it is and returns everything up to the end of the connection.
fn talk(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = connect(address);
    stream.write_all(request).unwrap();
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Ok(_) => {}
        // Bytes that the server left unread make its end a reset.
        Err(e) if e.kind() == ErrorKind::ConnectionReset => {}
        Err(e) => panic!("no end within {PATIENCE:?}: {e}"),
    }
    String::from_utf8(answer).unwrap()
}

fn get(address: SocketAddr, target: &str) -> String {
    get_with(address, target, "")
}

fn get_with(address: SocketAddr, target: &str, headers: &str) -> String {
    let head = format!("GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n");
    talk(address, head.as_bytes())
}

fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or_else(|| panic!("{answer:?}"))
}

fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").unwrap().1
}

fn header<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    let head = answer.split_once("\r\n\r\n").unwrap().0;
    head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

#[test]
fn the_page_comes_with_its_type_and_every_safety_header() {
    let folder = Folder::new("headers");
    let answer = get(start(&folder.site(), Limits::default()), "/?embed=1");
    assert_eq!(status(&answer), 200);
    assert_eq!(body(&answer), "<!doctype html><title>top</title>");
    assert_eq!(header(&answer, "Content-Type"), Some("text/html; charset=utf-8"));
    assert_eq!(header(&answer, "Cache-Control"), Some("no-cache"));
    assert_eq!(header(&answer, "Access-Control-Allow-Origin"), Some("*"));
    assert_eq!(header(&answer, "X-Content-Type-Options"), Some("nosniff"));
    assert_eq!(header(&answer, "Referrer-Policy"), Some("no-referrer"));
    let policy = header(&answer, "Content-Security-Policy").unwrap();
    assert!(policy.contains("script-src 'self' 'wasm-unsafe-eval';"), "{policy}");
    assert!(policy.contains("frame-ancestors *"), "{policy}");
    assert!(!policy.contains("unsafe-inline") && !policy.contains("'unsafe-eval'"), "{policy}");
}

#[test]
fn a_compressed_twin_is_sent_when_the_client_takes_it() {
    let folder = Folder::new("compressed");
    let address = start(&folder.site(), Limits::default());
    let target = "/page.0123456789abcdef.wasm";
    let br = get_with(address, target, "Accept-Encoding: gzip, deflate, br, zstd\r\n");
    assert_eq!((body(&br), header(&br, "Content-Encoding")), ("BR", Some("br")));
    assert_eq!(header(&br, "Content-Type"), Some("application/wasm"));
    assert_eq!(header(&br, "Vary"), Some("Accept-Encoding"));
    assert_eq!(header(&br, "Cache-Control"), Some("public, max-age=31536000, immutable"));
    let gzip = get_with(address, target, "Accept-Encoding: gzip, br;q=0\r\n");
    assert_eq!((body(&gzip), header(&gzip, "Content-Encoding")), ("GZIP", Some("gzip")));
    let plain = get(address, target);
    assert_eq!((body(&plain), header(&plain, "Content-Encoding")), ("wasm as built", None));
    assert_eq!(header(&plain, "Vary"), Some("Accept-Encoding"));
}

#[test]
fn a_twin_older_than_its_file_is_not_sent() {
    let folder = Folder::new("stale");
    let twin = fs::File::options()
        .write(true)
        .open(folder.site().join("page.0123456789abcdef.wasm.br"))
        .unwrap();
    twin.set_modified(std::time::SystemTime::now() - Duration::from_secs(3600)).unwrap();
    let address = start(&folder.site(), Limits::default());
    let answer = get_with(address, "/page.0123456789abcdef.wasm", "Accept-Encoding: br\r\n");
    assert_eq!(body(&answer), "wasm as built");
}

#[test]
fn what_the_client_has_already_is_not_sent_again() {
    let folder = Folder::new("etag");
    let address = start(&folder.site(), Limits::default());
    let tag = header(&get(address, "/"), "ETag").unwrap().to_owned();
    let again = get_with(address, "/", &format!("If-None-Match: \"x\", W/{tag}\r\n"));
    assert_eq!((status(&again), body(&again)), (304, ""));
    fs::write(folder.site().join("index.html"), "changed").unwrap();
    let changed = get_with(address, "/", &format!("If-None-Match: {tag}\r\n"));
    assert_eq!((status(&changed), body(&changed)), (200, "changed"));
}

#[test]
fn nothing_outside_the_folder_is_reached() {
    let folder = Folder::new("outside");
    let address = start(&folder.site(), Limits::default());
    for target in [
        "/../secret.txt",
        "/sub/../../secret.txt",
        "/%2e%2e/secret.txt",
        "/%2e%2e%2fsecret.txt",
        "/..%2fsecret.txt",
        "/%252e%252e/secret.txt",
        "/..\\secret.txt",
        "/..%5csecret.txt",
        "/sub%00/../../secret.txt",
        "/index.html%00.svg",
        "/.git/config",
        "//../secret.txt",
        "http://x/../secret.txt",
        "/C:/secret.txt",
    ] {
        let answer = get(address, target);
        assert_eq!(status(&answer), 404, "{target}: {answer}");
        assert!(!answer.contains("secret"), "{target}: {answer}");
    }
    let absolute = format!("/{}", folder.0.join("secret.txt").display());
    assert_eq!(status(&get(address, &absolute)), 404);
    assert_eq!(status(&get(address, "secret.txt")), 400);
}

#[cfg(unix)]
#[test]
fn a_symbolic_link_leads_no_further_than_the_folder() {
    use std::os::unix::fs::symlink;
    let folder = Folder::new("symlink");
    symlink(folder.0.join("secret.txt"), folder.site().join("out.txt")).unwrap();
    symlink(&folder.0, folder.site().join("up")).unwrap();
    symlink(folder.0.join("secret.txt"), folder.site().join("index.html.br")).unwrap();
    symlink(folder.site().join("sub"), folder.site().join("alias")).unwrap();
    let address = start(&folder.site(), Limits::default());
    assert_eq!(status(&get(address, "/out.txt")), 404);
    assert_eq!(status(&get(address, "/up/secret.txt")), 404);
    assert!(!get_with(address, "/", "Accept-Encoding: br\r\n").contains("secret"));
    assert_eq!(status(&get(address, "/alias/")), 200);
}

#[test]
fn a_folder_shows_its_page_and_gets_its_slash() {
    let folder = Folder::new("folders");
    let address = start(&folder.site(), Limits::default());
    assert!(get(address, "/sub/").contains("<title>sub</title>"));
    let moved = get(address, "/sub");
    assert_eq!((status(&moved), header(&moved, "Location")), (301, Some("./sub/")));
    let doubled = get(address, "//sub");
    assert_eq!(header(&doubled, "Location"), Some("./sub/"), "never another host");
    assert_eq!(status(&get(address, "/%E5%9B%BE%201.svg")), 200);
    assert_eq!(status(&get(address, "/missing.svg")), 404);
}

#[test]
fn head_sends_the_same_head_and_no_body() {
    let folder = Folder::new("head");
    let address = start(&folder.site(), Limits::default());
    let answer = talk(address, b"HEAD / HTTP/1.1\r\nConnection: close\r\n\r\n");
    assert_eq!((status(&answer), body(&answer)), (200, ""));
    assert_eq!(header(&answer, "Content-Length"), Some("33"));
    assert_eq!(header(&answer, "Content-Length"), header(&get(address, "/"), "Content-Length"));
}

#[test]
fn other_methods_and_nonsense_are_refused() {
    let folder = Folder::new("methods");
    let address = start(&folder.site(), Limits::default());
    let post = talk(address, b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc");
    assert_eq!((status(&post), header(&post, "Allow")), (405, Some("GET, HEAD")));
    assert_eq!(status(&talk(address, b"nonsense\r\n\r\n")), 400);
    assert_eq!(status(&talk(address, b"GET / HTTP/2.0\r\n\r\n")), 505);
    assert_eq!(status(&talk(address, b"GET /\xff HTTP/1.1\r\n\r\n")), 400);
    let long = [b"GET /".as_slice(), &[b'a'; 20_000]].concat();
    assert_eq!(status(&talk(address, &long)), 431);
}

#[test]
fn one_connection_carries_many_requests() {
    let folder = Folder::new("keep-alive");
    let address = start(&folder.site(), Limits::default());
    let ask = "GET /sub/ HTTP/1.1\r\n\r\n";
    let last = "GET / HTTP/1.1\r\nConnection: close\r\n\r\n";
    let answers = talk(address, format!("{ask}{ask}{last}").as_bytes());
    assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 3, "{answers}");
    assert!(answers.ends_with("<title>top</title>"), "{answers}");
}

#[test]
fn a_client_that_never_finishes_its_request_is_let_go() {
    let folder = Folder::new("slow-head");
    let limits = Limits { head: Duration::from_millis(200), ..Limits::default() };
    let address = start(&folder.site(), limits);
    let mut stream = connect(address);
    let began = Instant::now();
    // A byte now and then must not move the deadline.
    let mut writer = stream.try_clone().unwrap();
    std::thread::spawn(move || {
        for byte in b"GET / HTTP/1.1\r\nX-Slow: ".iter().cycle() {
            std::thread::sleep(Duration::from_millis(20));
            if writer.write_all(&[*byte]).is_err() {
                break;
            }
        }
    });
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(began.elapsed() < PATIENCE / 2);
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.is_empty() || status(&answer) == 408, "{answer}");
}

#[test]
fn a_silent_client_is_let_go() {
    let folder = Folder::new("idle");
    let limits = Limits { idle: Duration::from_millis(100), ..Limits::default() };
    let address = start(&folder.site(), limits);
    assert_eq!(talk(address, b""), "");
}

#[test]
fn a_client_that_does_not_read_is_let_go() {
    let folder = Folder::new("slow-reader");
    let big = vec![b'x'; 64 << 20];
    fs::write(folder.site().join("big.txt"), &big).unwrap();
    let limits = Limits { answer: Duration::from_millis(300), ..Limits::default() };
    let address = start(&folder.site(), limits);
    let mut stream = connect(address);
    stream.write_all(b"GET /big.txt HTTP/1.1\r\n\r\n").unwrap();
    std::thread::sleep(Duration::from_millis(1500));
    let mut received = Vec::new();
    let _ = stream.read_to_end(&mut received);
    assert!(received.len() < big.len(), "the whole file came after the deadline");
}

#[test]
fn many_idle_clients_keep_nobody_out() {
    let folder = Folder::new("many");
    let limits = Limits { connections: 8, ..Limits::default() };
    let address = start(&folder.site(), limits);
    let mut idle: Vec<TcpStream> = (0..100).map(|_| connect(address)).collect();
    for stream in &mut idle {
        let _ = stream.write_all(b"GET / HTTP/1.1\r\nX-Never: ends");
    }
    for _ in 0..20 {
        assert_eq!(status(&get(address, "/")), 200);
    }
    let mut first = idle.remove(0);
    assert!(matches!(first.read(&mut [0; 16]), Ok(0) | Err(_)), "the oldest lost its place");
}

#[test]
fn a_taken_port_and_a_missing_page_are_said_in_one_line() {
    let folder = Folder::new("errors");
    let address = start(&folder.site(), Limits::default());
    let taken = Server::bind(&folder.site(), address.port(), Limits::default()).unwrap_err();
    assert!(taken.contains(&address.port().to_string()) && taken.contains("--port"), "{taken}");
    let missing = Server::bind(&folder.0, 0, Limits::default()).unwrap_err();
    assert!(missing.contains("cargo xtask dist") && missing.contains("--root"), "{missing}");
}
