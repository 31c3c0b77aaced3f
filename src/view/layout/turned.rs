//! The turned stage of narrow screens: layers are rows, messages run downwards.

use super::super::card_size::turned_height;
use super::super::draw::{Point, Rect, pt};
use super::{
    BOTTOM, CAPTION, Density, Kind, Layout, MARGIN_TURNED, Place, Plan, Room, TOP, TURNED_PIPE,
    gap, is_broker, is_of_scripts, memory, sends,
};

/// The shortest pipe of a turned stage.
const SHORTEST_PIPE: f32 = 20.0;

/// Layers as rows, messages run downwards.
pub(super) fn turned(plan: &Plan, layers: &[Vec<usize>], room: Room) -> Layout {
    let touch = !room.embed;
    let free = room.width - 2.0 * MARGIN_TURNED;
    let below = if room.caption { CAPTION } else { BOTTOM };
    let mut places = vec![Place::nowhere(); plan.kinds.len()];
    let mut forms: Vec<RowForm> =
        layers.iter().map(|layer| row_form(plan, layer, free, touch)).collect();
    let n_pipes = layers.len().saturating_sub(1) as f32;
    let total = |forms: &[RowForm], pipe: f32| {
        forms.iter().map(RowForm::height).sum::<f32>() + pipe * n_pipes + TOP + below
    };
    // Too high: first flatter cards, layer by layer from the last, then shorter pipes.
    // Two scripts are read together: neither becomes a bar before the other is a row.
    let first = if is_of_scripts(plan) { Density::Row } else { Density::Bar };
    // Above a board pipes are short before cards are flat.
    let pipe = if plan.board.is_some() { SHORTEST_PIPE } else { TURNED_PIPE };
    for most in [first, Density::Bar] {
        for i in (0..forms.len()).rev() {
            while room.height < total(&forms, pipe)
                && (most == Density::Bar || forms[i].density < most)
                && forms[i].flatten(plan, &layers[i], free)
            {}
        }
    }
    let excess = (total(&forms, TURNED_PIPE) - room.height).max(0.0);
    let pipe = (TURNED_PIPE - excess / n_pipes.max(1.0)).max(SHORTEST_PIPE);

    let mut y = TOP;
    for (layer, form) in layers.iter().zip(&forms) {
        form.place(plan, layer, pt(MARGIN_TURNED, y), free, &mut places);
        y += form.height() + pipe;
    }
    let height = y - pipe + below;
    let caption = room.caption.then(|| pt(MARGIN_TURNED, height - 11.0));
    let pipes = Vec::new();
    Layout { width: room.width, height, turned: true, places, pipes, caption, board: None }
}

/// How a layer of a turned stage is arranged: cards side by side, in one or more lines.
#[derive(Clone, Copy, PartialEq, Debug)]
struct RowForm {
    density: Density,
    across: usize,
    lines: usize,
    card: f32,
    button: f32,
}

/// Space between cards that stand side by side.
const BESIDE: f32 = 10.0;

/// The roomiest arrangement of a layer.
fn row_form(plan: &Plan, layer: &[usize], free: f32, touch: bool) -> RowForm {
    let card =
        layer.iter().map(|&a| turned_height(plan.kinds[a], Density::Full)).fold(0.0, f32::max);
    let scripts = layer.iter().any(|&a| matches!(plan.kinds[a], Kind::Script { .. }));
    let works =
        !scripts && layer.iter().any(|&a| !sends(plan.kinds[a]) && !is_broker(plan.kinds[a]));
    let wide = layer.iter().any(|&a| is_broker(plan.kinds[a]));
    let least = if wide || scripts { 240.0 } else { 100.0 };
    let most = ((free + BESIDE) / (least + BESIDE)).floor().max(1.0) as usize;
    let across = layer.len().min(most);
    let lines = layer.len().div_ceil(across);
    // A card that has a line of its own has its button beside it.
    let button = if works && touch && 1 < across { 42.0 } else { 0.0 };
    let mut form = RowForm { density: Density::Full, across, lines, card, button };
    while 2 < form.lines && form.flatten(plan, layer, free) {}
    form
}

impl RowForm {
    /// The height of the layer.
    fn height(&self) -> f32 {
        let line = self.card + self.button;
        line * self.lines as f32 + gap(self.density) * (self.lines - 1) as f32
    }

    /// Takes the next flatter form; false when there is none.
    fn flatten(&mut self, plan: &Plan, layer: &[usize], free: f32) -> bool {
        let (density, least) = match self.density {
            // Of scripts as many stand side by side as there are pairs: the name stands alone then.
            Density::Full if is_of_scripts(plan) => (Density::Row, 62.0),
            Density::Full => (Density::Row, 82.0),
            Density::Row => (Density::Bar, 40.0),
            Density::Bar if 14.0 < free / self.across as f32 && 1 < self.lines => {
                self.across += 1;
                self.lines = layer.len().div_ceil(self.across);
                return true;
            }
            Density::Bar => return false,
        };
        let most = ((free + BESIDE) / (least + BESIDE)).floor().max(1.0) as usize;
        self.density = density;
        self.across = layer.len().min(most);
        self.lines = layer.len().div_ceil(self.across);
        self.button = 0.0;
        self.card =
            layer.iter().map(|&a| turned_height(plan.kinds[a], density)).fold(0.0, f32::max);
        true
    }

    /// Places the layer's cards from `corner` on.
    fn place(&self, plan: &Plan, layer: &[usize], corner: Point, free: f32, places: &mut [Place]) {
        let beside = if self.density == Density::Bar { 4.0 } else { BESIDE };
        let slot = (free - beside * (self.across - 1) as f32) / self.across as f32;
        for (i, &actor) in layer.iter().enumerate() {
            let kind = plan.kinds[actor];
            let line = i / self.across;
            // The last line stands in the middle.
            let in_line = (layer.len() - line * self.across).min(self.across);
            let used = in_line as f32 * (slot + beside) - beside;
            let x = corner.x + (free - used) / 2.0 + (i % self.across) as f32 * (slot + beside);
            let height = self.card + self.button;
            let y = corner.y + line as f32 * (height + gap(self.density));
            let mut rect = Rect::new(x, y, slot, height);
            let full = self.density == Density::Full;
            let bare = is_broker(kind) || matches!(kind, Kind::Script { .. });
            let button = if full && self.across == 1 && !bare {
                let w = 98.0_f32.min(slot * 0.36);
                rect.w = slot - w - beside;
                Some(Rect::new(rect.right() + beside, y, w, height))
            } else if full && 0.0 < self.button && !sends(kind) && !is_broker(kind) {
                Some(Rect::new(x + 6.0, rect.bottom() - self.button, slot - 12.0, 36.0))
            } else {
                None
            };
            places[actor] = Place { rect, density: self.density, button, memory: memory(kind) };
        }
    }
}
