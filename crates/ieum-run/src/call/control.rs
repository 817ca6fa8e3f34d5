//! Control messages that come with a datagram: which, says the host; when it came, S.

use std::time::Duration;

use ieum_socket::{Arrival, Host, SocketId};

use crate::carrier::stamps::time_of_day;
use crate::name::Envelope;

/// The messages that `id`'s options ask for, each padded, in Linux's order. `came`: at which time of day, if that is known.
pub(super) fn messages(
    host: &mut Host,
    id: SocketId,
    envelope: &Envelope,
    came: Option<Duration>,
) -> Vec<Vec<u8>> {
    // It came to the port that the socket has.
    let port = host.local_address(id).map_or(0, |local| local.port());
    let arrival = envelope.local.map(|local| Arrival {
        destination: (local, port).into(),
        ttl: envelope.hops,
        tos: envelope.tos,
        interface: envelope.interface,
        segment_bytes: Some(envelope.segment_bytes).filter(|bytes| *bytes != 0),
    });
    // As on Linux: of what came before anybody asked for times, the time is that of the call.
    let came = came.unwrap_or_else(time_of_day);
    let all = host.arrival_controls(id, envelope.remote, arrival.as_ref(), came);
    all.iter().map(ieum_socket::Control::to_bytes).collect()
}
