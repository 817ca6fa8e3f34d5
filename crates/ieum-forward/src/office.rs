//! A worker, as the first process sees it.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use ieum_control::{Channel, Directory, Kind, Name};
use ieum_engine::{Interest, Serial, Turn};
use ieum_run::control::Asked;

use crate::counts::Counts;
use crate::forwarder::RuleId;
use crate::key::Source;
use crate::words::{Mailbox, Order};

/// A worker in a host.
#[derive(Debug)]
pub(crate) struct Office {
    pub(crate) name: Name,
    child: Child,
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
    /// Starts a worker in the host `name`.
    ///
    /// # Errors
    ///
    /// One line: there is no such host, or no process can be started.
    pub(crate) fn open(name: &Name) -> Result<Office, String> {
        let failed = |error: &dyn std::fmt::Display| format!("cannot forward in the host {name}: {error}");
        let directory = Directory::of_user().map_err(|error| failed(&error))?;
        let host = Asked::new(&directory, name).map_err(|error| failed(&error))?;
        let host = host.ok_or_else(|| format!("there is no host {name}: {}", there_are(&directory)))?;
        // It looks who calls when it takes the call: once it has answered, what this process gives up does not matter.
        host.drops().map_err(|error| failed(&error))?;
        let (ours, theirs) = Channel::pair().map_err(|error| failed(&error))?;
        let child = Command::new(OURSELVES)
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
        Ok(Office {
            name: name.clone(),
            child,
            mailbox: Mailbox::new(ours),
            host,
            counts: BTreeMap::new(),
            is_over: false,
        })
    }

    pub(crate) fn start(&self, turn: &Turn<'_>, serial: Serial) -> std::io::Result<()> {
        self.mailbox.start(turn, serial)?;
        turn.watch(self.host.as_fd(), Source::Worker(serial).key(), LEVEL)
    }

    /// The host, or the worker, is gone.
    pub(crate) fn is_gone(&self) -> bool {
        self.mailbox.is_gone() || self.host.is_gone()
    }

    /// Hangs up on the worker, which ends of it, and waits for its end.
    pub(crate) fn close(self) {
        let Office { mut child, mailbox, .. } = self;
        drop(mailbox);
        // Its end is all there is to know.
        let _ = child.wait();
    }
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
