//! An established connection: bytes between P and the host, and how each side's end shows on the other.
//!
//! ```text
//!   program ── S ⇄ P ── outward → host's send buffer → packets
//!                    ← inward  ── host's receive buffer ←
//! ```
//!
//! The program's ends, as P tells them: end of file without `shutdown` having been called is a close; so is HUP, unless
//! both directions were shut, in which case nobody tells and nothing is left to do; ECONNRESET is a close with bytes
//! unread. A byte that the program sends as urgent is found at its mark and sent as such; one that comes is sent on to
//! S in the same way, and what the program makes of it is between S and the kernel. After `shutdown(SHUT_WR)` a
//! sentinel byte stays in P for ever, so that a later reset can still be shown.

use std::io::IoSlice;
use std::os::fd::{AsFd, OwnedFd};

use ieum_socket::{Host, How, SocketId};
use ieum_wire::Instant;
use rustix::io::Errno;
use rustix::net::{SendAncillaryBuffer, SendFlags, Shutdown, sendmsg, shutdown, sockopt};

use crate::bounds::PUMP_BYTES_PER_TURN_MAX;

/// One connection between P and the host.
#[derive(Debug)]
pub(crate) struct Stream {
    /// P.
    pub(crate) own_end: OwnedFd,
    /// P may have bytes or an end (an edge came and no EAGAIN since).
    readable: bool,
    /// P may have room.
    writable: bool,
    /// Both directions of P are over.
    hangup: bool,
    /// Bytes before the sentinel, once the program shut its writing down.
    until_sentinel: Option<usize>,
    /// The program called shutdown for writing / for reading.
    pub(crate) shut_write: bool,
    pub(crate) shut_read: bool,
    /// S is closed.
    closed: bool,
    /// The host was told that no more bytes come.
    finish_told: bool,
    /// The program was shown the peer's end of file.
    pub(crate) end_shown: bool,
    /// It was shown that nothing it writes arrives any more.
    write_failed: bool,
    /// The program has sent an urgent byte: before each read its mark is looked for.
    pub(crate) sends_urgent: bool,
    /// An urgent byte was given to S, which may have it still.
    gave_urgent: bool,
    /// An urgent byte that was taken from S for a caller who did not get it.
    pub(crate) urgent_given_back: Option<u8>,
    /// The listener has SO_OOBINLINE, which S is told when it is accepted: until then an urgent byte waits, and what follows it.
    pub(crate) holds_urgent: bool,
}

/// What a turn of pumping led to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    /// Wait for readiness.
    Stay,
    /// The turn's share is used up.
    More,
    /// The program closed and all its bytes are with the host.
    Close,
    /// The program closed with bytes unread.
    Abort,
    /// The connection failed, and the program has bytes to read before it may know: its writing has failed now.
    Unread,
    /// The connection failed: show it to the program.
    Failed,
    /// Both directions ended; nobody will tell when the program closes.
    Over,
}

/// How one direction ended its turn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Step {
    Idle,
    Share,
    Abort,
}

impl Stream {
    pub(crate) fn new(own_end: OwnedFd) -> Stream {
        Stream {
            own_end,
            readable: true,
            writable: true,
            hangup: false,
            until_sentinel: None,
            shut_write: false,
            shut_read: false,
            closed: false,
            finish_told: false,
            end_shown: false,
            write_failed: false,
            sends_urgent: false,
            gave_urgent: false,
            urgent_given_back: None,
            holds_urgent: false,
        }
    }

    /// P's readiness changed.
    pub(crate) fn on_ready(&mut self, ready: ieum_engine::Ready) {
        self.readable |= ready.read || ready.read_hangup || ready.hangup || ready.error;
        self.writable |= ready.write;
        self.hangup |= ready.hangup;
    }

    /// P may have bytes of which no edge has told yet.
    pub(crate) fn look_again(&mut self) {
        self.readable = true;
    }

    /// S is closed for certain: no process is left that could hold it.
    pub(crate) fn assume_closed(&mut self) {
        self.closed = true;
        self.readable = true;
    }

    /// The program waits for nothing any more, but bytes of it are still on their way to the host.
    pub(crate) fn is_draining(&self) -> bool {
        self.closed && !self.finish_told
    }

    /// The program's writing was shut down on S and a sentinel stands behind its last byte, if S had room for one.
    pub(crate) fn write_was_shut(&mut self, unread: usize, sentinel: bool) {
        self.shut_write = true;
        self.readable = true;
        self.until_sentinel = sentinel.then(|| unread.saturating_sub(1));
    }

    /// The program's writing was shut down before there was a connection: nothing was written, and its FIN goes with the
    /// close, as Linux's does.
    pub(crate) fn writes_nothing(&mut self) {
        self.shut_write = true;
        self.finish_told = true;
        self.readable = false;
    }

    /// The connection is gone: what the program writes from now on fails.
    pub(crate) fn writing_failed(&mut self) {
        (self.write_failed, self.finish_told, self.readable) = (true, true, false);
        let _ = shutdown(&self.own_end, Shutdown::Read);
    }

    pub(crate) fn read_was_shut(&mut self) {
        self.shut_read = true;
        self.writable = true;
    }

    /// May one of the bytes that lie in S be urgent?
    pub(crate) fn has_urgent_among(&mut self, unread: usize) -> bool {
        self.gave_urgent &= unread > 0;
        self.gave_urgent
    }

    /// May more come into S than lies there?
    pub(crate) fn may_bring_more(&self, host: &Host, id: SocketId) -> bool {
        self.writable && !self.end_shown && !self.shut_read && host.error(id).is_none()
    }

    /// Bytes written by the program that the host does not have yet.
    pub(crate) fn unread_bytes(&self) -> usize {
        self.until_sentinel.unwrap_or_else(|| crate::sys::unread_bytes(self.own_end.as_fd()))
    }

    /// Whether the host takes `len` bytes at once, and nothing that the program wrote natively has to go before them.
    pub(crate) fn is_empty_handed(&self, host: &mut Host, id: SocketId, len: usize) -> bool {
        let writes = !self.shut_write && !self.finish_told && !self.closed;
        writes && self.unread_bytes() == 0 && {
            let room: usize = host.send_space(id, len).iter().map(|chunk| chunk.len()).sum();
            room >= len
        }
    }

    /// Moves what can be moved, within one turn's share.
    pub(crate) fn pump(&mut self, now: Instant, host: &mut Host, id: SocketId) -> Verdict {
        let outward = self.outward(now, host, id);
        if outward == Step::Abort {
            return Verdict::Abort;
        }
        let inward = self.inward(now, host, id);
        self.notice_close();
        if self.closed && self.finish_told {
            return Verdict::Close;
        }
        if host.error(id).is_some() {
            return match inward {
                _ if self.closed => Verdict::Abort,
                Step::Share => Verdict::More,
                Step::Idle | Step::Abort if self.has_unshown(host, id) => {
                    if self.write_failed {
                        Verdict::Stay
                    } else {
                        Verdict::Unread
                    }
                }
                Step::Idle | Step::Abort => Verdict::Failed,
            };
        }
        if self.finish_told && (self.end_shown || self.shut_read) {
            return Verdict::Over;
        }
        if outward == Step::Share || inward == Step::Share { Verdict::More } else { Verdict::Stay }
    }

    /// Bytes of the peer that the program has not been given for want of room.
    fn has_unshown(&self, host: &Host, id: SocketId) -> bool {
        !self.shut_read && !self.end_shown && !host.recv_chunks(id).is_empty()
    }

    /// Once writing is over HUP is a close, unless it is what two shutdowns look like.
    fn notice_close(&mut self) {
        let shut_both = self.shut_write && (self.shut_read || self.end_shown);
        if self.hangup && self.finish_told && !shut_both {
            self.closed = true;
        }
    }

    fn outward(&mut self, now: Instant, host: &mut Host, id: SocketId) -> Step {
        let mut share = PUMP_BYTES_PER_TURN_MAX;
        while self.readable && !self.finish_told {
            if share == 0 {
                return Step::Share;
            }
            if self.sends_urgent && self.pass_urgent_on(now, host, id) {
                continue;
            }
            let limit = self.until_sentinel.map_or(share, |left| left.min(share));
            if limit == 0 {
                self.tell_finish(now, host, id);
                break;
            }
            let mut space = host.send_space(id, limit);
            let room: usize = space.iter().map(|chunk| chunk.len()).sum();
            if room == 0 {
                // What the host will never take need not be waited for.
                self.finish_told = self.closed && host.is_write_shut(id);
                break;
            }
            match rustix::io::readv(&self.own_end, &mut space) {
                Ok(0) => {
                    self.end_of_file(now, host, id);
                    break;
                }
                Ok(count) => {
                    host.commit(now, id, count);
                    share = share.saturating_sub(count);
                    // Less than asked for says nothing about what is left: reading stops at urgent data, and behind
                    // descriptors that are sent along. Only EAGAIN says that the queue is empty.
                    self.until_sentinel = self.until_sentinel.map(|left| left.saturating_sub(count));
                }
                Err(Errno::AGAIN) => {
                    self.readable = false;
                    self.finish_told = self.closed;
                }
                Err(Errno::INTR) => {}
                Err(_) => return Step::Abort,
            }
        }
        if self.reset_by_close() { Step::Abort } else { Step::Idle }
    }

    /// Sends the byte that comes next if it is an urgent one. False where it is not, or has to wait.
    fn pass_urgent_on(&mut self, now: Instant, host: &mut Host, id: SocketId) -> bool {
        let mut byte = [0];
        let is_next = self.until_sentinel != Some(0) && crate::sys::is_at_mark(self.own_end.as_fd());
        if !is_next || host.send_space(id, 1).is_empty() {
            return false;
        }
        if rustix::io::read(&self.own_end, &mut byte) != Ok(1) {
            return false;
        }
        self.until_sentinel = self.until_sentinel.map(|left| left.saturating_sub(1));
        // There is room. Where there is no connection any more, the byte is lost like those that were sent before it.
        let _ = host.send_urgent(now, id, &byte);
        true
    }

    /// A close with bytes unread shows as an error of P, even where reading has nothing to say any more.
    fn reset_by_close(&self) -> bool {
        self.hangup && matches!(sockopt::socket_error(&self.own_end), Ok(Err(_)))
    }

    fn end_of_file(&mut self, now: Instant, host: &mut Host, id: SocketId) {
        self.readable = false;
        if self.shut_write && !self.closed {
            self.tell_finish(now, host, id);
        } else {
            // Nobody shut this direction down, so the last descriptor is gone. The host is told by its close.
            self.closed = true;
            self.finish_told = true;
        }
    }

    fn tell_finish(&mut self, now: Instant, host: &mut Host, id: SocketId) {
        self.finish_told = true;
        self.readable = false;
        // ENOTCONN: the connection is over already, and so is its sending.
        let _ = host.shutdown(now, id, How::Write);
    }

    fn give(&self, chunks: &[IoSlice<'_>], flags: SendFlags) -> Result<usize, Errno> {
        let flags = flags | SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        sendmsg(&self.own_end, chunks, &mut SendAncillaryBuffer::default(), flags)
    }

    /// Gives S the first byte as the urgent one it is.
    fn give_urgent(&self, chunks: &[IoSlice<'_>]) -> Result<usize, Errno> {
        let byte = first_bytes(chunks, 1);
        match self.give(&byte, SendFlags::OOB) {
            // A kernel without urgent data for AF_UNIX (before 5.15): it is one like others there.
            Err(Errno::OPNOTSUPP) => self.give(&byte, SendFlags::empty()),
            result => result,
        }
    }

    fn inward(&mut self, now: Instant, host: &mut Host, id: SocketId) -> Step {
        if self.end_shown || self.closed {
            return Step::Idle;
        }
        let mut share = PUMP_BYTES_PER_TURN_MAX;
        loop {
            let chunks = host.recv_chunks(id);
            let available: usize = chunks.iter().map(|chunk| chunk.len()).sum();
            if available == 0 {
                break;
            }
            if self.shut_read {
                drop(chunks);
                host.consume(now, id, available);
                continue;
            }
            if !self.writable {
                return Step::Idle;
            }
            if share == 0 {
                return Step::Share;
            }
            let queued = crate::sys::queued_bytes(self.own_end.as_fd());
            let sent = match host.urgent_ahead(id) {
                Some(0) if self.holds_urgent => return Step::Idle,
                None => self.give(&chunks, SendFlags::empty()),
                Some(0) => {
                    self.gave_urgent = true;
                    self.give_urgent(&chunks)
                }
                Some(ahead) => self.give(&first_bytes(&chunks, ahead), SendFlags::empty()),
            };
            match sent {
                Ok(count) => {
                    drop(chunks);
                    host.hand_on(now, id, count, queued);
                    share = share.saturating_sub(count);
                }
                Err(Errno::AGAIN) => self.writable = false,
                Err(Errno::INTR) => {}
                Err(error) if !is_gone(error) => {
                    // ENOBUFS, ENOMEM: the kernel has no memory now, and no edge tells when it has some again: the next
                    // turn asks.
                    return Step::Share;
                }
                // S is closed; P's edge says so in its turn.
                Err(_) => {
                    self.hangup = true;
                    self.readable = true;
                    self.writable = false;
                    return Step::Share;
                }
            }
        }
        // EPIPE is a reset that came behind the end: who reads is told of the end alone.
        if host.readiness(id).read_hangup && matches!(host.error(id), None | Some(ieum_socket::Errno::EPIPE))
        {
            let _ = shutdown(&self.own_end, Shutdown::Write);
            self.end_shown = true;
        }
        Step::Idle
    }
}

/// As many bytes of `chunks`, from the first on.
fn first_bytes<'a>(chunks: &'a [IoSlice<'_>], mut count: usize) -> Vec<IoSlice<'a>> {
    let mut first = Vec::new();
    for chunk in chunks {
        let part = chunk.get(..count).unwrap_or(chunk);
        count -= part.len();
        first.push(IoSlice::new(part));
        if count == 0 {
            break;
        }
    }
    first
}

/// Whether a send failed because S is not there any more; other errors say only that it failed this time.
fn is_gone(error: Errno) -> bool {
    matches!(error, Errno::PIPE | Errno::CONNRESET | Errno::NOTCONN)
}
