//! Scripts and tcp channels in the inspector.

use crate::model::actor::Script;
use crate::model::actor::script::Waits;
use crate::model::channel::Tcp;
use crate::model::ground::Lane;
use crate::model::host::HostParams;
use crate::model::{ActorId, ChannelId, Node};
use crate::view::Chosen;
use crate::view::inspect::{Inspection, Subject, channel_actions};
use crate::view::{numbers, tcp_words};

impl Subject<'_> {
    /// What a script does or waits for.
    pub(super) fn script(&self, script: &Script) -> String {
        let line = script.line().and_then(|line| script.params.r#do.0.get(usize::from(line)));
        let line = line.map_or("", String::as_str);
        let waited = numbers::span(self.now.since(script.since));
        match script.waits {
            Waits::Over => self.pick("It has done all its steps.", "它已完成所有步骤。"),
            Waits::Failed(errno) => {
                let why = tcp_words::errno_name(errno);
                self.pick(
                    format!("A call failed, and it ended: {}.", why.en),
                    format!("一个调用失败，脚本结束：{}。", why.zh),
                )
            }
            _ => self.pick(
                format!("At `{line}` for {waited}: {}.", waits_name(script.waits).0),
                format!("在“{line}”处已 {waited}：{}。", waits_name(script.waits).1),
            ),
        }
    }

    /// The machine of an actor, if it runs lwIP.
    pub(super) fn lwip_host(&self, id: ActorId) -> Option<u16> {
        let host = self.scenario.actors.get(id.index())?.host;
        let machine = self.scenario.hosts.get(usize::from(host))?;
        let is_lwip = matches!(machine.params, HostParams::Lwip(_) | HostParams::Stm32(_));
        (machine.is_used && is_lwip).then_some(host)
    }

    /// A tcp channel.
    pub(super) fn tcp_channel(&self, id: ChannelId, tcp: &Tcp) -> Inspection {
        let wire = &self.world.ground.wires[tcp.wire.index()];
        let holds = tcp.ends.iter().find_map(|end| end.hold);
        let (state, sentence) = if wire.is_cut {
            (
                self.pick("cut", "已断开"),
                self.pick("Its wire loses every packet.", "链路丢弃所有数据包。"),
            )
        } else if let Some(errno) = tcp.ends.iter().find_map(|end| end.broken) {
            let why = tcp_words::errno_name(errno);
            (
                self.pick("broken", "已断开"),
                self.pick(
                    format!("The connection is over: {}.", why.en),
                    format!("连接已结束：{}。", why.zh),
                ),
            )
        } else if let Some(hold) = holds {
            let why = tcp_words::hold_name(hold);
            (
                self.pick("holds bytes back", "有字节在等"),
                self.pick(
                    format!("The next byte does not leave: {}.", why.en),
                    format!("下一字节未发出：{}。", why.zh),
                ),
            )
        } else {
            (
                self.pick("connected", "已连接"),
                self.pick("Everything written has left.", "已写入的都已发出。"),
            )
        };
        let mut figures = Vec::new();
        for (side, name) in [(Lane::Forth, "→"), (Lane::Back, "←")] {
            let gauges = self.world.ground.tcp_gauges(id, side);
            let mut add = |en: &str, zh: &str, bytes: u64| {
                let text = self.pick(format!("{name} {en}"), format!("{name} {zh}"));
                figures.push((text, numbers::count(bytes)));
            };
            add("unacknowledged, B", "未确认，B", gauges.nxt.saturating_sub(gauges.una));
            add("not sent, B", "未发送，B", gauges.written.saturating_sub(gauges.nxt));
            add("congestion window, B", "拥塞窗口，B", gauges.cwnd);
        }
        Inspection {
            chosen: Chosen::Channel(id),
            title: self.name(Node::Channel(id)).to_string(),
            state,
            sentence,
            figures,
            actions: channel_actions(id, wire.is_cut),
            ..Inspection::default()
        }
    }
}

/// What a script waits for.
pub fn waits_name(waits: Waits) -> (&'static str, &'static str) {
    match waits {
        Waits::Nothing => ("it goes on", "继续"),
        Waits::Until(_) => ("it sleeps", "休眠"),
        Waits::Open => ("it waits for the handshake", "等待握手"),
        Waits::Room(_) => ("it waits for room in the send buffer", "等待发送缓冲区空间"),
        Waits::Bytes(_) => ("it waits for more bytes", "等待更多字节"),
        Waits::AnyByte => ("it waits for a byte", "等待字节"),
        Waits::End => ("it waits for the other end to close", "等待对端关闭"),
        Waits::Writable => ("it waits until it may write", "等待可写"),
        Waits::Over => ("it is over", "已结束"),
        Waits::Failed(_) => ("it failed", "已失败"),
    }
}
