//! What a reader may want to know about a connection.

use std::net::SocketAddr;
use std::time::Duration;

use super::connection::{Connection, Failure, Holder, Phase};
use super::state::{OurEnd, State};

/// A connection as its user sees it; cheap to make.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Status {
    /// Its state by the name in RFC 9293.
    pub state: State,
    /// Our address and port.
    pub local: SocketAddr,
    /// The peer's.
    pub remote: SocketAddr,
    /// Why it ended before its time; stays until the connection is released.
    pub failure: Option<Failure>,
    /// Bytes that can be read now.
    pub readable_bytes: usize,
    /// The peer's FIN and everything before it has been received: end of file after the readable bytes.
    pub peer_finished: bool,
    /// Room in the send buffer; 0 before the handshake ends, after `tcp_finish` and after a failure.
    pub sendable_bytes: usize,
    /// Bytes queued or sent and not acknowledged; the FIN is not counted.
    pub unacknowledged_bytes: usize,
    /// `tcp_finish` was called.
    pub finished: bool,
    /// The peer has acknowledged our FIN.
    pub finish_acknowledged: bool,
    /// Payload of a full segment, in bytes.
    pub mss_bytes: u32,
    /// The congestion window, in bytes.
    pub cwnd_bytes: u32,
    /// Slow start's upper end, in bytes.
    pub ssthresh_bytes: u32,
    /// The smoothed round-trip time, once measured.
    pub rtt: Option<Duration>,
    /// The retransmission time-out.
    pub rto: Duration,
}

impl Connection {
    pub(super) fn status(&self) -> Status {
        let open = self.open();
        let send = open.map(|open| &open.send);
        let end = send.map(|send| send.our_end());
        Status {
            state: self.state(),
            local: self.tuple.local,
            remote: self.tuple.remote,
            failure: self.failure,
            readable_bytes: self.recv().map_or(0, |recv| recv.readable()),
            peer_finished: self.recv().is_some_and(|recv| recv.has_finished()),
            sendable_bytes: send.map_or(0, |send| send.room(&self.settings)),
            unacknowledged_bytes: send.map_or(0, |send| send.queued()),
            finished: end.is_some_and(|end| end != OurEnd::Open),
            finish_acknowledged: end == Some(OurEnd::Acknowledged) || self.has_ended_well(),
            mss_bytes: open.map_or(0, |open| open.mss),
            cwnd_bytes: send.map_or(0, |send| send.congestion().window()),
            ssthresh_bytes: send.map_or(0, |send| send.congestion().threshold()),
            rtt: send.and_then(|send| send.smoothed_rtt()),
            rto: send.map_or(super::bounds::RTO_INITIAL, |send| send.rto()),
        }
    }

    /// Over without a failure: both ends were acknowledged.
    fn has_ended_well(&self) -> bool {
        matches!(self.phase, Phase::Closed(_)) && self.failure.is_none()
    }

    /// Nobody holds it, and it has not yet brought its bytes to the peer.
    pub(super) fn is_unfinished(&self) -> bool {
        self.holder == Holder::Nobody && self.open().is_some_and(|open| open.is_unfinished())
    }
}
