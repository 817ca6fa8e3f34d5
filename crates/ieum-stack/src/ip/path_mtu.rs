//! What is known of the ways behind the first link: the largest packet that each destination's takes (RFC 1191, RFC 8201).
//!
//! Routers say it when they drop what is too large. It is believed for ten minutes (RFC 1191 §6.3, RFC 8201 §4): ways change,
//! and who asks again meets the same answer. Who speaks for a connection checks first that the router quotes what was sent.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use ieum_wire::Instant;

use crate::chance::{Chance, Keyed};

/// For how long what a router said is believed (Linux: net.ipv4.route.mtu_expires).
const LIFETIME: Duration = Duration::from_secs(600);
/// Destinations of which it is known; the one that is forgotten soonest gives way beyond. About 60 bytes each.
const DESTINATIONS_MAX: usize = 1024;

/// What a router said of a destination.
#[derive(Clone, Copy, Debug)]
struct Known {
    mtu_bytes: u32,
    until: Instant,
}

/// All that is known.
#[derive(Debug)]
pub(crate) struct PathMtus {
    known: HashMap<IpAddr, Known, Keyed>,
}

impl PathMtus {
    pub(super) fn new(chance: &mut Chance) -> PathMtus {
        PathMtus { known: HashMap::with_hasher(chance.keyed()) }
    }

    /// The largest packet towards `destination`, where that is less than the first link takes.
    pub(crate) fn of(&self, now: Instant, destination: IpAddr) -> Option<u32> {
        self.known.get(&destination).filter(|known| known.until > now).map(|known| known.mtu_bytes)
    }

    /// Packets towards `destination` are to be no larger.
    pub(crate) fn learned(&mut self, now: Instant, destination: IpAddr, mtu_bytes: u32) {
        if self.known.len() >= DESTINATIONS_MAX && !self.known.contains_key(&destination) {
            self.known.retain(|_, known| known.until > now);
            // Of equals the smaller address, so that the same calls forget the same.
            let first = self.known.iter().map(|(address, known)| (known.until, *address)).min();
            if let Some((_, address)) = first.filter(|_| self.known.len() >= DESTINATIONS_MAX) {
                self.known.remove(&address);
            }
        }
        let narrower = self.of(now, destination).map_or(mtu_bytes, |known| known.min(mtu_bytes));
        self.known.insert(destination, Known { mtu_bytes: narrower, until: now + LIFETIME });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::ZERO + Duration::from_secs(seconds)
    }

    #[test]
    fn what_a_router_said_is_believed_for_ten_minutes() {
        let mut mtus = PathMtus::new(&mut Chance::new([1; 32]));
        let peer = IpAddr::from([192, 0, 2, 1]);
        mtus.learned(at(0), peer, 1400);
        mtus.learned(at(1), peer, 1300);
        assert_eq!(mtus.of(at(2), peer), Some(1300));
        assert_eq!(mtus.of(at(2), IpAddr::from([192, 0, 2, 2])), None);
        assert_eq!(mtus.of(at(601), peer), None);
    }

    #[test]
    fn it_is_bounded() {
        let mut mtus = PathMtus::new(&mut Chance::new([1; 32]));
        for i in 0..2000u32 {
            mtus.learned(at(u64::from(i) / 100), IpAddr::from(i.to_be_bytes()), 1400);
        }
        assert_eq!(mtus.known.len(), DESTINATIONS_MAX);
        assert_eq!(mtus.of(at(20), IpAddr::from(1999u32.to_be_bytes())), Some(1400));
    }
}
