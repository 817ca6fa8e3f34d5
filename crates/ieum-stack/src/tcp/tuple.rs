//! What names a connection.

use std::net::{IpAddr, SocketAddr};

/// Both addresses and ports: with the protocol, the 5-tuple that names a connection.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct FourTuple {
    pub(super) local: SocketAddr,
    pub(super) remote: SocketAddr,
}

impl FourTuple {
    /// The words of the tuple, for a keyed hash.
    pub(super) fn words(&self) -> (u128, u128, u32) {
        let address = |ip: IpAddr| match ip {
            IpAddr::V4(v4) => u128::from(u32::from(v4)),
            IpAddr::V6(v6) => u128::from(v6),
        };
        let ports = u32::from(self.local.port()) << 16 | u32::from(self.remote.port());
        (address(self.local.ip()), address(self.remote.ip()), ports)
    }
}
