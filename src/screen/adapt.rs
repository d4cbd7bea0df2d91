//! What was drawn, within what the terminal is able to show.

use ratatui::{
    buffer::Buffer,
    style::{Color, Modifier},
};

/// What a terminal is able to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ability {
    /// Colours.
    pub colour: bool,
    /// More than ASCII.
    pub unicode: bool,
}

/// Takes out of `buffer` what the terminal is not able to show. Views draw as if it were able to do everything; here is the one place
/// that knows better. What colours alone would say has to be said by words or by brightness, too.
pub fn adapt(buffer: &mut Buffer, ability: Ability) {
    for cell in &mut buffer.content {
        if !ability.colour {
            (cell.fg, cell.bg) = (Color::Reset, Color::Reset);
            // Some terminals show it as a colour.
            cell.modifier.remove(Modifier::ITALIC);
        }
        if !ability.unicode && !cell.symbol().is_ascii() {
            cell.set_symbol(ascii(cell.symbol()));
        }
    }
}

fn ascii(symbol: &str) -> &'static str {
    match symbol {
        "─" => "-",
        "│" => "|",
        "┌" | "┐" | "└" | "┘" | "├" | "┤" | "┬" | "┴" | "┼" => "+",
        "·" => "-",
        "…" => "~",
        "▸" | "→" => ">",
        "↑" => "^",
        "↓" => "v",
        _ => "?",
    }
}

#[cfg(test)]
mod tests {
    use ratatui::{layout::Rect, style::Style};

    use super::*;

    #[test]
    fn a_poor_terminal_is_shown_ascii_without_colours_and_the_rest_stays() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 8, 1));
        let style = Style::new().fg(Color::Red).add_modifier(Modifier::REVERSED);
        buffer.set_string(0, 0, "─│…東 aß", style);
        let mut rich = buffer.clone();
        adapt(&mut rich, Ability { colour: true, unicode: true });
        assert_eq!(rich, buffer);
        adapt(&mut buffer, Ability { colour: false, unicode: false });
        let text: String = buffer.content.iter().map(|cell| cell.symbol()).collect();
        assert_eq!(text, "-|~?  a?");
        assert!(buffer.content.iter().all(|cell| cell.fg == Color::Reset));
        assert!(buffer.content[0].modifier.contains(Modifier::REVERSED));
    }
}
