//! A TCP connection between sockets of two hosts on which both sides send a pattern and check what they receive,
//! bytes and order.
//!
//! Each side ends its direction when it has sent everything and closes when it has also received everything. The
//! exchange is over when both have closed; [`crate::World::run`] bounds how long that may take.

use std::net::SocketAddr;

use ieum_socket::{Connect, Errno, Host, How, SocketId};
use ieum_stack::Status;
use ieum_wire::Instant;

use crate::node::NodeId;
use crate::pattern::Pattern;
use crate::world::World;

/// Which doors move the bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Doors {
    /// `send` and `recv`.
    Copying,
    /// `send_space`/`commit` and `recv_chunks`/`consume`.
    InPlace,
}

/// One side of an exchange.
#[derive(Clone, Debug)]
struct Side {
    node: NodeId,
    /// Its socket, once there is one.
    socket: Option<SocketId>,
    doors: Doors,
    outgoing: Pattern,
    incoming: Pattern,
    /// How many bytes either side sends in all.
    bytes: u64,
    sent: u64,
    received: u64,
    closed: bool,
    /// Where bytes are made and compared.
    buffer: Vec<u8>,
}

/// Both sides, and the socket by which the second is found.
#[derive(Clone, Debug)]
pub struct Exchange {
    client: Side,
    server: Side,
    listener: SocketId,
}

/// How many bytes a side offers or takes in one call.
const CHUNK_BYTES: usize = 32 * 1024;

/// A stream socket for an address of that family (socket(2)).
fn stream(host: &mut Host, address: SocketAddr) -> SocketId {
    const AF_INET: i32 = 2;
    const AF_INET6: i32 = 10;
    const SOCK_STREAM: i32 = 1;
    let domain = if address.is_ipv4() { AF_INET } else { AF_INET6 };
    host.socket(domain, SOCK_STREAM, 0).expect("streams are served")
}

impl Exchange {
    /// `server` listens at `address`, and `client` connects to it. Each sends `bytes` to the other.
    ///
    /// # Panics
    ///
    /// When the address cannot be bound or reached: the world is set up wrongly.
    pub fn begin(
        world: &mut World<Host>,
        client: NodeId,
        server: NodeId,
        address: SocketAddr,
        bytes: u64,
        doors: Doors,
    ) -> Exchange {
        let now = world.now();
        let host = world.node_mut(server);
        let listener = stream(host, address);
        host.bind(listener, address).expect("the server's address can be bound");
        host.listen(listener, 8).expect("nobody else listens there");
        let host = world.node_mut(client);
        let socket = stream(host, address);
        let connecting = host.connect(now, socket, Some(address));
        assert_eq!(connecting, Ok(Connect::InProgress), "the client has a route to the server");
        let (there, back) = (Pattern::new(0x00c0_ffee), Pattern::new(0x7ea));
        let side = |node, socket, outgoing, incoming| Side {
            node,
            socket,
            doors,
            outgoing,
            incoming,
            bytes,
            sent: 0,
            received: 0,
            closed: false,
            buffer: vec![0; CHUNK_BYTES],
        };
        Exchange {
            client: side(client, Some(socket), there, back),
            server: side(server, None, back, there),
            listener,
        }
    }

    /// Both sides do what they can now; `true` when both have closed.
    ///
    /// # Panics
    ///
    /// When a byte is not the one that was sent, or the connection failed.
    pub fn pump(&mut self, world: &mut World<Host>) -> bool {
        for node in [self.client.node, self.server.node] {
            while world.node_mut(node).poll_event().is_some() {}
        }
        if self.server.socket.is_none() {
            let accepted = world.node_mut(self.server.node).accept(self.listener);
            self.server.socket = unless_again(accepted).map(|(socket, _)| socket);
        }
        // Both every time, even where the first is not done yet.
        self.client.pump(world) & self.server.pump(world)
    }

    /// The server ceases to listen.
    pub fn end(self, world: &mut World<Host>) {
        let now = world.now();
        world.node_mut(self.server.node).close(now, self.listener);
    }

    /// Bytes received by both sides so far.
    pub fn received(&self) -> u64 {
        self.client.received + self.server.received
    }

    /// How the client's connection and the server's stand, as long as they are there.
    pub fn status(&self, world: &World<Host>) -> [Option<Status>; 2] {
        [&self.client, &self.server].map(|side| world.node(side.node).status(side.socket?))
    }
}

impl Side {
    fn pump(&mut self, world: &mut World<Host>) -> bool {
        let Some(id) = self.socket else { return false };
        if !self.closed {
            let now = world.now();
            let host = world.node_mut(self.node);
            let ready = host.readiness(id);
            if ready.writable {
                self.send(host, now, id);
            }
            let ended = ready.readable && self.receive(host, now, id);
            if ended {
                assert_eq!(self.received, self.bytes, "the stream ends where its sender ended it");
            }
            if ended && self.sent == self.bytes {
                host.close(now, id);
                self.closed = true;
            }
        }
        self.closed
    }

    fn send(&mut self, host: &mut Host, now: Instant, id: SocketId) {
        while self.sent < self.bytes {
            let left = usize::try_from(self.bytes - self.sent).unwrap_or(usize::MAX);
            let offered = left.min(CHUNK_BYTES);
            let taken = match self.doors {
                Doors::Copying => {
                    let bytes = &mut self.buffer[..offered];
                    self.outgoing.fill(self.sent, bytes);
                    unless_again(host.send(now, id, bytes)).unwrap_or(0)
                }
                Doors::InPlace => {
                    let mut filled = 0;
                    for mut chunk in host.send_space(id, offered) {
                        self.outgoing.fill(self.sent + to_u64(filled), &mut chunk);
                        filled += chunk.len();
                    }
                    assert!(filled <= offered, "no more room is given than was asked for");
                    host.commit(now, id, filled);
                    filled
                }
            };
            self.sent += to_u64(taken);
            if taken == 0 {
                return;
            }
            if self.sent == self.bytes {
                host.shutdown(now, id, How::Write).expect("a connected socket can be shut down");
            }
        }
    }

    /// Takes what has arrived; `true` at the end of the stream.
    fn receive(&mut self, host: &mut Host, now: Instant, id: SocketId) -> bool {
        loop {
            if self.doors == Doors::InPlace {
                let mut count = 0;
                for chunk in host.recv_chunks(id) {
                    self.check(count, &chunk);
                    count += chunk.len();
                }
                host.consume(now, id, count);
                self.received += to_u64(count);
            }
            match unless_again(host.recv(now, id, &mut self.buffer, false)) {
                None => return false,
                Some(0) => return true,
                Some(count) => {
                    self.check(0, &self.buffer[..count]);
                    self.received += to_u64(count);
                }
            }
        }
    }

    fn check(&self, ahead: usize, bytes: &[u8]) {
        let differs = self.incoming.differs(self.received + to_u64(ahead), bytes);
        assert_eq!(differs, None, "byte {differs:?} is not the one that was sent");
    }
}

/// `None` when the call is to be made again later; any other error ends the test.
fn unless_again<T>(outcome: Result<T, Errno>) -> Option<T> {
    match outcome {
        Ok(value) => Some(value),
        Err(Errno::EAGAIN) => None,
        Err(errno) => panic!("the connection survives every fault, but a call gave {errno:?}"),
    }
}

fn to_u64(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
