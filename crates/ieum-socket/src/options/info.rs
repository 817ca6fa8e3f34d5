//! `struct tcp_info`, as far as glibc declares it: 104 bytes. Newer programs ask for more and are told the length,
//! as by an older kernel.

use std::time::Duration;

use ieum_stack::{State, Status};

/// The fields that are known; the rest is 0. All numbers count bytes, segments or microseconds as in Linux.
#[derive(Default)]
struct Info {
    state: u8,
    rto_us: u32,
    mss_bytes: u32,
    unacked: u32,
    sacked: u32,
    rtt_us: u32,
    ssthresh: u32,
    cwnd: u32,
}

/// Of a socket with a connection, or of one that has none.
pub(super) fn of_connection(status: Option<&Status>) -> Vec<u8> {
    let Some(status) = status else {
        let fresh = Info {
            state: CLOSED,
            rto_us: 1_000_000,
            mss_bytes: 536,
            ssthresh: SSTHRESH_NONE,
            ..Info::default()
        };
        return Info { cwnd: 10, ..fresh }.bytes();
    };
    let mss_bytes = status.mss_bytes.max(1);
    let unacknowledged = u32::try_from(status.unacknowledged_bytes).unwrap_or(u32::MAX);
    Info {
        state: number_of(status.state),
        rto_us: microseconds(status.rto),
        mss_bytes,
        unacked: unacknowledged.div_ceil(mss_bytes),
        rtt_us: status.rtt.map_or(0, microseconds),
        ssthresh: status.ssthresh,
        cwnd: status.cwnd,
        ..Info::default()
    }
    .bytes()
}

/// Of a listening socket: how many wait, and how many may.
pub(super) fn of_listener(waiting: u32, backlog: u32) -> Vec<u8> {
    Info { state: LISTEN, unacked: waiting, sacked: backlog, cwnd: 10, ..Info::default() }.bytes()
}

impl Info {
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![self.state, 0, 0, 0, 0, 0, 0, 0];
        let words = [
            self.rto_us,
            ACK_DELAY_US,
            self.mss_bytes,
            self.mss_bytes,
            self.unacked,
            self.sacked,
            // lost, retrans, fackets; last data sent, ack sent, data received, ack received; pmtu, rcv_ssthresh
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            self.rtt_us,
            // rttvar
            0,
            self.ssthresh,
            self.cwnd,
            self.mss_bytes,
            // reordering, as Linux begins; rcv_rtt, rcv_space, total_retrans
            3,
            0,
            0,
            0,
        ];
        bytes.extend(words.into_iter().flat_map(u32::to_ne_bytes));
        bytes
    }
}

fn microseconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_micros()).unwrap_or(u32::MAX)
}

/// Linux's numbers of the states. TIME-WAIT is no socket's state there any more.
fn number_of(state: State) -> u8 {
    match state {
        State::Established => 1,
        State::SynSent => 2,
        State::SynReceived => 3,
        State::FinWait1 => 4,
        State::FinWait2 => 5,
        State::Closed | State::TimeWait => CLOSED,
        State::CloseWait => 8,
        State::LastAck => 9,
        State::Listen => LISTEN,
        State::Closing => 11,
    }
}

const CLOSED: u8 = 7;
const LISTEN: u8 = 10;
/// How long an acknowledgement may wait, in microseconds.
const ACK_DELAY_US: u32 = 40_000;
/// Slow start has no end yet (TCP_INFINITE_SSTHRESH).
const SSTHRESH_NONE: u32 = 0x7fff_ffff;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_length_is_that_of_the_structure() {
        assert_eq!(of_connection(None).len(), 104);
        assert_eq!(of_listener(3, 7)[24..32], [[3, 0, 0, 0], [7, 0, 0, 0]].concat());
    }
}
