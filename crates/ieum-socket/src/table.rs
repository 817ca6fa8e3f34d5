//! Descriptor tables: numbers for whoever is not given them by a kernel.
//!
//! A table maps small numbers to anything that can be named by a small value, and counts how many numbers name the
//! same thing: what loses its last one is handed back to be closed. It knows nothing of hosts.

use std::collections::{BTreeMap, BTreeSet};

use crate::Errno;

/// A descriptor table: the lowest free number is given out first (POSIX), up to a limit.
#[derive(Clone, Debug)]
pub struct DescriptorTable<T> {
    slots: Vec<Option<T>>,
    /// Free numbers below the length of `slots`, whose last slot is never free.
    free: BTreeSet<usize>,
    /// How many numbers name each thing.
    references: BTreeMap<T, usize>,
    limit: usize,
}

impl<T: Copy + Ord> DescriptorTable<T> {
    /// An empty table of at most `limit` numbers (RLIMIT_NOFILE).
    pub fn new(limit: usize) -> DescriptorTable<T> {
        DescriptorTable { slots: Vec::new(), free: BTreeSet::new(), references: BTreeMap::new(), limit }
    }

    /// Changes the limit; numbers beyond it that are in use stay.
    pub fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// How many numbers there may be.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Gives `value` the lowest free number.
    ///
    /// # Errors
    ///
    /// EMFILE when all below the limit are taken.
    pub fn insert(&mut self, value: T) -> Result<usize, Errno> {
        self.insert_from(value, 0)
    }

    /// What a number names.
    ///
    /// # Errors
    ///
    /// EBADF.
    pub fn get(&self, number: usize) -> Result<T, Errno> {
        self.slots.get(number).copied().flatten().ok_or(Errno::EBADF)
    }

    /// A second number, the lowest free, for the same thing: `dup(2)`.
    ///
    /// # Errors
    ///
    /// EBADF, EMFILE.
    pub fn dup(&mut self, number: usize) -> Result<usize, Errno> {
        self.insert_from(self.get(number)?, 0)
    }

    /// The same with the lowest free number that is not below `lowest`: F_DUPFD of `fcntl(2)`.
    ///
    /// # Errors
    ///
    /// EBADF, EMFILE, EINVAL when `lowest` is not below the limit.
    pub fn dup_from(&mut self, number: usize, lowest: usize) -> Result<usize, Errno> {
        let value = self.get(number)?;
        if lowest >= self.limit {
            return Err(Errno::EINVAL);
        }
        self.insert_from(value, lowest)
    }

    /// Makes `target` name what `number` does: `dup2(2)`. What `target` named before is returned when that was its
    /// last number: it is to be closed.
    ///
    /// # Errors
    ///
    /// EBADF when `number` names nothing, or `target` is not below the limit.
    pub fn dup2(&mut self, number: usize, target: usize) -> Result<Option<T>, Errno> {
        let value = self.get(number)?;
        if target >= self.limit {
            return Err(Errno::EBADF);
        }
        if number == target {
            return Ok(None);
        }
        // The new reference comes first, so that a thing that had `target` too is not taken for lost.
        *self.references.entry(value).or_default() += 1;
        let replaced = self.get(target).ok();
        self.put(target, value);
        Ok(replaced.and_then(|replaced| self.unreference(replaced)))
    }

    /// Frees a number: `close(2)`. What it named is returned when that was its last one.
    ///
    /// # Errors
    ///
    /// EBADF.
    pub fn close(&mut self, number: usize) -> Result<Option<T>, Errno> {
        let value = self.get(number)?;
        if let Some(slot) = self.slots.get_mut(number) {
            *slot = None;
        }
        self.free.insert(number);
        while let Some(None) = self.slots.last() {
            self.slots.pop();
            self.free.remove(&self.slots.len());
        }
        Ok(self.unreference(value))
    }

    /// All numbers in use with what they name, lowest first.
    pub fn iter(&self) -> impl Iterator<Item = (usize, T)> + '_ {
        self.slots.iter().enumerate().filter_map(|(number, slot)| Some((number, (*slot)?)))
    }

    /// How many numbers are in use.
    pub fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Is no number in use?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn insert_from(&mut self, value: T, lowest: usize) -> Result<usize, Errno> {
        let number =
            self.free.range(lowest..).next().copied().unwrap_or_else(|| self.slots.len().max(lowest));
        if number >= self.limit {
            return Err(Errno::EMFILE);
        }
        *self.references.entry(value).or_default() += 1;
        self.put(number, value);
        Ok(number)
    }

    /// Writes a slot; what lies between the last one and a new last one is free.
    fn put(&mut self, number: usize, value: T) {
        if number >= self.slots.len() {
            self.free.extend(self.slots.len()..number);
            self.slots.resize(number + 1, None);
        }
        self.free.remove(&number);
        self.slots[number] = Some(value);
    }

    fn unreference(&mut self, value: T) -> Option<T> {
        let count = self.references.get_mut(&value)?;
        *count -= 1;
        if *count > 0 {
            return None;
        }
        self.references.remove(&value);
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_free_number_is_given_out() {
        let mut table = DescriptorTable::new(10);
        for number in 0..5 {
            assert_eq!(table.insert(number * 10), Ok(number));
        }
        assert_eq!(table.close(3), Ok(Some(30)));
        assert_eq!(table.close(1), Ok(Some(10)));
        assert_eq!(table.insert(77), Ok(1));
        assert_eq!(table.insert(78), Ok(3));
        assert_eq!(table.insert(79), Ok(5));
        assert_eq!(table.len(), 6);
    }

    #[test]
    fn a_full_table_says_emfile() {
        let mut table = DescriptorTable::new(2);
        assert_eq!((table.insert('a'), table.insert('b')), (Ok(0), Ok(1)));
        assert_eq!(table.insert('c'), Err(Errno::EMFILE));
        assert_eq!(table.dup(0), Err(Errno::EMFILE));
        assert_eq!(table.close(0), Ok(Some('a')));
        assert_eq!(table.insert('c'), Ok(0));
    }

    #[test]
    fn the_last_number_closes() {
        let mut table = DescriptorTable::new(8);
        assert_eq!(table.insert('a'), Ok(0));
        assert_eq!(table.dup(0), Ok(1));
        assert_eq!(table.dup_from(0, 5), Ok(5));
        assert_eq!(table.dup_from(0, 8), Err(Errno::EINVAL));
        assert_eq!(table.close(0), Ok(None));
        assert_eq!(table.close(5), Ok(None));
        assert_eq!(table.close(1), Ok(Some('a')));
        assert_eq!(table.close(1), Err(Errno::EBADF));
        assert!(table.is_empty());
        assert!(table.free.is_empty() && table.slots.is_empty());
    }

    #[test]
    fn dup2_closes_what_was_there() {
        let mut table = DescriptorTable::new(8);
        assert_eq!((table.insert('a'), table.insert('b')), (Ok(0), Ok(1)));
        assert_eq!(table.dup2(0, 1), Ok(Some('b')));
        assert_eq!(table.dup2(0, 1), Ok(None));
        assert_eq!(table.dup2(1, 1), Ok(None));
        assert_eq!(table.dup2(0, 6), Ok(None));
        assert_eq!(table.insert('c'), Ok(2));
        assert_eq!(table.dup2(9, 0), Err(Errno::EBADF));
        assert_eq!(table.dup2(0, 8), Err(Errno::EBADF));
        assert_eq!(table.iter().collect::<Vec<_>>(), [(0, 'a'), (1, 'a'), (2, 'c'), (6, 'a')]);
    }
}
