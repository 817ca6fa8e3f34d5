//! Where other ieum processes of the user find this host.

use ieum_control::{BindError, Directory, Kind, Listener, Name};
use ieum_run::Runner;

use crate::Failure;
use crate::args::Run;

/// The host's control socket and, if it was given one, its name.
pub(crate) struct Desk {
    listener: Listener,
    name: Option<Name>,
}

impl Desk {
    /// Opens the host's control socket: under its name or else under this process's number. A host without a name only
    /// shows its sockets there, and does without where that cannot be.
    pub(crate) fn open(run: &Run) -> Result<Option<Desk>, Failure> {
        let failed = |error: &dyn std::fmt::Display| Failure::own(error.to_string());
        let Some(name) = &run.name else {
            let directory = Directory::of_user().ok();
            let name = Name::of_process(std::process::id());
            let listener = directory.and_then(|directory| Listener::bind(&directory, Kind::Host, &name).ok());
            return Ok(listener.map(|listener| Desk { listener, name: None }));
        };
        if name.as_str().bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Failure::own(format!(
                "--name {name} needs a letter: numbers are those of processes"
            )));
        }
        let directory = Directory::of_user().map_err(|error| failed(&error))?;
        match Listener::bind(&directory, Kind::Host, name) {
            Ok(listener) => Ok(Some(Desk { listener, name: Some(name.clone()) })),
            Err(BindError::NameTaken(name)) => Err(Failure::own(format!(
                "there is a host {name} already: put the program on it with --in {name}, or take another name"
            ))),
            Err(error) => Err(failed(&error)),
        }
    }

    /// From now on the host answers there.
    pub(crate) fn serve(self, runner: &mut Runner) {
        runner.open_desk(self.listener, self.name);
    }
}
