//! A worker, as the first process sees it.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use ieum_control::{Channel, Directory, Kind, Name};
use ieum_engine::{Interest, Serial, Turn};
use ieum_exit::kernel;
use ieum_run::control::Asked;
use ieum_wire::Instant;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

use crate::counts::Counts;
use crate::forwarder::RuleId;
use crate::key::Source;
use crate::words::{Mailbox, Order};

/// A worker in a host.
#[derive(Debug)]
pub(crate) struct Office {
    pub(crate) name: Name,
    child: Child,
    /// Ready to be read when the child has ended.
    pidfd: OwnedFd,
    pub(crate) mailbox: Mailbox<Order>,
    /// The host itself: it says nothing but its end.
    host: Asked,
    /// As the worker has told last.
    pub(crate) counts: BTreeMap<RuleId, Counts>,
    /// The worker has said that it ends.
    pub(crate) is_over: bool,
}

/// This command itself.
const OURSELVES: &str = "/proc/self/exe";

const LEVEL: Interest = Interest { read: true, write: false, edge: false };

impl Office {
    /// Starts a worker in the host `name`, once that has answered: it looks who calls when it takes the call, and what this
    /// process gives up later does not matter then.
    ///
    /// # Errors
    ///
    /// One line: there is no such host, it does not answer, or no process can be started.
    pub(crate) fn open_at_first(name: &Name) -> Result<Office, String> {
        let host = call(name)?;
        host.drops().map_err(|error| cannot(name, &error))?;
        Office::with(name, host)
    }

    /// Starts a worker in the host `name` while others are forwarded for, who do not wait for its answer: that the host is
    /// silent, its worker finds out.
    ///
    /// # Errors
    ///
    /// One line: there is no such host, or no process can be started.
    pub(crate) fn open(name: &Name) -> Result<Office, String> {
        Office::with(name, call(name)?)
    }

    fn with(name: &Name, host: Asked) -> Result<Office, String> {
        let failed = |error: &dyn Display| cannot(name, error);
        let (ours, theirs) = Channel::pair().map_err(|error| failed(&error))?;
        let mut child = Command::new(OURSELVES)
            .args([
                "run",
                "--in",
                name.as_str(),
                "--attends",
                "--",
                OURSELVES,
                "forward",
                "--worker",
                name.as_str(),
            ])
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::null())
            // What a terminal's Ctrl-C means is said by the first process.
            .process_group(0)
            .spawn()
            .map_err(|error| failed(&error))?;
        let pidfd = match pidfd_open(Pid::from_child(&child), PidfdFlags::empty()) {
            Ok(pidfd) => pidfd,
            Err(error) => {
                // Nobody could wait for its end.
                end_by_force(&mut child);
                let _ = child.wait();
                return Err(failed(&error));
            }
        };
        Ok(Office {
            name: name.clone(),
            child,
            pidfd,
            mailbox: Mailbox::new(ours),
            host,
            counts: BTreeMap::new(),
            is_over: false,
        })
    }

    pub(crate) fn start(&self, turn: &Turn<'_>, serial: Serial) -> std::io::Result<()> {
        self.mailbox.start(turn, serial)?;
        turn.watch(self.pidfd.as_fd(), Source::Worker(serial).key(), kernel::READ)?;
        turn.watch(self.host.as_fd(), Source::Worker(serial).key(), LEVEL)
    }

    /// The host, or the worker, is gone.
    pub(crate) fn is_gone(&self) -> bool {
        self.mailbox.is_gone() || self.host.is_gone()
    }

    /// Hangs up on the worker, which ends of it until `kill_at`.
    pub(crate) fn close(self, kill_at: Instant) -> Leaving {
        let Office { name, child, pidfd, .. } = self;
        Leaving { name, child, _pidfd: pidfd, kill_at: Some(kill_at) }
    }
}

/// A worker that was hung up on, until it has ended.
#[derive(Debug)]
pub(crate) struct Leaving {
    pub(crate) name: Name,
    child: Child,
    /// Watched still.
    _pidfd: OwnedFd,
    /// When it will have had its time; `None`: it was killed.
    kill_at: Option<Instant>,
}

impl Leaving {
    /// It has ended, and nothing of it is left.
    pub(crate) fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.kill_at
    }

    /// Ends it by force.
    pub(crate) fn kill(&mut self) {
        self.kill_at = None;
        end_by_force(&mut self.child);
    }
}

/// Calls the host `name`.
fn call(name: &Name) -> Result<Asked, String> {
    let directory = Directory::of_user().map_err(|error| cannot(name, &error))?;
    let host = Asked::new(&directory, name).map_err(|error| cannot(name, &error))?;
    host.ok_or_else(|| format!("there is no host {name}: {}", there_are(&directory)))
}

fn cannot(name: &Name, error: &dyn Display) -> String {
    format!("cannot forward in the host {name}: {error}")
}

/// The child that we know stands before the worker, which is a child of its child and in its process group.
fn end_by_force(child: &mut Child) {
    // Until it was waited for its number is nobody else's. A group that is no more has ended.
    let _ = kill_process_group(Pid::from_child(child), Signal::KILL);
}

/// The hosts that there are, in a sentence.
fn there_are(directory: &Directory) -> String {
    let is_number = |name: &Name| name.as_str().bytes().all(|byte| byte.is_ascii_digit());
    let lives = |name: &Name| matches!(Channel::connect(directory, Kind::Host, name), Ok(Some(_)));
    let names = directory.list(Kind::Host).into_iter().filter(|name| !is_number(name) && lives(name));
    let names: Vec<String> = names.map(|name| name.to_string()).collect();
    match names.as_slice() {
        [] => "give one a name with `ieum run --name`".to_owned(),
        names => format!("there are {}", names.join(", ")),
    }
}
