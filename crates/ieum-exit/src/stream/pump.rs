//! Bytes and ends between a kernel socket and a connection.
//!
//! *Outward* is from the connection's receive buffer to the kernel, *inward* from the kernel into its send buffer; no
//! byte is copied in between. An end follows its bytes: FIN becomes shutdown(WR) once everything before it was taken,
//! end of file becomes a FIN. A byte that the kernel's peer sent as urgent passes at its place in the stream, and is no
//! more urgent inside (RFC 6093 §6 wants it read in line). A reset of the kernel's peer becomes one of ours only
//! after what had come before it has been acknowledged inside, since a peer on the same wire would have received it too.

use std::os::fd::OwnedFd;

use ieum_stack::{ConnectionId, Stack, Status};
use ieum_wire::Instant;
use rustix::io::{Errno, readv};
use rustix::net::{SendAncillaryBuffer, SendFlags, Shutdown, sendmsg, shutdown};

use super::Edges;
use crate::bounds::PUMP_BYTES_PER_TURN_MAX;
use crate::kernel;

/// A flow whose both halves are established.
#[derive(Debug)]
pub(super) struct Joined {
    /// Our stack's half.
    pub(super) connection: ConnectionId,
    /// The kernel's end of file was passed on.
    outside_ended: bool,
    /// The inside's FIN was passed on.
    inside_ended: bool,
    /// The kernel takes no more bytes; what the inside still sends is discarded.
    outside_deaf: bool,
    /// The kernel's half is over by a reset; ours follows when everything before it has arrived.
    outside_reset: bool,
}

/// What a turn of pumping led to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// Wait for an event.
    Stay,
    /// The turn's share is used up.
    More,
    /// Both directions have ended well.
    Over,
    /// The kernel's half was reset.
    ResetInside,
    /// Our half was reset, or timed out.
    ResetOutside,
}

/// How one direction ended its turn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Step {
    Waits,
    Share,
}

impl Joined {
    pub(super) fn new(connection: ConnectionId) -> Joined {
        Joined {
            connection,
            outside_ended: false,
            inside_ended: false,
            outside_deaf: false,
            outside_reset: false,
        }
    }

    /// Moves what can be moved, within a turn's share.
    pub(super) fn pump(
        &mut self,
        now: Instant,
        stack: &mut Stack,
        socket: &OwnedFd,
        edges: &mut Edges,
    ) -> Verdict {
        let Some(status) = stack.tcp_status(self.connection) else { return Verdict::ResetOutside };
        let outward = self.outward(now, stack, socket, edges, &status);
        if status.failure.is_some() {
            return self.failed(outward, stack, edges);
        }
        let inward = self.inward(now, stack, socket, edges);
        if self.outside_reset {
            return self.reset_when_delivered(now, stack);
        }
        if self.outside_ended && self.inside_ended {
            return Verdict::Over;
        }
        if outward == Step::Share || inward == Step::Share { Verdict::More } else { Verdict::Stay }
    }

    /// Bytes or an end from inside have not reached the kernel, and may still do.
    pub(super) fn owes_outside(&self, stack: &Stack) -> bool {
        let status = stack.tcp_status(self.connection);
        !self.outside_deaf
            && !self.inside_ended
            && status.is_some_and(|status| status.readable_bytes > 0 || status.peer_finished)
    }

    /// From our receive buffer to the kernel.
    fn outward(
        &mut self,
        now: Instant,
        stack: &mut Stack,
        socket: &OwnedFd,
        edges: &mut Edges,
        status: &Status,
    ) -> Step {
        let mut share = PUMP_BYTES_PER_TURN_MAX;
        loop {
            let chunks = stack.tcp_recv_chunks(self.connection);
            let available: usize = chunks.iter().map(|chunk| chunk.len()).sum();
            if available == 0 {
                break;
            }
            if share == 0 {
                return Step::Share;
            }
            if self.outside_deaf {
                drop(chunks);
                stack.tcp_consume(now, self.connection, available);
                break;
            }
            if !edges.writable {
                return Step::Waits;
            }
            let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
            let queued = kernel::undelivered_bytes(socket);
            match sendmsg(socket, &chunks, &mut SendAncillaryBuffer::default(), flags) {
                Ok(count) => {
                    drop(chunks);
                    stack.tcp_hand_on(now, self.connection, count, queued);
                    share = share.saturating_sub(count);
                    edges.writable = count == available;
                }
                Err(Errno::AGAIN) => edges.writable = false,
                Err(Errno::INTR) => {}
                Err(_) => self.outside_fails(edges),
            }
        }
        if status.peer_finished && !self.inside_ended {
            // ENOTCONN: reset already, as reading will tell.
            let _ = shutdown(socket, Shutdown::Write);
            self.inside_ended = true;
        }
        Step::Waits
    }

    /// From the kernel into our send buffer.
    fn inward(&mut self, now: Instant, stack: &mut Stack, socket: &OwnedFd, edges: &mut Edges) -> Step {
        let mut share = PUMP_BYTES_PER_TURN_MAX;
        while edges.readable && !self.outside_ended && !self.outside_reset {
            if share == 0 {
                return Step::Share;
            }
            let mut space = stack.tcp_send_space(self.connection, share);
            let room: usize = space.iter().map(|chunk| chunk.len()).sum();
            if room == 0 {
                // An event tells when there is some.
                return Step::Waits;
            }
            match readv(socket, &mut space) {
                Ok(0) => {
                    stack.tcp_commit(now, self.connection, 0);
                    edges.readable = false;
                    self.outside_ends(now, stack);
                }
                Ok(count) => {
                    stack.tcp_commit(now, self.connection, count);
                    // Less than asked for says nothing about what is left: the kernel stops before and behind urgent
                    // data. Only EAGAIN says that the queue is empty, so that what comes later makes a new edge.
                    share -= count;
                }
                Err(error) => {
                    stack.tcp_commit(now, self.connection, 0);
                    match error {
                        Errno::AGAIN => edges.readable = false,
                        Errno::INTR => {}
                        _ => self.outside_reset = true,
                    }
                }
            }
        }
        Step::Waits
    }

    /// End of file becomes a FIN; but when writing has told of a reset before, this is all that is left of it.
    fn outside_ends(&mut self, now: Instant, stack: &mut Stack) {
        if self.outside_deaf {
            self.outside_reset = true;
        } else {
            self.outside_ended = true;
            stack.tcp_finish(now, self.connection);
        }
    }

    /// Writing failed: the kernel's peer is gone. What it had sent before is still read, and then the error.
    fn outside_fails(&mut self, edges: &mut Edges) {
        self.outside_deaf = true;
        edges.readable = true;
        // Reading has met its end before; nothing but the reset is left.
        self.outside_reset = self.outside_ended;
    }

    /// Our half failed. What it had received before goes out as far as the kernel takes it at once.
    fn failed(&self, outward: Step, stack: &Stack, edges: &Edges) -> Verdict {
        let readable = !stack.tcp_recv_chunks(self.connection).is_empty();
        if outward == Step::Share && readable && edges.writable {
            Verdict::More
        } else {
            Verdict::ResetOutside
        }
    }

    fn reset_when_delivered(&self, now: Instant, stack: &mut Stack) -> Verdict {
        let owed = stack.tcp_status(self.connection).is_some_and(|status| status.unacknowledged_bytes > 0);
        if !owed {
            return Verdict::ResetInside;
        }
        // Asking for more room than there is makes the next acknowledgement an event.
        drop(stack.tcp_send_space(self.connection, usize::MAX));
        stack.tcp_commit(now, self.connection, 0);
        Verdict::Stay
    }
}
