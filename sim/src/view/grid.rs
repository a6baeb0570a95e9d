//! The ladder's lines, drawn: columns for domains, arrows between them.

use std::sync::Arc;

use xenemu::Time;

use super::ladder::PacketRow;
use super::line::clock;
use super::notes;

/// Characters between two columns.
const PITCH: usize = 18;

/// Characters of a time.
pub const CLOCK_WIDTH: usize = 11;

/// Where columns stand, and how a line is drawn through them.
pub(super) struct Grid<'a> {
    pub(super) columns: &'a [Arc<str>],
}

impl Grid<'_> {
    fn x(&self, domain: &str) -> Option<usize> {
        let place = self.columns.iter().position(|column| &**column == domain);
        place.map(|place| place * PITCH)
    }

    fn width(&self) -> usize {
        self.columns.len().saturating_sub(1) * PITCH + 1
    }

    pub(super) fn header(&self) -> String {
        let mut line = format!("{:>w$} {:>w$}  ", "sent", "arrived", w = CLOCK_WIDTH);
        for column in self.columns {
            let name: String = column.chars().take(PITCH - 1).collect();
            line.push_str(&format!("{name:<PITCH$}"));
        }
        line
    }

    pub(super) fn across(&self, at: Time, text: &str) -> String {
        let pad = "";
        format!("{:>w$} {pad:>w$}  -- {text} --", clock(at), w = CLOCK_WIDTH)
    }

    pub(super) fn packet(&self, packet: &PacketRow) -> String {
        let arrived = match packet.arrived.iter().map(|(_, at)| *at).min() {
            Some(at) => clock(at),
            None => "-".into(),
        };
        let mut notes = packet.notes.clone();
        if packet.arrived.is_empty() {
            notes.push(
                packet
                    .fate
                    .clone()
                    .unwrap_or_else(|| "never arrived".into()),
            );
        }
        format!(
            "{:>w$} {arrived:>w$}  {}   {}{}",
            clock(packet.sent),
            self.arrow(packet),
            packet.text,
            notes::suffix(&notes),
            w = CLOCK_WIDTH
        )
    }

    fn arrow(&self, packet: &PacketRow) -> String {
        let mut cells = vec![' '; self.width()];
        for column in 0..self.columns.len() {
            cells[column * PITCH] = '|';
        }
        let from = packet.from.as_deref().and_then(|from| self.x(from));
        let arrived = packet.arrived.iter().filter_map(|(to, _)| self.x(to));
        for to in arrived {
            // What nobody sent comes from beside its receiver.
            let from = from.unwrap_or_else(|| {
                if to >= PITCH / 2 {
                    to - PITCH / 2
                } else {
                    to + PITCH / 2
                }
            });
            draw(&mut cells, from, to, None);
        }
        if packet.arrived.is_empty()
            && let Some(from) = from
        {
            let towards = packet.towards.as_deref().and_then(|to| self.x(to));
            let to = towards.unwrap_or(if from + PITCH < self.width() {
                from + PITCH
            } else {
                from.saturating_sub(PITCH)
            });
            draw(&mut cells, from, to, Some('x'));
        }
        cells.into_iter().collect()
    }
}

/// Draws from one place towards another, up to its column; `stop` halfway instead of a head.
fn draw(cells: &mut [char], from: usize, to: usize, stop: Option<char>) {
    let last = cells.len().saturating_sub(1);
    let (from, to) = (from.min(last), to.min(last));
    if from == to {
        return;
    }
    let end = if stop.is_some() { (from + to) / 2 } else { to };
    let (low, high) = (from.min(end), from.max(end));
    for cell in &mut cells[low + 1..high] {
        if *cell == ' ' {
            *cell = '-';
        }
    }
    let beside = if from < to {
        end.saturating_sub(1)
    } else {
        end + 1
    };
    match stop {
        Some(stop) => cells[end] = stop,
        None => cells[beside] = if from < to { '>' } else { '<' },
    }
}
