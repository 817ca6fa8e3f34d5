//! Handles of links: with the last one, and the last who is on it, a link is gone.

use std::sync::Arc;

use super::Network;

/// A link of a network: whoever is on it can talk to whoever else is.
///
/// A handle: clones are the same link. It stays for as long as a handle of it is left, a host on it that was not
/// [removed](crate::Host::remove), or its [`Outlet`](crate::Outlet). Then the device that it leads to is closed; what waited
/// there to be written is lost, as on any wire that is cut.
#[derive(Clone, Debug)]
pub struct Link(Arc<Held>);

/// What users hold: the network is told when nobody does any more.
#[derive(Debug)]
struct Held {
    network: Network,
    number: usize,
}

impl Link {
    pub(super) fn of(network: &Network, number: usize) -> Link {
        Link(Arc::new(Held { network: network.clone(), number }))
    }

    /// Its place in its network, which is its own for as long as this lives.
    pub(crate) fn number(&self) -> usize {
        self.0.number
    }

    pub(crate) fn is_of(&self, network: &Network) -> bool {
        self.0.network.is(network)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.network.let_go(self.number);
    }
}
