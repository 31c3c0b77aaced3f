//! Hosts: machines that run a network stack, by profile.
//!
//! A plain host hands a packet to the wire at once and free of charge. An lwIP host keeps what its
//! connections share: pools, heap and the timer that runs them all. A board has a MAC, a driver, a
//! processor and a loop around that.

use crate::kernel::Timer;
use crate::model::stm32::{BoardNode, Stm32Params};
use crate::model::tcp::lwip::{self, LwipParams};
use crate::model::tcp::{LinuxParams, RfcParams};
use crate::param::{Params, Value, index_of};

/// MTU of an lwIP host's device in bytes. `ethernetif.c`.
const ETHERNET_MTU: u32 = 1_500;

/// Every profile's name, the default first.
pub const PROFILES: &[&str] =
    &[LinuxParams::KIND, RfcParams::KIND, LwipParams::KIND, Stm32Params::KIND];

/// A host's profile and its parameters.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum HostParams {
    /// A stock Linux kernel.
    Linux(LinuxParams),
    /// The letter of the RFCs.
    Rfc(RfcParams),
    /// lwIP's raw API.
    Lwip(LwipParams),
    /// lwIP on a board with an STM32.
    Stm32(Box<Stm32Params>),
}

impl Default for HostParams {
    fn default() -> HostParams {
        HostParams::Linux(LinuxParams::default())
    }
}

impl HostParams {
    /// The defaults of the profile of that name.
    pub fn of_profile(name: &str) -> Option<HostParams> {
        match name {
            LinuxParams::KIND => Some(HostParams::Linux(LinuxParams::default())),
            RfcParams::KIND => Some(HostParams::Rfc(RfcParams::default())),
            LwipParams::KIND => Some(HostParams::Lwip(LwipParams::default())),
            Stm32Params::KIND => Some(HostParams::Stm32(Box::default())),
            _ => None,
        }
    }

    /// The profile's name.
    pub fn kind(&self) -> &'static str {
        self.params().kind()
    }

    /// The profile as a choice: its place in [`PROFILES`].
    pub fn profile_value(&self) -> Value {
        let place = PROFILES.iter().position(|name| *name == self.kind());
        Value::Choice(place.unwrap_or(0) as u8)
    }

    /// The parameters, without their profile.
    pub fn params(&self) -> &dyn Params {
        match self {
            HostParams::Linux(p) => p,
            HostParams::Rfc(p) => p,
            HostParams::Lwip(p) => p,
            HostParams::Stm32(p) => p.as_ref(),
        }
    }

    /// The parameters, to be changed.
    pub fn params_mut(&mut self) -> &mut dyn Params {
        match self {
            HostParams::Linux(p) => p,
            HostParams::Rfc(p) => p,
            HostParams::Lwip(p) => p,
            HostParams::Stm32(p) => p.as_mut(),
        }
    }

    /// This profile with the values of another where both have a parameter of that key.
    pub fn with_values_of(mut self, other: &HostParams) -> HostParams {
        let theirs = other.params();
        for (index, spec) in theirs.specs().iter().enumerate() {
            let value = theirs.get(index as u8);
            let same = index_of(self.params().specs(), spec.key);
            if let Some(mine) = same.filter(|_| value != spec.default()) {
                // A value that this profile does not allow is left out.
                let _ = self.params_mut().set(mine, &value);
            }
        }
        self
    }
}

/// A machine of the world.
#[derive(Clone, PartialEq, Debug)]
pub struct HostNode {
    /// Hash of its id, for random draws.
    pub path: u64,
    /// Its profile and parameters, as they are now.
    pub params: HostParams,
    /// Its wake-up: the timer that runs all connections of an lwIP host; whatever a board does.
    pub timer: Timer,
    /// What the connections of an lwIP host share.
    pub lwip: Option<Box<lwip::Stack>>,
    /// The board, if it is one.
    pub board: Option<Box<BoardNode>>,
}

impl HostNode {
    /// A machine of that profile.
    pub fn new(path: u64, params: &HostParams) -> HostNode {
        let (mut lwip, mut board) = (None, None);
        match params {
            HostParams::Lwip(params) => {
                let stack = lwip::Stack::new(lwip::Options::from(params), ETHERNET_MTU);
                lwip = Some(Box::new(stack));
            }
            HostParams::Stm32(params) => board = BoardNode::new(params).map(Box::new),
            HostParams::Linux(_) | HostParams::Rfc(_) => {}
        }
        HostNode { path, params: params.clone(), timer: Timer::default(), lwip, board }
    }

    /// The lwIP stack that its connections share, if it has one.
    pub fn stack(&self) -> Option<&lwip::Stack> {
        self.lwip.as_deref().or_else(|| Some(&self.board.as_deref()?.board.stack))
    }

    /// The same, to be changed.
    pub fn stack_mut(&mut self) -> Option<&mut lwip::Stack> {
        self.lwip.as_deref_mut().or_else(|| Some(&mut self.board.as_deref_mut()?.board.stack))
    }
}
