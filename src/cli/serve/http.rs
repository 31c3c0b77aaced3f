//! As much of HTTP/1.1 as a file server needs: RFC 9112 requests without bodies, and answers.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Longest request head; browsers send about 700 bytes.
const MAX_HEAD_BYTES: usize = 8 * 1024;
/// A piece of a file between two looks at the clock.
const CHUNK_BYTES: usize = 64 * 1024;

/// What came from the client.
pub enum Reading {
    /// A whole request head.
    Request(Request),
    /// Something that deserves this status and then an end.
    Bad(u16),
    /// The client left, or was silent too long.
    Gone,
}

/// The parts of a request that decide the answer.
#[derive(Debug, PartialEq, Eq)]
pub struct Request {
    /// As sent: methods are case-sensitive.
    pub method: String,
    /// Path and query as sent, still encoded.
    pub target: String,
    /// Value of `Accept-Encoding`, lower case.
    pub accept_encoding: String,
    /// Value of `If-None-Match`.
    pub if_none_match: String,
    /// Whether another request may follow on this connection.
    pub keep_alive: bool,
}

impl Request {
    /// Stands for a request that could not be read.
    pub fn refused() -> Request {
        Request {
            method: "GET".to_owned(),
            target: String::new(),
            accept_encoding: String::new(),
            if_none_match: String::new(),
            keep_alive: false,
        }
    }
}

/// Reads one request head; `unread` carries what came after it to the next call.
///
/// `idle` bounds the wait for the first byte, `head` the time from there to the last.
pub fn read(
    stream: &mut TcpStream,
    unread: &mut Vec<u8>,
    idle: Duration,
    head: Duration,
) -> Reading {
    let mut deadline = Instant::now() + if unread.is_empty() { idle } else { head };
    loop {
        if let Some(end) = find(unread, b"\r\n\r\n") {
            let rest = unread.split_off(end + 4);
            let request = parse(&unread[..end]);
            *unread = rest;
            return request;
        }
        if MAX_HEAD_BYTES <= unread.len() {
            return Reading::Bad(431);
        }
        let Some(left) = time_left(deadline) else {
            return if unread.is_empty() { Reading::Gone } else { Reading::Bad(408) };
        };
        if stream.set_read_timeout(Some(left)).is_err() {
            return Reading::Gone;
        }
        let mut piece = [0; 2048];
        match stream.read(&mut piece) {
            Ok(0) => return Reading::Gone,
            Ok(n) => {
                if unread.is_empty() {
                    deadline = Instant::now() + head;
                }
                unread.extend_from_slice(&piece[..n]);
            }
            Err(e) if is_timeout(&e) || e.kind() == ErrorKind::Interrupted => {}
            Err(_) => return Reading::Gone,
        }
    }
}

/// Time until `deadline`; `None` once it has passed, for sockets refuse a timeout of zero.
fn time_left(deadline: Instant) -> Option<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    (!left.is_zero()).then_some(left)
}

fn is_timeout(e: &io::Error) -> bool {
    matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|w| w == what)
}

/// Parses a head without its final empty line.
fn parse(head: &[u8]) -> Reading {
    let Ok(head) = std::str::from_utf8(head) else {
        return Reading::Bad(400);
    };
    let mut lines = head.split("\r\n");
    let mut words = lines.next().unwrap_or("").split(' ');
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Reading::Bad(400);
    };
    let is_token = !method.is_empty() && method.bytes().all(|b| b.is_ascii_alphabetic());
    if !is_token || target.is_empty() {
        return Reading::Bad(400);
    }
    let mut request = Request {
        method: method.to_owned(),
        target: target.to_owned(),
        keep_alive: version == "HTTP/1.1",
        ..Request::refused()
    };
    if version != "HTTP/1.1" && version != "HTTP/1.0" {
        return Reading::Bad(if version.starts_with("HTTP/") { 505 } else { 400 });
    }
    for line in lines {
        let Some((name, value)) = line.split_once(':') else {
            return Reading::Bad(400);
        };
        if name.is_empty() || name.bytes().any(|b| b <= b' ' || 0x7f <= b) {
            return Reading::Bad(400);
        }
        take_header(&mut request, &name.to_ascii_lowercase(), value.trim());
    }
    Reading::Request(request)
}

fn take_header(request: &mut Request, name: &str, value: &str) {
    match name {
        "accept-encoding" => request.accept_encoding = value.to_ascii_lowercase(),
        "if-none-match" => request.if_none_match = value.to_owned(),
        "connection" if value.to_ascii_lowercase().contains("close") => request.keep_alive = false,
        // A body is never read, so where the next request begins is unknown.
        "transfer-encoding" => request.keep_alive = false,
        "content-length" if value != "0" => request.keep_alive = false,
        _ => {}
    }
}

/// An answer: status, headers, and a body that may be left out.
#[derive(Debug)]
pub struct Answer {
    /// Three digits.
    pub status: u16,
    /// In the order in which they are sent, without `Content-Length` and `Connection`.
    pub headers: Vec<(&'static str, String)>,
    /// What follows the head, unless the request was HEAD.
    pub body: Body,
}

/// What an answer carries.
#[derive(Debug)]
pub enum Body {
    /// A sentence of our own.
    Text(&'static str),
    /// A file, sent piece by piece.
    File {
        /// Open and at its start.
        file: File,
        /// How much of it is promised.
        len_bytes: u64,
    },
}

impl Answer {
    /// Writes the answer to `request`; an error means that the connection is of no more use.
    pub fn send(
        self,
        stream: &mut TcpStream,
        deadline: Instant,
        request: &Request,
    ) -> io::Result<()> {
        let len_bytes = match &self.body {
            Body::Text(text) => text.len() as u64,
            Body::File { len_bytes, .. } => *len_bytes,
        };
        let mut head = format!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status));
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        // RFC 9110 section 8.6: an answer 304 has no body, and a length would be that of the 200.
        if self.status != 304 {
            head.push_str(&format!("Content-Length: {len_bytes}\r\n"));
        }
        head.push_str(if request.keep_alive { "\r\n" } else { "Connection: close\r\n\r\n" });
        let has_body = request.method != "HEAD" && self.status != 304;
        match self.body {
            Body::Text(text) if has_body => head.push_str(text),
            Body::File { mut file, len_bytes } if has_body => {
                write(stream, head.as_bytes(), deadline)?;
                return send_file(stream, &mut file, len_bytes, deadline);
            }
            _ => {}
        }
        write(stream, head.as_bytes(), deadline)
    }
}

fn send_file(
    stream: &mut TcpStream,
    file: &mut File,
    len_bytes: u64,
    deadline: Instant,
) -> io::Result<()> {
    let mut left = len_bytes;
    let mut piece = vec![0; CHUNK_BYTES];
    while 0 < left {
        let want = left.min(CHUNK_BYTES as u64) as usize;
        let n = file.read(&mut piece[..want])?;
        if n == 0 {
            // The file shrank since its length was promised.
            return Err(ErrorKind::UnexpectedEof.into());
        }
        write(stream, &piece[..n], deadline)?;
        left -= n as u64;
    }
    Ok(())
}

/// Writes all of `bytes` before `deadline`, however slowly the client reads.
fn write(stream: &mut TcpStream, mut bytes: &[u8], deadline: Instant) -> io::Result<()> {
    while !bytes.is_empty() {
        let left = time_left(deadline).ok_or(ErrorKind::TimedOut)?;
        stream.set_write_timeout(Some(left))?;
        match stream.write(bytes) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(n) => bytes = &bytes[n..],
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        301 => "Moved Permanently",
        304 => "Not Modified",
        400 => "Bad Request",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        431 => "Request Header Fields Too Large",
        505 => "HTTP Version Not Supported",
        _ => "Error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(head: &str) -> Request {
        match parse(head.as_bytes()) {
            Reading::Request(request) => request,
            Reading::Bad(status) => panic!("{head:?} was refused with {status}"),
            Reading::Gone => panic!("{head:?} ended"),
        }
    }

    fn refusal(head: &str) -> u16 {
        match parse(head.as_bytes()) {
            Reading::Bad(status) => status,
            _ => panic!("{head:?} was taken"),
        }
    }

    #[test]
    fn header_names_are_read_in_any_case() {
        let r = request("GET /a?b HTTP/1.1\r\nHost: x\r\naCCEPT-eNCODING:  GZIP, br ");
        assert_eq!(r.target, "/a?b");
        assert_eq!(r.accept_encoding, "gzip, br");
        assert!(r.keep_alive);
    }

    #[test]
    fn a_body_or_an_old_version_ends_the_connection() {
        assert!(!request("GET / HTTP/1.0").keep_alive);
        assert!(!request("GET / HTTP/1.1\r\nConnection: Close").keep_alive);
        assert!(!request("POST / HTTP/1.1\r\nContent-Length: 5").keep_alive);
        assert!(!request("POST / HTTP/1.1\r\nTransfer-Encoding: chunked").keep_alive);
        assert!(request("GET / HTTP/1.1\r\nContent-Length: 0").keep_alive);
    }

    #[test]
    fn malformed_heads_are_refused() {
        assert_eq!(refusal(""), 400);
        assert_eq!(refusal("GET /"), 400);
        assert_eq!(refusal("GET / HTTP/1.1 x"), 400);
        assert_eq!(refusal("GET / x"), 400);
        assert_eq!(refusal("GET / HTTP/2.0"), 505);
        assert_eq!(refusal("G\u{1}T / HTTP/1.1"), 400);
        assert_eq!(refusal("GET / HTTP/1.1\r\nno colon"), 400);
        assert_eq!(refusal("GET / HTTP/1.1\r\n folded: x"), 400);
    }
}
