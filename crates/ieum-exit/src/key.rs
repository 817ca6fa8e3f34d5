//! Names of sources: what kind, and which.

use ieum_engine::Serial;

/// A source of the exit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Source {
    /// A connection's kernel socket.
    Stream(Serial),
    /// A datagram flow's kernel socket.
    Datagram(Serial),
    /// A published port, by its place.
    Published(usize),
    /// The kernel socket of an asker over TCP.
    Asker(Serial),
}

impl Source {
    /// The word the engine keeps.
    pub(crate) fn key(self) -> u64 {
        match self {
            Source::Stream(serial) => serial.key(0),
            Source::Datagram(serial) => serial.key(1),
            Source::Published(index) => Serial::of(u64::try_from(index).unwrap_or(u64::MAX)).key(2),
            Source::Asker(serial) => serial.key(3),
        }
    }

    /// The source the engine speaks of.
    pub(crate) fn of(key: u64) -> Source {
        match Serial::of_key(key) {
            (0, serial) => Source::Stream(serial),
            (1, serial) => Source::Datagram(serial),
            (3, serial) => Source::Asker(serial),
            (_, serial) => Source::Published(usize::try_from(serial.number()).unwrap_or(usize::MAX)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_names_its_source() {
        let all = [Source::Stream, Source::Datagram, Source::Asker].map(|kind| kind(Serial::of(u64::MAX)));
        for source in all.into_iter().chain([Source::Published(7)]) {
            assert_eq!(Source::of(source.key()), source);
        }
    }
}
