//! What to draw, without a browser: frames, layout, draw list, charts, and how numbers read.
//!
//! It reads a session and answers plain data; `web` paints it, the command line prints it.

pub mod charts;
pub mod draw;
pub mod layout;
pub mod numbers;
pub mod pipe;
pub mod text_width;
pub mod tokens;

use crate::model::{ActorId, ChannelId, MsgId};
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
    /// Inside a course page's frame.
    pub embed: bool,
}
