//! What a failure shows: the first lines that matched, and the last that could have.

use std::collections::VecDeque;

use super::context::{Context, Sighting};
use super::matcher::Verdict;
use crate::trace::entry::Entry;
use crate::view::line;

/// Lines kept of either sort.
const MOST: usize = 5;

/// A line in the making: packets are cheap to keep and dear to write, so they are written when they are asked for.
#[derive(Clone, Debug)]
enum Piece {
    Packet(Box<Sighting>),
    Text(String),
}

impl Piece {
    fn text(&self) -> String {
        match self {
            Piece::Packet(sighting) => line::sighting(sighting),
            Piece::Text(text) => text.clone(),
        }
    }
}

/// What was seen so far.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    matched: Vec<Piece>,
    others: VecDeque<Piece>,
}

impl Evidence {
    /// Takes note of an entry that is a candidate.
    pub fn note(&mut self, verdict: Verdict, entry: &Entry, context: &Context) {
        assert!(verdict.candidate || verdict.matched);
        if verdict.matched && self.matched.len() == MOST {
            return;
        }
        let piece = match context.sighting() {
            Some(sighting) => Piece::Packet(Box::new(sighting.clone())),
            None => Piece::Text(line::entry(entry, context)),
        };
        if verdict.matched {
            self.matched.push(piece);
            return;
        }
        if self.others.len() == MOST {
            self.others.pop_front();
        }
        self.others.push_back(piece);
    }

    /// The lines, each saying which sort it is.
    pub fn lines(&self) -> Vec<String> {
        let matched = self
            .matched
            .iter()
            .map(|p| format!("matched: {}", p.text()));
        let others = self
            .others
            .iter()
            .map(|p| format!("not this: {}", p.text()));
        matched.chain(others).collect()
    }
}
