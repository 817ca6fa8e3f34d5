//! Datagram sockets of the kernel, in a network namespace that leads to this host alone.
//!
//! # Theory of operation
//!
//! Carriers of datagrams cost a notified call for each datagram that bears an address. Where the machine allows user namespaces
//! there is a faster way: a *helper*, a process of ours in a user and network namespace of its own, makes UDP sockets of
//! the kernel, and the program gets those. Its calls that move datagrams are then the kernel's own.
//!
//! ```text
//!   program ── send, recv ──▶ kernel's UDP, in the namespace ── TUN or veth, one for each link ──▶ DeviceRoom ══ shadow ══ Host
//!      │                           ▲ makes sockets                                                                  │ by its routes
//!      └── control calls ──▶ Runner │                                                                               ▼
//!                              └─── helper ◀── orders, descriptors (SCM_RIGHTS)                            its links, as ever
//! ```
//!
//! The namespace has the host's addresses, its routes, its interfaces' numbers and names; the host hands datagrams over
//! (`ieum_stack::Stack::delegate_datagrams`) and sends on what comes back. What the namespace can reach is the host.
//!
//! # Invariants
//!
//! 1. A socket is known to be of the namespace by the kernel's word for it (SO_NETNS_COOKIE), asked each time: no table can be
//!    out of date.
//! 2. A control call on such a socket is made by us on a momentary copy, with arguments that were read once, and only where
//!    it is among those that are served: the kernel would obey us in more than it obeys a program.
//! 3. The helper ends when this process does, however it ends: it holds the other end of a channel. It keeps no capability.
//! 4. No program gets a socket of netlink of the namespace: the kernel would take the word of the program's user, who owns the
//!    namespace, and so a wire to another one. What stands for such a socket are two ends of AF_UNIX
//!    (`Namespace::messages`).
//! 5. The helper is no child of ours, since a run ends when it has no children any more.
//!
//! # Files
//!
//! `plan` (what the namespace is to look like), `helper` (its life), `setup` (what it does first), `wires` (what the
//! interfaces are), `netlink` (what it says to the kernel about it), `order` (what is said to it), `table` (the
//! kernel's list of sockets), `losses` (its counts of what it dropped); `sys`: unsafe code. The calls are in
//! `call/namespace`.

mod helper;
mod losses;
mod netlink;
mod order;
mod plan;
mod setup;
#[allow(unsafe_code, reason = "one of the three files of this crate with unsafe code")]
pub(crate) mod sys;
mod table;
mod wires;

use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};

use ieum_control::{Channel, Received};
use ieum_device::Tun;
use ieum_socket::{Errno, Host};
use ieum_stack::LinkId;
use rustix::net::{SocketAddrUnix, SocketFlags};

pub use helper::Helper;
pub(crate) use order::Make;
pub(crate) use table::Listed;

use crate::bounds::{HELPER_ANSWERS_WITHIN, NAMESPACE_SOCKETS_AHEAD};
use crate::socket::host_errno;
use order::{Order, Report};
use plan::Plan;

/// The namespace of a host, as its runner has it.
#[derive(Debug)]
pub struct Namespace {
    channel: Channel,
    /// The kernel's number for it.
    cookie: u64,
    /// Sockets that nobody has asked for yet.
    ahead: BTreeMap<Make, Vec<OwnedFd>>,
    /// More of these are on their way.
    ordered: Option<Make>,
    /// They came, and the helper has them still.
    shared: Vec<OwnedFd>,
    /// The helper did not answer in time, and is waited for no more.
    is_silent: bool,
    /// The kernel's lists of sockets, of each protocol and family.
    tables: Vec<(Make, File)>,
    /// Its counts of what it dropped.
    losses: Vec<File>,
    /// What the ends that stand for netlink connect to; made when the first is asked for.
    messages: Option<OwnedFd>,
}

/// A name of AF_UNIX that reads as the kernel's address of netlink where one is looked for: its length is that of
/// struct sockaddr_nl, and nl_pid and nl_groups are 0. Who receives from netlink natively is told it. It is an abstract
/// name, which nobody else has in this namespace.
const NAME_LIKE_NETLINK_S: &[u8; 9] = &[1, 0, 0, 0, 0, 0, 0, 0, 0];

/// A link of the host that leads into its namespace: the host's name for it, and the device at its other end.
#[derive(Debug)]
pub struct Shadow {
    /// The host's name for the link.
    pub link: LinkId,
    /// Its other end.
    pub device: Tun,
}

impl Helper {
    /// Gives the namespace its interfaces, which are the host's, and the host its shadows. `shared`: a link of the host on which
    /// others come and go, so that routes to who is absent are not told to the namespace.
    ///
    /// # Errors
    ///
    /// Why there is no such namespace, for a person: the run goes on with carriers. The host is as it was.
    pub fn set_up(self, host: &mut Host, shared: Option<LinkId>) -> Result<(Namespace, Vec<Shadow>), String> {
        let plan = Plan::of(host, shared);
        if let Some((endpoint, _)) = plan.exceptions.iter().find(|(endpoint, _)| endpoint.is_ipv6()) {
            return Err(format!(
                "{endpoint}, a resolver, is at an address that no interface of a namespace leads to"
            ));
        }
        let mtus: Vec<u32> = plan.interfaces.iter().map(|interface| interface.mtu_bytes).collect();
        let links: Vec<LinkId> = plan::links(host).collect();
        let channel = self.into_channel();
        let silent = |error: &dyn std::fmt::Display| format!("its helper does not answer: {error}");
        channel.send(&Order::SetUp(plan), &[]).map_err(|error| silent(&error))?;
        let (mut devices, mut tables, mut losses) = (Vec::new(), Vec::new(), Vec::new());
        loop {
            match channel.receive_within::<Report>(HELPER_ANSWERS_WITHIN) {
                Ok(Received::Message(kind @ (Report::Tun | Report::Veth), descriptors)) => {
                    devices.extend(descriptors.into_iter().map(|device| (kind == Report::Veth, device)));
                }
                Ok(Received::Message(Report::Table(make), descriptors)) => {
                    tables.extend(descriptors.into_iter().map(|file| (make, File::from(file))));
                }
                Ok(Received::Message(Report::Losses, descriptors)) => {
                    losses.extend(descriptors.into_iter().map(File::from));
                }
                Ok(Received::Message(Report::Ready, _)) => break,
                Ok(Received::Message(Report::Failed { sentence }, _)) => return Err(sentence),
                Ok(Received::Message(Report::Made(_) | Report::LetGo | Report::Refused(_), _)) => {
                    return Err(silent(&"it talks of something else"));
                }
                Ok(Received::Nothing) => return Err(silent(&"it takes too long")),
                Ok(Received::End) => return Err(silent(&"it has ended")),
                Err(error) => return Err(silent(&error)),
            }
        }
        if devices.len() != links.len() {
            return Err("its helper made other interfaces than it should".to_owned());
        }
        let opened = devices.into_iter().zip(mtus).map(|((is_veth, device), mtu_bytes)| match is_veth {
            true => Ok(Tun::of_packet_socket(device, mtu_bytes)),
            false => Tun::of_descriptor(device, mtu_bytes),
        });
        let opened: std::io::Result<Vec<Tun>> = opened.collect();
        let opened = opened.map_err(|error| format!("its interface cannot be used: {error}"))?;
        let mut namespace = Namespace {
            channel,
            cookie: 0,
            ahead: BTreeMap::new(),
            ordered: None,
            shared: Vec::new(),
            is_silent: false,
            tables,
            losses,
            messages: None,
        };
        let first = namespace
            .take(Make::Udp4)
            .map_err(|errno| format!("it has no UDP sockets (errno {})", errno.0))?;
        namespace.cookie = sys::namespace_cookie(first.as_fd()).map_err(|error| {
            format!("the kernel does not tell namespaces apart (Linux 5.14 does): {error}")
        })?;
        namespace.ahead.entry(Make::Udp4).or_default().push(first);
        let shadows = links.into_iter().zip(opened);
        let shadows =
            shadows.map(|(link, device)| Shadow { link: host.stack_mut().delegate_datagrams(link), device });
        Ok((namespace, shadows.collect()))
    }
}

impl Namespace {
    /// Is this a socket of the namespace?
    pub(crate) fn has(&self, socket: impl AsFd) -> bool {
        sys::namespace_cookie(socket.as_fd()) == Ok(self.cookie)
    }

    /// A new socket. Some are always made ahead; only who asks for many at once waits for the helper.
    pub(crate) fn take(&mut self, make: Make) -> Result<OwnedFd, Errno> {
        self.hear(false)?;
        while self.ahead.get(&make).is_none_or(Vec::is_empty) {
            if self.ordered.is_none() {
                self.order(make)?;
            }
            self.hear(true)?;
        }
        let ahead = self.ahead.entry(make).or_default();
        let socket = ahead.pop().ok_or(Errno::ENFILE)?;
        if ahead.len() < NAMESPACE_SOCKETS_AHEAD / 2 && self.ordered.is_none() {
            // Whoever asks next finds them made. Should the helper be gone, he hears of it.
            let _ = self.order(make);
        }
        Ok(socket)
    }

    /// Both ends of an exchange of messages that stands for a socket of NETLINK_ROUTE: ours and the program's. A real
    /// one would take the word of the program's user, who owns the namespace, for everything.
    pub(crate) fn messages(&mut self) -> Result<(OwnedFd, OwnedFd), Errno> {
        let name = SocketAddrUnix::new_abstract_name(NAME_LIKE_NETLINK_S).map_err(host_errno)?;
        let listener = match self.messages.take() {
            Some(listener) => listener,
            None => {
                let listener = self.take(Make::Messages)?;
                rustix::net::bind(&listener, &name)
                    .and_then(|()| rustix::net::listen(&listener, 1))
                    .and_then(|()| rustix::io::ioctl_fionbio(&listener, true))
                    .map_err(host_errno)?;
                listener
            }
        };
        let program_end = self.take(Make::Messages);
        let ends = program_end.and_then(|program_end| {
            rustix::net::connect(&program_end, &name).map_err(host_errno)?;
            // It has the listener's name, as all that a listener gives out.
            let own_end = rustix::net::accept_with(&listener, SocketFlags::CLOEXEC).map_err(host_errno)?;
            Ok((own_end, program_end))
        });
        self.messages = Some(listener);
        ends
    }

    fn order(&mut self, make: Make) -> Result<(), Errno> {
        self.channel.send(&Order::Make(make), &[]).map_err(|_| Errno::ENFILE)?;
        self.ordered = Some(make);
        Ok(())
    }

    /// Takes what the helper has made; `waits`: for what it was asked for.
    fn hear(&mut self, waits: bool) -> Result<(), Errno> {
        let Some(make) = self.ordered else { return Ok(()) };
        let heard = match waits && !self.is_silent {
            true => self.channel.receive_within::<Report>(HELPER_ANSWERS_WITHIN),
            false => self.channel.receive::<Report>(),
        };
        match heard {
            Ok(Received::Message(Report::Made(made), descriptors)) if made == make => {
                self.is_silent = false;
                self.shared = descriptors;
                self.hear(waits)
            }
            Ok(Received::Message(Report::LetGo, _)) => {
                (self.ordered, self.is_silent) = (None, false);
                self.ahead.entry(make).or_default().append(&mut self.shared);
                Ok(())
            }
            Ok(Received::Message(Report::Refused(number), _)) => {
                self.ordered = None;
                Err(Errno(number))
            }
            Ok(Received::Nothing) if !waits => Ok(()),
            Ok(Received::Nothing) => {
                self.is_silent = true;
                Err(Errno::ENFILE)
            }
            Ok(Received::Message(..) | Received::End) | Err(_) => Err(Errno::ENFILE),
        }
    }

    /// What the kernel dropped, by the host's names for the reasons.
    pub(crate) fn drops(&mut self) -> Vec<(&'static str, u64)> {
        losses::read(&mut self.losses)
    }

    /// All sockets of the namespace that have a port, as the kernel lists them.
    pub(crate) fn sockets(&mut self) -> Vec<Listed> {
        self.tables.iter_mut().flat_map(|(make, file)| table::read(*make, file)).collect()
    }
}
