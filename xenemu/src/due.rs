//! Things that wait for their time, each at most once.

use std::collections::{BTreeMap, BTreeSet};

use crate::time::Time;

/// Keys with due times: the first by (due, key) acts first.
#[derive(Debug)]
pub struct Due<K> {
    by_time: BTreeSet<(Time, K)>,
    by_key: BTreeMap<K, Time>,
}

impl<K> Default for Due<K> {
    fn default() -> Self {
        Due {
            by_time: BTreeSet::new(),
            by_key: BTreeMap::new(),
        }
    }
}

impl<K: Copy + Ord> Due<K> {
    /// `key` is due at `at`, or when it is already due if that is earlier.
    pub fn schedule(&mut self, key: K, at: Time) {
        match self.by_key.get(&key) {
            Some(&due) if due <= at => return,
            Some(&due) => {
                self.by_time.remove(&(due, key));
            }
            None => {}
        }
        self.by_key.insert(key, at);
        self.by_time.insert((at, key));
    }

    /// `key` is not due any more.
    pub fn cancel(&mut self, key: K) {
        if let Some(due) = self.by_key.remove(&key) {
            self.by_time.remove(&(due, key));
        }
    }

    /// When the first is due.
    pub fn next_due(&self) -> Option<Time> {
        self.by_time.first().map(|&(at, _)| at)
    }

    /// Takes the first.
    pub fn pop(&mut self) -> Option<K> {
        let (_, key) = self.by_time.pop_first()?;
        self.by_key.remove(&key);
        Some(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_waits_once_at_its_earliest_time() {
        let mut due = Due::default();
        due.schedule(2, Time(5));
        due.schedule(1, Time(5));
        due.schedule(2, Time(9));
        due.schedule(1, Time(3));
        due.schedule(3, Time(1));
        due.cancel(3);
        assert_eq!(due.next_due(), Some(Time(3)));
        assert_eq!((due.pop(), due.pop(), due.pop()), (Some(1), Some(2), None));
    }
}
