//! The interface that the commands of scripts expect.
//!
//! Where packetdrill tests a kernel it makes an interface, and scripts give it a queue, switch its offloads off or set
//! its MTU. Where it tests a shared object there is none, and the commands would fail, and the scripts with them. So there is one
//! for as long as the tool runs: a TUN device of the name that scripts know, up, without an address, on which nothing is
//! ever sent. Its MTU counts, should a script set it.
//!
//! Nothing is made where it is not permitted, or where there is such an interface already.

use ieum_device::tun::{Tun, TunConfig, TunKind};

/// The name that packetdrill gives.
const NAME: &str = "tun0";

/// The interface, should there be one.
pub(crate) struct Device {
    tun: Option<Tun>,
    /// What it began with.
    mtu_bytes: u32,
}

impl Device {
    /// No interface.
    pub(crate) fn none() -> Device {
        Device { tun: None, mtu_bytes: 0 }
    }

    /// Makes the interface with an MTU.
    pub(crate) fn new(mtu_bytes: u32) -> Device {
        let config = TunConfig { name: NAME.to_owned(), kind: TunKind::Tun, keep: false, offload: false };
        let mut tun = Tun::open(&config).ok();
        if let Some(made) = &mut tun
            && made.set_up(mtu_bytes, &[]).is_err()
        {
            tun = None;
        }
        Device { tun, mtu_bytes }
    }

    /// The MTU, if it is not what it was at first.
    pub(crate) fn mtu_that_was_set(&self) -> Option<u32> {
        let now_bytes = self.tun.as_ref()?.current_mtu_bytes().ok()?;
        (now_bytes != self.mtu_bytes).then_some(now_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_an_interface_no_mtu_was_set() {
        assert_eq!(Device::none().mtu_that_was_set(), None);
    }
}
