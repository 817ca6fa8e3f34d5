//! An allocator that counts, for each thread, what it has allocated and not given back.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static ALLOCATED: Cell<i64> = const { Cell::new(0) };
}

struct Counting;

fn count(bytes: usize, sign: i64) {
    let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
    // A thread that ends has no count any more, and nobody asks.
    let _ = ALLOCATED.try_with(|allocated| allocated.set(allocated.get().wrapping_add(sign * bytes)));
}

// SAFETY: every call goes to the system's allocator with the caller's own arguments and gives its answer back
// unchanged; counting touches nothing but a number of the thread that needs no initialisation, and does not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 1);
        // SAFETY: the caller keeps `GlobalAlloc::alloc`'s contract, which is `System`'s too.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        count(layout.size(), -1);
        // SAFETY: `at` came from `System.alloc` with this layout, by `alloc` above.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Bytes that this thread has allocated and not given back.
pub(crate) fn allocated_bytes() -> i64 {
    ALLOCATED.with(Cell::get)
}
