//! Text without terminal control sequences.

use vte::{Parser, Perform};

/// The visible text of a log line: colours, cursor movement, titles, links and other controls are
/// taken out, tabs stay.
pub fn strip_ansi(text: &str) -> String {
    let mut visible = Visible(String::with_capacity(text.len()));
    let mut parser = Parser::new();
    parser.advance(&mut visible, text.as_bytes());
    visible.0
}

struct Visible(String);

impl Perform for Visible {
    fn print(&mut self, character: char) {
        // The parser hands C1 controls and DEL through as text.
        if !character.is_control() {
            self.0.push(character);
        }
    }

    fn execute(&mut self, byte: u8) {
        if byte == b'\t' {
            self.0.push('\t');
        }
    }
}
