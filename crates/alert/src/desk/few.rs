//! A map of few entries, in the order of their keys. There may be very many of these maps, and a B-tree would take the memory of
//! eleven entries for the one that most of them have.

/// The entries, in the order of their keys.
#[derive(Clone, Debug)]
pub(super) struct Few<K, V>(Vec<(K, V)>);

impl<K, V> Default for Few<K, V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: Ord, V> Few<K, V> {
    fn place(&self, key: &K) -> Result<usize, usize> {
        self.0.binary_search_by(|(known, _)| known.cmp(key))
    }

    pub(super) fn get(&self, key: &K) -> Option<&V> {
        self.place(key).ok().map(|place| &self.0[place].1)
    }

    pub(super) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.place(key).ok().map(|place| &mut self.0[place].1)
    }

    pub(super) fn contains_key(&self, key: &K) -> bool {
        self.place(key).is_ok()
    }

    pub(super) fn insert(&mut self, key: K, value: V) {
        match self.place(&key) {
            Ok(place) => self.0[place].1 = value,
            Err(place) => self.insert_at(place, key, value),
        }
    }

    /// The value of a key, which is this one if there was none.
    pub(super) fn get_or_insert_with(&mut self, key: K, new: impl FnOnce() -> V) -> &mut V {
        let place = self.place(&key).unwrap_or_else(|place| {
            self.insert_at(place, key, new());
            place
        });
        &mut self.0[place].1
    }

    fn insert_at(&mut self, place: usize, key: K, value: V) {
        // A vector would make room for four.
        self.0.reserve_exact(1);
        self.0.insert(place, (key, value));
    }

    pub(super) fn get_or_default(&mut self, key: K) -> &mut V
    where
        V: Default,
    {
        self.get_or_insert_with(key, V::default)
    }

    pub(super) fn remove(&mut self, key: &K) {
        if let Ok(place) = self.place(key) {
            self.0.remove(place);
        }
    }
}

impl<K, V> Few<K, V> {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn last(&self) -> Option<&(K, V)> {
        self.0.last()
    }

    pub(super) fn retain(&mut self, keeps: impl Fn(&V) -> bool) {
        self.0.retain(|(_, value)| keeps(value));
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.0.iter().map(|(key, value)| (key, value))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (&K, &mut V)> {
        self.0.iter_mut().map(|(key, value)| (&*key, value))
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &K> {
        self.0.iter().map(|(key, _)| key)
    }

    pub(super) fn values(&self) -> impl DoubleEndedIterator<Item = &V> {
        self.0.iter().map(|(_, value)| value)
    }

    pub(super) fn values_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut V> {
        self.0.iter_mut().map(|(_, value)| value)
    }
}

impl<K: Ord, V> FromIterator<(K, V)> for Few<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut few = Self::default();
        for (key, value) in entries {
            few.insert(key, value);
        }
        few
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_in_order_each_key_once_and_no_room_is_kept() {
        let mut few: Few<u8, &str> = [(2, "two"), (1, "one"), (2, "again")].into_iter().collect();
        assert_eq!(few.iter().collect::<Vec<_>>(), [(&1, &"one"), (&2, &"again")]);
        assert_eq!((few.len(), few.0.capacity(), few.last()), (2, 2, Some(&(2, "again"))));
        assert_eq!(*few.get_or_insert_with(1, || "new"), "one");
        assert_eq!(*few.get_or_default(0), "");
        few.remove(&2);
        few.retain(|value| !value.is_empty());
        assert_eq!((few.get(&0), few.get(&1), few.contains_key(&2)), (None, Some(&"one"), false));
    }
}
