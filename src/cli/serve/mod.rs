//! `inflight serve`: the built page over HTTP on the loopback address.
//!
//! It answers GET and HEAD for files below one folder and knows nothing else of HTTP: no bodies,
//! no ranges, no proxies. Small HTTP libraries read without a deadline and start a thread for
//! whoever connects; here every connection has a place, a deadline and a limit. When all places
//! are taken, the newcomer gets the place of whoever has kept one longest without being served.
//!
//! `http.rs` reads requests and writes answers; `site.rs` finds the file that an address names.

#![allow(clippy::disallowed_methods, reason = "deadlines of sockets are in real time")]

mod http;
mod site;

use http::{Reading, Request};
use site::Site;
use std::io::{ErrorKind, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How much of the server's time and room clients may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections held at once, each with a thread of its own.
    pub connections: usize,
    /// From the first byte of a request to its last.
    pub head: Duration,
    /// Silence between two requests on one connection.
    pub idle: Duration,
    /// For the whole of one answer.
    pub answer: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connections: 64,
            head: Duration::from_secs(10),
            idle: Duration::from_secs(60),
            answer: Duration::from_secs(120),
        }
    }
}

/// A bound server that is not answering yet.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    site: Site,
    limits: Limits,
}

/// Serves the page below `root` on `port` of 127.0.0.1 until the process ends.
///
/// Says the address once it listens. Port 0 takes any free one.
pub fn serve(root: &Path, port: u16) -> Result<(), String> {
    let server = Server::bind(root, port, Limits::default())?;
    println!("Inflight is at http://{}/ (Ctrl-C ends it)", server.address()?);
    // A parent that reads this line through a pipe waits for it.
    let _ = std::io::stdout().flush();
    server.run()
}

impl Server {
    /// Takes the port and checks that `root` holds a page.
    pub fn bind(root: &Path, port: u16, limits: Limits) -> Result<Server, String> {
        assert!(0 < limits.connections);
        let site = Site::open(root)?;
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(|e| match e.kind() {
                ErrorKind::AddrInUse => format!(
                    "port {port} is in use by another program: choose another with --port, \
                     or --port 0 for any free one"
                ),
                ErrorKind::PermissionDenied => {
                    format!("port {port} may not be used by this account: choose one above 1023")
                }
                _ => format!("cannot listen on 127.0.0.1:{port}: {e}"),
            })?;
        Ok(Server { listener, site, limits })
    }

    /// Where it listens.
    pub fn address(&self) -> Result<SocketAddr, String> {
        self.listener.local_addr().map_err(|e| format!("the server has no address: {e}"))
    }

    /// Answers clients for as long as the process lives.
    pub fn run(self) -> Result<(), String> {
        let site = Arc::new(self.site);
        let places = Arc::new(Places::new(self.limits.connections));
        loop {
            let stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                // A client that went away again, or no more descriptors: neither ends the server.
                Err(_) => {
                    std::thread::sleep(Duration::from_millis(10));
                    continue;
                }
            };
            let Some(id) = places.take(&stream) else {
                continue;
            };
            let (site, theirs, limits) = (site.clone(), places.clone(), self.limits);
            let spawned = std::thread::Builder::new()
                .name("client".to_owned())
                .stack_size(256 * 1024)
                .spawn(move || {
                    converse(&site, stream, limits, |doing| theirs.mark(id, doing));
                    theirs.leave(id);
                });
            if spawned.is_err() {
                places.leave(id);
            }
        }
    }
}

/// Answers one connection until it closes, errs or oversteps a limit.
fn converse(site: &Site, mut stream: TcpStream, limits: Limits, mark: impl Fn(Doing)) {
    // Answers leave in one piece or in large ones: waiting to fill segments only delays them.
    let _ = stream.set_nodelay(true);
    let mut unread = Vec::new();
    loop {
        let request = match http::read(&mut stream, &mut unread, limits.idle, limits.head) {
            Reading::Request(request) => request,
            Reading::Bad(status) => {
                let deadline = Instant::now() + limits.head;
                let _ = site.refuse(status).send(&mut stream, deadline, &Request::refused());
                break;
            }
            Reading::Gone => break,
        };
        mark(Doing::Answering);
        let deadline = Instant::now() + limits.answer;
        if site.answer(&request).send(&mut stream, deadline, &request).is_err() {
            break;
        }
        if !request.keep_alive {
            break;
        }
        mark(Doing::Waiting);
    }
    let _ = stream.shutdown(Shutdown::Both);
}

/// What a connection is at; who waits loses its place before who is being answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Doing {
    /// The client has not asked, or not finished asking.
    Waiting,
    /// An answer is on its way.
    Answering,
}

/// The connections that are being held, in no order.
struct Places {
    held: Mutex<Held>,
    limit: usize,
}

struct Held {
    places: Vec<Place>,
    next_id: u64,
}

struct Place {
    id: u64,
    doing: Doing,
    since: Instant,
    stream: TcpStream,
}

impl Places {
    fn new(limit: usize) -> Places {
        Places { held: Mutex::new(Held { places: Vec::new(), next_id: 0 }), limit }
    }

    /// Gives the client a place; if all are taken, closes the one that waits longest.
    fn take(&self, stream: &TcpStream) -> Option<u64> {
        let stream = stream.try_clone().ok()?;
        let mut held = self.lock();
        if self.limit <= held.places.len() {
            let places = &held.places;
            let out = (0..places.len()).min_by_key(|&i| (places[i].doing, places[i].since))?;
            // Its thread finds the stream shut, ends, and then leaves a place it no longer has.
            let evicted = held.places.swap_remove(out);
            let _ = evicted.stream.shutdown(Shutdown::Both);
        }
        let id = held.next_id;
        held.next_id += 1;
        held.places.push(Place { id, doing: Doing::Waiting, since: Instant::now(), stream });
        Some(id)
    }

    fn mark(&self, id: u64, doing: Doing) {
        if let Some(place) = self.lock().places.iter_mut().find(|p| p.id == id) {
            place.doing = doing;
            place.since = Instant::now();
        }
    }

    fn leave(&self, id: u64) {
        self.lock().places.retain(|p| p.id != id);
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
