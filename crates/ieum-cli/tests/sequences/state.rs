//! What a sequence's sockets are at a moment, as its calls and Linux's answers tell it: by that `docs/DIFFERENCES.md`
//! says where a difference may be.

use std::collections::BTreeSet;

use super::call::{Call, SOCKETS, Verb, slot};

/// Words for a socket's state.
pub(crate) type Words = BTreeSet<&'static str>;

/// All words that there are.
const WORDS: [&str; 10] = [
    STREAM,
    DATAGRAM,
    LISTENING,
    CONNECTED,
    DISSOLVED,
    READ_SHUT,
    WRITE_SHUT,
    PORT_0,
    OTHERS_CLOSED,
    OTHERS_SHUT,
];

const STREAM: &str = "stream";
const DATAGRAM: &str = "datagram";
/// `listen` was answered with 0, and neither a shutdown nor a disconnect came after it.
const LISTENING: &str = "listening";
/// `connect` gave it a remote, or began to, or `accept` did; it was not dissolved since.
const CONNECTED: &str = "connected";
/// `connect` to AF_UNSPEC was answered with 0 at some time.
const DISSOLVED: &str = "dissolved";
const READ_SHUT: &str = "read-shut";
const WRITE_SHUT: &str = "write-shut";
/// `connect` named port 0 the last time.
const PORT_0: &str = "port-0";
/// Another stream of the sequence was closed, reset or replaced before.
const OTHERS_CLOSED: &str = "others-closed";
/// Another stream of the sequence was shut down before, and after that closed, reset, replaced or dissolved.
const OTHERS_SHUT: &str = "others-shut-and-ended";

/// In which states a difference may be: words that must hold, and others that must not.
#[derive(Clone)]
pub(crate) struct Condition(Vec<(&'static str, bool)>);

impl Condition {
    /// `stream, not connected`, say.
    pub(crate) fn of(text: &str) -> Condition {
        let wish = |wish: &str| {
            let (word, holds) = wish.strip_prefix("not ").map_or((wish, true), |word| (word, false));
            let known = WORDS.into_iter().find(|known| *known == word);
            (known.unwrap_or_else(|| panic!("{word} is no word for a state: {}", WORDS.join(", "))), holds)
        };
        Condition(text.split(", ").map(wish).collect())
    }

    /// The same, of a stream.
    pub(crate) fn of_streams_alone(mut self) -> Condition {
        self.0.push((STREAM, true));
        self
    }

    /// Is a socket in such a state?
    pub(crate) fn holds(&self, words: &Words) -> bool {
        self.0.iter().all(|(word, holds)| words.contains(word) == *holds)
    }
}

/// The sockets of a sequence.
#[derive(Default)]
pub(crate) struct States {
    sockets: [Words; SOCKETS],
    /// Streams were closed.
    closed: bool,
    /// How often a stream ended that was shut down before, and how often of each socket's own doing.
    ended: usize,
    own_ended: [usize; SOCKETS],
}

impl States {
    /// What the call's socket is when the call is made.
    pub(crate) fn of(&self, call: &Call) -> Words {
        let mut words = self.sockets[call.socket].clone();
        if self.closed {
            words.insert(OTHERS_CLOSED);
        }
        if self.ended > self.own_ended[call.socket] {
            words.insert(OTHERS_SHUT);
        }
        words
    }

    /// The call was made, and Linux answered that.
    pub(crate) fn after(&mut self, call: &Call, linux: &str) {
        let at = call.socket;
        let socket = &mut self.sockets[at];
        match call.verb {
            Verb::Socket { stream, .. } if linux == "0" => {
                self.made(at, Words::from([if stream { STREAM } else { DATAGRAM }]));
            }
            Verb::Accept { into } if linux.starts_with("from ") => {
                let into = at - slot(at) + slot(into);
                self.made(into, Words::from([STREAM, CONNECTED]));
            }
            Verb::Listen { .. } if linux == "0" => {
                socket.insert(LISTENING);
            }
            Verb::Connect { port, .. } if ["0", "EINPROGRESS"].contains(&linux) => {
                socket.insert(CONNECTED);
                socket.remove(PORT_0);
                if port == 0 {
                    socket.insert(PORT_0);
                }
            }
            Verb::Disconnect if linux == "0" => {
                // A stream is like new; what was shut of datagrams stays so.
                let stays: &[&str] =
                    if socket.contains(STREAM) { &[STREAM] } else { &[DATAGRAM, READ_SHUT, WRITE_SHUT] };
                let was_shut = is_shut_stream(socket);
                socket.retain(|word| stays.contains(word));
                socket.insert(DISSOLVED);
                if was_shut {
                    self.ended += 1;
                    self.own_ended[at] += 1;
                }
            }
            Verb::Shutdown { how } => {
                if [0, 2].contains(&how) {
                    socket.insert(READ_SHUT);
                    socket.remove(LISTENING);
                }
                if [1, 2].contains(&how) {
                    socket.insert(WRITE_SHUT);
                }
            }
            Verb::Close | Verb::Reset if linux == "0" => self.made(at, Words::new()),
            // Failed, or nothing that another call's answer would depend on.
            Verb::Socket { .. }
            | Verb::Accept { .. }
            | Verb::Listen { .. }
            | Verb::Connect { .. }
            | Verb::Disconnect
            | Verb::Close
            | Verb::Reset
            | Verb::Bind { .. }
            | Verb::Send { .. }
            | Verb::SendTo { .. }
            | Verb::Recv { .. }
            | Verb::RecvFrom { .. }
            | Verb::Set { .. }
            | Verb::Get { .. }
            | Verb::Error
            | Verb::Name
            | Verb::Peer
            | Verb::Poll
            | Verb::Waiting => {}
        }
    }

    /// Another socket is in the place of what was there, if any was.
    fn made(&mut self, at: usize, words: Words) {
        self.closed |= self.sockets[at].contains(STREAM);
        if is_shut_stream(&self.sockets[at]) {
            self.ended += 1;
        }
        self.own_ended[at] = 0;
        self.sockets[at] = words;
    }
}

fn is_shut_stream(words: &Words) -> bool {
    words.contains(STREAM) && (words.contains(READ_SHUT) || words.contains(WRITE_SHUT))
}
