//! Signals, as bytes that a poller hears of.

use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use ieum_engine::{Interest, Serial, Turn};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
use signal_hook::low_level::pipe;

use crate::key::Source;

/// What a signal asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Asked {
    /// SIGTERM, SIGINT: end.
    Stop,
    /// SIGUSR1: say what passed.
    Report,
    /// SIGHUP: read the file of rules again.
    Reload,
}

const ALL: [(Asked, &[i32]); 3] =
    [(Asked::Stop, &[SIGTERM, SIGINT]), (Asked::Report, &[SIGUSR1]), (Asked::Reload, &[SIGHUP])];

const LEVEL: Interest = Interest { read: true, write: false, edge: false };

/// A pipe for each that is asked.
#[derive(Debug)]
pub(crate) struct Signals {
    pipes: Vec<UnixStream>,
}

impl Signals {
    /// From now on they are taken.
    pub(crate) fn take() -> io::Result<Signals> {
        let pipes = ALL.iter().map(|(_, signals)| {
            let (ours, theirs) = UnixStream::pair()?;
            ours.set_nonblocking(true)?;
            signals.iter().try_for_each(|signal| pipe::register(*signal, theirs.try_clone()?).map(drop))?;
            Ok(ours)
        });
        Ok(Signals { pipes: pipes.collect::<io::Result<_>>()? })
    }

    pub(crate) fn start(&self, turn: &Turn<'_>) -> io::Result<()> {
        (0..).zip(&self.pipes).try_for_each(|(number, pipe)| {
            turn.watch(pipe.as_fd(), Source::Signal(Serial::of(number)).key(), LEVEL)
        })
    }

    /// What was asked for by a source that is ready, and how often.
    pub(crate) fn heard(&mut self, source: Serial) -> Option<(Asked, usize)> {
        let at = usize::try_from(source.number()).ok()?;
        let count = self.pipes.get_mut(at)?.read(&mut [0; 64]).ok()?;
        Some((ALL.get(at)?.0, count))
    }
}
