//! The helper: a process in a user and a network namespace of its own, which makes sockets there.

use std::convert::Infallible;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use ieum_control::{Channel, ChannelError, DESCRIPTORS_MAX, Received};
use rustix::process::{WaitOptions, setsid, waitpid};
use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities};

use super::order::{Make, Order, Report};
use super::{losses, setup, sys};
use crate::confine::confine;
use crate::program::sys::fork_alone;

/// How long the helper waits for an order before it waits anew.
const PATIENCE: Duration = Duration::from_secs(3600);

/// A helper that has not been told anything yet.
#[derive(Debug)]
pub struct Helper {
    channel: Channel,
}

impl Helper {
    /// Starts one: before there is any thread, before anything is opened that it should not hold, and before the calling
    /// process gives up what it needs no more.
    ///
    /// # Errors
    ///
    /// The machine has no room for another process.
    pub fn start() -> io::Result<Helper> {
        let (channel, theirs) = Channel::pair()?;
        match fork_alone()? {
            Some(between) => {
                // It ends at once, so that the helper is nobody's child whom we would wait for.
                rustix::io::retry_on_intr(|| waitpid(Some(between), WaitOptions::empty()))?;
                Ok(Helper { channel })
            }
            None => {
                drop(channel);
                if matches!(fork_alone(), Ok(None)) {
                    // An error says that nobody is left to serve.
                    let _ = live(theirs);
                }
                sys::leave()
            }
        }
    }

    pub(super) fn into_channel(self) -> Channel {
        self.channel
    }
}

/// The helper's life. It ends with the channel, and so with whoever holds the other end.
fn live(channel: Channel) -> Result<Infallible, ChannelError> {
    // A terminal's signals are for others, and its end waits for nobody.
    setsid().map_err(io::Error::from)?;
    let channel = Channel::from(sys::keep_only(OwnedFd::from(channel)).map_err(io::Error::from)?);
    // While others think about what the host is to look like.
    let begun = setup::begin();
    let plan = match next(&channel)? {
        Order::SetUp(plan) => plan,
        Order::Make(_) => return Err(io::Error::from(io::ErrorKind::InvalidData).into()),
    };
    let tuns = match begun.and_then(|wires| setup::set_up(&plan, &wires)) {
        Ok(tuns) => tuns,
        Err(sentence) => {
            channel.send(&Report::Failed { sentence }, &[])?;
            return Err(io::Error::from(io::ErrorKind::Unsupported).into());
        }
    };
    // They are kept here as well: whoever closes the last descriptor of a device waits until the kernel has taken it down
    // (some 20 ms), and that is to be us, whom nobody waits for.
    for tun in &tuns {
        let report = if tun.is_veth() { Report::Veth } else { Report::Tun };
        channel.send(&report, &[tun.as_fd()])?;
    }
    for make in Make::LISTED {
        let path = make.table().map(|name| format!("/proc/self/net/{name}"));
        if let Some(file) = path.and_then(|path| std::fs::File::open(path).ok()) {
            channel.send(&Report::Table(make), &[file.as_fd()])?;
        }
    }
    for name in losses::FILES {
        if let Ok(file) = std::fs::File::open(format!("/proc/self/net/{name}")) {
            channel.send(&Report::Losses, &[file.as_fd()])?;
        }
    }
    let none = CapabilitySet::empty();
    let none = CapabilitySets { effective: none, permitted: none, inheritable: none };
    set_capabilities(None, none).map_err(io::Error::from)?;
    confine()?;
    channel.send(&Report::Ready, &[])?;
    loop {
        let Order::Make(make) = next(&channel)? else {
            return Err(io::Error::from(io::ErrorKind::InvalidData).into());
        };
        let made: Result<Vec<OwnedFd>, _> = (0..DESCRIPTORS_MAX).map(|_| sys::socket(make.call())).collect();
        match made {
            Ok(made) => {
                channel.send(&Report::Made(make), &made.iter().map(AsFd::as_fd).collect::<Vec<_>>())?;
                // A socket that its program closes must be closed, and its port free, at once: not when we come to it.
                drop(made);
                channel.send(&Report::LetGo, &[])?;
            }
            Err(errno) => channel.send(&Report::Refused(errno.raw_os_error()), &[])?,
        }
    }
}

fn next(channel: &Channel) -> Result<Order, ChannelError> {
    loop {
        match channel.receive_within(PATIENCE)? {
            Received::Message(order, _) => return Ok(order),
            Received::Nothing => {}
            Received::End => return Err(io::Error::from(io::ErrorKind::BrokenPipe).into()),
        }
    }
}
