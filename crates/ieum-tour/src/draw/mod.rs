//! What a reader sees of a step, in plain characters and at most [`WIDTH`] columns.
//!
//! Files: `page` (a step's paragraphs, calls and tables), `diagram` (what crossed the link between lanes of hosts).

mod diagram;
mod page;

pub(crate) use diagram::Numbers;
pub(crate) use page::{Page, paragraph};

use unicode_width::UnicodeWidthStr;

/// Columns of a page.
pub(crate) const WIDTH: usize = 80;

/// A text and blanks, to so many columns: a Korean syllable takes two.
fn padded(text: &str, columns: usize) -> String {
    format!("{text}{}", " ".repeat(columns.saturating_sub(text.width())))
}

/// The same with the text at the right.
fn padded_left(text: &str, columns: usize) -> String {
    format!("{}{text}", " ".repeat(columns.saturating_sub(text.width())))
}
