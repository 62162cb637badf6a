//! A log line with terminal colours as HTML.
//!
//! The result holds nothing but escaped text, `<b class="…">` and `</b>`, always balanced: it may be put into a page as
//! it is. Colours become classes, so that both themes keep them readable; everything else a terminal would do is dropped.

use std::fmt::Write;

use vte::{Params, Parser, Perform};

use super::text::write_escaped;

/// Longer lines are cut: one line of minified code must not make the page unusable. The raw log has it whole.
const MOST_CHARS: usize = 4096;
const TAB: usize = 8;
/// The eight colours in the order of their numbers.
const COLOURS: [char; 8] = ['k', 'r', 'g', 'y', 'b', 'm', 'c', 'w'];

/// Converts one line. State never crosses a line.
pub fn to_html(line: &str) -> String {
    let mut html = Html::default();
    Parser::new().advance(&mut html, line.as_bytes());
    html.finish()
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Style {
    colour: Option<Colour>,
    background: Option<Colour>,
    bold: bool,
    dim: bool,
    italic: bool,
    underline: bool,
    strike: bool,
    inverse: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Colour {
    index: usize,
    bright: bool,
}

#[derive(Default)]
struct Html {
    out: String,
    style: Style,
    /// The style of the open element; `None` when no element is open.
    open: Option<Style>,
    column: usize,
    printed: usize,
    /// A carriage return was seen: the next character starts the line anew, as progress bars do.
    restart: bool,
}

impl Html {
    fn put(&mut self, c: char) {
        if std::mem::take(&mut self.restart) {
            self.out.clear();
            self.open = None;
            self.column = 0;
            self.printed = 0;
        }
        self.column += 1;
        self.printed += 1;
        if self.printed > MOST_CHARS {
            return;
        }
        let wanted = (self.style != Style::default()).then_some(self.style);
        if self.open != wanted {
            self.close();
            if let Some(style) = wanted {
                self.out.push_str("<b class=\"");
                self.out.push_str(&style.classes());
                self.out.push_str("\">");
            }
            self.open = wanted;
        }
        // Writing to a String cannot fail.
        let _ = write_escaped(&mut self.out, c);
    }

    fn close(&mut self) {
        if self.open.take().is_some() {
            self.out.push_str("</b>");
        }
    }

    fn finish(mut self) -> String {
        self.close();
        if self.printed > MOST_CHARS {
            let _ = write!(
                self.out,
                "<b class=\"chip\">{} more characters in the raw log</b>",
                self.printed - MOST_CHARS
            );
        }
        self.out
    }

    fn select(&mut self, params: &Params) {
        let mut codes = params.iter();
        while let Some(code) = codes.next() {
            let number = code.first().copied().unwrap_or(0);
            if matches!(number, 38 | 48) {
                // With colons everything is in this code; with semicolons it is in the codes that follow.
                let colour = if let [_, kind, values @ ..] = code {
                    extended(*kind, &mut values[values.len().saturating_sub(3)..].iter().copied())
                } else {
                    let mut next = codes.by_ref().map(|code| code.first().copied().unwrap_or(0));
                    next.next().and_then(|kind| extended(kind, &mut next))
                };
                if number == 38 {
                    self.style.colour = colour;
                } else {
                    self.style.background = colour;
                }
            } else {
                self.style.apply(number);
            }
        }
    }
}

impl Style {
    fn apply(&mut self, code: u16) {
        match code {
            0 => *self = Self::default(),
            1 => self.bold = true,
            2 => self.dim = true,
            3 => self.italic = true,
            4 => self.underline = true,
            7 => self.inverse = true,
            9 => self.strike = true,
            21 => self.bold = false,
            22 => (self.bold, self.dim) = (false, false),
            23 => self.italic = false,
            24 => self.underline = false,
            27 => self.inverse = false,
            29 => self.strike = false,
            30..=37 => self.colour = Some(Colour::new(code - 30, false)),
            39 => self.colour = None,
            40..=47 => self.background = Some(Colour::new(code - 40, false)),
            49 => self.background = None,
            90..=97 => self.colour = Some(Colour::new(code - 90, true)),
            100..=107 => self.background = Some(Colour::new(code - 100, true)),
            // Blinking and hidden text stay plain text: a log must not hide anything.
            _ => {}
        }
    }

    fn classes(self) -> String {
        let mut classes = Vec::with_capacity(4);
        // Coloured grounds are tints made for plain text, so the text colour gives way.
        match (self.colour, self.background) {
            (_, Some(ground)) => classes.push(format!("bg-{}", COLOURS[ground.index])),
            (Some(colour), None) => {
                classes.push(COLOURS[colour.index].to_string());
                if colour.bright {
                    classes.push("B".to_owned());
                }
            }
            (None, None) => {}
        }
        for (on, class) in [
            (self.bold, "h"),
            (self.dim, "d"),
            (self.italic, "i"),
            (self.underline, "u"),
            (self.strike, "x"),
            (self.inverse, "v"),
        ] {
            if on {
                classes.push(class.to_owned());
            }
        }
        classes.join(" ")
    }
}

impl Colour {
    fn new(index: u16, bright: bool) -> Self {
        Self { index: usize::from(index) % COLOURS.len(), bright }
    }

    /// The nearest of the sixteen: their contrast is ours, an arbitrary colour's is not.
    fn nearest(red: u16, green: u16, blue: u16) -> Self {
        let (most, least) = (red.max(green).max(blue), red.min(green).min(blue));
        if most.saturating_sub(least) < 48 {
            return match most {
                0..64 => Self::new(0, false),
                64..140 => Self::new(0, true),
                140..220 => Self::new(7, false),
                _ => Self::new(7, true),
            };
        }
        // A channel counts when it is in the upper half between the weakest and the strongest.
        let middle = least + (most - least) / 2;
        let bit = |channel: u16, weight: u16| if channel > middle { weight } else { 0 };
        Self::new(bit(red, 1) | bit(green, 2) | bit(blue, 4), most > 220)
    }
}

/// The colour of `5;n` or `2;r;g;b` after 38 or 48. Takes no more values than it needs: other codes may follow.
fn extended(kind: u16, values: &mut impl Iterator<Item = u16>) -> Option<Colour> {
    match kind {
        5 => Some(match values.next()? {
            n @ 0..=7 => Colour::new(n, false),
            n @ 8..=15 => Colour::new(n - 8, true),
            n @ 16..=231 => {
                let level = |step: u16| if step == 0 { 0 } else { 55 + step * 40 };
                let n = n - 16;
                Colour::nearest(level(n / 36), level(n / 6 % 6), level(n % 6))
            }
            n => {
                let grey = n.saturating_sub(232).min(23) * 10 + 8;
                Colour::nearest(grey, grey, grey)
            }
        }),
        2 => Some(Colour::nearest(values.next()?, values.next()?, values.next()?)),
        _ => None,
    }
}

impl Perform for Html {
    fn print(&mut self, c: char) {
        if !c.is_control() {
            self.put(c);
        }
    }

    fn execute(&mut self, byte: u8) {
        match byte {
            b'\r' => self.restart = true,
            b'\t' => {
                let column = if self.restart { 0 } else { self.column };
                for _ in column % TAB..TAB {
                    self.put(' ');
                }
            }
            _ => {}
        }
    }

    fn csi_dispatch(&mut self, params: &Params, intermediates: &[u8], _: bool, action: char) {
        if action == 'm' && intermediates.is_empty() {
            self.select(params);
        }
    }
}

#[cfg(test)]
#[path = "ansi_tests.rs"]
mod tests;
