//! A small protocol in virtual time: two hosts as data, no thread, no clock, a wire that loses every seventh packet. The same
//! seed gives the same packets to the last byte, an hour passes in a moment, and nothing is ever waited for.
//!
//! The protocol: the client sends numbers, the server answers each with its square.

use std::time::Duration;

use ieum::sockets::{Errno, Host, HostConfig, SocketId};
use ieum::stack::{LinkConfig, LinkId};
use ieum::wire::{Instant, Packet};

const QUESTIONS: u32 = 2000;
const ONE_WAY: Duration = Duration::from_millis(30);

/// Two hosts and the wire between them.
struct World {
    now: Instant,
    hosts: [Host; 2],
    links: [LinkId; 2],
    /// What is on its way: when it arrives, and where.
    wire: Vec<(Instant, usize, Packet)>,
    sent: u64,
    /// Of all that was sent: so two runs can be compared.
    digest: u64,
}

impl World {
    fn new(seed: u8) -> World {
        let mut hosts = [seed, seed ^ 0xff].map(|seed| {
            Host::new(HostConfig { seed: [seed; 32], tcp_timestamps: true, hold_requests: false })
        });
        let links = [0, 1].map(|number| {
            let stack = hosts[number].stack_mut();
            let link = stack.add_link(LinkConfig::wire(1500));
            stack.add_address(link, format!("10.1.0.{}/24", number + 1).parse().expect("an address"));
            link
        });
        World { now: Instant::ZERO, hosts, links, wire: Vec::new(), sent: 0, digest: 0xcbf2_9ce4_8422_2325 }
    }

    /// What the hosts have to send is put on the wire, and time goes on to the next thing that happens.
    fn step(&mut self) {
        for from in [0, 1] {
            while let Some((_, packet)) = self.hosts[from].poll_frame(self.now) {
                self.sent += 1;
                for byte in packet.bytes() {
                    self.digest = (self.digest ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
                }
                if !self.sent.is_multiple_of(7) {
                    self.wire.push((self.now + ONE_WAY, 1 - from, packet));
                }
            }
            while self.hosts[from].poll_event().is_some() {}
        }
        let arrivals = self.wire.iter().map(|(at, ..)| *at);
        let alarms = self.hosts.iter().filter_map(Host::deadline);
        let Some(next) = arrivals.chain(alarms).min() else { return };
        self.now = self.now.max(next);
        for (_, to, packet) in self.wire.extract_if(.., |(at, ..)| *at <= self.now) {
            self.hosts[to].on_frame(self.now, self.links[to], packet);
        }
        self.hosts.iter_mut().for_each(|host| host.on_deadline(self.now));
    }

    /// Reads a number, stepping until it is there.
    fn number(&mut self, host: usize, socket: SocketId) -> u32 {
        let mut bytes = [0; 4];
        let mut filled = 0;
        while filled < bytes.len() {
            match self.hosts[host].recv(self.now, socket, &mut bytes[filled..], false) {
                Ok(count) => filled += count,
                Err(Errno::EAGAIN) => self.step(),
                Err(errno) => panic!("the connection ended: {errno}"),
            }
        }
        u32::from_be_bytes(bytes)
    }
}

/// A whole run: how long it took in virtual time, how many packets were sent, and the digest of them all.
fn run(seed: u8) -> Result<(Duration, u64, u64), Errno> {
    let mut world = World::new(seed);
    let listener = world.hosts[0].socket(2, 1, 0)?;
    world.hosts[0].bind(listener, "10.1.0.1:9".parse().expect("an address"))?;
    world.hosts[0].listen(listener, 1)?;
    let client = world.hosts[1].socket(2, 1, 0)?;
    world.hosts[1].connect(world.now, client, Some("10.1.0.1:9".parse().expect("an address")))?;
    let server = loop {
        match world.hosts[0].accept(listener) {
            Ok((server, _)) => break server,
            Err(Errno::EAGAIN) => world.step(),
            Err(errno) => return Err(errno),
        }
    };
    for number in 0..QUESTIONS {
        world.hosts[1].send(world.now, client, &number.to_be_bytes())?;
        let asked = world.number(0, server);
        world.hosts[0].send(world.now, server, &(asked * asked).to_be_bytes())?;
        assert_eq!(world.number(1, client), number * number);
    }
    Ok((world.now.since(Instant::ZERO), world.sent, world.digest))
}

pub(crate) fn main() {
    let first = run(1).expect("no call fails");
    let (passed, packets, digest) = first;
    println!(
        "{QUESTIONS} questions took {} s of virtual time and {packets} packets, digest {digest:016x}",
        passed.as_secs()
    );
    assert!(passed > ONE_WAY * 2 * QUESTIONS, "nothing is faster than its wire");
    assert_eq!(run(1), Ok(first), "the same seed gives the same packets");
    assert_ne!(run(2).map(|(_, _, digest)| digest), Ok(digest), "another one gives others");
}
