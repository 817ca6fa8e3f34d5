//! What the program's host and the other rooms of its process hear of a net: who came, who left, what they are called.

use std::collections::VecDeque;
use std::net::IpAddr;

use ieum_control::Name;
use ieum_engine::Notice;
use ieum_stack::LinkId;

/// One host's end of a net's link.
#[derive(Debug)]
pub(crate) struct End {
    net: Name,
    /// What the host calls the link.
    host_link: LinkId,
    notices: VecDeque<Notice>,
}

impl End {
    /// The end of the host that calls its link `host_link`.
    pub(crate) fn new(net: Name, host_link: LinkId) -> End {
        End { net, host_link, notices: VecDeque::new() }
    }

    /// This host itself has a name.
    pub(crate) fn named(&mut self, name: &Name, addresses: Vec<IpAddr>) {
        self.notices.push_back(Notice::Name { name: format!("{name}.{}.ieum", self.net), addresses });
    }

    /// Another host came.
    pub(crate) fn came(&mut self, name: &Name, addresses: &[IpAddr]) {
        self.neighbor(addresses, true);
        self.named(name, addresses.to_vec());
    }

    /// Another host left.
    pub(crate) fn left(&mut self, name: &Name, addresses: &[IpAddr]) {
        self.named(name, Vec::new());
        self.neighbor(addresses, false);
    }

    /// The link leads nowhere any more.
    pub(crate) fn down(&mut self) {
        self.notices.push_back(Notice::LinkDown { link: self.host_link });
    }

    /// What was not told yet. While there is something, no packet may reach the host: it could be from somebody it does
    /// not know of.
    pub(crate) fn has_notices(&self) -> bool {
        !self.notices.is_empty()
    }

    /// The next thing to be told.
    pub(crate) fn poll_notice(&mut self) -> Option<Notice> {
        self.notices.pop_front()
    }

    fn neighbor(&mut self, addresses: &[IpAddr], present: bool) {
        let (link, addresses) = (self.host_link, addresses.to_vec());
        self.notices.push_back(Notice::Neighbor { link, addresses, present });
    }
}
