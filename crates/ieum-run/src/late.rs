//! Answers that wait until what they say is so.
//!
//! When `listen` returns, a published port is open outside; when `connect` returns, a listener of the same host is readable;
//! when `shutdown` returns, a far end on the same host polls accordingly. So it is on Linux, whose loopback has done all
//! this before the call is over. The answers to such calls are kept until this room has nothing more to say.
//!
//! A caller that a signal interrupts meanwhile makes its call again, and is told what its first one was to be told: here too is
//! kept what such callers have sent.

use std::collections::VecDeque;

use crate::bounds::MISSED_MAX;
use crate::notification::Call;
use crate::sys::{Reply, number as n};
use crate::tree::TreeId;

/// Does the answer to this call say something of others?
pub(crate) fn is_late(call: &Call) -> bool {
    matches!(call.number, n::SYS_bind | n::SYS_listen | n::SYS_connect | n::SYS_shutdown)
}

/// Answers that were not given yet, and those whose caller was away.
#[derive(Debug, Default)]
pub(crate) struct Late {
    waiting: VecDeque<(Call, Reply)>,
    missed: VecDeque<(Call, Reply)>,
    /// What callers sent who were not told so.
    sent: VecDeque<(Call, Vec<u8>)>,
}

impl Late {
    pub(crate) fn push(&mut self, call: Call, reply: Reply) {
        self.waiting.push_back((call, reply));
    }

    /// The next answer to give.
    pub(crate) fn next(&mut self) -> Option<(Call, Reply)> {
        self.waiting.pop_front()
    }

    /// Nobody was there to hear it.
    pub(crate) fn missed(&mut self, call: Call, reply: Reply) {
        if self.missed.len() >= MISSED_MAX {
            self.missed.pop_front();
        }
        self.missed.push_back((call, reply));
    }

    /// `bytes` went out, and nobody was there to hear it.
    pub(crate) fn sent(&mut self, call: &Call, bytes: &[u8]) {
        if self.sent.len() >= MISSED_MAX {
            self.sent.pop_front();
        }
        self.sent.push_back((*call, bytes.to_vec()));
    }

    /// How many of `bytes` went out when this call was made before. Other bytes in the same place are others: somebody who
    /// heard EINTR need not say the same again.
    pub(crate) fn sent_before(&mut self, call: &Call, bytes: &[u8]) -> Option<usize> {
        let at = self.sent.iter().position(|(older, _)| older.is_of_thread_of(call))?;
        let (_, sent) = self.sent.remove(at)?;
        bytes.starts_with(&sent).then_some(sent.len())
    }

    /// A thread has one call at a time: with a new one an older is over. The older's answer, if this is the same again.
    pub(crate) fn repeated(&mut self, call: &Call) -> Option<Reply> {
        self.sent.retain(|(older, _)| !older.is_of_thread_of(call) || older.repeats(call));
        let [waiting, missed] = [&mut self.waiting, &mut self.missed].map(|answers| {
            let at = answers.iter().position(|(older, _)| older.is_of_thread_of(call))?;
            answers.remove(at)
        });
        waiting.or(missed).filter(|(older, _)| older.repeats(call)).map(|(_, reply)| reply)
    }

    /// The tree's calls are answered no more.
    pub(crate) fn forget_tree(&mut self, tree: TreeId) {
        self.waiting.retain(|(call, _)| call.tree != tree);
        self.missed.retain(|(call, _)| call.tree != tree);
        self.sent.retain(|(call, _)| call.tree != tree);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const THREAD: i32 = 7;

    fn connect(thread: i32, descriptor: u64) -> Call {
        Call::for_test(thread, n::SYS_connect, descriptor)
    }

    /// What the next answer says, and to whom.
    fn given(late: &mut Late) -> Option<(i32, i64)> {
        let (call, reply) = late.next()?;
        let Reply::Value(value) = reply else { panic!("answers of these tests are values") };
        Some((call.thread, value))
    }

    fn value(reply: Option<Reply>) -> Option<i64> {
        reply.map(|reply| match reply {
            Reply::Value(value) => value,
            Reply::Error(_) | Reply::Continue => panic!("answers of these tests are values"),
        })
    }

    #[test]
    fn what_says_something_of_others_is_answered_late() {
        let late = [n::SYS_bind, n::SYS_listen, n::SYS_connect, n::SYS_shutdown];
        assert!(late.iter().all(|number| is_late(&Call::for_test(THREAD, *number, 3))));
        let at_once = [n::SYS_socket, n::SYS_getsockname, n::SYS_accept, n::SYS_recvfrom];
        assert!(!at_once.iter().any(|number| is_late(&Call::for_test(THREAD, *number, 3))));
    }

    #[test]
    fn answers_are_given_in_the_order_of_their_calls() {
        let mut late = Late::default();
        late.push(connect(THREAD, 3), Reply::Value(1));
        late.push(connect(THREAD + 1, 3), Reply::Value(2));
        assert_eq!(given(&mut late), Some((THREAD, 1)));
        assert_eq!(given(&mut late), Some((THREAD + 1, 2)));
        assert_eq!(given(&mut late), None);
    }

    #[test]
    fn a_call_that_is_interrupted_before_its_answer_gets_that_answer_when_it_is_made_again() {
        let mut late = Late::default();
        late.push(connect(THREAD, 3), Reply::Value(1));
        assert_eq!(value(late.repeated(&connect(THREAD, 3))), Some(1));
        assert_eq!(given(&mut late), None, "the interrupted one waits no more");
    }

    #[test]
    fn an_answer_that_nobody_heard_is_for_the_same_call_made_again_once() {
        let mut late = Late::default();
        late.missed(connect(THREAD, 3), Reply::Value(1));
        assert_eq!(value(late.repeated(&connect(THREAD + 1, 3))), None, "another thread's call is another");
        assert_eq!(value(late.repeated(&connect(THREAD, 3))), Some(1));
        assert_eq!(value(late.repeated(&connect(THREAD, 3))), None);
    }

    #[test]
    fn a_thread_that_makes_another_call_wants_no_answer_to_its_older_one() {
        for other in [connect(THREAD, 4), Call::for_test(THREAD, n::SYS_listen, 3)] {
            let mut late = Late::default();
            late.push(connect(THREAD, 3), Reply::Value(1));
            late.missed(connect(THREAD, 3), Reply::Value(2));
            assert_eq!(value(late.repeated(&other)), None);
            assert_eq!(value(late.repeated(&connect(THREAD, 3))), None);
            assert_eq!(given(&mut late), None);
        }
    }

    #[test]
    fn of_answers_that_nobody_heard_the_oldest_go_first() {
        let mut late = Late::default();
        let threads = || (0..).take(MISSED_MAX + 1);
        for thread in threads() {
            late.missed(connect(thread, 3), Reply::Value(i64::from(thread)));
        }
        let kept: Vec<i32> =
            threads().filter(|thread| late.repeated(&connect(*thread, 3)).is_some()).collect();
        assert_eq!(kept, threads().skip(1).collect::<Vec<_>>());
    }

    #[test]
    fn bytes_that_went_out_unheard_are_not_sent_again() {
        let send = |thread| Call::for_test(thread, n::SYS_sendto, 3);
        let mut late = Late::default();
        late.sent(&send(THREAD), b"one");
        assert_eq!(late.sent_before(&send(THREAD + 1), b"one two"), None, "another thread's call is another");
        assert!(late.repeated(&send(THREAD)).is_none());
        assert_eq!(late.sent_before(&send(THREAD), b"one two"), Some(3));
        assert_eq!(late.sent_before(&send(THREAD), b"one two"), None);
    }

    #[test]
    fn other_bytes_and_those_after_another_call_are_sent() {
        let send = Call::for_test(THREAD, n::SYS_sendto, 3);
        let mut late = Late::default();
        late.sent(&send, b"one");
        assert_eq!(late.sent_before(&send, b"two"), None);
        late.sent(&send, b"one");
        assert!(late.repeated(&connect(THREAD, 3)).is_none());
        assert_eq!(late.sent_before(&send, b"one"), None);
    }

    #[test]
    fn a_tree_that_is_no_more_is_answered_nothing() {
        let mut late = Late::default();
        late.push(connect(THREAD, 3), Reply::Value(1));
        late.missed(connect(THREAD + 1, 3), Reply::Value(2));
        late.forget_tree(crate::tree::OWN);
        assert_eq!(given(&mut late), None);
        assert_eq!(value(late.repeated(&connect(THREAD + 1, 3))), None);
    }
}
