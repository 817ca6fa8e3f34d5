//! Every bound of the engine: its unit and the reason for its value.

use std::time::Duration;

/// Readiness events taken from the kernel at once. More wait for the next turn; each costs 16 bytes here.
pub(crate) const EVENTS_MAX: usize = 256;

/// Passes over all rooms in one turn before the kernel is asked again. A busy pair of rooms keeps making work for each
/// other; others' descriptors and signals must be seen meanwhile. 16 passes of a busy stream take about 1 ms.
pub(crate) const PASSES_MAX: usize = 16;

/// How long rooms may go on delivering bytes after the first has finished. Linux gives a closed socket about as long
/// (tcp_fin_timeout), and nobody wants a finished program to hold the terminal for longer.
pub(crate) const LINGER: Duration = Duration::from_secs(60);

/// Packets read from a device in one turn: as many acknowledgements fill two full windows of 1 MiB, and a stream of small
/// packets leaves others their turn after a tenth of a millisecond. Datagrams that came as one, 128 at most, are read to
/// the last.
pub(crate) const DEVICE_SHARE_PACKETS: usize = 64;

/// Bytes read from a device in one turn: what is read stays in the processor's cache until programs have it.
pub(crate) const DEVICE_SHARE_BYTES: usize = 256 * 1024;

/// Packets that wait for a device which does not take them, each up to 64 KiB. The kernel's own queue behind a TUN
/// device is never full for long; what comes beyond is dropped, as on a wire.
pub(crate) const DEVICE_QUEUE_PACKETS_MAX: usize = 256;
