//! TCP Fast Open (RFC 7413): data on a SYN, for peers that have shown before that they are where they say.
//!
//! The server proves it by a cookie ([`Keys::cookie`]): a keyed hash of both addresses, which needs no memory, so that a
//! flood of forged SYNs makes no connection. The client keeps what servers gave it ([`Remembered`]). As on Linux the
//! hash is SipHash-2-4 and the key that of `tcp_fastopen_key` or TCP_FASTOPEN_KEY, so that hosts behind one balancer of
//! load may share it.
//!
//! Not done: RFC 7413 §4.1.3.1's memory of paths that drop SYNs with data, which Linux has switched off since 5.15; who
//! does not answer is asked again by a plain SYN.

use std::collections::{BTreeMap, VecDeque};
use std::hash::Hasher;
use std::net::IpAddr;

use ieum_wire::tcp::{Cookie, FastOpen};
use siphasher::sip::SipHasher24;

use super::bounds::REMEMBERED_PATHS_MAX;
use super::tuple::FourTuple;
use crate::chance::Keyed;

/// What Fast Open does on this host (Linux: the bits of `tcp_fastopen`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FastOpenMode {
    /// Connecting may carry data.
    pub client: bool,
    /// Listeners that ask for it take data from a SYN.
    pub server: bool,
    /// Data goes even where no cookie is known.
    pub client_without_cookie: bool,
    /// Data is taken even without a cookie.
    pub server_without_cookie: bool,
    /// Listeners need not ask for it.
    pub every_listener: bool,
}

impl FastOpenMode {
    /// From the bits of Linux's `tcp_fastopen`.
    pub fn from_bits(bits: u32) -> FastOpenMode {
        FastOpenMode {
            client: bits & 0x1 != 0,
            server: bits & 0x2 != 0,
            client_without_cookie: bits & 0x4 != 0,
            server_without_cookie: bits & 0x200 != 0,
            every_listener: bits & 0x400 != 0,
        }
    }
}

impl Default for FastOpenMode {
    /// Clients may, as on Linux.
    fn default() -> FastOpenMode {
        FastOpenMode::from_bits(1)
    }
}

/// The key under which a server makes cookies: 16 bytes, as TCP_FASTOPEN_KEY has them.
pub type FastOpenKey = [u8; 16];

/// The key in use, and one that was in use before: its cookies are still taken, and replaced (RFC 7413 §4.1.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FastOpenKeys {
    /// Makes cookies.
    pub primary: FastOpenKey,
    /// Only recognises them.
    pub backup: Option<FastOpenKey>,
}

/// What a cookie is worth.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Judgement {
    /// Not ours.
    Unknown,
    /// Made with the key in use.
    Good,
    /// Made with the key before it: the peer is given a new one.
    Outdated,
}

impl FastOpenKeys {
    /// Keys that nobody outside knows, from a keyed hash.
    pub(super) fn unknown_to_others(secret: &Keyed) -> FastOpenKeys {
        use std::hash::BuildHasher;
        let secret = secret.derived("fast open");
        let half = |number: u8| secret.hash_one(("fast open", number)).to_le_bytes();
        let mut primary = [0; 16];
        primary[..8].copy_from_slice(&half(0));
        primary[8..].copy_from_slice(&half(1));
        FastOpenKeys { primary, backup: None }
    }

    /// The cookie for the peer of a tuple.
    pub(super) fn cookie(&self, tuple: &FourTuple) -> Option<Cookie> {
        cookie(&self.primary, tuple)
    }

    /// Whose cookie is it?
    pub(super) fn judge(&self, tuple: &FourTuple, shown: &Cookie) -> Judgement {
        if cookie(&self.primary, tuple).as_ref() == Some(shown) {
            return Judgement::Good;
        }
        match self.backup.and_then(|key| cookie(&key, tuple)) {
            Some(old) if old == *shown => Judgement::Outdated,
            Some(_) | None => Judgement::Unknown,
        }
    }
}

/// RFC 7413 §4.1.2 leaves the function open; Linux's is SipHash-2-4 of source and destination address as they stand in
/// the SYN's header.
fn cookie(key: &FastOpenKey, tuple: &FourTuple) -> Option<Cookie> {
    let mut hasher = SipHasher24::new_with_key(key);
    for address in [tuple.remote.ip(), tuple.local.ip()] {
        match address {
            IpAddr::V4(address) => hasher.write(&address.octets()),
            IpAddr::V6(address) => hasher.write(&address.octets()),
        }
    }
    Cookie::new(&hasher.finish().to_le_bytes())
}

/// What a client knows of one server.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct Remembered {
    /// The MSS it announced last, in bytes.
    pub(super) mss: Option<u16>,
    /// The last option with a cookie that it gave; given back in the same form.
    option: Option<FastOpen>,
    /// How often a request in one form was not answered: after the standard one the experimental one is tried, once.
    unanswered: u8,
}

impl Remembered {
    /// The option for the next SYN: the cookie, or a request for one.
    pub(super) fn option(&self) -> FastOpen {
        self.option.unwrap_or(FastOpen { cookie: None, experimental: self.unanswered == 1 })
    }
}

/// What became of Fast Open on a connection we made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answered {
    /// The MSS of the answer.
    pub(super) mss: u16,
    /// The option of the answer.
    pub(super) option: Option<FastOpen>,
    /// The option of our first SYN.
    pub(super) asked: Option<FastOpen>,
    /// Our SYN had data, or was sent again: its silence about a cookie means nothing.
    pub(super) unclear: bool,
}

/// What clients of this host remember of servers, by both addresses.
#[derive(Default)]
pub(super) struct Paths {
    known: BTreeMap<(IpAddr, IpAddr), Remembered>,
    /// In the order in which they were first met: the oldest gives way.
    order: VecDeque<(IpAddr, IpAddr)>,
}

impl Paths {
    pub(super) fn remembered(&self, tuple: &FourTuple) -> Remembered {
        self.known.get(&key(tuple)).copied().unwrap_or_default()
    }

    /// An answer came to a SYN that was Fast Open's.
    pub(super) fn answered(&mut self, tuple: &FourTuple, answer: &Answered) {
        let key = key(tuple);
        if !self.known.contains_key(&key) {
            if self.order.len() == REMEMBERED_PATHS_MAX
                && let Some(oldest) = self.order.pop_front()
            {
                self.known.remove(&oldest);
            }
            self.order.push_back(key);
        }
        let known = self.known.entry(key).or_default();
        known.mss = Some(answer.mss);
        match (answer.option.filter(|option| option.cookie.is_some()), answer.asked) {
            // Nobody asked for a cookie: it is not kept.
            (Some(_), None) => {}
            (Some(option), Some(_)) => known.option = Some(option),
            (None, Some(asked)) if !answer.unclear && known.option.is_none() => {
                let now = if asked.experimental { 2 } else { 1 };
                known.unanswered = known.unanswered.max(now);
            }
            (None, _) => {}
        }
    }

    /// Everything is forgotten.
    pub(super) fn forget(&mut self) {
        *self = Paths::default();
    }
}

fn key(tuple: &FourTuple) -> (IpAddr, IpAddr) {
    (tuple.local.ip(), tuple.remote.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tuple(server: [u8; 4], client: [u8; 4]) -> FourTuple {
        FourTuple { local: (server, 80).into(), remote: (client, 1000).into() }
    }

    fn option(cookie: Option<&[u8]>) -> FastOpen {
        FastOpen { cookie: cookie.and_then(Cookie::new), experimental: false }
    }

    #[test]
    fn the_cookie_is_siphash_of_the_addresses_as_on_linux() {
        // Made by another SipHash-2-4, of 10.0.0.2 and 10.0.0.1, and of fd00::2 and fd00::1.
        let key: FastOpenKey = std::array::from_fn(|at| u8::try_from(at).unwrap());
        let hex = |tuple: &FourTuple| -> String {
            cookie(&key, tuple).unwrap().bytes().iter().map(|byte| format!("{byte:02x}")).collect()
        };
        assert_eq!(hex(&tuple([10, 0, 0, 1], [10, 0, 0, 2])), "788be4dbe24b2585");
        let local = "[fd00::1]:80".parse().unwrap();
        let six = FourTuple { local, remote: "[fd00::2]:1000".parse().unwrap() };
        assert_eq!(hex(&six), "8544fa46ea042e3f");
    }

    #[test]
    fn a_cookie_is_for_one_pair_of_addresses_and_one_key() {
        let keys = FastOpenKeys { primary: [1; 16], backup: Some([2; 16]) };
        let (a, b) = (tuple([10, 0, 0, 1], [10, 0, 0, 2]), tuple([10, 0, 0, 1], [10, 0, 0, 3]));
        let good = keys.cookie(&a).unwrap();
        assert_eq!(good.bytes().len(), 8);
        assert_eq!((keys.judge(&a, &good), keys.judge(&b, &good)), (Judgement::Good, Judgement::Unknown));
        let old = cookie(&[2; 16], &a).unwrap();
        assert_eq!(keys.judge(&a, &old), Judgement::Outdated);
    }

    #[test]
    fn what_a_server_does_not_answer_is_asked_in_the_other_form_once() {
        let (mut paths, tuple) = (Paths::default(), tuple([10, 0, 0, 1], [10, 0, 0, 2]));
        let silence = |paths: &mut Paths, unclear| {
            let asked = paths.remembered(&tuple).option();
            paths.answered(&tuple, &Answered { mss: 1000, option: None, asked: Some(asked), unclear });
            paths.remembered(&tuple).option().experimental
        };
        assert!(!silence(&mut paths, true));
        assert!(silence(&mut paths, false));
        assert!(!silence(&mut paths, false));
        assert!(!silence(&mut paths, false));
        let answer = Answered { mss: 900, option: Some(option(Some(&[5; 4]))), asked: None, unclear: false };
        paths.answered(&tuple, &answer);
        assert_eq!(paths.remembered(&tuple).option().cookie, None);
        let answer = Answered { asked: Some(option(None)), ..answer };
        paths.answered(&tuple, &answer);
        assert_eq!(paths.remembered(&tuple).option(), option(Some(&[5; 4])));
        assert_eq!(paths.remembered(&tuple).mss, Some(900));
    }

    #[test]
    fn only_so_many_paths_are_remembered() {
        let mut paths = Paths::default();
        for number in 0..=u32::try_from(REMEMBERED_PATHS_MAX).unwrap() {
            let [_, b, c, d] = number.to_be_bytes();
            let answer = Answered { mss: 1, option: None, asked: None, unclear: true };
            paths.answered(&tuple([10, 0, 0, 1], [10, b, c, d]), &answer);
        }
        assert_eq!((paths.known.len(), paths.order.len()), (REMEMBERED_PATHS_MAX, REMEMBERED_PATHS_MAX));
    }
}
