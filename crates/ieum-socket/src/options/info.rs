//! `struct tcp_info`, as Linux 6.18 writes it: 280 bytes. Programs that know a shorter one ask for that and get its part.
//! What has no meaning here is 0.

use std::time::Duration;

use ieum_stack::{AccurateCounts, Belief, Info, State, Status};

/// Bytes of the structure.
const INFO_BYTES: usize = 280;

/// The structure being written, field after field.
struct Writer(Vec<u8>);

/// Of a socket with a connection, or of one that has none.
pub(super) fn of_connection(known: Option<&(Status, Info)>) -> Vec<u8> {
    let Some((status, info)) = known else { return of_none() };
    let mut writer = Writer(Vec::with_capacity(INFO_BYTES));
    let (send_scale, recv_scale) = info.scales.unwrap_or_default();
    writer.bytes([
        number_of(status.state),
        belief_of(info.belief),
        byte(info.retransmits),
        byte(info.probes),
        byte(info.backoff),
        option_bits(info) | if info.syn_data { OPTION_SYN_DATA } else { 0 },
        (send_scale & 0xf) | (recv_scale << 4),
        u8::from(info.delivery_rate_limited),
    ]);
    let flight = info.flight;
    writer.words([us(info.rto), us(info.ack_delay), status.mss_bytes, info.peer_mss_bytes]);
    writer.words([flight.out, flight.sacked + flight.duplicates, flight.lost, flight.again, 0]);
    // Linux has forgotten when it last sent an acknowledgement.
    writer.words([ms(info.data_sent_ago), 0, ms(info.data_received_ago), ms(info.heard_ago)]);
    writer.words([
        info.path_mtu_bytes,
        info.recv_opened_bytes,
        info.rtt.map_or(0, measured_us),
        us(info.rtt_variation),
    ]);
    writer.words([info.ssthresh, info.cwnd, info.announced_mss_bytes, info.reordering]);
    writer.words([us(info.recv_rtt), info.recv_per_round_bytes, info.segments_again]);
    let rates = [info.pacing_rate, info.pacing_rate_max.unwrap_or(u64::MAX)];
    writer.longs(rates);
    writer.longs([info.bytes_acked, info.bytes_received]);
    writer.words([info.segments_out, info.segments_in, low(info.unsent_bytes)]);
    writer.words([info.rtt_min.map_or(u32::MAX, measured_us), info.data_segments_in, info.data_segments_out]);
    let held = info.held;
    writer.longs([info.delivery_rate, long_us(held.busy), long_us(held.by_peer), long_us(held.by_buffer)]);
    writer.words([info.delivered, info.delivered_marked]);
    writer.longs([info.bytes_sent, info.bytes_again]);
    writer.words([info.duplicates, info.reorderings, info.out_of_order_in]);
    writer.words([info.send_window_bytes, info.recv_window_bytes, 0]);
    writer.shorts([info.timeouts, info.timeout_rows]);
    writer.words([ms(info.timeout_time)]);
    let counts = info.accurate_ecn.unwrap_or_default();
    writer.words([counts.received_marked]);
    writer.words(counts.delivered_bytes);
    writer.words(counts.received_bytes);
    writer.words([ecn_bits(info, &counts)]);
    writer.finished()
}

/// Of a socket that has no connection.
fn of_none() -> Vec<u8> {
    let mut writer = Writer(Vec::with_capacity(INFO_BYTES));
    // The rate, of which nothing is known, is what the program asked for at most (tcpi_delivery_rate_app_limited).
    writer.bytes([CLOSED, 0, 0, 0, 0, 0, 0, 1]);
    writer.words([1_000_000, 0, 536, 0]);
    writer.words([0; 5]);
    // Nothing was ever sent or received, and no acknowledgement. Linux tells how long the machine has run.
    writer.words([u32::MAX, 0, u32::MAX, u32::MAX]);
    writer.words([0; 3]);
    writer.words([250_000, SSTHRESH_NONE, CWND_INITIAL, 0, REORDERING_INITIAL, 0, 0, 0]);
    writer.longs([u64::MAX, u64::MAX, 0, 0]);
    writer.words([0, 0, 0, u32::MAX]);
    writer.finished()
}

/// Of a listening socket: how many wait, and how many may.
pub(super) fn of_listener(waiting: u32, backlog: u32) -> Vec<u8> {
    let mut writer = Writer(Vec::with_capacity(INFO_BYTES));
    writer.bytes([LISTEN, 0, 0, 0, 0, 0, 0, 0]);
    writer.words([0, 0, 0, 0, waiting, backlog]);
    writer.words([0; 11]);
    writer.words([0, CWND_INITIAL, 0, REORDERING_INITIAL, 0, 0, 0]);
    writer.longs([u64::MAX, u64::MAX]);
    writer.finished()
}

impl Writer {
    fn bytes(&mut self, bytes: [u8; 8]) {
        self.0.extend(bytes);
    }

    fn shorts<const N: usize>(&mut self, shorts: [u32; N]) {
        let short = |number| u16::try_from(number).unwrap_or(u16::MAX);
        self.0.extend(shorts.into_iter().map(short).flat_map(u16::to_ne_bytes));
    }

    fn words<const N: usize>(&mut self, words: [u32; N]) {
        self.0.extend(words.into_iter().flat_map(u32::to_ne_bytes));
    }

    fn longs<const N: usize>(&mut self, longs: [u64; N]) {
        self.0.extend(longs.into_iter().flat_map(u64::to_ne_bytes));
    }

    /// The rest, of which nothing is known, is 0.
    fn finished(mut self) -> Vec<u8> {
        self.0.resize(INFO_BYTES, 0);
        self.0
    }
}

/// The kind of ECN, how the peer's option was seen, and what of it failed, in one word.
fn ecn_bits(info: &Info, counts: &AccurateCounts) -> u32 {
    let kind = match (info.ecn, info.accurate_ecn) {
        (false, _) => 0,
        (true, None) => 1,
        (true, Some(_)) => 2,
    };
    kind | counts.option_seen << 2 | counts.failed << 4
}

fn option_bits(info: &Info) -> u8 {
    u8::from(info.timestamps)
        | u8::from(info.sack) << 1
        | u8::from(info.scales.is_some()) << 2
        | u8::from(info.ecn) << 3
}

/// The data of the SYN was taken (TCPI_OPT_SYN_DATA).
const OPTION_SYN_DATA: u8 = 32;

fn byte(count: u32) -> u8 {
    u8::try_from(count).unwrap_or(u8::MAX)
}

fn low(bytes: u64) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

fn us(duration: Duration) -> u32 {
    u32::try_from(duration.as_micros()).unwrap_or(u32::MAX)
}

/// A round trip that was measured is no less than the unit: 0 says that none was, and programs divide by it.
fn measured_us(duration: Duration) -> u32 {
    us(duration).max(1)
}

fn long_us(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn ms(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
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

/// TCP_CA_Open and so on.
fn belief_of(belief: Belief) -> u8 {
    match belief {
        Belief::Open => 0,
        Belief::Disorder => 1,
        Belief::Reduced => 2,
        Belief::Recovery => 3,
        Belief::Loss => 4,
    }
}

const CLOSED: u8 = 7;
const LISTEN: u8 = 10;
/// Slow start has no end yet (TCP_INFINITE_SSTHRESH).
const SSTHRESH_NONE: u32 = 0x7fff_ffff;
/// The congestion window to begin with, and the degree of reordering.
const CWND_INITIAL: u32 = 10;
const REORDERING_INITIAL: u32 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    fn word(bytes: &[u8], at: usize) -> u32 {
        u32::from_ne_bytes(*bytes[at..].first_chunk().unwrap())
    }

    #[test]
    fn a_socket_without_a_connection_tells_what_linux_tells() {
        let bytes = of_connection(None);
        assert_eq!(bytes.len(), INFO_BYTES);
        let told = [(8, 1_000_000), (16, 536), (72, 250_000), (76, SSTHRESH_NONE), (80, 10), (88, 3)];
        for (at, expected) in told {
            assert_eq!(word(&bytes, at), expected, "at {at}");
        }
        assert_eq!((word(&bytes, 104), word(&bytes, 148)), (u32::MAX, u32::MAX));
        assert_eq!(bytes[7], 1);
    }

    #[test]
    fn a_listener_tells_its_queue() {
        let bytes = of_listener(3, 7);
        assert_eq!((bytes.len(), word(&bytes, 24), word(&bytes, 28)), (INFO_BYTES, 3, 7));
        assert_eq!((word(&bytes, 80), word(&bytes, 88)), (10, 3));
    }
}
