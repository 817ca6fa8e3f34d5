//! Links that lead out of the process: to a TUN interface, or to whoever carries packets.
//!
//! A device stands on a link as a room of its own and takes what is for nobody else there. A TUN's is [`DeviceRoom`];
//! for those who have a device that ieum does not know, [`OutletRoom`] is a queue: its user takes packets from it and
//! puts packets in.
//!
//! Invariants: packets leave an outlet as a wire has them, cut to the MTU and with their checksums; what comes in is
//! verified. No waker is called or dropped under either lock.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use ieum_device::Tun;
use ieum_engine::{DeviceRoom, Notice, Ready, Room, Turn};
use ieum_socket::Errno;
use ieum_stack::{LinkConfig, LinkId};
use ieum_wire::packet::PACKET_BYTES_MAX;
use ieum_wire::{Instant, Packet, segmentation};

use crate::bounds::{MTU_BYTES_MAX, MTU_BYTES_MIN, OUTLET_PACKETS_MAX};
use crate::network::{Link, Network};
use crate::socket::{error, invalid, new_key};

/// A link's end for packets: what its hosts send to nobody on the link comes out, and what is put in reaches them.
///
/// For whoever has a device of his own: a VPN's packets, a virtual machine's network card, a radio. Dropped, the link
/// leads nowhere any more.
pub struct Outlet {
    network: Network,
    number: usize,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    came: Condvar,
}

#[derive(Default)]
struct Queue {
    packets: VecDeque<Packet>,
    /// The tasks that wait for one, while there is none.
    waiting: Vec<Waiter>,
    dropped: u64,
    /// The network's thread has ended: who waits would wait for ever.
    is_broken: bool,
}

/// A task that waits.
struct Waiter {
    /// Whose it is: nobody waits twice.
    key: u64,
    waker: Waker,
}

/// A future that waits, and is forgotten with it.
struct Asker<'a> {
    outlet: &'a Outlet,
    key: u64,
}

/// The key of who polls and is remembered one at a time: the last one.
const POLLS: u64 = 0;

/// The room at the other end of an outlet.
pub(crate) struct OutletRoom {
    shared: Arc<Shared>,
    /// Put in, and not on the link yet.
    incoming: VecDeque<Packet>,
    woken: Vec<Waker>,
}

impl Network {
    /// A link whose other end is a TUN interface, with its MTU: what its hosts send to nobody else on the link goes to
    /// the machine's kernel, and what that sends there is for the host with its address, or for the one that
    /// [stands for any](crate::HostBuilder::any_destination). The device is closed when the link is gone: with the last handle of
    /// it and the last host on it.
    ///
    /// # Errors
    ///
    /// InvalidInput for a TAP, whose frames no host of the library speaks; when the device cannot be watched, or the network has
    /// 254 devices and exits.
    pub fn tun_link(&self, tun: Tun) -> io::Result<Link> {
        if tun.kind() != ieum_device::tun::TunKind::Tun {
            return Err(invalid("a link of the library carries packets, and a TAP carries frames"));
        }
        let mtu_bytes = tun.mtu_bytes();
        // When the interface goes, the hosts on the link hear of it: it is down.
        let room = DeviceRoom::new(tun, LinkId::default(), |_sentence| {});
        let room_link = room.link();
        self.leading(mtu_bytes, |inner| Ok((inner.add_device(room)?, room_link))).map(|(link, _)| link)
    }

    /// A link with an end for packets.
    ///
    /// # Errors
    ///
    /// InvalidInput for an MTU below 1280 bytes, which IPv6 needs (RFC 8200 §5), or above 65,535.
    pub fn outlet_link(&self, mtu_bytes: u32) -> io::Result<(Link, Outlet)> {
        let shared = Arc::new(Shared::default());
        let room = OutletRoom { shared: Arc::clone(&shared), incoming: VecDeque::new(), woken: Vec::new() };
        let (link, number) =
            self.leading(mtu_bytes, |inner| Ok((inner.add_outlet(room), LinkId::default())))?;
        Ok((link, Outlet { network: self.clone(), number, shared }))
    }

    /// A link with a room on it that takes what is for nobody else.
    fn leading(
        &self,
        mtu_bytes: u32,
        add: impl FnOnce(&mut crate::network::Inner) -> io::Result<(usize, LinkId)>,
    ) -> io::Result<(Link, usize)> {
        if !(MTU_BYTES_MIN..=MTU_BYTES_MAX).contains(&mtu_bytes) {
            return Err(invalid(format!("{mtu_bytes} bytes: the MTU of a link is 1280 to 65535 bytes")));
        }
        let link = self.link_like(LinkConfig { mtu_bytes, ..LinkConfig::in_process() });
        let mut inner = self.lock_for_source();
        let (number, room_link) = add(&mut inner)?;
        let end = inner.plug(number, room_link, link.number());
        inner.segments[link.number()].add_gateway(end);
        drop(inner);
        Ok((link, number))
    }
}

impl Outlet {
    /// Puts a packet on the link, IP header first. What is none, or has a wrong checksum, is lost on its way as on any wire.
    ///
    /// # Errors
    ///
    /// InvalidInput for more bytes than any packet has.
    pub fn send(&self, packet: &[u8]) -> io::Result<()> {
        if packet.len() > PACKET_BYTES_MAX {
            return Err(invalid("an IP packet has at most 65,575 bytes"));
        }
        let packet = Packet::from_wire(packet);
        self.network.with_outlet(self.number, |room| room.incoming.push_back(packet));
        Ok(())
    }

    /// The next packet that leaves the link, in bytes; waits for one.
    ///
    /// # Errors
    ///
    /// ENOTRECOVERABLE instead of waiting when the network's thread has broken an assertion.
    pub fn recv(&self) -> io::Result<Vec<u8>> {
        let nothing = |queue: &mut Queue| queue.packets.is_empty() && !queue.is_broken;
        let mut queue =
            self.shared.came.wait_while(self.shared.lock(), nothing).unwrap_or_else(PoisonError::into_inner);
        let next = queue.packets.pop_front();
        drop(queue);
        next.map(|packet| packet.bytes().to_vec()).ok_or_else(broken)
    }

    /// The next packet, if there is one.
    pub fn try_recv(&self) -> Option<Vec<u8>> {
        self.shared.lock().packets.pop_front().map(|packet| packet.bytes().to_vec())
    }

    /// The next packet, for a task; the last one that asked is woken.
    ///
    /// # Errors
    ///
    /// As [`Outlet::recv`].
    pub fn poll_recv(&self, cx: &Context<'_>) -> Poll<io::Result<Vec<u8>>> {
        self.poll_for(POLLS, cx)
    }

    /// The next packet, for any number of tasks at once; dropped before its end it takes none.
    ///
    /// # Errors
    ///
    /// As [`Outlet::recv`].
    pub async fn recv_async(&self) -> io::Result<Vec<u8>> {
        let asker = Asker { outlet: self, key: new_key() };
        std::future::poll_fn(|cx| self.poll_for(asker.key, cx)).await
    }

    /// The next packet, or whoever has that key is woken when there may be one.
    fn poll_for(&self, key: u64, cx: &Context<'_>) -> Poll<io::Result<Vec<u8>>> {
        // Cloned and dropped without the lock: it is somebody else's code.
        let waker = cx.waker().clone();
        let mut queue = self.shared.lock();
        if let Some(packet) = queue.packets.pop_front() {
            drop(queue);
            return Poll::Ready(Ok(packet.bytes().to_vec()));
        }
        if queue.is_broken {
            drop(queue);
            return Poll::Ready(Err(broken()));
        }
        let before = queue.forget(key);
        queue.waiting.push(Waiter { key, waker });
        drop(queue);
        drop(before);
        Poll::Pending
    }

    /// Packets that were lost because nobody took those before them.
    pub fn dropped(&self) -> u64 {
        self.shared.lock().dropped
    }
}

impl Drop for Outlet {
    fn drop(&mut self) {
        self.network.remove_outlet(self.number);
    }
}

impl fmt::Debug for Outlet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outlet").finish_non_exhaustive()
    }
}

fn broken() -> io::Error {
    error(Errno::ENOTRECOVERABLE)
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    /// Whoever has that key does not wait any more. What is returned is dropped without the lock.
    fn forget(&mut self, key: u64) -> Option<Waiter> {
        let at = self.waiting.iter().position(|waiter| waiter.key == key)?;
        Some(self.waiting.swap_remove(at))
    }

    /// Every task is to ask again: one alone might be dropped with what it was told.
    fn wake_into(&mut self, woken: &mut Vec<Waker>) {
        woken.extend(self.waiting.drain(..).map(|waiter| waiter.waker));
    }
}

impl Drop for Asker<'_> {
    fn drop(&mut self) {
        let waiter = self.outlet.shared.lock().forget(self.key);
        drop(waiter);
    }
}

impl OutletRoom {
    /// Wakers go where they may be called.
    pub(crate) fn hand_over(&mut self, woken: &mut Vec<Waker>) {
        woken.append(&mut self.woken);
    }

    /// The network's thread has ended: who waits is told so.
    pub(crate) fn break_down(&mut self) {
        let mut queue = self.shared.lock();
        queue.is_broken = true;
        queue.wake_into(&mut self.woken);
        self.shared.came.notify_all();
    }

    fn leave(&mut self, mut packet: Packet) {
        segmentation::finish_checksum(&mut packet);
        let mut queue = self.shared.lock();
        if queue.packets.len() >= OUTLET_PACKETS_MAX {
            queue.dropped += 1;
            return;
        }
        queue.packets.push_back(packet);
        queue.wake_into(&mut self.woken);
        self.shared.came.notify_one();
    }
}

impl Room for OutletRoom {
    fn start(&mut self, _turn: &Turn<'_>) -> io::Result<()> {
        Ok(())
    }

    fn on_ready(&mut self, _turn: &Turn<'_>, _key: u64, _ready: Ready) {}

    fn on_frame(&mut self, _turn: &Turn<'_>, _link: LinkId, frame: Packet) {
        if frame.gso.is_none() {
            return self.leave(frame);
        }
        segmentation::cut(&frame, |packet| self.leave(packet));
    }

    fn on_deadline(&mut self, _turn: &Turn<'_>) {}

    fn deadline(&self) -> Option<Instant> {
        None
    }

    fn settle(&mut self, _turn: &Turn<'_>) {}

    fn poll_frame(&mut self, _turn: &Turn<'_>) -> Option<(LinkId, Packet)> {
        Some((LinkId::default(), self.incoming.pop_front()?))
    }

    fn poll_notice(&mut self) -> Option<Notice> {
        None
    }

    fn on_notice(&mut self, _turn: &Turn<'_>, _notice: Notice) {}

    /// What its user does not take is his affair.
    fn is_unfinished(&self) -> bool {
        false
    }
}
