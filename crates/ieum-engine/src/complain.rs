//! What the process says to a person.

use std::io::Write;

/// One line on standard error. Whoever reads it may have gone away, and the disk that it goes to may be full: that ends nothing else,
/// unlike `eprintln!`, which panics.
pub fn complain(sentence: &str) {
    let _ = writeln!(std::io::stderr().lock(), "ieum: {sentence}");
}
