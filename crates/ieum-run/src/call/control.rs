//! Control messages that come with a datagram: which, says the host; when it came, the machine's clock.

use std::time::Duration;

use ieum_socket::{Arrival, Host, SocketId};
use rustix::time::{ClockId, clock_gettime};

use crate::name::Envelope;

/// The messages that `id`'s options ask for, each padded, in Linux's order.
pub(super) fn messages(host: &mut Host, id: SocketId, envelope: &Envelope) -> Vec<Vec<u8>> {
    let now = clock_gettime(ClockId::Realtime);
    let seconds = Duration::from_secs(u64::try_from(now.tv_sec).unwrap_or(0));
    let now = seconds + Duration::from_nanos(u64::try_from(now.tv_nsec).unwrap_or(0));
    // It came to the port that the socket has.
    let port = host.local_address(id).map_or(0, |local| local.port());
    let arrival = envelope.local.map(|local| Arrival {
        destination: (local, port).into(),
        ttl: envelope.hops,
        tos: envelope.tos,
        interface: envelope.interface,
        segment_bytes: Some(envelope.segment_bytes).filter(|bytes| *bytes != 0),
    });
    let all = host.arrival_controls(id, envelope.remote, arrival.as_ref(), now);
    all.iter().map(ieum_socket::Control::to_bytes).collect()
}
