//! What stands behind the lock: the machine, the descriptors, and who waits.

use std::net::IpAddr;

use ieum_drill::{Machine, Settings, Wire, counters};
use ieum_socket::{Errno, SocketId};
use ieum_wire::Instant;

use crate::commands::Commands;
use crate::device::Device;
use crate::flags::Flags;
use crate::stand_ins::StandIns;
use crate::sysctls::Sysctls;
use crate::table::{Kind, Table};
use crate::thread::Thread;

/// A thread that is in a call that blocks.
pub(crate) struct Waiter {
    pub(crate) thread: Thread,
    /// When the call gives up.
    pub(crate) until: Option<Instant>,
    /// Something happened since it looked last.
    pub(crate) asked: bool,
}

/// Everything that calls change.
pub(crate) struct State {
    pub(crate) machine: Machine,
    pub(crate) table: Table,
    pub(crate) settings: Settings,
    pub(crate) flags: Flags,
    sysctls: Sysctls,
    device: Device,
    stand_ins: StandIns,
    /// Who is in a call that blocks.
    pub(crate) waiters: Vec<Waiter>,
    /// Who has left such a call, and may not have come to rest.
    pub(crate) leaving: Vec<Thread>,
    /// Who has ever been in such a call.
    pub(crate) others: Vec<Thread>,
    /// How far a thread that waits may let time pass by itself; set when the tool was first seen to wait for it.
    pub(crate) granted: Option<Instant>,
    commands: Commands,
    /// Does the host have sockets, or has it had any?
    pub(crate) used: bool,
}

impl State {
    pub(crate) fn new(flags: Flags) -> State {
        let mut settings = Settings::default();
        flags.apply(&mut settings);
        let machine = Machine::new(&wire(&flags, &settings), &settings);
        State {
            stand_ins: if flags.commands { StandIns::new() } else { StandIns::default() },
            device: if flags.commands { Device::new(flags.mtu_bytes) } else { Device::none() },
            machine,
            table: Table::default(),
            settings,
            flags,
            sysctls: Sysctls::new(),
            waiters: Vec::new(),
            leaving: Vec::new(),
            others: Vec::new(),
            granted: None,
            commands: Commands::default(),
            used: false,
        }
    }

    /// Takes what a command of the script has set, should one have run. Before the first socket the host may as well
    /// have been made like that.
    pub(crate) fn take_settings(&mut self) {
        if !self.commands.have_run() {
            return;
        }
        let mut settings = Settings::default();
        self.sysctls.apply(&mut settings);
        settings.mtu_bytes = self.device.mtu_that_was_set();
        settings.forgets_paths = self.stand_ins.forget_paths();
        self.flags.apply(&mut settings);
        if !self.used && settings.of_host() != self.settings.of_host() {
            self.machine = Machine::new(&wire(&self.flags, &settings), &settings).from(&self.machine);
        }
        self.machine.reconfigure(&settings);
        self.settings = settings;
    }

    /// Shows commands what the host has counted.
    pub(crate) fn show_counters(&mut self) {
        self.stand_ins.show(&counters(&self.machine.host.stack().drops()));
    }

    /// Makes an address the host's own: the tool binds to what its link was given, and sends to nothing else.
    pub(crate) fn adopt(&mut self, address: IpAddr) {
        let address = address.to_canonical();
        if address.is_unspecified() || address.is_loopback() || address.is_multicast() {
            return;
        }
        if !self.machine.host.stack().is_local(address) {
            self.machine.add_address(address);
        }
    }

    /// The socket that a number names.
    pub(crate) fn socket_at(&self, number: i32) -> Result<SocketId, Errno> {
        match self.table.get(number)?.kind {
            Kind::Socket(id) => Ok(id),
            Kind::Pipe { .. } | Kind::Epoll(_) => Err(ENOTSOCK),
        }
    }

    /// What a number names, and what that loses when it is closed.
    pub(crate) fn drop_kind(&mut self, kind: Option<Kind>) {
        if let Some(Kind::Socket(id)) = kind {
            let now = self.machine.now();
            self.machine.host.close(now, id);
        }
    }
}

/// Not a socket.
pub(crate) const ENOTSOCK: Errno = Errno(libc::ENOTSOCK);

fn wire(flags: &Flags, settings: &Settings) -> Wire {
    Wire {
        mtu_bytes: settings.mtu_bytes.unwrap_or(flags.mtu_bytes),
        addresses: flags.local.to_vec(),
        whole: flags.strict_segments,
    }
}
