//! Questions that others are to answer: remembered, so that they can be put to the next server when one is not there, and
//! answered with a failure when none is.

use std::collections::VecDeque;
use std::net::SocketAddr;

use super::{failure, message};
use crate::bounds::{QUESTION_BYTES_MAX, QUESTIONS_WAITING_MAX};

/// The questions of one asker, and who can be asked.
#[derive(Debug)]
pub(crate) struct Waiting {
    questions: VecDeque<Vec<u8>>,
    /// Those that were not tried yet.
    servers: VecDeque<SocketAddr>,
}

impl Waiting {
    /// No questions; these can be asked in turn.
    pub(super) fn new(servers: impl IntoIterator<Item = SocketAddr>) -> Waiting {
        Waiting { questions: VecDeque::new(), servers: servers.into_iter().collect() }
    }

    /// Whom to ask next; `None` when all were tried.
    pub(crate) fn next_server(&mut self) -> Option<SocketAddr> {
        self.servers.pop_front()
    }

    /// These can be asked in turn from now on.
    pub(super) fn renew(&mut self, servers: impl IntoIterator<Item = SocketAddr>) {
        self.servers = servers.into_iter().collect();
    }

    /// This is put to a server. The oldest question is forgotten where there are too many: its asker asks again. False:
    /// it is too long to be remembered.
    pub(crate) fn asked(&mut self, message: &[u8]) -> bool {
        let fits = message.len() <= QUESTION_BYTES_MAX;
        if fits {
            if self.is_full() {
                self.questions.pop_front();
            }
            self.questions.push_back(message.to_vec());
        }
        fits
    }

    /// One more question would make another be forgotten.
    pub(super) fn is_full(&self) -> bool {
        self.questions.len() >= QUESTIONS_WAITING_MAX
    }

    /// An answer came.
    pub(crate) fn answered(&mut self, answer: &[u8]) {
        let id = message::id(answer);
        if let Some(at) = self.questions.iter().position(|question| message::id(question) == id) {
            self.questions.remove(at);
        }
    }

    /// Nobody waits.
    pub(super) fn is_empty(&self) -> bool {
        self.questions.is_empty()
    }

    /// The questions that wait, in their order.
    pub(crate) fn questions(&self) -> impl Iterator<Item = &[u8]> {
        self.questions.iter().map(Vec::as_slice)
    }

    /// Nobody can be asked: what is to be told of each question, which waits no more.
    pub(crate) fn failures(&mut self) -> Vec<Vec<u8>> {
        self.questions.drain(..).filter_map(|question| failure(&question)).collect()
    }
}

#[cfg(test)]
mod tests {
    use domain::base::Rtype;
    use domain::base::iana::Rcode;

    use super::super::message::tests::{question, said};
    use super::*;

    #[test]
    fn what_was_not_answered_fails() {
        let mut waiting = Waiting::new([]);
        let (mut one, two) = (question("one.test", Rtype::A, false), question("two.test", Rtype::A, false));
        one[0] = 0;
        assert!(waiting.asked(&one) && waiting.asked(&two) && waiting.asked(b"?"));
        waiting.answered(&one);
        let failures = waiting.failures();
        assert_eq!(failures.len(), 1, "what is no question is not answered");
        assert_eq!(said(&failures[0]), (Rcode::SERVFAIL, vec![]));
        assert_eq!(waiting.questions().count(), 0);
    }

    #[test]
    fn no_asker_keeps_more_than_its_share() {
        let mut waiting = Waiting::new([]);
        assert!((0..100_u8).all(|number| waiting.asked(&[number; 20])));
        assert!(!waiting.asked(&[200; QUESTION_BYTES_MAX + 1]));
        assert_eq!(waiting.questions().count(), QUESTIONS_WAITING_MAX);
        assert_eq!(waiting.questions().last(), Some(&[99; 20][..]));
    }
}
