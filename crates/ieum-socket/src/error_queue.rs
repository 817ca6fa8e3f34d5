//! The error queue of a socket (recv(2): MSG_ERRQUEUE): what became of what was sent, told beside the data.
//!
//! A message of it is a *notice*: `struct sock_extended_err` with what goes along. A program reads one with a call;
//! until then `poll` shows POLLERR. Who sends without a copy (MSG_ZEROCOPY) and who wants to know when bytes left or arrived
//! (SO_TIMESTAMPING) is answered here ([`crate::sent`] says when).

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ieum_stack::DatagramError;
use ieum_wire::{Instant, Unreachable};

use crate::blocking::Received;
use crate::bounds::{ERROR_QUEUE_BYTES_MAX, NOTICE_BYTES};
use crate::control::Control;
use crate::endpoint::Endpoint;
use crate::host::Host;
use crate::make::Domain;
use crate::numbers::{
    IP_RECVERR, IPPROTO_IP, IPPROTO_IPV6, IPV6_RECVERR, MSG_ERRQUEUE, MSG_TRUNC, SCM_TIMESTAMPING_OPT_STATS,
    SO_EE_ORIGIN_ICMP, SO_EE_ORIGIN_ICMP6, SO_EE_ORIGIN_LOCAL, SO_EE_ORIGIN_ZEROCOPY, SO_TIMESTAMPING,
    SOF_TIMESTAMPING_SOFTWARE, SOL_SOCKET,
};
use crate::{Errno, SocketId};

/// Families of socket addresses.
const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;

/// One message of an error queue.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct Notice {
    /// `ee_errno`: 0 for what is no error.
    pub(crate) errno: i32,
    /// Who says it (SO_EE_ORIGIN_…).
    pub(crate) origin: u8,
    /// What its origin says of it: `ee_type`, `ee_code`, `ee_info`, `ee_data`.
    pub(crate) kind: u8,
    pub(crate) code: u8,
    pub(crate) info: u32,
    pub(crate) data: u32,
    /// When it happened, where that is what is told.
    pub(crate) at: Option<Instant>,
    /// Bytes that were sent, or, instead, what is known of the connection.
    pub(crate) payload: Vec<u8>,
    /// Who said so, in an ICMP message.
    pub(crate) offender: Option<IpAddr>,
    /// Where the datagram went that it is about.
    pub(crate) destination: Option<SocketAddr>,
    /// The payload is that of a control message (SOF_TIMESTAMPING_OPT_STATS).
    pub(crate) has_statistics: bool,
}

/// Notices that were not read.
#[derive(Default, Debug)]
pub(crate) struct ErrorQueue {
    notices: VecDeque<Notice>,
    bytes: usize,
}

impl ErrorQueue {
    pub(crate) fn is_empty(&self) -> bool {
        self.notices.is_empty()
    }

    /// Puts a notice behind the others; whoever does not read loses the newest, as on Linux.
    pub(crate) fn push(&mut self, notice: Notice) {
        let bytes = NOTICE_BYTES + notice.payload.len();
        if self.bytes + bytes <= ERROR_QUEUE_BYTES_MAX {
            self.bytes += bytes;
            self.notices.push_back(notice);
        }
    }

    /// One more send without a copy is done with, `number` counted from 0: part of the last notice where it follows on
    /// what that tells of.
    pub(crate) fn push_copied(&mut self, number: u32, notice: Notice) {
        match self.notices.back_mut() {
            Some(last) if last.origin == SO_EE_ORIGIN_ZEROCOPY && last.data.wrapping_add(1) == number => {
                last.data = number;
            }
            Some(_) | None => self.push(notice),
        }
    }

    fn pop(&mut self) -> Option<Notice> {
        let notice = self.notices.pop_front()?;
        self.bytes -= NOTICE_BYTES + notice.payload.len();
        Some(notice)
    }
}

impl Notice {
    /// An ICMP error about a datagram.
    fn of_icmp(error: DatagramError) -> Notice {
        let domain = Domain::of(error.by);
        Notice {
            errno: Errno::of_icmp(error.reason, domain).0,
            origin: match domain {
                Domain::Ip4 => SO_EE_ORIGIN_ICMP,
                Domain::Ip6 => SO_EE_ORIGIN_ICMP6,
            },
            kind: error.kind,
            code: error.code,
            info: if let Unreachable::FragmentationNeeded { mtu_bytes } = error.reason {
                mtu_bytes
            } else {
                0
            },
            offender: Some(error.by),
            destination: Some(error.destination),
            payload: error.payload,
            ..Notice::default()
        }
    }
}

impl Host {
    /// Reads the oldest message of a datagram socket's error queue, its payload cut to `bytes`: as `recvmsg` with
    /// MSG_ERRQUEUE.
    ///
    /// # Errors
    ///
    /// EAGAIN when there is none.
    pub fn recv_notice(&mut self, id: SocketId, bytes: usize) -> Result<Received, Errno> {
        let mut received = Received::default();
        self.recv_error(id, bytes, &mut received).map(|_| received)
    }

    /// Whether the socket's endpoint keeps errors for its queue (IP_RECVERR, IPV6_RECVERR).
    pub(crate) fn tell_error_wishes(&mut self, id: SocketId) {
        let Some(description) = self.descriptions.get(id) else { return };
        if let Some(Endpoint::Udp(endpoint)) = description.open().map(|open| open.endpoint) {
            let options = &description.options;
            let kept = options.receives_errors(Domain::Ip4) || options.receives_errors(Domain::Ip6);
            self.stack.udp_keep_errors(endpoint, kept);
        }
    }

    /// How much of its datagrams a socket of UDP-Lite wants under the checksum (udplite(7)).
    pub(crate) fn tell_coverage(&mut self, id: SocketId) {
        let Some(description) = self.descriptions.get(id) else { return };
        if let Some(Endpoint::Udp(endpoint)) = description.open().map(|open| open.endpoint) {
            self.stack.udp_set_coverage(endpoint, description.options.coverage());
        }
    }

    /// What was said of a socket's datagrams goes into its queue; the errno of the last that does.
    pub(crate) fn hear_of_errors(&mut self, id: SocketId, endpoint: Endpoint) -> Option<Errno> {
        let Endpoint::Udp(endpoint) = endpoint else { return None };
        let mut last = None;
        while let Some(error) = self.stack.udp_take_told(endpoint) {
            if let Some(description) = self.descriptions.get_mut(id)
                && description.options.receives_errors(Domain::of(error.by))
            {
                let notice = Notice::of_icmp(error);
                last = Some(Errno(notice.errno));
                description.sent.get_or_insert_default().errors.push(notice);
            }
        }
        last
    }

    /// A message of the socket was refused, since it is larger than what goes there uncut, or than any packet: who asks
    /// for errors (IP_RECVERR, IPV6_RECVERR) is told by the error queue too, and of how much would have gone.
    pub(crate) fn tell_too_large(&mut self, id: SocketId, to: SocketAddr, mtu_bytes: u32) {
        let Some(description) = self.descriptions.get(id) else { return };
        if !description.options.receives_errors(Domain::of(to.ip())) {
            return;
        }
        // As on Linux, over IPv4 the port is the remote's, if there is one, and not that of the message.
        let remote = description.open().and_then(|open| self.endpoint_remote(open.endpoint));
        let port = if to.is_ipv4() { remote.map_or(0, |remote| remote.port()) } else { to.port() };
        let notice = Notice {
            errno: Errno::EMSGSIZE.0,
            origin: SO_EE_ORIGIN_LOCAL,
            info: mtu_bytes,
            destination: Some(SocketAddr::new(to.ip(), port)),
            ..Notice::default()
        };
        if let Some(description) = self.descriptions.get_mut(id) {
            description.sent.get_or_insert_default().errors.push(notice);
        }
        self.tell(Some(id));
    }

    /// Reads the oldest notice as `recvmsg` tells it, its payload cut to `bytes`.
    pub(crate) fn recv_error(
        &mut self,
        id: SocketId,
        bytes: usize,
        received: &mut Received,
    ) -> Result<usize, Errno> {
        let day_at_zero = self.day_at_zero;
        let description = self.descriptions.get_mut(id).ok_or(Errno::EBADF)?;
        let notice = description.sent.as_mut().and_then(|sent| sent.errors.pop()).ok_or(Errno::EAGAIN)?;
        // As on Linux the error that is pending is that of the next one, if the network told it.
        let next = description.sent.as_ref().and_then(|sent| sent.errors.notices.front());
        match next.filter(|next| next.offender.is_some()) {
            Some(next) => description.error = Some(Errno(next.errno)),
            None if notice.offender.is_some() => description.error = None,
            None => {}
        }
        let stamps = description.options.stamping() & SOF_TIMESTAMPING_SOFTWARE != 0;
        if let Some(at) = notice.at.filter(|_| stamps) {
            let software = timestamps(day_at_zero + Duration::from_micros(at.micros()));
            received.control.push(Control::new(SOL_SOCKET, SO_TIMESTAMPING, software));
            if notice.has_statistics {
                let statistics = notice.payload.clone();
                received.control.push(Control::new(SOL_SOCKET, SCM_TIMESTAMPING_OPT_STATS, statistics));
            }
        }
        // Of IPv4 it is told as of IPv4, and a socket of IPv6 hears of it in its own form.
        let family = notice.offender.map_or(description.make.domain, Domain::of);
        received.control.push(extended_error(family, &notice));
        received.source = notice.destination.map(|destination| description.shown(destination));
        let cut = notice.payload.len() > bytes;
        received.flags = MSG_ERRQUEUE | if cut { MSG_TRUNC } else { 0 };
        received.bytes = notice.payload;
        received.bytes.truncate(bytes);
        Ok(received.bytes.len())
    }
}

/// `struct scm_timestamping`: three times, the first of which is that of software.
fn timestamps(time_of_day: Duration) -> Vec<u8> {
    let software = [time_of_day.as_secs(), time_of_day.subsec_nanos().into()];
    software.into_iter().chain([0; 4]).flat_map(u64::to_ne_bytes).collect()
}

/// `struct sock_extended_err`, and the address of an offender, or of nobody.
fn extended_error(domain: Domain, notice: &Notice) -> Control {
    let mut data = Vec::from(notice.errno.to_ne_bytes());
    data.extend([notice.origin, notice.kind, notice.code, 0]);
    data.extend([notice.info, notice.data].into_iter().flat_map(u32::to_ne_bytes));
    let (level, kind, address_bytes) = match domain {
        Domain::Ip4 => (IPPROTO_IP, IP_RECVERR, 16),
        Domain::Ip6 => (IPPROTO_IPV6, IPV6_RECVERR, 28),
    };
    let end = data.len() + address_bytes;
    match notice.offender {
        Some(IpAddr::V4(offender)) => {
            data.extend(AF_INET.to_ne_bytes());
            data.extend([0; 2]);
            data.extend(offender.octets());
        }
        Some(IpAddr::V6(offender)) => {
            data.extend(AF_INET6.to_ne_bytes());
            data.extend([0; 6]);
            data.extend(offender.octets());
        }
        None => {}
    }
    data.resize(end, 0);
    Control::new(level, kind, data)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copied(number: u32) -> Notice {
        Notice { origin: SO_EE_ORIGIN_ZEROCOPY, info: number, data: number, ..Notice::default() }
    }

    #[test]
    fn sends_that_follow_each_other_are_told_by_one_notice() {
        let mut queue = ErrorQueue::default();
        [0, 1, 3, 4].into_iter().for_each(|number| queue.push_copied(number, copied(number)));
        assert_eq!(queue.pop(), Some(Notice { data: 1, ..copied(0) }));
        assert_eq!(queue.pop(), Some(Notice { data: 4, ..copied(3) }));
        assert!(queue.is_empty() && queue.bytes == 0);
    }

    #[test]
    fn who_does_not_read_loses_the_newest() {
        let mut queue = ErrorQueue::default();
        let large = Notice { payload: vec![0; ERROR_QUEUE_BYTES_MAX / 2], ..copied(7) };
        (0..3).for_each(|_| queue.push(large.clone()));
        assert_eq!(queue.notices.len(), 1);
    }

    #[test]
    fn a_notice_is_written_as_c_reads_it() {
        let written = extended_error(Domain::Ip6, &Notice { code: 1, errno: 42, ..copied(9) });
        assert_eq!((written.level, written.kind, written.data.len()), (IPPROTO_IPV6, IPV6_RECVERR, 44));
        assert_eq!(written.data[..16], [42, 0, 0, 0, 5, 0, 1, 0, 9, 0, 0, 0, 9, 0, 0, 0]);
        assert_eq!(
            timestamps(Duration::from_micros(3_000_002))[..16],
            [[3_u64, 2000]].concat().iter().flat_map(|word| word.to_ne_bytes()).collect::<Vec<u8>>()
        );
    }
}
