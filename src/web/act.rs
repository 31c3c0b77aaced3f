//! What the reader can do. Components queue acts; the frame loop carries them out in order.

use std::rc::Rc;

use crate::kernel::SimTime;
use crate::model::Command;
use crate::param::Lang;
use crate::view::Chosen;
use crate::web::shell::{Place, Sheet, Tab, Theme};

/// One act of the reader.
#[derive(Clone, PartialEq, Debug)]
pub enum Act {
    /// Plays or pauses.
    Toggle,
    /// Plays.
    Play,
    /// Pauses.
    Pause,
    /// So many events on.
    Step(u32),
    /// So many events back.
    StepBack(u32),
    /// To an instant.
    Seek(SimTime),
    /// Forward or back by thousandths of the whole run.
    Scrub(i32),
    /// To the start, paused.
    ToStart,
    /// To the end.
    ToEnd,
    /// To a place on the list of speeds.
    Speed(u8),
    /// So many places faster or slower.
    Faster(i32),
    /// An intervention at the shown instant.
    Do(Command),
    /// Crashes or restarts what is chosen.
    CrashChosen,
    /// Sends one message from what is chosen, or from the first that can.
    SendOne,
    /// Chooses something to look at.
    Choose(Chosen),
    /// A slider stands at a position (0 to 1000).
    Slide {
        /// The parameter's path.
        path: String,
        /// The slider's position.
        position: u32,
    },
    /// A parameter goes so many nice steps up or down.
    Nudge {
        /// The parameter's path.
        path: String,
        /// Steps; negative is down.
        steps: i32,
    },
    /// A parameter gets a value, as written in a document.
    Set {
        /// The parameter's path.
        path: String,
        /// The value in words.
        text: String,
    },
    /// Parameters get values all at once: paths and values as written in a document.
    SetAll(Vec<(String, String)>),
    /// A group gets one more member, which takes part from now on.
    Grow(String),
    /// Starts the search for the least memory of the boards, or gives it up.
    Size(bool),
    /// A parameter goes back to what the document says.
    Unset(String),
    /// Every parameter goes back, and what was done by hand is forgotten.
    Reset,
    /// Another seed.
    Seed(String),
    /// Opens a preset.
    Open(String),
    /// Runs a document of the reader's own.
    Apply(String),
    /// Opens what the address bar holds.
    Follow,
    /// Dismisses a notice.
    Dismiss(u64),
    /// Another language.
    Lang(Lang),
    /// Other colours.
    Theme(Theme),
    /// The system's wish for colours or motion changed.
    System,
    /// Switches single-letter keys.
    Letters(bool),
    /// The scenario or the gallery.
    Place(Place),
    /// Opens or closes a sheet.
    Sheet(Sheet),
    /// What a narrow screen shows.
    Tab(Tab),
    /// The ladder shows a shorter (positive) or longer stretch of time, around a share of its
    /// height or around the shown instant.
    Zoom {
        /// Steps.
        steps: f64,
        /// The share of the height that stays.
        around: Option<f64>,
    },
    /// The ladder moves by a share of its height; later is positive.
    Pan(f64),
    /// The ladder shows the whole run, or goes back.
    Fit,
    /// The segments up to the shown instant as a file.
    Capture,
    /// The search for what breaks guarantees has news, or ends.
    Bench(Rc<str>),
    /// The search ends.
    CancelBench,
    /// The side column, on middle screens.
    Drawer(bool),
}

impl Act {
    /// Whether it makes the run another one.
    pub fn changes_run(&self) -> bool {
        matches!(
            self,
            Act::Do(_)
                | Act::CrashChosen
                | Act::SendOne
                | Act::Slide { .. }
                | Act::Nudge { .. }
                | Act::Set { .. }
                | Act::SetAll(_)
                | Act::Grow(_)
                | Act::Unset(_)
                | Act::Reset
                | Act::Seed(_)
                | Act::Open(_)
                | Act::Apply(_)
                | Act::Follow
        )
    }
}
