//! The colours of the screen by the names of `static/tokens.css`, in both themes.
//!
//! Canvases cannot read style sheets cheaply, and pictures from the command line have none, so
//! the values stand here once more; a test holds the two lists equal.

/// The font list of the page (`--font`), for canvases and pictures.
pub const FONT: &str = "-apple-system, BlinkMacSystemFont, \"Segoe UI\", Roboto, \"Helvetica Neue\", \
    \"Noto Sans\", \"PingFang SC\", \"Hiragino Sans GB\", \"Microsoft YaHei\", \"Noto Sans CJK SC\", \
    \"Source Han Sans SC\", \"DejaVu Sans\", \"WenQuanYi Micro Hei\", system-ui, sans-serif";

/// Which set of colours is shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Theme {
    /// Dark ink on white paper.
    #[default]
    Light,
    /// Light ink on a dark ground.
    Dark,
}

/// A colour without transparency: red, green, blue.
pub type Rgb = (u8, u8, u8);

macro_rules! tokens {
    ($($name:ident = $css:literal $light:literal $dark:literal;)*) => {
        /// A colour by its role.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[allow(missing_docs)] // the names are the documentation, in tokens.css too
        pub enum Token { $($name),* }

        impl Token {
            /// Every token, in the order of the style sheet.
            pub const ALL: &'static [Token] = &[$(Token::$name),*];

            /// Its name in the style sheet, without the two dashes.
            pub const fn name(self) -> &'static str {
                match self { $(Token::$name => $css),* }
            }

            /// `0xrrggbb` in a theme.
            const fn hex(self, theme: Theme) -> u32 {
                match (self, theme) {
                    $((Token::$name, Theme::Light) => $light,
                      (Token::$name, Theme::Dark) => $dark,)*
                }
            }
        }
    };
}

tokens! {
    Paper = "paper" 0xffffff 0x12171e;
    Stage = "stage" 0xf5f7f9 0x0d1117;
    Sunken = "sunken" 0xe9edf1 0x1d2530;
    Line = "line" 0xdbe1e7 0x2a3441;
    LineStrong = "line-strong" 0x7d8997 0x6d7b8d;
    Ink = "ink" 0x131c26 0xe8edf3;
    Ink2 = "ink-2" 0x3f4c5a 0xb3bfcc;
    Ink3 = "ink-3" 0x5b6877 0x8f9cac;
    Accent = "accent" 0x1f5fcf 0x77a8ff;
    OnAccent = "on-accent" 0xffffff 0x0a1322;
    AccentSoft = "accent-soft" 0xe3ecfb 0x1a2c4d;
    Focus = "focus" 0x1f5fcf 0x8fb8ff;
    WarnSoft = "warn-soft" 0xfdf0dc 0x33260f;
    BadSoft = "bad-soft" 0xfce9e4 0x3a1a14;
    GoodSoft = "good-soft" 0xe2f3ea 0x10291f;
    BadInk = "bad-ink" 0xa92e12 0xff9c85;
    WarnInk = "warn-ink" 0x7a4f00 0xf0bd62;
    GoodInk = "good-ink" 0x176344 0x6fd3a2;
    AgainInk = "again-ink" 0x6a2bb5 0xbda2ff;
    OnWait = "on-wait" 0x131c26 0x131c26;
    StateNew = "state-new" 0x455160 0xaeb0b3;
    StateFlight = "state-flight" 0x2584f5 0x739bfe;
    StateWait = "state-wait" 0xb58403 0xf7a224;
    StateDone = "state-done" 0x117d62 0x9ff1b1;
    StateAgain = "state-again" 0x732aaa 0x7e57e1;
    StateDup = "state-dup" 0xdb4da7 0xb36a99;
    StateLost = "state-lost" 0x980a01 0xe04e24;
    CausePropagation = "cause-propagation" 0x3678b5 0x6ab4e3;
    CauseSerialisation = "cause-serialisation" 0x035e8b 0x5a9fe3;
    CauseNagle = "cause-nagle" 0xb55200 0xfe9823;
    CauseDelayedAck = "cause-delayed-ack" 0x8c2402 0xc97b6e;
    CauseRto = "cause-rto" 0x600705 0xcc291f;
    CauseTick = "cause-tick" 0xba8241 0xffd668;
    CauseBrokerQueue = "cause-broker-queue" 0xae72e2 0x9c6fd3;
    CauseHeadOfLine = "cause-head-of-line" 0x6b3dbd 0x7267f1;
    CauseWindow = "cause-window" 0xa5589b 0xe8c4ff;
    CauseSendBuffer = "cause-send-buffer" 0x490b6b 0x795e95;
    CauseCpu = "cause-cpu" 0x039f63 0x5be69d;
    CauseCopyDma = "cause-copy-dma" 0x03544a 0x5ac6bd;
    CauseNoBuffer = "cause-no-buffer" 0x023535 0x317368;
    CauseProcessing = "cause-processing" 0x848f9e 0x8e929a;
    CauseRedelivery = "cause-redelivery" 0x6a7074 0x5f6a7b;
    CauseRebalance = "cause-rebalance" 0x434c5d 0x828d9f;
}

impl Token {
    /// The colour in a theme.
    pub const fn rgb(self, theme: Theme) -> Rgb {
        let hex = self.hex(theme);
        ((hex >> 16) as u8, (hex >> 8) as u8, hex as u8)
    }

    /// The colour in a theme as style sheets and canvases write it: "#1f5fcf".
    pub fn css(self, theme: Theme) -> String {
        format!("#{:06x}", self.hex(theme))
    }

    /// The token of that name.
    pub fn by_name(name: &str) -> Option<Token> {
        Token::ALL.iter().copied().find(|token| token.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The colours of one block of the style sheet, as (name, value).
    fn colours(css: &str, from: &str, to: &str) -> Vec<(String, String)> {
        let start = css.find(from).expect("the block is there");
        let block = &css[start..];
        let block = &block[..block.find(to).expect("the block ends")];
        let declarations = block.split(['{', ';']).filter_map(|part| part.rsplit_once("--"));
        declarations
            .filter_map(|(_, declaration)| declaration.split_once(": "))
            .filter(|(_, value)| value.starts_with('#'))
            .map(|(name, value)| (name.to_string(), value.to_string()))
            .collect()
    }

    #[test]
    fn tokens_equal_the_style_sheet_in_both_themes() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/static/tokens.css");
        let css = std::fs::read_to_string(path).expect("the style sheet is there");
        let blocks = [
            (Theme::Light, ":root {", "}"),
            (Theme::Dark, ":root[data-theme=\"dark\"]", "}"),
            (Theme::Dark, ":root:not([data-theme=\"light\"])", "}"),
        ];
        for (theme, from, to) in blocks {
            let ours: Vec<_> =
                Token::ALL.iter().map(|t| (t.name().to_string(), t.css(theme))).collect();
            assert_eq!(colours(&css, from, to), ours, "{theme:?} {from}");
        }
    }

    #[test]
    fn the_font_list_equals_the_style_sheet() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/static/tokens.css");
        let css = std::fs::read_to_string(path).expect("the style sheet is there");
        let list = css.split_once("--font:").and_then(|(_, rest)| rest.split_once(';'));
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(words(list.expect("the list is there").0), words(FONT));
    }

    #[test]
    fn every_token_is_found_by_its_name() {
        for &token in Token::ALL {
            assert_eq!(Token::by_name(token.name()), Some(token));
        }
        assert_eq!(Token::by_name("pink"), None);
    }
}
