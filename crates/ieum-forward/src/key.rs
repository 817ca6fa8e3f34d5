//! Names of sources: what kind, and which.

use ieum_engine::Serial;

/// What is waited for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Source {
    /// The socket of a flow whose connection came to us.
    Client(Serial),
    /// The socket of a flow that we have connected.
    Server(Serial),
    /// A listening socket.
    Port(Serial),
    /// A socket that datagrams come to.
    DatagramPort(Serial),
    /// The socket of an association, to where its datagrams go.
    Association(Serial),
    /// A socket that connects.
    Attempt(Serial),
    /// Names that were looked up.
    Lookups,
    /// The channel to a worker, or a worker's to who started it.
    Worker(Serial),
    /// Signals: stop, report, reload.
    Signal(Serial),
    /// The file of rules.
    File,
}

impl Source {
    /// The word the engine keeps.
    pub(crate) fn key(self) -> u64 {
        const ONLY: Serial = Serial::of(0);
        let (kind, serial) = match self {
            Source::Client(serial) => (0, serial),
            Source::Server(serial) => (1, serial),
            Source::Port(serial) => (2, serial),
            Source::DatagramPort(serial) => (3, serial),
            Source::Association(serial) => (4, serial),
            Source::Attempt(serial) => (5, serial),
            Source::Worker(serial) => (6, serial),
            Source::Signal(serial) => (7, serial),
            Source::Lookups => (8, ONLY),
            Source::File => (9, ONLY),
        };
        serial.key(kind)
    }

    /// The source the engine speaks of.
    pub(crate) fn of(key: u64) -> Source {
        let (kind, serial) = Serial::of_key(key);
        match kind {
            0 => Source::Client(serial),
            1 => Source::Server(serial),
            2 => Source::Port(serial),
            3 => Source::DatagramPort(serial),
            4 => Source::Association(serial),
            5 => Source::Attempt(serial),
            6 => Source::Worker(serial),
            7 => Source::Signal(serial),
            8 => Source::Lookups,
            _ => Source::File,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_names_its_source() {
        let serial = Serial::of(u64::MAX);
        let kinds = [
            Source::Client,
            Source::Server,
            Source::Port,
            Source::DatagramPort,
            Source::Association,
            Source::Attempt,
            Source::Worker,
            Source::Signal,
        ];
        for source in kinds.map(|kind| kind(serial)).into_iter().chain([Source::Lookups, Source::File]) {
            assert_eq!(Source::of(source.key()), source);
        }
    }
}
