//! Which parts of the screen are shown, and where: pure arithmetic over the terminal's size.

use ratatui::layout::{Constraint, Layout, Rect};

use super::model::Pane;

/// From this size on there is room for a pane below the tunnels.
const MEDIUM: (u16, u16) = (60, 18);

/// From this size on there is room for all of them.
const LARGE: (u16, u16) = (110, 34);

/// How far details are scrolled at most: a tunnel has up to a thousand routes.
pub(super) const DETAIL_LINES_MAX: usize = 1_100;

/// Where everything is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Places {
    /// The verdict, the accounts, the reasons.
    pub(super) header: Rect,
    /// The panes that are shown.
    pub(super) panes: Vec<(Pane, Rect)>,
    /// The keys.
    pub(super) footer: Rect,
}

/// The panes that a terminal of `size` shows while `focus` has the keys and `below` is the pane below the tunnels.
pub(super) fn panes(size: (u16, u16), focus: Pane, below: Pane) -> Vec<Pane> {
    if at_least(size, LARGE) {
        vec![Pane::Tunnels, Pane::Detail, Pane::Events, Pane::Log]
    } else if at_least(size, MEDIUM) {
        vec![Pane::Tunnels, below]
    } else {
        vec![focus]
    }
}

/// The places in `area`, with `rows` tunnels in the table and `header` lines of header wanted.
pub(super) fn places(area: Rect, focus: Pane, below: Pane, rows: usize, header: usize) -> Places {
    let size = (area.width, area.height);
    let header_max = if at_least(size, LARGE) {
        8
    } else if at_least(size, MEDIUM) {
        5
    } else {
        1
    };
    let header = u16::try_from(header).unwrap_or(header_max).min(header_max).min(area.height);
    let footer = u16::from(area.height > header + 1);
    let [header, body, footer] =
        Layout::vertical([Constraint::Length(header), Constraint::Min(0), Constraint::Length(footer)]).areas(area);
    let shown = panes(size, focus, below);
    // A title, the columns' names, the rows; at most half of what there is, or a bit more while they have the keys.
    let share = if focus == Pane::Tunnels { body.height * 3 / 5 } else { body.height / 2 };
    let table = u16::try_from(rows).unwrap_or(u16::MAX).saturating_add(2).clamp(4, share.max(4));
    let panes = match shown.as_slice() {
        [only] => vec![(*only, body)],
        [above, below] => {
            let [first, second] = Layout::vertical([Constraint::Length(table), Constraint::Min(0)]).areas(body);
            vec![(*above, first), (*below, second)]
        }
        _ => {
            let [first, middle, last] =
                Layout::vertical([Constraint::Length(table), Constraint::Min(0), Constraint::Percentage(25)]).areas(body);
            let [left, right] = Layout::horizontal([Constraint::Percentage(50), Constraint::Min(0)]).spacing(1).areas(middle);
            vec![(Pane::Tunnels, first), (Pane::Detail, left), (Pane::Events, right), (Pane::Log, last)]
        }
    };
    Places { header, panes, footer }
}

fn at_least(size: (u16, u16), least: (u16, u16)) -> bool {
    size.0 >= least.0 && size.1 >= least.1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_larger_terminal_shows_more_panes() {
        assert_eq!(panes((40, 12), Pane::Log, Pane::Events), [Pane::Log]);
        assert_eq!(panes((80, 24), Pane::Tunnels, Pane::Events), [Pane::Tunnels, Pane::Events]);
        assert_eq!(panes((120, 40), Pane::Tunnels, Pane::Events).len(), 4);
        assert_eq!(panes((300, 17), Pane::Tunnels, Pane::Events), [Pane::Tunnels]);
    }

    proptest! {
        #[test]
        fn everything_stays_inside_whatever_the_size(width in 0_u16..300, height in 0_u16..120, rows in 0_usize..2000, header in 0_usize..20) {
            let area = Rect::new(0, 0, width, height);
            for focus in [Pane::Tunnels, Pane::Detail, Pane::Events, Pane::Log] {
                let places = places(area, focus, Pane::Events, rows, header);
                let all = places.panes.iter().map(|(_, place)| *place).chain([places.header, places.footer]);
                for place in all {
                    prop_assert_eq!(place.intersection(area).area(), place.area());
                }
            }
        }
    }
}
