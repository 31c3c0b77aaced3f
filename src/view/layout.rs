//! Where everything stands on the stage: actors in layers from sources to sinks, pipes between.
//!
//! Layers are columns; on narrow stages the picture is turned and layers are rows. A layer that
//! does not fit gets smaller cards: full cards, then rows with a name, then bars in columns. It
//! knows kinds and connections, not what happens: the same scenario always stands the same way.

use super::card_size::size;
use super::draw::{Point, Rect, pt};
use super::pipe::{Pipe, bend};

mod turned;

use super::board;
use turned::turned;

/// What kind of card an actor gets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Makes messages: rate, clock to the next.
    Producer,
    /// Queues with cells.
    Broker {
        /// How many queues it has.
        queues: u16,
    },
    /// Partitions as tapes.
    Log {
        /// How many partitions it has.
        partitions: u16,
        /// How many groups.
        groups: u16,
    },
    /// Works on messages.
    Consumer {
        /// Where its own memory is drawn.
        memory: Memory,
    },
    /// Asks and waits.
    Requester,
    /// A script on its host: steps, buffers, timers.
    Script {
        /// Lines of its text.
        lines: u16,
    },
}

/// Where a worker's own memory is drawn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Memory {
    /// Nothing ever waits there.
    None,
    /// A few messages wait there: beside the bar of its work.
    Beside,
    /// It is the queue: below the bar.
    Below,
}

/// What is to be laid out: the kinds of the actors in document order, and who is joined to whom.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Plan {
    /// By actor id.
    pub kinds: Vec<Kind>,
    /// By channel id: from, to.
    pub joins: Vec<(u16, u16)>,
    /// By actor id: how wide its name is on a full card; missing ones take no room.
    pub names: Vec<u16>,
    /// How many pools the boards have at most, one of which is drawn below the cards.
    pub board: Option<u16>,
}

impl Plan {
    /// More than two programs and their peers stand above a board: their rows are low.
    fn has_many_programs(&self) -> bool {
        self.board.is_some() && 4 < self.kinds.len() && is_of_scripts(self)
    }

    /// The size of an actor's card on an upright stage: a long name widens a full one.
    fn size(&self, actor: usize, density: Density, embed: bool) -> (f32, f32) {
        let kind = self.kinds[actor];
        let (w, h) = size(kind, density, embed);
        let is_low = density == Density::Row && self.has_many_programs();
        let h = if is_low { LOW_ROW } else { h };
        let name = self.names.get(actor).copied().unwrap_or(0);
        let widens = density == Density::Full && !embed && !is_broker(kind);
        let beside = if sends(kind) { 28.0 } else { BESIDE_NAME };
        if widens { (w.max((f32::from(name) + beside).min(WIDEST)), h) } else { (w, h) }
    }
}

/// The room there is.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Room {
    /// Width of the stage.
    pub width: f32,
    /// Greatest height that the stage may take.
    pub height: f32,
    /// Inside a course page's frame: smaller cards, turned only below 480.
    pub embed: bool,
    /// Whether a line for the caption is kept free below.
    pub caption: bool,
    /// The stage takes all the height there is, with its cards in the middle.
    pub fill: bool,
}

/// How much of a card is drawn.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Density {
    /// Everything.
    Full,
    /// One line with name, state and bar.
    Row,
    /// A bar with a number.
    Bar,
}

/// An actor's place.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Place {
    /// The card.
    pub rect: Rect,
    /// How much of it is drawn.
    pub density: Density,
    /// Where its button stands, if there is room for one.
    pub button: Option<Rect>,
    /// Where its own memory is drawn.
    pub memory: Memory,
}

/// Where a kind's own memory is drawn.
fn memory(kind: Kind) -> Memory {
    match kind {
        Kind::Consumer { memory } => memory,
        _ => Memory::None,
    }
}

/// Where everything stands.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Layout {
    /// Width of the stage.
    pub width: f32,
    /// Height that the stage needs.
    pub height: f32,
    /// Whether messages run downwards.
    pub turned: bool,
    /// By actor id.
    pub places: Vec<Place>,
    /// By channel id.
    pub pipes: Vec<Pipe>,
    /// Base line of the caption, if there is one.
    pub caption: Option<Point>,
    /// Where the board is drawn, below the cards.
    pub board: Option<Rect>,
}

/// Free space left and right of everything.
const MARGIN: f32 = 20.0;
/// The same on narrow stages.
const MARGIN_TURNED: f32 = 16.0;
/// Free space above everything.
const TOP: f32 = 10.0;
/// Free space below everything without a caption.
const BOTTOM: f32 = 12.0;
/// Room for the caption.
const CAPTION: f32 = 30.0;
/// The lowest stage beside a full page.
const LEAST_HEIGHT: f32 = 276.0;
/// Least length of a pipe.
const LEAST_PIPE: f32 = 56.0;
/// Length of a pipe on a turned stage.
const TURNED_PIPE: f32 = 46.0;
/// Room beside a worker's name: margins and its button.
const BESIDE_NAME: f32 = 88.0;
/// The widest card of a worker.
const WIDEST: f32 = 236.0;
/// Below this width the stage is turned.
const TURN_BELOW: f32 = 800.0;
/// Below this width the stage in a frame is turned.
const TURN_BELOW_EMBED: f32 = 480.0;
/// Below this width two columns of scripts are turned.
const TURN_BELOW_SCRIPTS: f32 = 520.0;
/// Widest share of the stage that columns of bars may take.
const BARS_SHARE: f32 = 0.42;

/// Height of the cards above a board: rows, for the board needs the room.
const CARDS_ABOVE_BOARD: f32 = 112.0;
/// The same on a turned stage, where two rows stand one below the other.
const TURNED_ABOVE_BOARD: f32 = 196.0;
/// Height of a row there, and of all of them at most.
const ROW_ABOVE_BOARD: f32 = 65.0;
/// Height of a row where there are many, and with the space below it.
const LOW_ROW: f32 = 31.0;
const LOW_ROW_ABOVE_BOARD: f32 = LOW_ROW + 7.0;
const MOST_ABOVE_BOARD: f32 = 360.0;
/// Space between the cards and the board.
const ABOVE_BOARD: f32 = 4.0;

/// Lays out `plan` in `room`: with a board below the cards, if there is one and room for it.
pub fn layout(plan: &Plan, room: Room) -> Layout {
    let width = room.width - 2.0 * MARGIN_TURNED;
    let height = board::height(width, plan.board.unwrap_or(0));
    let below = if room.caption { CAPTION } else { BOTTOM };
    let least = CARDS_ABOVE_BOARD + height + below;
    if plan.board.is_none() || (room.fill && room.height < least) {
        return cards(plan, room);
    }
    let layers = layers(plan);
    let most = layers.iter().map(Vec::len).max().unwrap_or(1) as f32;
    let row = if plan.has_many_programs() { LOW_ROW_ABOVE_BOARD } else { ROW_ABOVE_BOARD };
    let above = match is_turned(plan, layers.len(), room) {
        true => TURNED_ABOVE_BOARD,
        false => (TOP + BOTTOM + most * row).clamp(CARDS_ABOVE_BOARD, MOST_ABOVE_BOARD),
    };
    let above = if room.fill { room.height - height - below } else { above };
    let mut out = cards(plan, Room { height: above, caption: false, fill: room.fill, ..room });
    let rect = Rect::new(MARGIN_TURNED, out.height + ABOVE_BOARD - BOTTOM, width, height);
    out.height = rect.bottom() + below;
    out.board = Some(rect);
    out.caption = room.caption.then(|| pt(MARGIN_TURNED, out.height - 11.0));
    out
}

/// Cards and pipes.
fn cards(plan: &Plan, room: Room) -> Layout {
    let layers = layers(plan);
    let mut out = if is_turned(plan, layers.len(), room) {
        turned(plan, &layers, room)
    } else {
        upright(plan, &layers, room)
    };
    out.pipes = pipes(plan, &out);
    out
}

/// Whether messages run downwards in that room.
fn is_turned(plan: &Plan, n_layers: usize, room: Room) -> bool {
    let turn_below = match room.embed {
        _ if is_of_scripts(plan) && n_layers <= 2 => TURN_BELOW_SCRIPTS,
        true => TURN_BELOW_EMBED,
        false => TURN_BELOW,
    };
    room.width < turn_below
}

/// The actors of each layer, in document order: a layer is the longest way from a source.
fn layers(plan: &Plan) -> Vec<Vec<usize>> {
    let n = plan.kinds.len();
    let mut depth = vec![0_usize; n];
    // The longest way has at most n steps; a cycle stops growing after n rounds, and joins that
    // point back to an earlier actor do not count.
    for _ in 0..n {
        let mut changed = false;
        for &(from, to) in &plan.joins {
            let (from, to) = (usize::from(from), usize::from(to));
            if from < to && depth[to] <= depth[from] {
                depth[to] = depth[from] + 1;
                changed = true;
            }
        }
        if !changed {
            break;
        }
    }
    // Joins against the document's order count only for actors that nothing else placed.
    for &(from, to) in &plan.joins {
        let (from, to) = (usize::from(from), usize::from(to));
        let is_source = !plan.joins.iter().any(|&(_, t)| usize::from(t) == from);
        if to < from && is_source && depth[to] == 0 {
            let lift = 1;
            depth.iter_mut().enumerate().filter(|(i, _)| *i != from).for_each(|(_, d)| *d += lift);
            depth[from] = 0;
        }
    }
    let mut layers = vec![Vec::new(); depth.iter().max().map_or(0, |deepest| deepest + 1)];
    for (actor, depth) in depth.into_iter().enumerate() {
        layers[depth].push(actor);
    }
    layers.retain(|layer| !layer.is_empty());
    layers
}

/// Free space between cards of one layer.
fn gap(density: Density) -> f32 {
    match density {
        Density::Full => 10.0,
        Density::Row => 7.0,
        Density::Bar => 3.0,
    }
}

/// A button of its own below the card of what sends.
fn sends(kind: Kind) -> bool {
    matches!(kind, Kind::Producer | Kind::Requester)
}

/// Height of that button, with the space above it.
const SEND_BUTTON: f32 = 34.0;

/// A layer of an upright stage: how dense, in how many columns, how large.
#[derive(Clone, Copy)]
struct Column {
    density: Density,
    columns: usize,
    width: f32,
    height: f32,
}

/// The densest-needed form of a layer that fits into `height`.
fn column(plan: &Plan, layer: &[usize], room: Room, height: f32) -> Column {
    let of = |density| {
        let sizes = layer.iter().map(|&actor| {
            let (w, h) = plan.size(actor, density, room.embed);
            let button = density == Density::Full && sends(plan.kinds[actor]) && !room.embed;
            (w, h + if button { SEND_BUTTON } else { 0.0 })
        });
        let (width, sum) = sizes.fold((0.0_f32, 0.0), |(w, h), size| (w.max(size.0), h + size.1));
        Column { density, columns: 1, width, height: sum + gap(density) * (layer.len() - 1) as f32 }
    };
    let fits = [Density::Full, Density::Row, Density::Bar].map(of);
    if let Some(column) = fits.into_iter().find(|column| column.height <= height) {
        return column;
    }
    // Bars in columns: as many to a column as fit.
    let bars = fits[2];
    let each = (bars.height + gap(Density::Bar)) / layer.len() as f32;
    let rows = ((height + gap(Density::Bar)) / each).floor().max(1.0);
    let columns = (layer.len() as f32 / rows).ceil();
    let rows = (layer.len() as f32 / columns).ceil();
    let width = (bars.width * columns).min(room.width * BARS_SHARE);
    let height = rows * each - gap(Density::Bar);
    Column { density: Density::Bar, columns: columns as usize, width, height }
}

/// Layers as columns, messages run to the right.
fn upright(plan: &Plan, layers: &[Vec<usize>], room: Room) -> Layout {
    let below = if room.caption { CAPTION } else { BOTTOM };
    let columns: Vec<Column> =
        layers.iter().map(|layer| column(plan, layer, room, room.height - TOP - below)).collect();
    let content = columns.iter().map(|column| column.height).fold(0.0, f32::max);
    let least = match (room.fill, room.embed) {
        (true, _) => room.height,
        (false, true) => 0.0,
        (false, false) if plan.board.is_some() => 0.0,
        (false, false) => LEAST_HEIGHT,
    };
    let height = (content + TOP + below).max(least.min(room.height));
    let middle = TOP + (height - TOP - below) / 2.0;

    let n_pipes = layers.len().saturating_sub(1) as f32;
    let free = room.width - 2.0 * MARGIN;
    let natural: f32 = columns.iter().map(|column| column.width).sum();
    let scale = ((free - LEAST_PIPE * n_pipes) / natural).clamp(0.2, 1.0);
    let pipe = ((free - natural * scale) / n_pipes.max(1.0)).max(8.0);
    let mut x = if n_pipes == 0.0 { (room.width - natural * scale) / 2.0 } else { MARGIN };

    let mut places = vec![Place::nowhere(); plan.kinds.len()];
    for (layer, column) in layers.iter().zip(&columns) {
        let column = Column { width: column.width * scale, ..*column };
        let floor = height - below;
        place_column(plan, layer, column, (pt(x, middle), floor), room.embed, &mut places);
        x += column.width + pipe;
    }
    let caption = room.caption.then(|| pt(MARGIN_TURNED, height - 11.0));
    let pipes = Vec::new();
    Layout { width: room.width, height, turned: false, places, pipes, caption, board: None }
}

/// Places one layer's cards around the height of `left_middle`, and above `floor` with all that
/// hangs below them.
fn place_column(
    plan: &Plan,
    layer: &[usize],
    column: Column,
    (left_middle, floor): (Point, f32),
    embed: bool,
    places: &mut [Place],
) {
    let rows = layer.len().div_ceil(column.columns);
    let between = 6.0;
    let width = (column.width - between * (column.columns - 1) as f32) / column.columns as f32;
    // Cards stand in the middle of the layer's widest one.
    for (start, part) in layer.chunks(rows).enumerate().map(|(i, part)| (i as f32, part)) {
        let x = left_middle.x + start * (width + between);
        // What hangs below a card does not count: pipes meet cards in their middle.
        let height: f32 =
            part.iter().map(|&actor| plan.size(actor, column.density, embed).1).sum::<f32>();
        let hangs = column.density == Density::Full && !embed;
        let buttons = |upto: usize| {
            let n = part[..upto].iter().filter(|&&a| hangs && sends(plan.kinds[a])).count();
            n as f32 * SEND_BUTTON
        };
        let gaps = gap(column.density) * (part.len() - 1) as f32;
        let whole = height + gaps + buttons(part.len());
        let middle = left_middle.y - (height + gaps + buttons(part.len() - 1)) / 2.0;
        let mut y = middle.min(floor - whole);
        for &actor in part {
            let kind = plan.kinds[actor];
            let (natural, h) = plan.size(actor, column.density, embed);
            // Workers of one layer are equally wide, whatever their names.
            let alike = column.density == Density::Full && !sends(kind) && !is_broker(kind);
            let w = if alike { width.min(WIDEST) } else { natural.min(width) };
            let rect = Rect::new(x + (width - w) / 2.0, y, w, h);
            places[actor] = Place {
                rect,
                density: column.density,
                button: button(kind, column.density, rect, embed),
                memory: memory(kind),
            };
            y += h + gap(column.density) + if hangs && sends(kind) { SEND_BUTTON } else { 0.0 };
        }
    }
}

/// The button of a card on an upright stage.
fn button(kind: Kind, density: Density, rect: Rect, embed: bool) -> Option<Rect> {
    let inside = |h: f32| {
        let y = if h < rect.h - 20.0 { rect.y + 7.0 } else { rect.y + (rect.h - h) / 2.0 };
        Rect::new(rect.right() - 64.0, y, 56.0, h)
    };
    match (kind, density) {
        (Kind::Broker { .. } | Kind::Log { .. } | Kind::Script { .. }, _) | (_, Density::Bar) => {
            None
        }
        (Kind::Producer | Kind::Requester, Density::Full) if !embed => {
            Some(Rect::new(rect.x, rect.bottom() + 8.0, rect.w, 26.0))
        }
        (Kind::Producer | Kind::Requester, _) => None,
        _ if rect.w < 140.0 => None,
        _ => Some(inside(24.0)),
    }
}

/// Whether there are only scripts: their stage has two columns, and is narrower than others.
pub fn is_of_scripts(plan: &Plan) -> bool {
    !plan.kinds.is_empty() && plan.kinds.iter().all(|kind| matches!(kind, Kind::Script { .. }))
}

fn is_broker(kind: Kind) -> bool {
    matches!(kind, Kind::Broker { .. } | Kind::Log { .. })
}

impl Place {
    /// Before the actor is placed.
    fn nowhere() -> Place {
        let memory = Memory::None;
        Place { rect: Rect::default(), density: Density::Bar, button: None, memory }
    }
}

/// The pipes between placed cards. Ends on one side of a card are spread in the order of the other
/// ends, so that pipes do not cross more than they must.
fn pipes(plan: &Plan, layout: &Layout) -> Vec<Pipe> {
    let turned = layout.turned;
    // Along: the way of the messages. Across: the direction in which ends are spread.
    let across = |p: Point| if turned { p.x } else { p.y };
    let place = |actor: u16| layout.places[usize::from(actor)].rect;
    let spread = |actor: u16, other: u16, outgoing: bool, channel: usize| -> (f32, f32) {
        let mut ends: Vec<(f32, usize)> = plan
            .joins
            .iter()
            .enumerate()
            .filter(|&(_, &(from, to))| if outgoing { from == actor } else { to == actor })
            .map(|(i, &(from, to))| (across(place(if outgoing { to } else { from }).centre()), i))
            .collect();
        crate::kernel::settle(&mut ends, |a, b| a < b);
        let nth = ends.iter().position(|&(_, i)| i == channel).unwrap_or(0) as f32;
        let rect = place(actor);
        let side = if turned { rect.w } else { rect.h };
        let count = ends.len() as f32;
        let middle = across(rect.centre());
        if turned {
            // Straight down: both ends in the middle of the narrower card, if the wider reaches it.
            let far = place(other);
            let narrow = if far.w < rect.w { far } else { rect };
            let margin = 14.0_f32.min(rect.w * 0.4);
            let step = ((rect.w - 2.0 * margin) / count).min(32.0);
            let x = across(narrow.centre()).clamp(rect.x + margin, rect.right() - margin);
            return (x, if far.w < rect.w { 32.0_f32.min(far.w) } else { step.max(1.0) });
        }
        let step = ((side - 16.0).max(side * 0.5) / count).min(32.0);
        (middle + (nth - (count - 1.0) / 2.0) * step, step)
    };
    let pipe = |(channel, &(from, to)): (usize, &(u16, u16))| {
        let (a, a_step) = spread(from, to, true, channel);
        let (b, b_step) = spread(to, from, false, channel);
        let width = (a_step.min(b_step) - 3.0).clamp(1.5, 16.0);
        let (start, end) = (place(from), place(to));
        if turned {
            bend(pt(a, start.bottom()), pt(b, end.y), true, width)
        } else {
            bend(pt(start.right(), a), pt(end.x, b), false, width)
        }
    };
    plan.joins.iter().enumerate().map(pipe).collect()
}

#[cfg(test)]
#[path = "layout_tests.rs"]
mod tests;
