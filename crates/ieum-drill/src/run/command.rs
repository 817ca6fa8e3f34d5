//! Shell commands, and what they ask for; and code, which looks at the socket under test.

use super::{Runner, time::seconds};
use crate::counters;
use crate::machine::Machine;
use crate::python::Fragment;
use crate::settings::Settings;
use crate::shell::Request;
use crate::stop::Stop;

/// Takes what a command asked for; how long it is to wait.
pub(super) fn apply(settings: &mut Settings, request: Request) -> i64 {
    match request {
        Request::Set { name, value } => settings.set(&name, &value),
        Request::Mtu { bytes } => settings.mtu_bytes = Some(bytes),
        Request::Sleep { us } => return us,
        Request::Forget => settings.forgets_paths = true,
        Request::Counters => {}
        Request::Missing(what) => settings.missing.push(what),
    }
    0
}

impl Runner<'_> {
    /// Runs a command.
    pub(super) fn command(&mut self, line: u32, command: &str) -> Result<(), Stop> {
        self.ledger.write(&counters::of(&self.machine.host.stack().drops()))?;
        let requests = self.shell.run(self.directory, command, &self.ledger).map_err(|stop| {
            stop.map(|why| format!("{}:{line}: error executing `{command}` command: {why}", self.path))
        })?;
        let before = self.settings.clone();
        let mut asleep_us = 0;
        for request in requests {
            asleep_us += apply(&mut self.settings, request);
        }
        self.advance(self.machine.at_us(self.machine.now_us() + asleep_us))?;
        if self.config.verbose {
            self.said.push(format!("command: {:>9} `{command}`", seconds(self.machine.now_us())));
        }
        self.machine.reconfigure(&self.settings);
        self.settings.forgets_paths = false;
        let changed = before.of_host() != self.settings.of_host();
        if changed && self.table.is_fresh() {
            // Nothing has happened yet: the host may as well have been made like this.
            self.config.mtu_bytes = self.settings.mtu_bytes.unwrap_or(self.config.mtu_bytes);
            self.machine = Machine::new(&self.config.wire(), &self.settings).from(&self.machine);
        } else if changed {
            self.settings.missing.push("settings of a host that change after its first socket".to_owned());
        }
        Ok(())
    }

    /// Notes code and what it will look at: the socket under test as it stands now.
    pub(super) fn look(&mut self, line: u32, code: &str) -> Result<(), Stop> {
        let fail =
            |runner: &Runner<'_>, why: &str| Err(runner.fail(line, &format!("runtime error in code: {why}")));
        let Some(flow) = self.under_test else { return fail(self, "no socket to use for code") };
        let Some(info) = self.tcp_info(flow) else {
            return fail(self, "can't find getsockopt to get TCP info");
        };
        let memory = self.socket_memory(flow);
        self.code.push(Fragment { line, text: code.to_owned(), info, memory });
        Ok(())
    }
}
