//! What to draw, without a browser: frames, layout, draw list, charts, and how numbers read.
//!
//! It reads a session and answers plain data; `web` paints it, the command line prints it.

pub mod board;
mod broker_card;
pub mod build_check;
pub mod caption;
mod card_size;
pub mod cards;
pub mod cause_fill;
pub mod cells;
pub mod charts;
pub mod claims;
pub mod draw;
pub mod ends;
pub mod everywhere;
pub mod findings;
pub mod frame;
pub mod frame_log;
mod frame_mqtt;
mod frame_workqueue;
mod frame_tcp;
pub mod host_card;
pub mod inspect;
mod inspect_broker;
pub mod inspect_chain;
mod inspect_log;
mod inspect_mqtt;
mod inspect_figures;
mod inspect_tcp;
pub mod ladder;
pub mod layout;
pub mod log_card;
mod log_words;
pub mod lwipopts;
pub mod members;
mod next_tcp;
pub mod numbers;
pub mod pipe;
mod resource_words;
pub mod scene;
pub mod text_width;
pub mod tokens;
pub mod tcp_words;
pub mod tracks;
mod tracks_log;
mod tracks_tcp;
pub mod wiring;
mod wiring_card;
pub mod words;

use crate::model::{ActorId, ChannelId, Command, MsgId};
use crate::param::Lang;

pub use tokens::Theme;

/// Something on the stage that can be pointed at, chosen and asked about.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Chosen {
    /// Nothing.
    #[default]
    Nothing,
    /// A message.
    Message(MsgId),
    /// An actor.
    Actor(ActorId),
    /// A channel.
    Channel(ChannelId),
}

/// What a button on the stage does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Act {
    /// The process dies.
    Crash(ActorId),
    /// A process that died starts anew.
    Restart(ActorId),
    /// A process that stands still goes on.
    Resume(ActorId),
    /// A message is sent by hand.
    Send(ActorId),
}

impl Act {
    /// The command that does it.
    pub fn command(self) -> Command {
        match self {
            Act::Crash(actor) => Command::Crash(actor),
            Act::Restart(actor) => Command::Restart(actor),
            Act::Resume(actor) => Command::Resume(actor),
            Act::Send(actor) => Command::Send { actor },
        }
    }
}

/// How the picture is looked at: everything that changes it besides the session.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Look {
    /// Language of the words.
    pub lang: Lang,
    /// Colours.
    pub theme: Theme,
    /// What is chosen.
    pub chosen: Chosen,
    /// Simulated seconds per second; decides between dots and a flow.
    pub speed: f64,
    /// Whether time runs.
    pub playing: bool,
    /// Inside a course page's frame.
    pub embed: bool,
}
