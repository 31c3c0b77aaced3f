//! Finds the file that an address names, and the headers it is sent with.

use super::http::{Answer, Body, Request};
use std::fs::{File, Metadata};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// The page needs wasm, workers made from blobs, and may be framed by any course page.
///
/// `frame-src` is for the course page that ships with the site.
const POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; \
    style-src 'self'; img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; \
    worker-src 'self' blob:; manifest-src 'self'; frame-src 'self'; base-uri 'none'; \
    form-action 'none'; frame-ancestors *";

/// A folder whose files may be read by anyone.
#[derive(Debug)]
pub struct Site {
    /// Canonical: no symbolic link in it.
    root: PathBuf,
}

impl Site {
    /// Checks that `root` holds a page.
    pub fn open(root: &Path) -> Result<Site, String> {
        let canonical = root.canonicalize().ok().filter(|r| r.join("index.html").is_file());
        canonical.map(|root| Site { root }).ok_or_else(|| {
            format!(
                "there is no page in {}: build it with `cargo xtask dist`, \
                 or name its folder with --root",
                root.display()
            )
        })
    }

    /// The answer to any request that could be read.
    pub fn answer(&self, request: &Request) -> Answer {
        if request.method != "GET" && request.method != "HEAD" {
            let mut answer = self.refuse(405);
            answer.headers.push(("Allow", "GET, HEAD".to_owned()));
            return answer;
        }
        let Some(path) = address_path(&request.target) else {
            return self.refuse(400);
        };
        let Some(mut file) = decode(path).and_then(|decoded| self.find(&decoded)) else {
            return self.refuse(404);
        };
        if file.is_dir() {
            if !path.ends_with('/') {
                return moved_to_folder(path);
            }
            file.push("index.html");
        }
        self.answer_file(&file, request).unwrap_or_else(|| self.refuse(404))
    }

    /// A plain sentence with this status.
    pub fn refuse(&self, status: u16) -> Answer {
        let text = match status {
            404 => "There is no such file here.\n",
            405 => "Only GET and HEAD are answered here.\n",
            _ => "This request was not understood.\n",
        };
        Answer { status, headers: headers("text/plain; charset=utf-8"), body: Body::Text(text) }
    }

    /// The existing file or folder below the root that `path` names.
    fn find(&self, path: &str) -> Option<PathBuf> {
        let mut found = self.root.clone();
        for part in path.split('/').filter(|part| !part.is_empty()) {
            // Covers `.`, `..` and hidden files. A colon names drives and streams on Windows.
            if part.starts_with('.') || part.contains([':', '\\']) {
                return None;
            }
            found.push(part);
        }
        self.inside(&found)
    }

    /// `path` with its symbolic links followed, if that is still below the root.
    fn inside(&self, path: &Path) -> Option<PathBuf> {
        path.canonicalize().ok().filter(|real| real.starts_with(&self.root))
    }

    fn answer_file(&self, path: &Path, request: &Request) -> Option<Answer> {
        let name = path.file_name()?.to_str()?;
        let mut headers = headers(mime_type(name));
        let cache =
            if has_content_hash(name) { "public, max-age=31536000, immutable" } else { "no-cache" };
        headers.push(("Cache-Control", cache.to_owned()));
        headers.push(("Vary", "Accept-Encoding".to_owned()));
        let plain = self.inside(path)?;
        let plain_meta = std::fs::metadata(&plain).ok()?;
        if !plain_meta.is_file() {
            return None;
        }
        let compressed = ["br", "gzip"]
            .into_iter()
            .filter(|coding| accepts(&request.accept_encoding, coding))
            .find_map(|coding| Some((coding, self.compressed(path, coding, &plain_meta)?)));
        let (coding, path, meta) = match compressed {
            Some((coding, (path, meta))) => {
                headers.push(("Content-Encoding", coding.to_owned()));
                (coding, path, meta)
            }
            None => ("", plain, plain_meta),
        };
        let tag = entity_tag(&meta, coding);
        headers.push(("ETag", tag.clone()));
        let known =
            request.if_none_match.split(',').any(|t| t.trim().trim_start_matches("W/") == tag);
        if known {
            return Some(Answer { status: 304, headers, body: Body::Text("") });
        }
        let file = File::open(path).ok()?;
        Some(Answer { status: 200, headers, body: Body::File { file, len_bytes: meta.len() } })
    }

    /// The compressed twin of a file, unless the file was changed after it was made.
    fn compressed(
        &self,
        path: &Path,
        coding: &str,
        plain: &Metadata,
    ) -> Option<(PathBuf, Metadata)> {
        let mut name = path.file_name()?.to_owned();
        name.push(if coding == "br" { ".br" } else { ".gz" });
        let twin = self.inside(&path.with_file_name(name))?;
        let meta = std::fs::metadata(&twin).ok()?;
        let is_current = plain.modified().ok()? <= meta.modified().ok()?;
        (meta.is_file() && is_current).then_some((twin, meta))
    }
}

/// Headers of every answer.
fn headers(content_type: &str) -> Vec<(&'static str, String)> {
    vec![
        ("Content-Type", content_type.to_owned()),
        // In a sandboxed frame the page has no origin: without this its own files are refused.
        ("Access-Control-Allow-Origin", "*".to_owned()),
        ("Content-Security-Policy", POLICY.to_owned()),
        ("X-Content-Type-Options", "nosniff".to_owned()),
        ("Referrer-Policy", "no-referrer".to_owned()),
    ]
}

/// Sends `/a/b` to `/a/b/`, so that relative addresses in its page work.
fn moved_to_folder(path: &str) -> Answer {
    let last = path.rsplit('/').next().unwrap_or("");
    let mut headers = headers("text/plain; charset=utf-8");
    headers.push(("Location", format!("./{last}/")));
    Answer { status: 301, headers, body: Body::Text("") }
}

/// The path of a request target, still encoded; `None` if it is none.
fn address_path(target: &str) -> Option<&str> {
    // RFC 9112 section 3.2.2: a server must also take the absolute form.
    let target = match target.strip_prefix("http://") {
        Some(rest) => &rest[rest.find('/')?..],
        None => target,
    };
    let path = target.split(['?', '#']).next().unwrap_or("");
    path.starts_with('/').then_some(path)
}

/// Undoes `%xx`, once; `None` for what no file of ours is called.
fn decode(path: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.bytes();
    while let Some(b) = rest.next() {
        bytes.push(match b {
            b'%' => 16 * hex_digit(rest.next()?)? + hex_digit(rest.next()?)?,
            _ => b,
        });
    }
    let path = String::from_utf8(bytes).ok()?;
    (!path.chars().any(char::is_control)).then_some(path)
}

fn hex_digit(b: u8) -> Option<u8> {
    char::from(b).to_digit(16).and_then(|d| u8::try_from(d).ok())
}

/// Whether an `Accept-Encoding` value allows `coding` by name.
fn accepts(value: &str, coding: &str) -> bool {
    value.split(',').any(|item| {
        let mut parts = item.split(';').map(str::trim);
        let named = parts.next() == Some(coding);
        let refused = parts
            .any(|p| p.strip_prefix("q=").is_some_and(|q| q.trim_matches(['0', '.']).is_empty()));
        named && !refused
    })
}

/// `name.0123456789abcdef.ext`: what it holds never changes.
fn has_content_hash(name: &str) -> bool {
    let mut parts = name.rsplit('.').skip(1);
    let is_hash = |part: &str| part.len() == 16 && part.bytes().all(|b| hex_digit(b).is_some());
    parts.next().is_some_and(is_hash) && parts.next().is_some()
}

fn entity_tag(meta: &Metadata, coding: &str) -> String {
    let changed = meta.modified().ok().and_then(|t| t.duration_since(UNIX_EPOCH).ok());
    let changed_ns = changed.map_or(0, |d| d.as_nanos());
    format!("\"{:x}-{changed_ns:x}{coding}\"", meta.len())
}

fn mime_type(name: &str) -> &'static str {
    let extension = name.rsplit('.').next().unwrap_or("");
    match extension {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "wasm" => "application/wasm",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "json" => "application/json",
        "webmanifest" => "application/manifest+json",
        "woff2" => "font/woff2",
        "csv" => "text/csv; charset=utf-8",
        "md" | "toml" | "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hashed_names_are_kept_for_ever() {
        assert!(has_content_hash("inflight_bg.0123456789abcdef.wasm"));
        assert!(!has_content_hash("index.html"));
        assert!(!has_content_hash("0123456789abcdef.wasm"));
        assert!(!has_content_hash("a.0123456789abcde.wasm"));
        assert!(!has_content_hash("a.0123456789abcdefg.wasm"));
    }

    #[test]
    fn a_coding_with_weight_zero_is_refused() {
        assert!(accepts("gzip, deflate, br", "br"));
        assert!(accepts("gzip;q=0.5", "gzip"));
        assert!(!accepts("gzip;q=0", "gzip"));
        assert!(!accepts("gzip; q=0.000, br", "gzip"));
        assert!(!accepts("brotli", "br"));
        assert!(!accepts("", "br"));
    }

    #[test]
    fn a_path_is_decoded_once_and_holds_no_control_characters() {
        assert_eq!(decode("/a%20b").as_deref(), Some("/a b"));
        assert_eq!(decode("/%252e").as_deref(), Some("/%2e"));
        assert_eq!(decode("/%00"), None);
        assert_eq!(decode("/%0a"), None);
        assert_eq!(decode("/%c3"), None);
        assert_eq!(decode("/%"), None);
        assert_eq!(decode("/%zz"), None);
        assert_eq!(decode("/%+1"), None);
    }

    #[test]
    fn the_query_is_no_part_of_the_path() {
        assert_eq!(address_path("/a?b=/c"), Some("/a"));
        assert_eq!(address_path("http://127.0.0.1:8080/a#x"), Some("/a"));
        assert_eq!(address_path("*"), None);
        assert_eq!(address_path("a"), None);
    }
}
