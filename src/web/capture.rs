//! The run as a file that Wireshark opens, handed to the reader's browser.

use std::collections::BTreeMap;

use js_sys::{Array, Uint8Array};
use wasm_bindgen::JsCast;
use web_sys::{Blob, BlobPropertyBag, HtmlAnchorElement, Url};

use crate::model::ChannelId;
use crate::model::channel::Channel;
use crate::observe::pcapng::{Capture, Route};
use crate::param::Lang;
use crate::web::dom;
use crate::world::session::Session;

/// Most bytes of a file that is made in the page.
const MOST_BYTES: usize = 64 << 20;

/// What the host of the first connection's `from` end would have captured up to the shown instant.
pub fn pcapng(session: &Session) -> Option<Vec<u8>> {
    let channels = session.world().ground.channels.iter().enumerate();
    let routes: BTreeMap<ChannelId, Route> = channels
        .filter_map(|(n, node)| match &node.machine {
            Channel::Tcp(tcp) => Some((ChannelId(n as u16), Route { hosts: tcp.hosts })),
            Channel::Ideal(_) => None,
        })
        .collect();
    let at = routes.values().next()?.hosts[0];
    let name = session.scenario().hosts.get(at.index()).map_or("host", |host| host.id.as_str());
    let mut file = Vec::new();
    let mut capture = Capture::new(at, routes);
    capture.begin(name, session.scenario().title.get(Lang::En), &mut file);
    session.retell_segments(&mut |at, fact, segment| {
        capture.take(at, fact, segment, &mut file);
        file.len() < MOST_BYTES
    });
    Some(file)
}

/// Hands a file to the browser; `None` when it does not take it.
pub fn download(name: &str, bytes: &[u8]) -> Option<()> {
    let parts = Array::of1(&Uint8Array::from(bytes));
    let kind = BlobPropertyBag::new();
    kind.set_type("application/octet-stream");
    let blob = Blob::new_with_u8_array_sequence_and_options(&parts, &kind).ok()?;
    let address = Url::create_object_url_with_blob(&blob).ok()?;
    let link = dom::document().create_element("a").ok()?;
    let link: HtmlAnchorElement = link.dyn_into().ok()?;
    link.set_href(&address);
    link.set_download(name);
    link.click();
    // The browser has taken hold of the file with the click.
    let _ = Url::revoke_object_url(&address);
    Some(())
}
