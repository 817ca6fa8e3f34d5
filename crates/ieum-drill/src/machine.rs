//! The host under test, its only link, and the clock: time passes when somebody says so.
//!
//! The link takes super-segments, as the original's device does. What comes out is cut as on a wire all the same, since
//! the matching of packets joins parts until they have the size that a script expects; only where a script asks for
//! exact sizes are super-segments left whole.

use std::collections::VecDeque;
use std::net::IpAddr;

use ieum_socket::{Event, Host, SocketId};
use ieum_stack::{LinkConfig, LinkId, Medium, RouteTarget};
use ieum_wire::{Cidr, Gso, GsoKind, Instant, segmentation};

use crate::packet;
use crate::settings::Settings;

/// A packet that the host sent, and when.
#[derive(Clone, Debug)]
pub struct Sniffed {
    /// When it was sent.
    pub at: Instant,
    /// The packet, from its IP header on.
    pub bytes: Vec<u8>,
}

/// What a host's only link is like.
#[derive(Clone, Debug)]
pub struct Wire {
    /// The largest packet, super-segments aside.
    pub mtu_bytes: u32,
    /// The host's addresses.
    pub addresses: Vec<IpAddr>,
    /// Super-segments are seen whole when they go out, and not cut as on a wire.
    pub whole: bool,
}

/// The host and its clock.
#[allow(missing_debug_implementations, reason = "a host is too large to be shown")]
pub struct Machine {
    /// The host under test.
    pub host: Host,
    link: LinkId,
    now: Instant,
    start: Instant,
    /// What was sent and not looked at.
    pub sniffed: VecDeque<Sniffed>,
    /// Sockets of which something changed, for edge-triggered waiting.
    pub changed: Vec<SocketId>,
    whole: bool,
}

/// When scripts begin, in microseconds: no clock of a machine stands at zero, and limits of rates count from there.
const START_US: u64 = 1_000_000_000;

/// What an event costs, in microseconds, so that nothing is answered before it was asked.
const EVENT_US: u64 = 1;

/// Time-outs at one and the same moment before a stack is taken to be stuck.
const TIMEOUTS_AT_ONCE_MAX: usize = 100_000;

impl Machine {
    /// A host that was made with `settings`, at the only end of `wire` that has one.
    pub fn new(wire: &Wire, settings: &Settings) -> Machine {
        let mut host = Host::with_stack(settings.of_stack(), false);
        host.set_tcp_defaults(settings.tcp_defaults);
        host.stack_mut().tcp_set_ecn(settings.tcp_ecn);
        let stack = host.stack_mut();
        stack.tcp_set_rules(settings.tcp_rules);
        let link = stack.add_link(LinkConfig {
            mtu_bytes: wire.mtu_bytes,
            segmentation_offload: true,
            checksum_offload: true,
            medium: Medium::Ip,
        });
        for address in &wire.addresses {
            let everywhere = if address.is_ipv6() { Cidr::ALL_IP6 } else { Cidr::ALL_IP4 };
            stack.add_address(link, Cidr::host(*address));
            stack.add_route(everywhere, RouteTarget::Link(link), None);
        }
        let start = Instant::from_micros(START_US);
        Machine {
            host,
            link,
            now: start,
            start,
            sniffed: VecDeque::new(),
            changed: Vec::new(),
            whole: wire.whole,
        }
    }

    /// The same at the moment at which another one stands.
    pub fn from(mut self, before: &Machine) -> Machine {
        self.now = before.now;
        self
    }

    /// Gives the host one more address.
    pub fn add_address(&mut self, address: IpAddr) {
        self.host.stack_mut().add_address(self.link, Cidr::host(address));
    }

    /// Settings that a host takes while it runs.
    pub fn reconfigure(&mut self, settings: &Settings) {
        self.host.set_tcp_defaults(settings.tcp_defaults);
        let stack = self.host.stack_mut();
        stack.tcp_set_offers(&settings.of_stack());
        stack.tcp_set_ecn(settings.tcp_ecn);
        stack.tcp_set_rules(settings.tcp_rules);
        if settings.forgets_paths {
            stack.tcp_forget_paths();
        }
    }

    /// The moment at which the clock stands.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// Microseconds since the script began.
    pub(crate) fn now_us(&self) -> i64 {
        self.since_start_us(self.now)
    }

    /// A moment on the script's scale.
    pub(crate) fn since_start_us(&self, at: Instant) -> i64 {
        i64::try_from(at.since(self.start).as_micros()).unwrap_or(i64::MAX)
    }

    /// A moment of the host's clock, in microseconds, on the script's scale.
    pub(crate) fn on_the_script(&self, us: i64) -> i64 {
        us - i64::try_from(self.start.micros()).unwrap_or(i64::MAX)
    }

    /// The moment so many microseconds after the script began.
    pub(crate) fn at_us(&self, us: i64) -> Instant {
        Instant::from_micros(START_US.saturating_add(u64::try_from(us).unwrap_or(0)))
    }

    /// Gives the host a packet. A segment with more than `mss` bytes is a super-segment of parts so large.
    pub fn inject(&mut self, bytes: &[u8], mss: Option<u16>) {
        let mut frame = ieum_wire::Packet::from_wire(bytes);
        if let Some(size_bytes) = mss
            && let Ok(packet) = packet::parse(bytes)
            && packet.tcp().is_some_and(|segment| segment.payload.len() > usize::from(size_bytes))
        {
            frame.gso = Some(Gso { kind: GsoKind::Tcp, size_bytes });
        }
        self.host.on_frame(self.now, self.link, frame);
        self.settle();
    }

    /// Lets the host say what it has to say now.
    pub fn settle(&mut self) {
        while let Some((link, frame)) = self.host.poll_frame(self.now) {
            if link != self.link {
                continue;
            }
            let (at, sniffed) = (self.now, &mut self.sniffed);
            let mut take = |frame: &ieum_wire::Packet| {
                sniffed.push_back(Sniffed { at, bytes: frame.bytes().to_vec() });
            };
            if self.whole {
                take(&frame);
            } else {
                segmentation::cut(&frame, |part| take(&part));
            }
        }
        while let Some(event) = self.host.poll_event() {
            if let Event::Readiness(id) = event {
                self.changed.push(id);
            }
        }
    }

    /// An event was handled.
    pub fn tick(&mut self) {
        self.now = Instant::from_micros(self.now.micros() + EVENT_US);
    }

    /// When the host wants to be woken.
    pub fn deadline(&self) -> Option<Instant> {
        self.host.deadline()
    }

    /// Goes to `to`, if it lies ahead, and no further than the next deadline; whether that was one. The deadline's work
    /// is done then.
    pub fn step(&mut self, to: Instant) -> bool {
        for _ in 0..TIMEOUTS_AT_ONCE_MAX {
            match self.deadline() {
                Some(deadline) if deadline <= to.max(self.now) => {
                    let ahead = deadline > self.now;
                    self.now = self.now.max(deadline);
                    self.host.on_deadline(self.now);
                    self.settle();
                    if ahead {
                        return true;
                    }
                }
                Some(_) | None => {
                    self.now = self.now.max(to);
                    return false;
                }
            }
        }
        panic!("the stack asks for the same moment again and again");
    }
}
