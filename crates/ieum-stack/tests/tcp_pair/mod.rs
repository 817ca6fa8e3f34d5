//! Two stacks joined by a link without faults, in virtual time.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(dead_code, reason = "each test file uses its part")]

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ieum_stack::{
    BindRequest, ConnectionId, Event, Info, LinkConfig, LinkId, ListenerId, Stack, StackConfig, Status,
    TcpSettings,
};
use ieum_wire::{Instant, Packet, ip, tcp};

/// How long a packet is under way.
pub(crate) const DELAY: Duration = Duration::from_millis(1);

/// One of the two.
pub(crate) struct End {
    pub(crate) stack: Stack,
    pub(crate) link: LinkId,
    pub(crate) address: IpAddr,
    pub(crate) events: Vec<Event>,
}

/// What crossed the link: when, from which end (0 or 1), and the packet.
pub(crate) type Crossed = (Instant, usize, Packet);

/// Is this packet, from that end, lost?
pub(crate) type Lose = dyn FnMut(usize, &Packet) -> bool;

pub(crate) struct Pair {
    pub(crate) now: Instant,
    pub(crate) ends: [End; 2],
    under_way: VecDeque<Crossed>,
    pub(crate) crossed: Vec<Crossed>,
    /// Packets for which this says so are lost.
    pub(crate) lose: Box<Lose>,
}

impl Pair {
    pub(crate) fn new(timestamps: bool) -> Pair {
        Pair::with(|config| config.tcp_timestamps = timestamps)
    }

    pub(crate) fn with(change: impl Fn(&mut StackConfig)) -> Pair {
        Pair::over(LinkConfig::in_process(), |number| IpAddr::from([10, 77, 0, number]), change)
    }

    /// Two that speak IPv6 over that link.
    pub(crate) fn of_ip6(link: LinkConfig) -> Pair {
        Pair::over(link, |number| IpAddr::from([0xfd77, 0, 0, 0, 0, 0, 0, number.into()]), |_| ())
    }

    fn over(
        link_config: LinkConfig,
        address: impl Fn(u8) -> IpAddr,
        change: impl Fn(&mut StackConfig),
    ) -> Pair {
        let end = |number: u8| {
            let mut config = StackConfig::new([number; 32]);
            change(&mut config);
            let mut stack = Stack::new(config);
            let link = stack.add_link(link_config);
            let address = address(number);
            stack.add_address(link, format!("{address}/24").parse().unwrap());
            End { stack, link, address, events: Vec::new() }
        };
        Pair {
            now: Instant::from_micros(1_000_000),
            ends: [end(1), end(2)],
            under_way: VecDeque::new(),
            crossed: Vec::new(),
            lose: Box::new(|_, _| false),
        }
    }

    fn collect(&mut self) {
        for (number, end) in self.ends.iter_mut().enumerate() {
            while let Some((_, packet)) = end.stack.poll_frame(self.now) {
                self.crossed.push((self.now, number, packet.clone()));
                if !(self.lose)(number, &packet) {
                    self.under_way.push_back((self.now + DELAY, number, packet));
                }
            }
            end.stack.check();
            while let Some(event) = end.stack.poll_event() {
                end.events.push(event);
            }
        }
    }

    /// Goes to the next moment at which something happens, if that is before `until`. False when nothing is left.
    pub(crate) fn step(&mut self, until: Instant) -> bool {
        self.collect();
        let arrival = self.under_way.front().map(|(at, _, _)| *at);
        let deadlines = self.ends.iter().filter_map(|end| end.stack.deadline());
        let Some(next) = deadlines.chain(arrival).min() else { return false };
        if next > until {
            self.now = until;
            return false;
        }
        self.now = self.now.max(next);
        while let Some((at, from, _)) = self.under_way.front() {
            if *at > self.now {
                break;
            }
            let to = &mut self.ends[1 - from];
            let (_, _, packet) = self.under_way.pop_front().unwrap();
            to.stack.on_frame(self.now, to.link, packet);
        }
        for end in &mut self.ends {
            end.stack.on_deadline(self.now);
        }
        self.collect();
        true
    }

    /// Runs for `duration` of virtual time.
    pub(crate) fn run(&mut self, duration: Duration) {
        let until = self.now + duration;
        while self.step(until) {}
        self.now = until;
    }

    /// Sends a packet from outside into an end, at once.
    pub(crate) fn inject(&mut self, to: usize, packet: Packet) {
        let end = &mut self.ends[to];
        end.stack.on_frame(self.now, end.link, packet);
        self.collect();
    }

    pub(crate) fn listen(&mut self, at: usize, port: u16, backlog: u32, held: bool) -> ListenerId {
        let address = "::".parse().unwrap();
        let request = BindRequest { reuse_address: true, ..BindRequest::new(address, port) };
        let binding = self.ends[at].stack.tcp_bind(request).unwrap();
        self.ends[at].stack.tcp_listen(binding, backlog, held, TcpSettings::default()).unwrap()
    }

    pub(crate) fn connect(&mut self, from: usize, port: u16) -> ConnectionId {
        let remote = SocketAddr::new(self.ends[1 - from].address, port);
        self.ends[from].stack.tcp_connect(self.now, None, remote, TcpSettings::default()).unwrap()
    }

    /// An established connection: end 0 connected, end 1 accepted.
    pub(crate) fn established(&mut self) -> (ConnectionId, ConnectionId) {
        let listener = self.listen(1, 80, 5, false);
        let client = self.connect(0, 80);
        self.run(Duration::from_millis(10));
        let server = self.ends[1].stack.tcp_accept(listener).expect("the handshake has ended");
        (client, server)
    }

    pub(crate) fn status(&self, at: usize, id: ConnectionId) -> Status {
        self.ends[at].stack.tcp_status(id).expect("the connection is held")
    }

    pub(crate) fn info(&self, at: usize, id: ConnectionId) -> Info {
        self.ends[at].stack.tcp_info(self.now, id).expect("the connection is held").1
    }

    pub(crate) fn send(&mut self, at: usize, id: ConnectionId, bytes: &[u8]) -> usize {
        self.ends[at].stack.tcp_send(self.now, id, bytes)
    }

    pub(crate) fn recv(&mut self, at: usize, id: ConnectionId) -> Vec<u8> {
        let mut bytes = vec![0; 1 << 20];
        let count = self.ends[at].stack.tcp_recv(self.now, id, &mut bytes, false);
        bytes.truncate(count);
        bytes
    }

    /// The segments that crossed from an end: header and payload length.
    pub(crate) fn segments(&self, from: usize) -> Vec<(tcp::Header, usize)> {
        let from_there = self.crossed.iter().filter(|(_, number, _)| *number == from);
        from_there.map(|(_, _, packet)| segment(packet)).collect()
    }
}

/// The TCP header of a packet and the length of its payload.
pub(crate) fn segment(packet: &Packet) -> (tcp::Header, usize) {
    let parsed = ip::parse(packet.bytes()).unwrap();
    let (header, payload) =
        tcp::Header::parse(&packet.bytes()[parsed.header_bytes..parsed.total_bytes]).unwrap();
    (header, payload.len())
}

/// Bytes that differ from place to place.
pub(crate) fn pattern(count: usize) -> Vec<u8> {
    let low = (0..=250u8).cycle();
    let high = (0..=255u8).flat_map(|byte| std::iter::repeat_n(byte, 65_537));
    low.zip(high).map(|(low, high)| low ^ high).take(count).collect()
}
