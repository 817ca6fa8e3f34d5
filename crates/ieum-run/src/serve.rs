//! From a notified call to its answer.

use std::sync::Once;

use ieum_engine::{Turn, complain};
use ieum_socket::Errno;
use ieum_wire::Instant;
use rustix::fs::OFlags;

use crate::bounds::CALLS_PER_TURN_MAX;
use crate::held::HeldCall;
use crate::late;
use crate::memory::Memory;
use crate::notification::Call;
use crate::runner::Runner;
use crate::socket::{Carrier, Connecting, host_errno};
use crate::sys::{Reply, number as n};
use crate::tracee;
use crate::tree::{Told, TreeId};

/// What becomes of a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Answer {
    /// It returns this.
    Value(i64),
    /// The kernel serves it: it is not about a socket of ours, or only about bytes.
    Continue,
    /// It has been answered already.
    Answered,
    /// It blocks until something happens to this socket, or until then.
    Wait { socket: u64, deadline: Option<Instant> },
    /// It cannot be answered while its caller does not sleep.
    WaitForSleep { socket: u64 },
}

/// EINTR, which no call of a host says: a host knows of no signals.
const INTERRUPTED: i32 = rustix::io::Errno::INTR.raw_os_error();

/// A call's answer, or the errno it fails with.
pub(crate) type Served = Result<Answer, Errno>;

impl Runner {
    pub(crate) fn take_calls(&mut self, turn: &Turn<'_>, tree: TreeId) {
        for _ in 0..CALLS_PER_TURN_MAX {
            let Some(call) = self.trees.next(tree) else { return };
            let before = self.held.forget(call.thread);
            if !self.held.gathering.is_empty() {
                self.give_back_gathered(turn);
            }
            let answer = match (self.answer_again(&call), before) {
                (Some(answer), _) => Ok(answer),
                // A signal interrupted the call and the kernel makes it again. Linux does so only with calls that wait
                // without end (SA_RESTART in signal(7)).
                (None, Some(before)) if before.deadline.is_some() && before.call.repeats(&call) => {
                    Err(Errno(INTERRUPTED))
                }
                (None, _) => match self.serve(turn, &call) {
                    // The host's sockets are used up, or our descriptors for them: some may be closed, and it is not known yet.
                    Err(Errno::ENFILE) if self.sweep_all(turn) => self.serve(turn, &call),
                    answer => answer,
                },
            };
            self.finish(turn.now, &call, answer, None);
            self.talk(turn);
        }
    }

    /// Sends the answer; a blocking call is kept, with the deadline it had before if it was kept before.
    fn finish(&mut self, now: Instant, call: &Call, answer: Served, before: Option<HeldCall>) {
        if self.trees.is_unreachable(call.tree) {
            // What was found out without the caller's memory is no answer; the kernel gives one as the tree is given up.
            return;
        }
        let reply = match answer {
            Ok(Answer::Value(value)) => Reply::Value(value),
            Ok(Answer::Continue) => Reply::Continue,
            Ok(Answer::Answered) => return,
            Ok(Answer::Wait { socket, deadline }) => {
                let deadline = match before {
                    // Until its caller slept nobody knew whether it would wait.
                    Some(held) if !held.is_awake || held.deadline.is_some() => held.deadline,
                    Some(_) | None => deadline,
                };
                let place = before.and_then(|held| held.place);
                return self.hold(HeldCall { call: *call, socket, deadline, is_awake: false, place });
            }
            Ok(Answer::WaitForSleep { socket }) => {
                let deadline = before.and_then(|held| held.deadline);
                let place = before.and_then(|held| held.place);
                self.check_awake_later(now);
                return self.hold(HeldCall { call: *call, socket, deadline, is_awake: true, place });
            }
            Err(errno) => Reply::Error(errno.0),
        };
        if late::is_late(call) && !matches!(reply, Reply::Continue) {
            return self.late.push(*call, reply);
        }
        // An error means that the caller was interrupted or killed. What answers this way can be asked again.
        let _ = self.trees.reply(call, reply);
    }

    fn hold(&mut self, held: HeldCall) {
        let trees = &self.trees;
        self.held.forget_gone(|call| trees.is_valid(call));
        self.held.push(held);
    }

    /// What the answers that were kept say is so by now.
    pub(crate) fn answer_late(&mut self) {
        while let Some((call, reply)) = self.late.next() {
            if self.trees.reply(&call, reply).is_err() {
                self.late.missed(call, reply);
            }
        }
    }

    fn serve(&mut self, turn: &Turn<'_>, call: &Call) -> Served {
        self.asked = None;
        if let Some(number) = self.identify_route(call) {
            return self.serve_route(turn, call, number);
        }
        if let Some(socket) = self.identify_in_namespace(call) {
            return self.serve_in_namespace(turn, call, &socket);
        }
        match call.number {
            n::SYS_socket => self.call_socket(turn, call),
            n::SYS_bind => self.call_bind(turn, call),
            n::SYS_listen => self.call_listen(turn, call),
            n::SYS_accept | n::SYS_accept4 => self.call_accept(turn, call),
            n::SYS_connect => self.call_connect(turn, call),
            n::SYS_getsockname => self.call_getsockname(call),
            n::SYS_getpeername => self.call_getpeername(turn, call),
            n::SYS_shutdown => self.call_shutdown(turn, call),
            n::SYS_getsockopt => self.call_getsockopt(turn, call),
            n::SYS_setsockopt => self.call_setsockopt(turn, call),
            n::SYS_ioctl => self.call_ioctl(turn, call),
            n::SYS_sendto => self.call_sendto(turn, call),
            n::SYS_sendmsg => self.call_sendmsg(turn, call),
            n::SYS_sendmmsg => self.call_sendmmsg(turn, call),
            n::SYS_recvfrom => self.call_recvfrom(turn, call),
            n::SYS_recvmsg => self.call_recvmsg(turn, call),
            n::SYS_recvmmsg => self.call_recvmmsg(turn, call),
            n::SYS_seccomp => {
                tell_of_listener(call.thread);
                Ok(Answer::Continue)
            }
            _ => Ok(Answer::Continue),
        }
    }

    /// The answer that this call's caller did not hear when it made the call before.
    fn answer_again(&mut self, call: &Call) -> Option<Answer> {
        let reply = self.late.repeated(call)?;
        if late::is_late(call) {
            self.late.push(*call, reply);
            return Some(Answer::Answered);
        }
        self.tell_lengths_again(call, reply);
        let number = self.identify(call)?;
        Some(self.tell_once(call, number, reply))
    }

    /// Says to a caller what cannot be said twice. One that does not hear it makes its call again, and is told then.
    pub(crate) fn tell_once(&mut self, call: &Call, number: u64, reply: Reply) -> Answer {
        let told = self.trees.tell(call, reply);
        if told != Told::Heard {
            self.late.missed(*call, reply);
        }
        told.answer(number)
    }

    /// Serves the calls that wait for a socket once more.
    pub(crate) fn retry_held(&mut self, turn: &Turn<'_>, socket: u64) {
        let mut place = 0;
        while let Some(held) = self.held.next(socket, place) {
            place = held.place.unwrap_or(place);
            self.held.forget(held.call.thread);
            self.retry(turn, held);
            let is_accept = matches!(held.call.number, n::SYS_accept | n::SYS_accept4);
            if is_accept && self.held.holds(&held.call) {
                // There was nothing for it, and so there is nothing for those behind it.
                return;
            }
        }
    }

    /// Serves the calls once more whose callers did not sleep.
    pub(crate) fn retry_awake(&mut self, turn: &Turn<'_>) {
        for held in self.held.take_awake() {
            self.retry(turn, held);
        }
    }

    fn retry(&mut self, turn: &Turn<'_>, held: HeldCall) {
        if self.trees.is_valid(&held.call) {
            let answer = match self.answer_again(&held.call) {
                Some(answer) => Ok(answer),
                None => self.serve_held(turn, &held),
            };
            self.finish(turn.now, &held.call, answer, Some(held));
        }
    }

    /// Another thread may have closed the descriptor since the call was made, and another socket may have its number: the call
    /// is not about that one.
    fn serve_held(&mut self, turn: &Turn<'_>, held: &HeldCall) -> Served {
        self.asked = None;
        match self.identify(&held.call) {
            Some(other) if other != held.socket => Err(Errno::EBADF),
            _ => self.serve(turn, &held.call),
        }
    }

    /// The calls that wait for a socket that is no more.
    pub(crate) fn end_held(&mut self, socket: u64) {
        for held in self.held.take(socket) {
            let _ = self.trees.reply(&held.call, Reply::Error(Errno::EBADF.0));
        }
    }

    /// The calls whose time is over: EAGAIN, but a reader is given what there is, and a connect goes on without its caller.
    pub(crate) fn expire_held(&mut self, turn: &Turn<'_>) {
        for held in self.held.take_expired(turn.now) {
            if let Some(answer) = self.end_gathering(turn, &held.call) {
                self.finish(turn.now, &held.call, answer, Some(held));
                continue;
            }
            if matches!(held.call.number, n::SYS_recvfrom | n::SYS_recvmsg) {
                if !self.trees.is_valid(&held.call) {
                    continue;
                }
                self.out_of_time = Some((held.call.tree, held.call.id));
                let answer = match self.serve_held(turn, &held) {
                    // Nothing was taken for a caller that does not sleep.
                    Ok(Answer::Wait { .. } | Answer::WaitForSleep { .. }) => Err(Errno::EAGAIN),
                    answer => answer,
                };
                self.out_of_time = None;
                self.finish(turn.now, &held.call, answer, Some(held));
                continue;
            }
            let errno = match held.call.number {
                n::SYS_connect if self.is_filled(held.socket) => Errno::EALREADY,
                n::SYS_connect => {
                    self.fill(turn, held.socket);
                    Errno::EINPROGRESS
                }
                _ => Errno::EAGAIN,
            };
            let _ = self.trees.reply(&held.call, Reply::Error(errno.0));
        }
    }

    /// A connect whose caller was interrupted goes on, as Linux's does; from now on S looks like it.
    pub(crate) fn check_held_connects(&mut self, turn: &Turn<'_>) {
        let connecting: Vec<u64> = self
            .sockets
            .iter()
            .filter(|(_, socket)| matches!(socket.carrier, Carrier::Connecting(Connecting::Held)))
            .map(|(number, _)| number)
            .collect();
        for number in &connecting {
            let waited_for = self.held.line(*number).any(|held| self.trees.is_valid(&held.call));
            if !waited_for {
                self.held.take(*number);
                self.fill(turn, *number);
            }
        }
        let is_gathering = self.give_back_gathered(turn);
        if is_gathering || !connecting.is_empty() {
            self.check_held_later(turn.now);
        }
    }

    /// The socket of ours that descriptor argument 0 names, if it does.
    pub(crate) fn identify(&mut self, call: &Call) -> Option<u64> {
        let place = call.place(call.int(0));
        let inode = self.inode_asked(call)?;
        let number = self.sockets.by_inode(inode)?;
        self.sockets.get_mut(number)?.place = Some(place);
        Some(number)
    }

    /// The inode of the socket that descriptor argument 0 names, looked up once for a call.
    pub(crate) fn inode_asked(&mut self, call: &Call) -> Option<u64> {
        match self.asked {
            Some((tree, id, inode)) if (tree, id) == (call.tree, call.id) => inode,
            _ => {
                let inode = tracee::socket_inode(call.place(call.int(0)));
                self.asked = Some((call.tree, call.id, inode));
                inode
            }
        }
    }

    /// A momentary copy of a socket's S.
    pub(crate) fn copy(&mut self, number: u64) -> Result<std::os::fd::OwnedFd, Errno> {
        let socket = self.sockets.get_mut(number).ok_or(Errno::EBADF)?;
        let inode = socket.inode.ok_or(Errno::EBADF)?;
        if let Some(place) = socket.place {
            match self.tracees.copy(&self.trees, place, Some(inode)) {
                Ok(copy) => return Ok(copy),
                Err(rustix::io::Errno::MFILE | rustix::io::Errno::NFILE) => return Err(Errno::ENFILE),
                // It moved.
                Err(_) => {}
            }
        }
        let place = self.tracees.find(&self.trees, inode).ok_or(Errno::EBADF)?;
        socket.place = Some(place);
        self.tracees.copy(&self.trees, place, Some(inode)).map_err(host_errno)
    }

    /// Does for the caller what cannot be done twice, while it is seen asleep in its call about socket `number`: one
    /// that a signal has woken makes its call again.
    pub(crate) fn once(
        &mut self,
        call: &Call,
        number: u64,
        act: impl FnOnce(&mut Runner) -> Served,
    ) -> Served {
        match self.trees.asleep(call, number) {
            // The look lasts until `act` has answered.
            Ok(_look) => act(self),
            Err(answer) => Ok(answer),
        }
    }

    /// The caller's memory.
    pub(crate) fn memory<'a>(&'a self, call: &'a Call) -> Memory<'a> {
        Memory::new(&self.trees, call)
    }
}

/// Says, once a run, why the kernel will refuse a program a listener. Another ieum says it by itself.
fn tell_of_listener(thread: i32) {
    static SAID: Once = Once::new();
    if std::fs::read_to_string(format!("/proc/{thread}/comm")).is_ok_and(|name| name.trim_end() == "ieum") {
        return;
    }
    SAID.call_once(|| {
        complain("the program asks for a seccomp listener of its own; the kernel allows only ieum's");
    });
}

/// Whether calls on it must not block.
pub(crate) fn is_nonblocking(copy: &std::os::fd::OwnedFd) -> bool {
    rustix::fs::fcntl_getfl(copy).is_ok_and(|flags| flags.contains(OFlags::NONBLOCK))
}
