//! A host of a world that can be switched off: it forgets everything, and comes back as one that was never there.

use ieum_socket::Host;
use ieum_stack::{LinkId, Tally};
use ieum_wire::{Instant, Packet};

use crate::node::Node;

/// A host, or the hole where it was.
pub(super) struct Machine {
    host: Option<Host>,
    /// How often it was switched on.
    lives: u32,
    /// Frames that came while it was off.
    missed: u64,
    /// What became of the frames of its former lives.
    former: Tally,
    /// Of everything that it ever sent, and when: the same for the same seed, or something is not left to the seed.
    digest: Digest,
}

impl Machine {
    pub(super) fn new(host: Host) -> Machine {
        Machine { host: Some(host), lives: 1, missed: 0, former: Tally::default(), digest: Digest::default() }
    }

    /// The host, when it is there and is still the one of that life.
    pub(super) fn host_of(&mut self, life: u32) -> Option<&mut Host> {
        self.host.as_mut().filter(|_| self.lives == life)
    }

    /// The host, when it is there.
    pub(super) fn host(&self) -> Option<&Host> {
        self.host.as_ref()
    }

    /// The same, to call it.
    pub(super) fn host_mut(&mut self) -> Option<&mut Host> {
        self.host.as_mut()
    }

    pub(super) fn lives(&self) -> u32 {
        self.lives
    }

    /// Off: whatever it knew is gone.
    pub(super) fn switch_off(&mut self) {
        if let Some(host) = self.host.take() {
            self.former = sum(self.former, host.stack().tally());
        }
    }

    /// On again, as another.
    pub(super) fn switch_on(&mut self, host: Host) {
        self.host = Some(host);
        self.lives += 1;
    }

    /// What became of all frames that came, in all its lives.
    pub(super) fn tally(&self) -> Tally {
        sum(self.former, self.host.as_ref().map(|host| host.stack().tally()).unwrap_or_default())
    }

    /// Frames that came while it was off.
    pub(super) fn missed(&self) -> u64 {
        self.missed
    }

    pub(super) fn digest(&self) -> u64 {
        self.digest.0
    }
}

impl Node for Machine {
    fn on_frame(&mut self, now: Instant, link: LinkId, frame: Packet) {
        match &mut self.host {
            Some(host) => host.on_frame(now, link, frame),
            None => self.missed += 1,
        }
    }

    fn on_deadline(&mut self, now: Instant) {
        if let Some(host) = &mut self.host {
            host.on_deadline(now);
        }
    }

    fn poll_frame(&mut self, now: Instant) -> Option<(LinkId, Packet)> {
        let (link, packet) = self.host.as_mut()?.poll_frame(now)?;
        self.digest.add(&now.micros().to_be_bytes());
        // Headers and the beginning of the payload: a difference shows there, or in what follows from it.
        let bytes = packet.bytes();
        self.digest.add(&bytes[..bytes.len().min(DIGESTED_BYTES_MAX)]);
        self.digest.add(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
        Some((link, packet))
    }

    fn deadline(&self) -> Option<Instant> {
        self.host.as_ref()?.deadline()
    }

    fn check(&self) {
        if let Some(host) = &self.host {
            Node::check(host);
        }
    }
}

/// What of a packet goes into the digest.
const DIGESTED_BYTES_MAX: usize = 96;

/// A sum of bytes in their order (FNV-1a of 64 bits).
#[derive(Clone, Copy)]
struct Digest(u64);

impl Default for Digest {
    fn default() -> Digest {
        Digest(0xcbf2_9ce4_8422_2325)
    }
}

impl Digest {
    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

fn sum(one: Tally, other: Tally) -> Tally {
    Tally {
        received: one.received + other.received,
        accepted: one.accepted + other.accepted,
        dropped: one.dropped + other.dropped,
    }
}
