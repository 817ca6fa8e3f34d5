//! A process whose program runs on another's host.
//!
//! It starts the program behind the filter as the owner of a host does, and then hands the filter's listener to the
//! owner, who answers every call from then on. What stays here is what only an ancestor can do: signals, the end, the exit
//! code, and a look into the program's memory where the kernel allows it to nobody else.
//!
//! No copy of the listener stays. When the owner dies the kernel itself answers every call that waits, and each to come,
//! with ENOSYS; the sockets' other ends are closed with the owner, so that reading ends.

use std::io;
use std::os::fd::AsFd;

use ieum_control::{Channel, ChannelError, Directory, Kind, Name, Received};
use ieum_engine::{Interest, Notice, Ready, Room, Turn, complain};
use ieum_stack::LinkId;
use ieum_wire::{Instant, Packet};

use super::client::{AskError, ask};
use super::{Answer, Request};
use crate::access::{self, Wish};
use crate::program::family::Family;
use crate::program::filter::DatagramCalls;
use crate::program::spawn::spawn;
use crate::program::{ExitStatus, Program, SpawnError};

/// A host that takes a program.
#[derive(Debug)]
pub struct Entrance {
    name: Name,
    /// Its program does not keep the host alive.
    attends: bool,
    channel: Channel,
    /// Who serves the calls that move datagrams there.
    datagrams: DatagramCalls,
}

/// A program on another's host.
#[derive(Debug)]
pub struct Guest {
    name: Name,
    attends: bool,
    family: Family,
    /// To the owner; `None` once it is gone.
    owner: Option<Channel>,
    /// What the owner wants of the program's memory.
    wishes: Option<Channel>,
}

/// Why a program cannot run on a host, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum EnterError {
    /// No host has that name.
    #[error("there is no host {0}: {names}", names = names(.1))]
    Unknown(Name, Vec<Name>),
    /// It does not want to.
    #[error("{0}")]
    Refused(String),
    /// It does not answer.
    #[error("cannot run on the host {0}: {1}")]
    Failed(Name, AskError),
}

fn names(names: &[Name]) -> String {
    match names {
        [] => "give one a name with `ieum run --name`".to_owned(),
        names => format!("there are {}", names.iter().map(Name::as_str).collect::<Vec<_>>().join(", ")),
    }
}

const OWNER: u64 = 0;
const SIGNALS: u64 = 1;
const WISHES: u64 = 2;
const LEVEL: Interest = Interest { read: true, write: false, edge: false };

impl Entrance {
    /// Asks the host that has `name` whether it takes a program; one that `attends` does not keep the host alive.
    ///
    /// # Errors
    ///
    /// [`EnterError`] says what a person should be told.
    pub fn find(directory: &Directory, name: &Name, attends: bool) -> Result<Entrance, EnterError> {
        let failed = |error: AskError| EnterError::Failed(name.clone(), error);
        let channel = Channel::connect(directory, Kind::Host, name)
            .map_err(|error| failed(AskError::Failed(ChannelError::from(error))))?;
        let Some(channel) = channel else {
            return Err(EnterError::Unknown(name.clone(), named_hosts(directory)));
        };
        let request = if attends { Request::Attend } else { Request::Enter };
        match ask(&channel, &request).map_err(failed)? {
            Answer::Welcome { native_datagrams } => {
                let datagrams = DatagramCalls::with(native_datagrams);
                Ok(Entrance { name: name.clone(), attends, channel, datagrams })
            }
            Answer::Refused { sentence } => Err(EnterError::Refused(sentence)),
            Answer::Sockets { .. } | Answer::Drops { .. } => Err(failed(AskError::NotUnderstood)),
        }
    }

    /// Starts `program` there. `through`: its memory is reached through this process even where the kernel would allow
    /// the owner to look for itself.
    ///
    /// # Errors
    ///
    /// [`SpawnError`] says what a person should be told.
    pub fn spawn(self, program: &Program, through: bool) -> Result<Guest, SpawnError> {
        let own = |error: io::Error| SpawnError::Own("cannot hand the program to its host", error);
        let (wishes, theirs) = Channel::pair().map_err(own)?;
        let (family, listener) = Family::new(spawn(program, self.datagrams)?);
        let request = Request::Serve { first: family.first(), through };
        self.channel
            .send(&request, &[listener.as_fd(), theirs.as_fd()])
            .map_err(|error| own(io::Error::other(error)))?;
        Ok(Guest {
            name: self.name,
            attends: self.attends,
            family,
            owner: Some(self.channel),
            wishes: Some(wishes),
        })
    }
}

/// The hosts that take programs: those whose names are not numbers of processes.
fn named_hosts(directory: &Directory) -> Vec<Name> {
    let is_number = |name: &Name| name.as_str().bytes().all(|byte| byte.is_ascii_digit());
    let lives = |name: &Name| matches!(Channel::connect(directory, Kind::Host, name), Ok(Some(_)));
    directory.list(Kind::Host).into_iter().filter(|name| !is_number(name) && lives(name)).collect()
}

impl Guest {
    /// How the program's first process ended; 125 while it runs.
    pub fn exit_status(&self) -> ExitStatus {
        self.family.exit_status()
    }

    /// The owner has nothing to say but its end.
    fn on_owner(&mut self) {
        let Some(owner) = &self.owner else { return };
        if matches!(owner.receive::<Answer>(), Ok(Received::Nothing)) {
            return;
        }
        self.owner = None;
        self.wishes = None;
        // Who was there for the host's sake knows by itself.
        if !self.family.is_gone() && !self.attends {
            complain(&format!("the host {} is gone; its programs have no network any more", self.name));
        }
    }

    fn on_wishes(&mut self) {
        let Some(wishes) = &self.wishes else { return };
        let answered = match wishes.receive::<Wish>() {
            Ok(Received::Message(wish, _)) => access::answer(wishes, &wish).is_ok(),
            Ok(Received::Nothing) => true,
            Ok(Received::End) | Err(_) => false,
        };
        if !answered {
            self.wishes = None;
        }
    }
}

impl Room for Guest {
    fn start(&mut self, turn: &Turn<'_>) -> io::Result<()> {
        turn.watch(self.family.signals(), SIGNALS, LEVEL)?;
        if let Some(owner) = &self.owner {
            turn.watch(owner.as_fd(), OWNER, LEVEL)?;
        }
        if let Some(wishes) = &self.wishes {
            turn.watch(wishes.as_fd(), WISHES, LEVEL)?;
        }
        Ok(())
    }

    fn on_ready(&mut self, turn: &Turn<'_>, key: u64, _ready: Ready) {
        match key {
            OWNER => self.on_owner(),
            WISHES => self.on_wishes(),
            _ => drop(self.family.on_signals(turn.now)),
        }
    }

    fn on_frame(&mut self, _turn: &Turn<'_>, _link: LinkId, _frame: Packet) {}

    fn on_deadline(&mut self, turn: &Turn<'_>) {
        self.family.on_deadline(turn.now);
    }

    fn deadline(&self) -> Option<Instant> {
        self.family.deadline()
    }

    fn settle(&mut self, _turn: &Turn<'_>) {}

    fn poll_frame(&mut self, _turn: &Turn<'_>) -> Option<(LinkId, Packet)> {
        None
    }

    fn poll_notice(&mut self) -> Option<Notice> {
        None
    }

    fn on_notice(&mut self, _turn: &Turn<'_>, _notice: Notice) {}

    fn is_unfinished(&self) -> bool {
        false
    }

    fn is_finished(&self) -> bool {
        self.family.is_gone()
    }
}
