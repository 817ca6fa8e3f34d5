//! `epoll(7)`: what is waited for at many descriptors, and what of it was told.

use std::collections::BTreeMap;

use crate::Errno;
use crate::numbers::{
    EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD, EPOLLET, EPOLLEXCLUSIVE, EPOLLONESHOT, EPOLLWAKEUP, POLLERR,
    POLLHUP, POLLIN, POLLOUT,
};

/// What is told without being asked for.
pub const UNASKED: u32 = POLLERR | POLLHUP;

/// Bits that say how to be told, and not of what.
const MODES: u32 = EPOLLET | EPOLLONESHOT | EPOLLEXCLUSIVE | EPOLLWAKEUP;

/// What may stand beside EPOLLEXCLUSIVE.
const WITH_EXCLUSIVE: u32 = POLLIN | POLLOUT | POLLERR | POLLHUP | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE;

/// What somebody waits for at one descriptor.
#[derive(Clone, Copy, Debug)]
struct Interest {
    events: u32,
    /// What is told with an event.
    data: u64,
    /// Something changed since it was told last.
    fresh: bool,
}

impl Interest {
    /// What is to be told of what is ready, if anything.
    fn found(&self, ready: u32) -> Option<(u32, u64)> {
        let wanted = self.events & !MODES;
        let told = self.events & EPOLLET != 0 && !self.fresh;
        let events = ready & (wanted | UNASKED);
        (events != 0 && wanted != 0 && !told).then_some((events, self.data))
    }

    fn tell(&mut self) {
        self.fresh = false;
        if self.events & EPOLLONESHOT != 0 {
            self.events &= MODES;
        }
    }
}

/// One epoll: descriptors, by their numbers, and what is waited for at each.
///
/// Whoever owns it says what is ready ([`Epoll::wait`]) and where something changed ([`Epoll::changed`]): it knows
/// nothing of what its numbers name.
#[derive(Clone, Default, Debug)]
pub struct Epoll {
    interests: BTreeMap<i32, Interest>,
}

impl Epoll {
    /// `epoll_ctl`: `event` has the events and the data.
    ///
    /// # Errors
    ///
    /// EEXIST, ENOENT, EINVAL for an operation that is none, EFAULT without an event where one is needed.
    pub fn control(&mut self, operation: i32, number: i32, event: Option<(u32, u64)>) -> Result<(), Errno> {
        match (operation, self.interests.contains_key(&number)) {
            (EPOLL_CTL_ADD, false) | (EPOLL_CTL_MOD, true) => {
                let (events, data) = event.ok_or(Errno::EFAULT)?;
                self.check_exclusive(number, operation, events)?;
                self.interests.insert(number, Interest { events, data, fresh: true });
                Ok(())
            }
            (EPOLL_CTL_DEL, true) => {
                self.interests.remove(&number);
                Ok(())
            }
            (EPOLL_CTL_ADD, true) => Err(Errno::EEXIST),
            (EPOLL_CTL_MOD | EPOLL_CTL_DEL, false) => Err(Errno::ENOENT),
            (_, _) => Err(Errno::EINVAL),
        }
    }

    /// Who waits alone (EPOLLEXCLUSIVE) says so from the beginning, with few other bits, and changes nothing later.
    fn check_exclusive(&self, number: i32, operation: i32, events: u32) -> Result<(), Errno> {
        let was = self.events(number).is_some_and(|events| events & EPOLLEXCLUSIVE != 0);
        let is = events & EPOLLEXCLUSIVE != 0;
        let is_wrong = match operation {
            EPOLL_CTL_ADD => is && events & !WITH_EXCLUSIVE != 0,
            _ => is || was,
        };
        if is_wrong { Err(Errno::EINVAL) } else { Ok(()) }
    }

    /// The numbers that it watches.
    pub fn numbers(&self) -> impl Iterator<Item = i32> {
        self.interests.keys().copied()
    }

    /// Something changed at a descriptor: who waits for edges is told again.
    pub fn changed(&mut self, number: i32) {
        if let Some(interest) = self.interests.get_mut(&number) {
            interest.fresh = true;
        }
    }

    /// What is waited for at a descriptor: the events, and bits that say how to be told; `None` where nothing is.
    pub fn events(&self, number: i32) -> Option<u32> {
        self.interests.get(&number).map(|interest| interest.events)
    }

    /// What is told of one descriptor, at which this is ready: events and data.
    pub fn ask(&mut self, number: i32, ready: u32) -> Option<(u32, u64)> {
        let interest = self.interests.get_mut(&number)?;
        let found = interest.found(ready)?;
        interest.tell();
        Some(found)
    }

    /// `epoll_wait` that does not wait: events and data of at most `most` descriptors. `ready` says what is ready at a
    /// number, `None` where there is nothing any more.
    pub fn wait(&mut self, most: usize, ready: impl Fn(i32) -> Option<u32>) -> Vec<(u32, u64)> {
        let found = |(number, interest): (&i32, &mut Interest)| {
            let found = interest.found(ready(*number)?)?;
            interest.tell();
            Some(found)
        };
        self.interests.iter_mut().filter_map(found).take(most).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numbers::{POLLIN, POLLOUT};

    #[test]
    fn an_edge_is_told_once_and_again_after_a_change() {
        let mut epoll = Epoll::default();
        epoll.control(EPOLL_CTL_ADD, 4, Some((POLLIN | EPOLLET, 7))).unwrap();
        let ready = |_| Some(POLLIN | POLLOUT);
        assert_eq!(epoll.wait(1, ready), [(POLLIN, 7)]);
        assert_eq!(epoll.wait(1, ready), []);
        epoll.changed(4);
        assert_eq!(epoll.wait(1, ready), [(POLLIN, 7)]);
    }

    #[test]
    fn one_shot_is_spent_until_it_is_armed_again() {
        let mut epoll = Epoll::default();
        epoll.control(EPOLL_CTL_ADD, 4, Some((POLLIN | EPOLLONESHOT, 7))).unwrap();
        assert_eq!(epoll.wait(1, |_| Some(POLLERR)), [(POLLERR, 7)]);
        assert_eq!(epoll.wait(1, |_| Some(POLLIN | POLLERR)), []);
        epoll.control(EPOLL_CTL_MOD, 4, Some((POLLIN, 8))).unwrap();
        assert_eq!(epoll.wait(1, |_| Some(POLLIN)), [(POLLIN, 8)]);
    }

    #[test]
    fn what_is_watched_already_or_not_at_all_is_said() {
        let mut epoll = Epoll::default();
        assert_eq!(epoll.control(EPOLL_CTL_MOD, 4, Some((POLLIN, 0))), Err(Errno::ENOENT));
        assert_eq!(epoll.control(EPOLL_CTL_ADD, 4, None), Err(Errno::EFAULT));
        epoll.control(EPOLL_CTL_ADD, 4, Some((POLLIN, 0))).unwrap();
        assert_eq!(epoll.control(EPOLL_CTL_ADD, 4, Some((POLLIN, 0))), Err(Errno::EEXIST));
        assert_eq!(epoll.control(9, 4, None), Err(Errno::EINVAL));
        assert_eq!((epoll.numbers().collect::<Vec<_>>(), epoll.wait(1, |_| None)), (vec![4], vec![]));
    }
}
