//! Why a packet did not reach its destination, in both versions of ICMP.

/// Why a destination cannot be reached. The codes are those of ICMP type 3 (RFC 792, RFC 1122 §3.2.2.1) and, after the
/// bar, of ICMPv6 type 1 (RFC 4443 §3.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unreachable {
    /// Code 0 | 0: no route.
    Network,
    /// Code 1 | 3: the address does not answer.
    Host,
    /// Code 2 | parameter problem 1 (RFC 4443 §3.4): the transport protocol is not served.
    Protocol,
    /// Code 3 | 4: nobody has that port.
    Port,
    /// Code 4 (RFC 1191 §4) | Packet Too Big (RFC 4443 §3.2): larger than the next link's MTU, and not to be fragmented.
    FragmentationNeeded {
        /// The next link's MTU; 0 from old routers.
        mtu_bytes: u32,
    },
    /// Code 13, 9 or 10 (RFC 1812 §5.2.7.1) | 1, 5 or 6: forbidden by a filter.
    Prohibited,
    /// Any other code.
    Other(u8),
}
