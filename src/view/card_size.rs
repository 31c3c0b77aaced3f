//! How large each kind of card is, at each density.

use super::layout::{Density, Kind, Memory};
use super::{host_card, log_card};

/// The size of a card on an upright stage.
pub(super) fn size(kind: Kind, density: Density, embed: bool) -> (f32, f32) {
    match (kind, density) {
        (Kind::Producer, Density::Full) if embed => (118.0, 56.0),
        (Kind::Requester, Density::Full) if embed => (130.0, 56.0),
        (Kind::Producer, Density::Full) => (154.0, 84.0),
        (Kind::Requester, Density::Full) => (150.0, 84.0),
        (Kind::Broker { queues }, Density::Full) if embed => {
            (220.0, 56.0 + 30.0 * f32::from(queues.clamp(1, 6)))
        }
        (Kind::Broker { queues }, Density::Full) => {
            let queues = f32::from(queues.clamp(1, 12));
            (306.0, 94.0 + if queues < 3.0 { 58.0 } else { 28.0 } * queues)
        }
        (Kind::Log { partitions, groups }, Density::Full) => {
            let w = if embed { 240.0 } else { 372.0 };
            (w, log_card::height(partitions, groups))
        }
        (Kind::Log { partitions, groups }, Density::Row) => {
            (300.0, log_card::low_height(partitions, groups, 3.0))
        }
        (Kind::Log { partitions, groups }, Density::Bar) => {
            (240.0, log_card::low_height(partitions, groups, 2.0))
        }
        (Kind::Consumer { .. }, Density::Full) if embed => (172.0, 42.0),
        (Kind::Consumer { memory: Memory::Below }, Density::Full) => (188.0, 98.0),
        (Kind::Consumer { .. }, Density::Full) => (188.0, 72.0),
        (Kind::Script { lines }, Density::Full) => (226.0, host_card::height(lines)),
        (Kind::Script { .. }, Density::Row) => (226.0, 58.0),
        (Kind::Broker { .. }, Density::Row) => (220.0, 64.0),
        (_, Density::Row) => (158.0, 34.0),
        (Kind::Broker { .. }, Density::Bar) => (120.0, 30.0),
        (_, Density::Bar) => (110.0, 16.0),
    }
}

/// The height of a card on a turned stage, without the button inside it.
pub(super) fn turned_height(kind: Kind, density: Density) -> f32 {
    match (kind, density) {
        (Kind::Producer | Kind::Requester, Density::Full) => 44.0,
        (Kind::Broker { queues }, Density::Full) => {
            let queues = f32::from(queues.clamp(1, 12));
            80.0 + if queues < 3.0 { 34.0 } else { 28.0 } * queues
        }
        (Kind::Log { partitions, groups }, Density::Full) => log_card::height(partitions, groups),
        (Kind::Log { partitions, groups }, Density::Row) => {
            log_card::low_height(partitions, groups, 3.0)
        }
        (Kind::Log { partitions, groups }, Density::Bar) => {
            log_card::low_height(partitions, groups, 2.0)
        }
        (Kind::Consumer { memory: Memory::Below }, Density::Full) => 76.0,
        (Kind::Consumer { .. }, Density::Full) => 56.0,
        (Kind::Script { lines }, Density::Full) => host_card::turned_height(lines),
        (Kind::Script { .. }, Density::Row) => 58.0,
        (Kind::Broker { .. }, Density::Row) => 64.0,
        (_, Density::Row) => 34.0,
        (Kind::Broker { .. }, Density::Bar) => 34.0,
        (_, Density::Bar) => 16.0,
    }
}
