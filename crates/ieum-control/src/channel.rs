//! Two processes that talk.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags, SocketType,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::bounds::{DESCRIPTORS_MAX, MESSAGE_BYTES_MAX};
use crate::directory::{Directory, Kind};
use crate::listener::socket;
use crate::message::{Malformed, decode, encode};
use crate::name::Name;
use crate::sys;

/// One end of a conversation: messages and descriptors, whole and in order. It never waits, save in
/// [`Channel::receive_within`].
#[derive(Debug)]
pub struct Channel {
    fd: OwnedFd,
}

/// What came over a channel.
#[derive(Debug)]
pub enum Received<M> {
    /// A message, and the descriptors that came with it.
    Message(M, Vec<OwnedFd>),
    /// Nothing so far.
    Nothing,
    /// Nothing ever again: the other end is closed, or its process gone.
    End,
}

/// Why a channel is of no use.
#[derive(Debug, thiserror::Error)]
pub enum ChannelError {
    /// The other end said something that is no message.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// More descriptors than [`DESCRIPTORS_MAX`] came or were to go.
    #[error("a message carries {DESCRIPTORS_MAX} descriptors at most")]
    TooManyDescriptors,
    /// The other end does not take what it is sent.
    #[error("the other end does not listen")]
    Full,
    /// The system call failed.
    #[error(transparent)]
    Failed(#[from] io::Error),
}

impl From<OwnedFd> for Channel {
    fn from(fd: OwnedFd) -> Channel {
        Channel { fd }
    }
}

impl From<Channel> for OwnedFd {
    fn from(channel: Channel) -> OwnedFd {
        channel.fd
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Channel {
    /// Calls the process that has `name`; `None`: nobody has.
    ///
    /// # Errors
    ///
    /// Those of socket(2) and connect(2); EPERM when the socket is another user's.
    pub fn connect(directory: &Directory, kind: Kind, name: &Name) -> io::Result<Option<Channel>> {
        let fd = socket()?;
        match rustix::net::connect(&fd, &SocketAddrUnix::new(directory.path(kind, name))?) {
            Ok(()) => {}
            Err(Errno::NOENT | Errno::CONNREFUSED) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        let channel = Channel { fd };
        if channel.is_same_user() { Ok(Some(channel)) } else { Err(Errno::PERM.into()) }
    }

    /// Two ends that talk to each other.
    ///
    /// # Errors
    ///
    /// Those of socketpair(2).
    pub fn pair() -> io::Result<(Channel, Channel)> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let (one, other) = rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
        Ok((Channel { fd: one }, Channel { fd: other }))
    }

    /// The process at the other end, as it was when it called or was called; `None` for one that has no number here.
    pub fn peer_pid(&self) -> Option<u32> {
        let pid = sys::peer(self.fd.as_fd()).ok()?.pid;
        u32::try_from(pid).ok().filter(|pid| *pid != 0)
    }

    /// Whether the user at the other end is the one whose process this is.
    pub(crate) fn is_same_user(&self) -> bool {
        sys::peer(self.fd.as_fd()).is_ok_and(|peer| peer.user == rustix::process::geteuid().as_raw())
    }

    /// Sends a message, and copies of `descriptors` with it.
    ///
    /// # Errors
    ///
    /// [`ChannelError::Full`] when the other end has not taken what it was sent before; EPIPE when it is gone.
    pub fn send(&self, message: &impl Serialize, descriptors: &[BorrowedFd<'_>]) -> Result<(), ChannelError> {
        if descriptors.len() > DESCRIPTORS_MAX {
            return Err(ChannelError::TooManyDescriptors);
        }
        let bytes = encode(message)?;
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !descriptors.is_empty() && !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
            return Err(ChannelError::TooManyDescriptors);
        }
        loop {
            let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
            match rustix::net::sendmsg(&self.fd, &[IoSlice::new(&bytes)], &mut control, flags) {
                Ok(_) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN | Errno::NOBUFS) => return Err(ChannelError::Full),
                Err(error) => return Err(ChannelError::Failed(error.into())),
            }
        }
    }

    /// What has come, if something has.
    ///
    /// # Errors
    ///
    /// [`ChannelError`]: what came is not what this end understands, and the conversation is over.
    pub fn receive<M: DeserializeOwned>(&self) -> Result<Received<M>, ChannelError> {
        let (received, are_all) = self.take()?;
        if are_all { Ok(received) } else { Err(ChannelError::TooManyDescriptors) }
    }

    /// As [`Channel::receive`], but a message is told even if not all of its descriptors came, since this process may have no
    /// more of them: with those that did.
    ///
    /// # Errors
    ///
    /// As [`Channel::receive`], but for that.
    pub fn receive_what_came<M: DeserializeOwned>(&self) -> Result<Received<M>, ChannelError> {
        self.take().map(|(received, _)| received)
    }

    /// What has come, and whether all its descriptors did.
    fn take<M: DeserializeOwned>(&self) -> Result<(Received<M>, bool), ChannelError> {
        let mut bytes = vec![0; MESSAGE_BYTES_MAX];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
        let got = loop {
            match rustix::net::recvmsg(&self.fd, &mut [IoSliceMut::new(&mut bytes)], &mut control, flags) {
                Ok(got) => break got,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok((Received::Nothing, true)),
                Err(Errno::CONNRESET | Errno::PIPE) => return Ok((Received::End, true)),
                Err(error) => return Err(ChannelError::Failed(error.into())),
            }
        };
        let mut descriptors = Vec::new();
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(more) = message {
                descriptors.extend(more);
            }
        }
        let are_all = !got.flags.contains(ReturnFlags::CTRUNC) && descriptors.len() <= DESCRIPTORS_MAX;
        if got.flags.contains(ReturnFlags::TRUNC) {
            return Err(Malformed::TooLong.into());
        }
        match bytes.get(..got.bytes) {
            // No message is empty.
            None | Some([]) => Ok((Received::End, true)),
            Some(bytes) => Ok((Received::Message(decode(bytes)?, descriptors), are_all)),
        }
    }

    /// What comes, if it comes within `longest`: for who has nothing else to do.
    ///
    /// # Errors
    ///
    /// As [`Channel::receive`].
    pub fn receive_within<M: DeserializeOwned>(
        &self,
        longest: Duration,
    ) -> Result<Received<M>, ChannelError> {
        let longest = Timespec::try_from(longest).unwrap_or_default();
        loop {
            match poll(&mut [PollFd::new(&self.fd, PollFlags::IN)], Some(&longest)) {
                Ok(0) => return Ok(Received::Nothing),
                Ok(_) => return self.receive(),
                // Who was stopped and goes on waits anew.
                Err(Errno::INTR) => {}
                Err(error) => return Err(ChannelError::Failed(error.into())),
            }
        }
    }
}
