//! Packets that come in. Those that go out, and time, are [`Shared`]'s own.

use std::net::IpAddr;

use crate::shared::Shared;

impl Shared {
    /// Gives the host a packet. The tool sends to its host alone, whose address is known by that.
    pub(crate) fn inject(&self, packet: &[u8]) {
        let given = self.call(|state, _| {
            if let Some(address) = destination(packet) {
                state.adopt(address);
            }
            let mss_bytes = state.flags.mss_bytes;
            state.machine.inject(packet, mss_bytes);
            Some(Ok(()))
        });
        // A packet that nobody wants is no error: a wire does not tell.
        debug_assert!(given.is_ok());
    }
}

/// Where a packet goes, if it is one.
fn destination(packet: &[u8]) -> Option<IpAddr> {
    match packet.first()? >> 4 {
        4 => packet.get(16..20)?.first_chunk::<4>().map(|octets| IpAddr::from(*octets)),
        6 => packet.get(24..40)?.first_chunk::<16>().map(|octets| IpAddr::from(*octets)),
        _ => None,
    }
}
