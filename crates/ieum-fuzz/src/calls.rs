//! Calls of a program: addresses as it writes them, in any order, on a host of its own.
//!
//! The bytes of each address go the way of a system call's: decoded for the socket's domain, then given to the host.
//! What must hold: nothing panics, every invariant after each call, and what a call names can be asked for.

use std::net::SocketAddr;

use arbitrary::{Arbitrary, Unstructured};
use ieum_run::decode_address;
use ieum_socket::{Host, HostConfig, How, SocketId};
use ieum_wire::Instant;

/// One call. Sockets are named by their place among those that are open.
#[derive(Arbitrary, Debug)]
enum Call<'a> {
    Socket { domain: u8, kind: u8, protocol: u16 },
    Bind(u8, &'a [u8]),
    Connect(u8, &'a [u8]),
    Listen(u8, i16),
    Accept(u8),
    Send(u8, u16),
    SendTo(u8, &'a [u8], u16),
    Receive(u8, u16, bool),
    Option(u8, u8, u8),
    SetOption(u8, u8, u8, &'a [u8]),
    Shutdown(u8, u8),
    Names(u8),
    Close(u8),
    Wait(u16),
}

/// Calls of one input beyond which nothing new is learnt.
const CALLS_MAX: usize = 300;

/// Runs one input to its end.
///
/// # Panics
///
/// When the host breaks an invariant: that is what a fuzzer looks for.
pub fn calls(input: &[u8]) {
    let mut input = Unstructured::new(input);
    let config = HostConfig { seed: [3; 32], tcp_timestamps: true, hold_requests: false };
    let mut program = Program { host: Host::new(config), now: Instant::from_micros(1), sockets: Vec::new() };
    for _ in 0..CALLS_MAX {
        if input.is_empty() {
            break;
        }
        let Ok(call) = Call::arbitrary(&mut input) else { break };
        program.call(&call);
        program.settle();
    }
    for id in std::mem::take(&mut program.sockets) {
        program.host.close(program.now, id);
        program.settle();
    }
}

struct Program {
    host: Host,
    now: Instant,
    sockets: Vec<SocketId>,
}

impl Program {
    fn at(&self, place: u8) -> Option<SocketId> {
        self.sockets.get(usize::from(place) % self.sockets.len().max(1)).copied()
    }

    /// What the host's sockets say to each other arrives, and everything holds.
    fn settle(&mut self) {
        while self.host.poll_frame(self.now).is_some() {}
        while self.host.poll_event().is_some() {}
        self.host.check();
        self.host.stack().check();
        let _ = self.host.sockets();
    }

    /// The address of a call, for a socket; `Some(None)` is AF_UNSPEC.
    fn address(&self, id: SocketId, bytes: &[u8], purpose: usize) -> Option<Option<SocketAddr>> {
        let domain = self.host.domain(id)?.number();
        decode_address(&bytes[..bytes.len().min(128)], domain).get(purpose).copied()?.ok()
    }

    fn call(&mut self, call: &Call<'_>) {
        const LEVELS: [i32; 5] = [0, 1, 6, 41, 255];
        let now = self.now;
        match *call {
            Call::Socket { domain, kind, protocol } => {
                let made = self.host.socket(domain.into(), kind.into(), protocol.into());
                self.sockets.extend(made.ok());
            }
            Call::Wait(milliseconds) => {
                self.now += std::time::Duration::from_millis(milliseconds.into());
                self.host.on_deadline(self.now);
            }
            Call::Bind(place, bytes) => {
                let Some(id) = self.at(place) else { return };
                if let Some(Some(address)) = self.address(id, bytes, 0) {
                    let _ = self.host.bind(id, address);
                }
            }
            Call::Connect(place, bytes) => {
                let Some(id) = self.at(place) else { return };
                if let Some(address) = self.address(id, bytes, 1) {
                    let _ = self.host.connect(now, id, address);
                }
            }
            Call::SendTo(place, bytes, count) => {
                let Some(id) = self.at(place) else { return };
                let to = self.address(id, bytes, 3).flatten();
                let _ = self.host.send_to(now, id, &vec![1; count.into()], to);
            }
            Call::Accept(place) => {
                let accepted = self.at(place).and_then(|id| self.host.accept(id).ok());
                self.sockets.extend(accepted.map(|(id, _)| id));
            }
            Call::Close(place) => {
                if let Some(id) = self.at(place) {
                    self.sockets.retain(|other| *other != id);
                    self.host.close(now, id);
                }
            }
            Call::Listen(place, backlog) => {
                let _ = self.at(place).map(|id| self.host.listen(id, backlog.into()));
            }
            Call::Send(place, count) => {
                let _ = self.at(place).map(|id| self.host.send(now, id, &vec![1; count.into()]));
            }
            Call::Receive(place, count, peek) => {
                let mut into = vec![0; count.into()];
                let _ = self.at(place).map(|id| self.host.recv(now, id, &mut into, peek));
                let _ = self.at(place).map(|id| self.host.recv_from(now, id, peek));
            }
            Call::Option(place, level, name) => {
                let level = LEVELS[usize::from(level) % LEVELS.len()];
                let _ = self.at(place).map(|id| self.host.option(id, level, name.into()));
            }
            Call::SetOption(place, level, name, value) => {
                let level = LEVELS[usize::from(level) % LEVELS.len()];
                let _ = self.at(place).map(|id| self.host.set_option(now, id, level, name.into(), value));
            }
            Call::Shutdown(place, how) => {
                let hows = [How::Read, How::Write, How::Both];
                let how = hows[usize::from(how) % hows.len()];
                let _ = self.at(place).map(|id| self.host.shutdown(now, id, how));
            }
            Call::Names(place) => {
                if let Some(id) = self.at(place) {
                    assert!(self.host.local_address(id).is_ok(), "an open socket has a name, be it nobody's");
                    let _ = self.host.remote_address(id);
                    let _ = self.host.readiness(id);
                }
            }
        }
    }
}
