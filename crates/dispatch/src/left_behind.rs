//! Entries that stay in a line though their key has left it: to look for them there would cost more than to drop them when
//! they come first. A mark tells the entry of a key that counts from those that do not.

use std::collections::BTreeMap;

/// The keys with entries that do not count any more; nearly always none.
#[derive(Clone, Debug)]
pub(crate) struct LeftBehind<K> {
    keys: BTreeMap<K, Marks>,
}

#[derive(Clone, Copy, Debug)]
struct Marks {
    /// The mark of the entry that counts, if there is one in a line.
    valid: Option<u32>,
    next: u32,
    left_behind: u32,
}

impl<K: Copy + Ord> LeftBehind<K> {
    pub(crate) const fn new() -> Self {
        Self { keys: BTreeMap::new() }
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    /// The mark of a new entry, which is the one that counts.
    pub(crate) fn mark(&mut self, key: K) -> u32 {
        let Some(marks) = self.keys.get_mut(&key) else { return 0 };
        let mark = marks.next;
        marks.valid = Some(mark);
        marks.next += 1;
        mark
    }

    /// The entry of a key counts no more.
    pub(crate) fn leave(&mut self, key: K) {
        let marks = self.keys.entry(key).or_insert(Marks { valid: Some(0), next: 1, left_behind: 0 });
        marks.left_behind += u32::from(marks.valid.take().is_some());
    }

    /// Whether an entry counts no more. It is forgotten then, and has to be taken out of its line.
    pub(crate) fn forget(&mut self, key: K, mark: u32) -> bool {
        let Some(marks) = self.keys.get_mut(&key) else { return false };
        let counts = marks.valid == Some(mark);
        if !counts {
            marks.left_behind -= 1;
            self.forget_key(key);
        }
        !counts
    }

    /// The entry of a key that counts was taken out of its line.
    pub(crate) fn handle_taken(&mut self, key: K) {
        if let Some(marks) = self.keys.get_mut(&key) {
            marks.valid = None;
            self.forget_key(key);
        }
    }

    fn forget_key(&mut self, key: K) {
        if self.keys.get(&key).is_some_and(|marks| marks.left_behind == 0 && marks.valid.is_none()) {
            self.keys.remove(&key);
        }
    }
}
