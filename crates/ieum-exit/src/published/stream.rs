//! A published TCP port: connections from outside become connections to the inside.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};

use ieum_engine::complain;
use ieum_wire::Instant;
use rustix::io::Errno;
use rustix::net::{SocketFlags, SocketType, accept_with};

use super::{Publish, PublishError, Published, Servers, reserve};
use crate::bounds::{ACCEPT_RETRY, ACCEPTS_PER_TURN_MAX};
use crate::counts::Reason;
use crate::kernel;
use crate::key::Source;
use crate::stream::{Context, Streams};

/// A published TCP port.
#[derive(Debug)]
pub(crate) struct StreamPort {
    reservation: OwnedFd,
    asked: Publish,
    outside: SocketAddr,
    /// Where its connections go.
    inside: SocketAddr,
    servers: Servers,
    /// The user knows that it could not be opened: said once.
    has_complained: bool,
    /// Open while somebody inside serves.
    listening: Option<OwnedFd>,
    /// The kernel may have connections for us.
    acceptable: bool,
    /// Nothing could be taken for want of descriptors or flows: when to try again.
    paused_until: Option<Instant>,
}

impl StreamPort {
    /// Reserves the port.
    pub(crate) fn reserve(wish: &Publish, host: IpAddr) -> Result<StreamPort, PublishError> {
        let (reservation, outside) = reserve::reserve(SocketType::STREAM, wish.outside)?;
        Ok(StreamPort {
            reservation,
            asked: *wish,
            outside,
            inside: SocketAddr::new(host, wish.inside_port),
            servers: Servers::default(),
            has_complained: false,
            listening: None,
            acceptable: false,
            paused_until: None,
        })
    }

    /// What is published here.
    pub(crate) fn published(&self) -> Published {
        Published { asked: self.asked, outside: self.outside }
    }

    /// Where its connections go.
    pub(crate) fn inside(&self) -> SocketAddr {
        self.inside
    }

    /// One more socket inside listens, or one less.
    pub(crate) fn on_serving(&mut self, cx: &mut Context<'_>, index: usize, serving: bool) {
        if !self.servers.change(serving) {
            return;
        }
        self.listening = None;
        if serving && let Err(error) = self.open(cx, index) {
            cx.counts.count(Reason::PublishedNotListening);
            // The program may try as often as it likes; the count goes on.
            if !std::mem::replace(&mut self.has_complained, true) {
                complain(&format!("cannot listen on {}: {}", self.outside, std::io::Error::from(error)));
            }
        }
    }

    fn open(&mut self, cx: &Context<'_>, index: usize) -> Result<(), Errno> {
        let listening = reserve::open_stream(&self.reservation, self.outside)?;
        let watched = cx.turn.watch(listening.as_fd(), Source::Published(index).key(), kernel::READ);
        watched.map_err(|_| Errno::NOMEM)?;
        self.listening = Some(listening);
        self.acceptable = true;
        Ok(())
    }

    /// The kernel has connections for us.
    pub(crate) fn on_ready(&mut self) {
        self.acceptable = true;
    }

    /// Takes a share of what waits.
    pub(crate) fn settle(&mut self, cx: &mut Context<'_>, streams: &mut Streams) {
        let Some(listening) = self.listening.as_ref().filter(|_| self.has_work()) else { return };
        for _ in 0..ACCEPTS_PER_TURN_MAX {
            let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
            let accepted = if streams.is_full() {
                cx.counts.count(Reason::TooManyFlows);
                Err(Errno::MFILE)
            } else {
                accept_with(listening, flags)
            };
            match accepted {
                Ok(socket) => streams.enter(cx, socket, self.inside),
                Err(Errno::INTR | Errno::CONNABORTED) => {}
                Err(error) if kernel::is_shortage(error) => {
                    cx.counts.count(Reason::NoDescriptor);
                    self.paused_until = Some(cx.turn.now + ACCEPT_RETRY);
                    return;
                }
                // EAGAIN: no more. Anything else is of one connection, or tells that this socket is over.
                Err(_) => {
                    self.acceptable = false;
                    return;
                }
            }
        }
    }

    /// The kernel may have connections for us, and they can be taken.
    pub(crate) fn has_work(&self) -> bool {
        self.listening.is_some() && self.acceptable && self.paused_until.is_none()
    }

    /// When to try again.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.paused_until
    }

    /// It may be tried again.
    pub(crate) fn on_deadline(&mut self, now: Instant) {
        if self.paused_until.is_some_and(|until| until <= now) {
            self.paused_until = None;
        }
    }
}
