//! A queue of bytes in chunks from a pool: what a connection's buffers are made of.
//!
//! An empty queue owns nothing. Bytes may be written anywhere behind the front (data that arrived out of order), read
//! anywhere (data to be sent again) and are released at the front only. A chunk goes back to the pool of its thread
//! the moment its last byte leaves; the pool is last in, first out, so that busy chunks stay in the cache.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{IoSlice, IoSliceMut};

/// Bytes of one chunk: a page, so that a connection with a single byte waiting holds no more, and a super-segment is
/// still copied in a dozen pieces.
const CHUNK_BYTES: usize = 4 * 1024;

/// Free chunks a thread keeps, 4 MiB in all: the buffers of two busy connections.
const POOL_CHUNKS_MAX: usize = 1024;

/// Slices of readable bytes handed out at once: 1 MiB, and well below the 1024 that a vectored call takes (readv(2)).
const SLICES_MAX: usize = 256;

/// The most memory offered to be filled at once: 256 KiB. Offering costs something for each chunk, filled or not, so
/// the offer follows what comes: one that was filled doubles the next, one that was mostly left halves it.
const OFFERED_CHUNKS_MAX: usize = 64;

type Chunk = Box<[u8]>;

thread_local! {
    static POOL: RefCell<Vec<Chunk>> = const { RefCell::new(Vec::new()) };
}

fn take_chunk() -> Chunk {
    POOL.try_with(|pool| pool.borrow_mut().pop())
        .ok()
        .flatten()
        .unwrap_or_else(|| vec![0; CHUNK_BYTES].into_boxed_slice())
}

fn give_back(chunk: Chunk) {
    // Fails only while the thread itself ends: then the memory is simply freed.
    let _ = POOL.try_with(|pool| {
        let mut pool = pool.borrow_mut();
        if pool.len() < POOL_CHUNKS_MAX {
            pool.push(chunk);
        }
    });
}

/// Bytes from a front to an end, with holes where nothing was written yet. Which bytes have a meaning its owner knows.
#[derive(Default)]
pub(super) struct ByteQueue {
    /// Chunk 0 holds the front. A chunk is there once something was written into it.
    chunks: VecDeque<Option<Chunk>>,
    /// Where in chunk 0 the front is; below [`CHUNK_BYTES`].
    head: usize,
    /// How far behind the front bytes were written.
    end: usize,
    /// How many chunks beyond the first are offered next, and how many bytes were offered last.
    offer_chunks: usize,
    offered_bytes: usize,
}

impl ByteQueue {
    /// Writes `bytes` so that the first stands `offset` bytes behind the front.
    pub(super) fn write_at(&mut self, offset: usize, mut bytes: &[u8]) {
        self.end = self.end.max(offset + bytes.len());
        let mut at = self.head + offset;
        while !bytes.is_empty() {
            let within = at % CHUNK_BYTES;
            let count = bytes.len().min(CHUNK_BYTES - within);
            let (now, later) = bytes.split_at(count);
            self.chunk_mut(at / CHUNK_BYTES)[within..within + count].copy_from_slice(now);
            bytes = later;
            at += count;
        }
    }

    /// Memory for at most `count` bytes beginning `offset` bytes behind the front, to be filled from its beginning. It
    /// may be less, but is at least one byte if any is asked for. What was filled is told with [`ByteQueue::filled`].
    pub(super) fn space_at(&mut self, offset: usize, count: usize) -> Vec<IoSliceMut<'_>> {
        if count == 0 {
            return Vec::new();
        }
        let (begin, end) = (self.head + offset, self.head + offset + count);
        let (first, last) = (begin / CHUNK_BYTES, (end - 1) / CHUNK_BYTES);
        let last = last.min(first + self.offer_chunks);
        self.offered_bytes = count.min((last + 1) * CHUNK_BYTES - begin);
        for index in first..=last {
            self.chunk_mut(index);
        }
        let chunks = self.chunks.iter_mut().enumerate().skip(first).take(last + 1 - first);
        let slices = chunks.filter_map(|(index, chunk)| {
            let from = begin.saturating_sub(index * CHUNK_BYTES);
            let to = (end - index * CHUNK_BYTES).min(CHUNK_BYTES);
            chunk.as_mut().map(|chunk| IoSliceMut::new(&mut chunk[from..to]))
        });
        slices.collect()
    }

    /// Everything before `offset + count` is now written; memory asked for beyond goes back.
    pub(super) fn filled(&mut self, offset: usize, count: usize) {
        self.end = self.end.max(offset + count);
        if count == self.offered_bytes {
            self.offer_chunks = (2 * self.offer_chunks + 1).min(OFFERED_CHUNKS_MAX);
        } else if 2 * count < self.offered_bytes {
            self.offer_chunks /= 2;
        }
        let chunks = if self.end == 0 { 0 } else { (self.head + self.end).div_ceil(CHUNK_BYTES) };
        for chunk in self.chunks.drain(chunks.min(self.chunks.len())..).flatten() {
            give_back(chunk);
        }
        if self.end == 0 {
            self.head = 0;
        }
    }

    /// The bytes from `offset` to `offset + count`, in order, in as many pieces as they lie in.
    pub(super) fn slices(&self, offset: usize, count: usize) -> impl Iterator<Item = &[u8]> {
        let (begin, end) = (self.head + offset, self.head + offset + count);
        let first = begin / CHUNK_BYTES;
        let chunks = if count == 0 { 0 } else { end.div_ceil(CHUNK_BYTES) - first };
        self.chunks.iter().enumerate().skip(first).take(chunks).map(move |(index, chunk)| {
            let from = begin.saturating_sub(index * CHUNK_BYTES);
            let to = (end - index * CHUNK_BYTES).min(CHUNK_BYTES);
            let chunk = chunk.as_deref().expect("bytes are read only where they were written");
            &chunk[from..to]
        })
    }

    /// The same for a vectored write: as many of the first pieces as such a call takes.
    pub(super) fn io_slices(&self, offset: usize, count: usize) -> Vec<IoSlice<'_>> {
        self.slices(offset, count).take(SLICES_MAX).map(IoSlice::new).collect()
    }

    /// The first `count` bytes leave; the front moves.
    pub(super) fn advance(&mut self, count: usize) {
        assert!(count <= self.end, "no more bytes leave than were written");
        self.end -= count;
        self.head += count;
        while self.head >= CHUNK_BYTES {
            self.head -= CHUNK_BYTES;
            if let Some(chunk) = self.chunks.pop_front().flatten() {
                give_back(chunk);
            }
        }
        if self.end == 0 {
            self.clear();
        }
    }

    /// All but the first `count` bytes leave.
    pub(super) fn truncate(&mut self, count: usize) {
        if count == 0 {
            return self.clear();
        }
        self.end = self.end.min(count);
        let chunks = (self.head + self.end).div_ceil(CHUNK_BYTES).min(self.chunks.len());
        self.chunks.drain(chunks..).flatten().for_each(give_back);
    }

    /// Everything leaves.
    pub(super) fn clear(&mut self) {
        self.chunks.drain(..).flatten().for_each(give_back);
        // An idle connection keeps no memory for its queues, the table of chunks included.
        self.chunks = VecDeque::new();
        (self.head, self.end) = (0, 0);
    }

    fn chunk_mut(&mut self, index: usize) -> &mut Chunk {
        if index >= self.chunks.len() {
            self.chunks.resize_with(index + 1, || None);
        }
        self.chunks[index].get_or_insert_with(take_chunk)
    }
}

impl Drop for ByteQueue {
    fn drop(&mut self) {
        self.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(from: usize, count: usize) -> Vec<u8> {
        (0..=250).cycle().skip(from % 251).take(count).collect()
    }

    fn read(queue: &ByteQueue, offset: usize, count: usize) -> Vec<u8> {
        queue.slices(offset, count).flatten().copied().collect()
    }

    #[test]
    fn bytes_come_out_as_they_were_written_across_chunks() {
        let mut queue = ByteQueue::default();
        queue.write_at(40_000, &pattern(40_000, 30_000));
        queue.write_at(0, &pattern(0, 40_000));
        assert_eq!(read(&queue, 0, 70_000), pattern(0, 70_000));
        queue.advance(33_333);
        assert_eq!(read(&queue, 10, 30_000), pattern(33_343, 30_000));
        queue.advance(70_000 - 33_333);
        assert!(queue.chunks.is_empty());
    }

    #[test]
    fn space_is_filled_in_place_and_the_rest_goes_back() {
        let mut queue = ByteQueue::default();
        queue.write_at(0, &pattern(0, 16_000));
        let mut next = 16_000;
        queue.offer_chunks = OFFERED_CHUNKS_MAX;
        for slice in &mut queue.space_at(16_000, 50_000) {
            let bytes = pattern(next, slice.len());
            slice.copy_from_slice(&bytes);
            next += bytes.len();
        }
        assert_eq!(next, 66_000);
        queue.filled(16_000, 4_000);
        assert_eq!(queue.chunks.len(), 5);
        assert_eq!(read(&queue, 0, 20_000), pattern(0, 20_000));
    }

    #[test]
    fn the_offer_follows_what_comes() {
        let mut queue = ByteQueue::default();
        let mut offer = |fill: fn(usize) -> usize| -> usize {
            let offered = queue.space_at(0, 1 << 24).iter().map(|slice| slice.len()).sum();
            queue.filled(0, fill(offered));
            queue.advance(fill(offered));
            offered
        };
        for expected in [1, 2, 4, 8, 16, 32, 64, 65, 65] {
            assert_eq!(offer(|offered| offered), expected * CHUNK_BYTES);
        }
        for expected in [65, 33, 17, 9, 5, 3, 2, 1, 1] {
            assert_eq!(offer(|_| 1), expected * CHUNK_BYTES);
        }
    }

    #[test]
    fn space_that_is_never_filled_leaves_nothing_behind() {
        let mut queue = ByteQueue::default();
        queue.space_at(0, 100);
        queue.filled(0, 0);
        assert!(queue.chunks.is_empty());
    }
}
