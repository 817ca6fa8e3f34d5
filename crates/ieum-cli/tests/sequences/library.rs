//! The same calls on two hosts of the library, in virtual time: what a call sends has arrived when the next one is made.

use std::net::{IpAddr, SocketAddr};

use ieum_socket::sockaddr::encode;
use ieum_socket::{
    Connect, Errno, Event, Host, HostConfig, How, Progress, Reading, Received, SocketId, Wait, Writing,
};
use ieum_stack::{LinkConfig, LinkId};
use ieum_wire::Instant;

use super::call::{At, Call, OPTIONS, Recv, SOCKETS, To, Verb, slot, text};

/// Ports from here on are chosen by the system.
const FIRST_CHOSEN: u16 = 32768;

/// Both hosts and the sockets of a sequence.
pub(crate) struct Library {
    now: Instant,
    hosts: [Host; 2],
    links: [LinkId; 2],
    slots: [Option<SocketId>; SOCKETS],
}

type Told = Result<String, Errno>;

impl Library {
    pub(crate) fn new() -> Library {
        let host = |seed: u8, four: &str, six: &str| {
            let mut host =
                Host::new(HostConfig { seed: [seed; 32], tcp_timestamps: true, hold_requests: false });
            let stack = host.stack_mut();
            let link = stack.add_link(LinkConfig::in_process());
            stack.add_address(link, four.parse().expect("an address"));
            stack.add_address(link, six.parse().expect("an address"));
            (host, link)
        };
        let (one, one_link) = host(1, "10.77.0.2/24", "fd77::2/64");
        let (other, other_link) = host(2, "10.77.0.3/24", "fd77::3/64");
        Library {
            now: Instant::from_micros(1_000_000),
            hosts: [one, other],
            links: [one_link, other_link],
            slots: [None; SOCKETS],
        }
    }

    /// Makes the calls, with the ports that begin at `base`; what each returned.
    pub(crate) fn play(&mut self, calls: &[Call], base: u16) -> Vec<String> {
        let told = calls.iter().enumerate().map(|(number, call)| {
            let told = self.call(call, base, number);
            self.settle();
            told.unwrap_or_else(|errno| {
                errno.name().map_or_else(|| format!("errno {}", errno.0), str::to_owned)
            })
        });
        told.collect()
    }

    fn call(&mut self, call: &Call, base: u16, number: usize) -> Told {
        let (now, at) = (self.now, call.at());
        let host = &mut self.hosts[usize::from(at == At::Other)];
        if let Verb::Socket { six, stream } = call.verb {
            let family = if six { libc::AF_INET6 } else { libc::AF_INET };
            let id = host.socket(family, if stream { libc::SOCK_STREAM } else { libc::SOCK_DGRAM }, 0)?;
            self.put(call.socket, id);
            return Ok("0".to_owned());
        }
        let id = self.slots[call.socket].ok_or(Errno::EBADF)?;
        let fill = u8::try_from(number % 250 + 1).expect("a byte");
        let address = |to: To, port: u16| {
            let ip: IpAddr = text(at, to).parse().expect("an address");
            SocketAddr::new(ip, if port == 0 { 0 } else { base + port })
        };
        let done = |result: Result<(), Errno>| result.map(|()| "0".to_owned());
        match call.verb {
            Verb::Socket { .. } => unreachable!("made above"),
            Verb::Bind { to, port } => done(host.bind(id, address(to, port))),
            Verb::Listen { backlog } => done(host.listen(id, backlog)),
            Verb::Accept { into } => {
                let (accepted, from) = host.accept(id)?;
                self.put(call.socket - slot(call.socket) + slot(into), accepted);
                Ok(format!("from {}", shown(from)))
            }
            Verb::Connect { to, port } => match host.connect(now, id, Some(address(to, port)))? {
                Connect::Done => Ok("0".to_owned()),
                Connect::InProgress => Ok("EINPROGRESS".to_owned()),
            },
            Verb::Disconnect => host.connect(now, id, None).map(|_| "0".to_owned()),
            Verb::Send { len } => send(host, now, id, &vec![fill; len], None),
            Verb::SendTo { to, port, len } => {
                let to = host.destination_named(id, &encode(address(to, port)), FLAGS)?;
                send(host, now, id, &vec![fill; len], to)
            }
            Verb::Recv { len, how } => receive(host, now, id, len, how, false),
            Verb::RecvFrom { len, how } => receive(host, now, id, len, how, true),
            Verb::Shutdown { how } => {
                done(host.shutdown(now, id, [How::Read, How::Write, How::Both][how.unsigned_abs() as usize]))
            }
            Verb::Close => {
                host.close(now, id);
                self.slots[call.socket] = None;
                Ok("0".to_owned())
            }
            Verb::Reset => {
                let _ =
                    host.set_option(now, id, libc::SOL_SOCKET, libc::SO_LINGER, &[1, 0, 0, 0, 0, 0, 0, 0]);
                host.close(now, id);
                self.slots[call.socket] = None;
                Ok("0".to_owned())
            }
            Verb::Set { option, value } => {
                let (level, name) = OPTIONS[option];
                done(host.set_option(now, id, level, name, &value.to_ne_bytes()))
            }
            Verb::Get { option } => {
                let (level, name) = OPTIONS[option];
                let value = host.option(id, level, name)?;
                let value =
                    value.get(..4).and_then(|value| value.try_into().ok()).map_or(0, i32::from_ne_bytes);
                Ok(value.to_string())
            }
            Verb::Error => {
                Ok(host.take_error(id).map_or("0", |errno| errno.name().unwrap_or("?")).to_owned())
            }
            Verb::Name => host.local_address(id).map(shown),
            Verb::Peer => host.remote_address(id).map(shown),
            Verb::Poll => {
                let seen = libc::POLLIN | libc::POLLOUT | libc::POLLRDHUP | libc::POLLERR | libc::POLLHUP;
                Ok(format!("{:x}", host.readiness(id).events() & u32::from(seen.unsigned_abs())))
            }
            Verb::Waiting => host.ioctl(id, libc::FIONREAD).map(|count| count.to_string()),
        }
    }

    fn put(&mut self, socket: usize, id: SocketId) {
        if let Some(before) = self.slots[socket].replace(id) {
            self.hosts[socket / (SOCKETS / 2)].close(self.now, before);
        }
    }

    /// Passes packets until there are none; nobody looks at events.
    fn settle(&mut self) {
        let mut moved = true;
        while std::mem::take(&mut moved) {
            for from in [0, 1] {
                while let Some((_, frame)) = self.hosts[from].poll_frame(self.now) {
                    moved = true;
                    self.hosts[1 - from].on_frame(self.now, self.links[1 - from], frame);
                }
                while let Some(Event::Readiness(_) | Event::Request(..) | Event::Serving { .. }) =
                    self.hosts[from].poll_event()
                {}
            }
        }
    }
}

/// Of calls that send.
const FLAGS: i32 = libc::MSG_NOSIGNAL;

fn send(host: &mut Host, now: Instant, id: SocketId, bytes: &[u8], to: Option<SocketAddr>) -> Told {
    let writing = Writing { bytes, flags: FLAGS, to, control: &[], blocks: false };
    at_once(host.send_waiting(now, id, &writing, &mut Wait::default())).map(|count| count.to_string())
}

fn receive(host: &mut Host, now: Instant, id: SocketId, len: usize, how: Recv, names: bool) -> Told {
    let flags = match how {
        Recv::Plain => 0,
        Recv::Peek => libc::MSG_PEEK,
        Recv::Trunc => libc::MSG_TRUNC,
        Recv::WaitAll => libc::MSG_WAITALL,
    };
    let reading = Reading { bytes: len, flags, into: true, blocks: false };
    let mut received = Received::default();
    let count = at_once(host.recv_waiting(now, id, &reading, &mut Wait::default(), &mut received))?;
    let from = received.source.filter(|_| names);
    let from = from.map_or_else(String::new, |from| format!(" from {}", shown(from)));
    Ok(match (received.bytes.first(), received.bytes.last()) {
        (Some(first), Some(last)) if how != Recv::Trunc => format!("{count} {first}..{last}{from}"),
        _ => format!("{count}{from}"),
    })
}

/// What a call says that does not wait.
fn at_once<T>(progress: Progress<T>) -> Result<T, Errno> {
    progress.expect("a descriptor that does not block is answered")
}

fn shown(address: SocketAddr) -> String {
    match address.port() {
        FIRST_CHOSEN.. => format!("{} some", address.ip()),
        port => format!("{} {port}", address.ip()),
    }
}
