//! What tshark reads from a capture.

use super::Running;

/// What tshark is to do: verify checksums, and look at each segment by itself.
const PREFERENCES: [&str; 4] = [
    "ip.check_checksum:TRUE",
    "tcp.check_checksum:TRUE",
    "udp.check_checksum:TRUE",
    "tcp.desegment_tcp_streams:FALSE",
];

/// What TCP carries is bytes. Read as HTTP, or as whatever a chosen port is known for, a segment of a file's random
/// bytes that happens to begin like a message (with HTTP about one of 150,000) or that came again is called malformed,
/// which says nothing of the segment.
const BYTES_ALONE: &str = "tcp.port==1-65535,data";

/// Finds packets that are not as they should be.
pub(crate) const BROKEN: &str = "_ws.malformed || ip.checksum.status == 0 || tcp.checksum.status == 0 || \
    udp.checksum.status == 0 || icmpv6.checksum.status == 0";

/// The `fields` of the packets of `file` that pass `filter`, one line a packet.
pub(crate) fn tshark(file: &str, filter: &str, fields: &[&str]) -> Vec<String> {
    let mut words = vec!["tshark", "-n", "-r", file, "-d", BYTES_ALONE];
    words.extend(PREFERENCES.iter().flat_map(|preference| ["-o", preference]));
    words.extend(["-Y", filter, "-T", "fields"]);
    words.extend(fields.iter().flat_map(|field| ["-e", field]));
    Running::start(&words).finish().success().lines().map(str::to_owned).collect()
}
