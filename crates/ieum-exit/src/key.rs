//! Names of sources: what kind, and which.

/// A number that is given once.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Serial(u64);

/// Gives serial numbers.
#[derive(Debug, Default)]
pub(crate) struct Serials {
    next: u64,
}

impl Serials {
    /// The next one. At a million flows a second the 52 bits of a key last for 142 years.
    pub(crate) fn next(&mut self) -> Serial {
        self.next += 1;
        Serial(self.next & SERIAL_MASK)
    }
}

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

const KIND_SHIFT: u32 = 52;
const SERIAL_MASK: u64 = (1 << KIND_SHIFT) - 1;

impl Source {
    /// The word the engine keeps.
    pub(crate) fn key(self) -> u64 {
        match self {
            Source::Stream(Serial(serial)) => serial,
            Source::Datagram(Serial(serial)) => 1 << KIND_SHIFT | serial,
            Source::Published(index) => 2 << KIND_SHIFT | u64::try_from(index).unwrap_or(SERIAL_MASK),
            Source::Asker(Serial(serial)) => 3 << KIND_SHIFT | serial,
        }
    }

    /// The source the engine speaks of.
    pub(crate) fn of(key: u64) -> Source {
        let serial = key & SERIAL_MASK;
        match key >> KIND_SHIFT {
            0 => Source::Stream(Serial(serial)),
            1 => Source::Datagram(Serial(serial)),
            3 => Source::Asker(Serial(serial)),
            _ => Source::Published(usize::try_from(serial).unwrap_or(usize::MAX)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_names_its_source() {
        let serial = Serials { next: SERIAL_MASK - 1 }.next();
        let all = [Source::Stream, Source::Datagram, Source::Asker].map(|kind| kind(serial));
        for source in all.into_iter().chain([Source::Published(7)]) {
            assert_eq!(Source::of(source.key()), source);
            assert!(source.key() < 1 << 56);
        }
    }
}
