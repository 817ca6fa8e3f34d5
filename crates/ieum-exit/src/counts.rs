//! What was refused or dropped, by reason.

/// Why something did not pass.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Reason {
    /// No more flows than the bound.
    TooManyFlows,
    /// The machine gave no descriptor (EMFILE, ENFILE) or no memory for one.
    NoDescriptor,
    /// The destination is not to be reached from inside.
    NotAllowed,
    /// The kernel refused a connect, or its peer did.
    ConnectFailed,
    /// The inside gave a handshake up before the kernel's connect ended.
    GivenUp,
    /// A datagram flow ended early to make room.
    FlowEvicted,
    /// The kernel had no room for a datagram, or would not send one so large.
    DatagramNotSent,
    /// The stack had no room for a datagram.
    DatagramNotTaken,
    /// A connection from outside found nobody inside.
    PublishedRefused,
    /// A published port could not listen when somebody inside did.
    PublishedNotListening,
}

impl Reason {
    const ALL: [Reason; 10] = [
        Reason::TooManyFlows,
        Reason::NoDescriptor,
        Reason::NotAllowed,
        Reason::ConnectFailed,
        Reason::GivenUp,
        Reason::FlowEvicted,
        Reason::DatagramNotSent,
        Reason::DatagramNotTaken,
        Reason::PublishedRefused,
        Reason::PublishedNotListening,
    ];

    fn name(self) -> &'static str {
        match self {
            Reason::TooManyFlows => "too many flows",
            Reason::NoDescriptor => "no descriptor left",
            Reason::NotAllowed => "destination not allowed",
            Reason::ConnectFailed => "the kernel's connect failed",
            Reason::GivenUp => "given up by the inside",
            Reason::FlowEvicted => "datagram flow evicted",
            Reason::DatagramNotSent => "datagram not sent by the kernel",
            Reason::DatagramNotTaken => "datagram not taken by the stack",
            Reason::PublishedRefused => "nobody inside for a published port",
            Reason::PublishedNotListening => "published port cannot listen",
        }
    }
}

/// How often each reason occurred.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    counts: [u64; Reason::ALL.len()],
}

impl Counts {
    /// It happened once more.
    pub(crate) fn count(&mut self, reason: Reason) {
        if let Some(at) = Reason::ALL.iter().position(|other| *other == reason) {
            self.counts[at] += 1;
        }
    }

    /// The reasons that occurred, in a fixed order.
    pub(crate) fn list(&self) -> Vec<(&'static str, u64)> {
        let all = Reason::ALL.into_iter().map(Reason::name).zip(self.counts);
        all.filter(|(_, count)| *count > 0).collect()
    }
}
