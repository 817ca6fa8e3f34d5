//! Who was used last: what ends by not being used.

use std::collections::BTreeSet;
use std::time::Duration;

use ieum_wire::Instant;

/// Uses within this time count as one: an order to the second is enough for minutes of patience, and a busy flow is
/// then moved once a second instead of with each datagram.
const GRAIN: Duration = Duration::from_secs(1);

/// Names in the order of their last use.
#[derive(Debug)]
pub struct Idle<K> {
    order: BTreeSet<(Instant, K)>,
    patience: Duration,
}

impl<K: Copy + Ord> Idle<K> {
    /// Nobody yet; who is not used for `patience` is due.
    pub fn new(patience: Duration) -> Idle<K> {
        Idle { order: BTreeSet::new(), patience }
    }

    /// A new name; the caller keeps the time beside what is named.
    pub fn insert(&mut self, now: Instant, name: K) {
        self.order.insert((now, name));
    }

    /// It was used; `last` is the time the caller keeps.
    pub fn touch(&mut self, now: Instant, name: K, last: &mut Instant) {
        if now.since(*last) >= GRAIN && self.order.remove(&(*last, name)) {
            *last = now;
            self.order.insert((now, name));
        }
    }

    /// It is gone.
    pub fn remove(&mut self, name: K, last: Instant) {
        self.order.remove(&(last, name));
    }

    /// When the next one is due.
    pub fn deadline(&self) -> Option<Instant> {
        self.order.first().map(|(last, _)| *last + self.patience)
    }

    /// One that is due.
    pub fn due(&self, now: Instant) -> Option<K> {
        self.order.first().filter(|(last, _)| *last + self.patience <= now).map(|(_, name)| *name)
    }

    /// The one unused for longest.
    pub fn oldest(&self) -> Option<K> {
        self.order.first().map(|(_, name)| *name)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.order.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_used_stays() {
        let at = |seconds| Instant::ZERO + Duration::from_secs(seconds);
        let mut idle = Idle::new(Duration::from_secs(120));
        let (mut first, second) = (at(0), at(1));
        idle.insert(first, 'a');
        idle.insert(second, 'b');
        idle.touch(at(100), 'a', &mut first);
        assert_eq!((idle.oldest(), idle.deadline()), (Some('b'), Some(at(121))));
        assert_eq!(idle.due(at(120)), None);
        assert_eq!(idle.due(at(121)), Some('b'));
        idle.remove('b', second);
        assert_eq!((idle.due(at(219)), idle.due(at(220))), (None, Some('a')));
        assert_eq!(idle.count(), 1);
    }
}
