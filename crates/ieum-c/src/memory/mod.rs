//! Memory of C's. All of it is unsafe.

pub(crate) mod sys;
