//! A session's run as a capture on one of its hosts.

use std::collections::BTreeMap;

use crate::model::channel::ChannelParams;
use crate::model::message::{ChannelId, HostId};
use crate::observe::pcapng::{Capture, Route};
use crate::param::Lang;
use crate::world::problem::Problem;
use crate::world::session::Session;

/// Bytes that are gathered before they are handed on.
const PIECE: usize = 1 << 16;

impl Session {
    /// What `host` saw of its tcp connections up to the shown instant, as a pcapng file, piece by
    /// piece; without a host at the first that connects. Answers with the number of packets.
    ///
    /// The run is run again for it.
    pub fn capture(
        &self,
        host: Option<&str>,
        hand_on: &mut dyn FnMut(&[u8]) -> bool,
    ) -> Result<u64, Problem> {
        let routes = self.routes();
        let ids = || routes.values().flat_map(|route| route.hosts);
        let id_of = |host: HostId| self.scenario().hosts[host.index()].id.as_str();
        let found = match host {
            None => ids().next(),
            Some(name) => ids().find(|host| id_of(*host) == name),
        };
        let Some(at) = found else {
            let known = ids().map(id_of);
            return Err(Problem::unknown(None, "pcap-at", host.unwrap_or(""), known));
        };
        let mut out = Vec::new();
        let mut capture = Capture::new(at, routes.clone());
        let title = self.scenario().title.get(Lang::En);
        capture.begin(id_of(at), title, &mut out);
        let mut goes_on = true;
        self.retell_segments(&mut |at, fact, segment| {
            capture.take(at, fact, segment, &mut out);
            if PIECE <= out.len() {
                goes_on = hand_on(&out);
                out.clear();
            }
            goes_on
        });
        hand_on(&out);
        Ok(capture.n_packets)
    }

    /// Where the tcp channels are.
    fn routes(&self) -> BTreeMap<ChannelId, Route> {
        let scenario = self.scenario();
        let home = |actor: u16| HostId(scenario.actors[usize::from(actor)].host);
        let tcp = scenario.channels.iter().enumerate().filter_map(|(n, channel)| {
            let is_tcp = matches!(channel.params, ChannelParams::Tcp(_));
            let hosts = [home(channel.from), home(channel.to)];
            is_tcp.then_some((ChannelId(n as u16), Route { hosts }))
        });
        tcp.collect()
    }
}
