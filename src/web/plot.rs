//! Plotters' backend on a canvas, in parts of a CSS pixel.
//!
//! The published canvas backend knows whole device pixels only and neither the screen's scale nor
//! semibold. This one maps [`SUB`]ths of a CSS pixel onto the canvas.

use plotters_backend::text_anchor::{HPos, VPos};
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind,
    FontStyle,
};
use web_sys::CanvasRenderingContext2d;

use crate::view::charts::{LINE_BOX, SUB};

/// A canvas as plotters sees it.
pub struct Plot<'a> {
    context: &'a CanvasRenderingContext2d,
    size: (u32, u32),
}

/// Nothing can fail: a canvas ignores what it cannot draw.
#[derive(Debug)]
pub struct Never;

impl std::fmt::Display for Never {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the canvas refused to draw")
    }
}

impl std::error::Error for Never {}

type Drawn = Result<(), DrawingErrorKind<Never>>;

impl<'a> Plot<'a> {
    /// Draws on a canvas of so many CSS pixels with `scale` device pixels for each.
    pub fn new(context: &'a CanvasRenderingContext2d, (w, h): (f32, f32), scale: f64) -> Plot<'a> {
        let s = scale / f64::from(SUB);
        // Fails only for a transform that is not finite.
        let _ = context.set_transform(s, 0.0, 0.0, s, 0.0, 0.0);
        context.set_line_cap("butt");
        context.set_line_join("round");
        let sub = |v: f32| (v * SUB as f32).round() as u32;
        Plot { context, size: (sub(w), sub(h)) }
    }

    fn trace(&self, path: impl IntoIterator<Item = BackendCoord>) {
        self.context.begin_path();
        for (x, y) in path {
            self.context.line_to(f64::from(x), f64::from(y));
        }
    }

    fn fill(&self, colour: BackendColor) {
        self.context.set_fill_style_str(&css(colour));
        self.context.fill();
    }

    fn stroke(&self, style: &impl BackendStyle) {
        self.context.set_stroke_style_str(&css(style.color()));
        self.context.set_line_width(f64::from(style.stroke_width()));
        self.context.stroke();
    }
}

/// A colour as style sheets write it.
fn css(colour: BackendColor) -> String {
    let (r, g, b) = colour.rgb;
    if colour.alpha == 1.0 {
        format!("#{r:02x}{g:02x}{b:02x}")
    } else {
        format!("rgba({r},{g},{b},{})", colour.alpha)
    }
}

impl DrawingBackend for Plot<'_> {
    type ErrorType = Never;

    fn get_size(&self) -> (u32, u32) {
        self.size
    }

    fn ensure_prepared(&mut self) -> Drawn {
        Ok(())
    }

    fn present(&mut self) -> Drawn {
        Ok(())
    }

    fn draw_pixel(&mut self, (x, y): BackendCoord, colour: BackendColor) -> Drawn {
        self.context.set_fill_style_str(&css(colour));
        self.context.fill_rect(f64::from(x), f64::from(y), f64::from(SUB), f64::from(SUB));
        Ok(())
    }

    fn draw_line<S: BackendStyle>(
        &mut self,
        from: BackendCoord,
        to: BackendCoord,
        style: &S,
    ) -> Drawn {
        self.trace([from, to]);
        self.stroke(style);
        Ok(())
    }

    fn draw_rect<S: BackendStyle>(
        &mut self,
        corner: BackendCoord,
        other: BackendCoord,
        style: &S,
        fill: bool,
    ) -> Drawn {
        let (w, h) = (f64::from(other.0 - corner.0), f64::from(other.1 - corner.1));
        self.context.begin_path();
        self.context.rect(f64::from(corner.0), f64::from(corner.1), w, h);
        if fill {
            self.fill(style.color())
        } else {
            self.stroke(style)
        }
        Ok(())
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        path: I,
        style: &S,
    ) -> Drawn {
        self.trace(path);
        self.stroke(style);
        Ok(())
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        path: I,
        style: &S,
    ) -> Drawn {
        self.trace(path);
        self.context.close_path();
        self.fill(style.color());
        Ok(())
    }

    fn draw_circle<S: BackendStyle>(
        &mut self,
        centre: BackendCoord,
        radius: u32,
        style: &S,
        fill: bool,
    ) -> Drawn {
        self.context.begin_path();
        let (x, y) = (f64::from(centre.0), f64::from(centre.1));
        // Fails only for a negative radius.
        let _ = self.context.arc(x, y, f64::from(radius), 0.0, std::f64::consts::TAU);
        if fill {
            self.fill(style.color())
        } else {
            self.stroke(style)
        }
        Ok(())
    }

    fn draw_text<S: BackendTextStyle>(
        &mut self,
        text: &str,
        style: &S,
        (x, y): BackendCoord,
    ) -> Drawn {
        let anchor = style.anchor();
        self.context.set_text_align(match anchor.h_pos {
            HPos::Left => "left",
            HPos::Right => "right",
            HPos::Center => "center",
        });
        let size = style.size() / LINE_BOX;
        let weight = if matches!(style.style(), FontStyle::Bold) { 600 } else { 400 };
        self.context.set_font(&format!("{weight} {size}px {}", style.family().as_str()));
        self.context.set_text_baseline("alphabetic");
        // The middle of small letters and figures lies at a little over a third of the size.
        let down = match anchor.v_pos {
            VPos::Top => 0.76,
            VPos::Center => 0.36,
            VPos::Bottom => 0.0,
        };
        self.context.set_fill_style_str(&css(style.color()));
        // Fails only for coordinates that are not finite.
        let _ = self.context.fill_text(text, f64::from(x), f64::from(y) + size * down);
        Ok(())
    }
}
