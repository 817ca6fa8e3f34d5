//! Every bound of this room: name, unit and reason.

/// Open socket descriptions of one host. Linux's default `fs.nr_open` is the most one process could hold; beyond it
/// `socket` says ENFILE.
pub(crate) const DESCRIPTIONS_MAX: usize = 1_048_576;

/// The longest accept queue a program can ask for, in connections (`net.core.somaxconn` since Linux 5.4).
pub(crate) const BACKLOG_MAX: i32 = 4096;

/// What SO_SNDBUF and SO_RCVBUF may ask for, in bytes (`net.core.wmem_max` and `rmem_max` of Linux 6.18); twice that
/// is read back.
pub(crate) const BUFFER_BYTES_MAX: i32 = 4_194_304;

/// The least that SO_SNDBUF reads back, in bytes: Linux's SOCK_MIN_SNDBUF, twice its smallest buffer.
pub(crate) const SEND_BUFFER_BYTES_MIN: i32 = 4608;

/// The least that SO_RCVBUF reads back, in bytes: Linux's SOCK_MIN_RCVBUF.
pub(crate) const RECV_BUFFER_BYTES_MIN: i32 = 2304;

/// Sends of one socket that its program wants to hear of and that are not over, in sends. Linux bounds what it keeps for
/// them at 128 KiB (`net.core.optmem_max`), which is as many.
pub(crate) const SENDS_WATCHED_MAX: usize = 170;

/// What waits in the error queue of one socket, in bytes: as much as a receive buffer holds to begin with, by which Linux
/// bounds it.
pub(crate) const ERROR_QUEUE_BYTES_MAX: usize = 131_072;

/// What a message of an error queue is charged beside its payload, in bytes: as much as Linux charges an empty buffer.
pub(crate) const NOTICE_BYTES: usize = 768;

/// The most of what was sent that is told with its timestamp, in bytes: the payload of a full packet of Ethernet.
pub(crate) const ECHO_BYTES_MAX: usize = 1460;

/// The longest message a datagram call looks at, in bytes: the UDP length field has 16 bits.
pub(crate) const MESSAGE_BYTES_MAX: usize = 65_535;

/// Groups of one family that one socket may be in, in groups: Linux's net.ipv4.igmp_max_memberships. Of IPv6 Linux bounds
/// the memory they take.
pub(crate) const GROUPS_MAX: usize = 20;

/// Senders that one socket may name for one group, in senders: Linux's net.ipv4.igmp_max_msf.
pub(crate) const GROUP_SOURCES_MAX: usize = 10;

/// The same over IPv6, in a whole list: Linux's net.ipv6.mld_max_msf.
pub(crate) const GROUP_SOURCES_MAX_IP6: usize = 64;
