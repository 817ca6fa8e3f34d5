//! What the tool asks the kernel past its interface.
//!
//! For code in `%{ }%` packetdrill asks for the state of the socket under test (TCP_INFO) by getsockopt(2) itself, with a
//! shared object as without one; and the kernel knows nothing of our sockets. A shared object that was loaded later
//! cannot stand in front of the C library. But the program reaches the C library through a table of addresses of its own, and there
//! `getsockopt` can be made to lead here: for our numbers it answers as the interface does, for all others it asks the
//! kernel. The same is done for nothing else.
//!
//! Should the table not be found, code is judged by what the kernel says of a number that stands for nothing, and fails.

mod sys;

use std::sync::{Arc, Mutex, PoisonError};

use crate::shared::Shared;

/// Whoever answers for our numbers at the moment: the last one that was made and not freed.
static ANSWERS: Mutex<Option<Arc<Shared>>> = Mutex::new(None);

/// From now on `shared` answers for the numbers that it gives out.
pub(crate) fn redirect_to(shared: Arc<Shared>) {
    *lock() = Some(shared);
    sys::redirect();
}

/// Nobody answers any more.
pub(crate) fn forget() {
    *lock() = None;
}

/// Who answers for a number.
fn answers_for(number: i32) -> Option<Arc<Shared>> {
    let shared = lock().clone()?;
    shared.has(number).then_some(shared)
}

fn lock() -> std::sync::MutexGuard<'static, Option<Arc<Shared>>> {
    ANSWERS.lock().unwrap_or_else(PoisonError::into_inner)
}
