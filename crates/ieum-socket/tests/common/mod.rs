//! Hosts for tests: one alone, or two on one link, in virtual time.
#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(unreachable_pub, reason = "a module of tests has no outside")]

use std::net::SocketAddr;
use std::time::Duration;

use ieum_socket::{Connect, Errno, Event, Host, HostConfig, Readiness, SocketId};
use ieum_stack::{LinkConfig, LinkId};
use ieum_wire::Instant;

pub const STREAM: i32 = 1;
pub const DATAGRAM: i32 = 2;
pub const AF_INET: i32 = 2;
pub const AF_INET6: i32 = 10;

/// Two hosts, `a` 10.0.0.1/24 and fd00::1/64, `b` 10.0.0.2/24 and fd00::2/64. What `a` says to 127.0.0.1 stays in it.
pub struct World {
    pub now: Instant,
    pub a: Host,
    pub b: Host,
    a_link: LinkId,
    b_link: LinkId,
    /// Frames on the link get lost from now on.
    pub cut: bool,
}

pub fn host(seed: u8, hold_requests: bool) -> Host {
    Host::new(HostConfig { seed: [seed; 32], tcp_timestamps: true, hold_requests })
}

pub fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

impl World {
    pub fn new() -> World {
        World::with_requests(false)
    }

    /// `b` holds requests.
    pub fn with_requests(hold: bool) -> World {
        let (mut a, mut b) = (host(1, false), host(2, hold));
        let a_link = a.stack_mut().add_link(LinkConfig::in_process());
        let b_link = b.stack_mut().add_link(LinkConfig::in_process());
        a.stack_mut().add_address(a_link, "10.0.0.1/24".parse().unwrap());
        b.stack_mut().add_address(b_link, "10.0.0.2/24".parse().unwrap());
        a.stack_mut().add_address(a_link, "fd00::1/64".parse().unwrap());
        b.stack_mut().add_address(b_link, "fd00::2/64".parse().unwrap());
        World { now: Instant::from_micros(1_000_000), a, b, a_link, b_link, cut: false }
    }

    /// Passes frames until nobody has one, without letting time pass.
    pub fn settle(&mut self) {
        for _ in 0..100_000 {
            let mut moved = false;
            while let Some((link, frame)) = self.a.poll_frame(self.now) {
                assert_eq!(link, self.a_link);
                moved = true;
                if !self.cut {
                    self.b.on_frame(self.now, self.b_link, frame);
                }
            }
            while let Some((link, frame)) = self.b.poll_frame(self.now) {
                assert_eq!(link, self.b_link);
                moved = true;
                if !self.cut {
                    self.a.on_frame(self.now, self.a_link, frame);
                }
            }
            if !moved {
                self.a.check();
                self.b.check();
                return;
            }
        }
        panic!("the hosts never fall silent");
    }

    /// Lets time pass, timer by timer.
    pub fn pass(&mut self, duration: Duration) {
        let end = self.now + duration;
        self.settle();
        for _ in 0..100_000 {
            let next = [self.a.deadline(), self.b.deadline()].into_iter().flatten().min();
            let Some(next) = next.filter(|next| *next <= end) else { break };
            self.now = self.now.max(next);
            self.a.on_deadline(self.now);
            self.b.on_deadline(self.now);
            self.settle();
        }
        self.now = end;
    }

    /// A listening socket of `b`.
    pub fn listener(&mut self, address: &str) -> SocketId {
        let id = self.b.socket(2, STREAM, 0).unwrap();
        self.b.bind(id, at(address)).unwrap();
        self.b.listen(id, 16).unwrap();
        id
    }

    /// An established pair: of `a` and of `b`.
    pub fn pair(&mut self) -> (SocketId, SocketId) {
        let listener = self.listener("10.0.0.2:0");
        let address = self.b.local_address(listener).unwrap();
        let client = self.a.socket(2, STREAM, 0).unwrap();
        assert_eq!(self.a.connect(self.now, client, Some(address)), Ok(Connect::InProgress));
        self.settle();
        let (server, from) = self.b.accept(listener).unwrap();
        assert_eq!(Ok(from), self.a.local_address(client));
        assert_eq!(self.a.connect(self.now, client, Some(address)), Ok(Connect::Done));
        self.b.close(self.now, listener);
        self.settle();
        while self.a.poll_event().is_some() || self.b.poll_event().is_some() {}
        (client, server)
    }

    /// A stream of `a` whose attempt to connect was refused; nobody has been told.
    pub fn refused(&mut self) -> SocketId {
        let client = self.a.socket(2, STREAM, 0).unwrap();
        assert_eq!(self.a.connect(self.now, client, Some(at("10.0.0.2:9"))), Ok(Connect::InProgress));
        self.settle();
        client
    }
}

/// What a host has to tell.
pub fn events(host: &mut Host) -> Vec<Event> {
    std::iter::from_fn(|| host.poll_event()).collect()
}

/// Everything that can be read, cut at `max`.
pub fn read(host: &mut Host, now: Instant, id: SocketId, max: usize) -> Result<Vec<u8>, Errno> {
    let mut bytes = vec![0; max];
    let count = host.recv(now, id, &mut bytes, false)?;
    bytes.truncate(count);
    Ok(bytes)
}

/// Readiness as `poll(2)` would name it.
pub fn poll(host: &Host, id: SocketId) -> String {
    let Readiness { readable, writable, read_hangup, hangup, error, .. } = host.readiness(id);
    let names =
        [(readable, "IN"), (writable, "OUT"), (error, "ERR"), (hangup, "HUP"), (read_hangup, "RDHUP")];
    names.into_iter().filter(|(set, _)| *set).map(|(_, name)| name).collect::<Vec<_>>().join("|")
}
