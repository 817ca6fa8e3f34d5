//! The socket explained by running it: `ieum tour`.
//!
//! Each step of the tour is executed when the tour is made, on hosts of the shipped stack that live in this process, in
//! virtual time and from a seed. Nothing is told that was not read from what happened:
//!
//! - **Facts** are what a step has read: calls with their answers, descriptor tables, states of connections, packets from their
//!   bytes as they crossed the link. A step is a struct of facts ([`Tour::json`]).
//! - **Texts** are sentences of a language with places for facts. They have no numbers of their own.
//! - **Drawing** puts both on a page of 80 columns, with sequence diagrams in plain characters.
//!
//! # Files
//!
//! - `stage`: hosts, link and time, and what is written down of them; `switch` the link; `program` the calls that programs make.
//! - `frame`: a packet read from its bytes. `event`: what happened, in its order. `table`: descriptors.
//! - `steps`: one file a step. `text`: languages. `draw`: pages.
#![forbid(unsafe_code)]

mod draw;
mod event;
mod frame;
mod program;
mod stage;
mod steps;
mod surprise;
mod switch;
mod table;
mod text;

use serde_json::{Value, json};

use crate::draw::{Page, paragraph};
use crate::steps::Step;
use crate::text::Texts;

pub use crate::surprise::Surprise;
pub use crate::text::Language;

/// A tour that was gone through, with all its facts.
pub struct Tour {
    steps: Vec<(Box<dyn Step>, Value)>,
}

impl Tour {
    /// Goes through all steps. The same seed gives the same facts.
    ///
    /// # Errors
    ///
    /// When something happened that the steps do not expect: a mistake of the stack or of the tour.
    pub fn new(seed: u64) -> Result<Tour, Surprise> {
        let steps = steps::all(seed)?.into_iter();
        Ok(Tour {
            steps: steps.map(|step| (step.facts(), step)).map(|(facts, step)| (step, facts)).collect(),
        })
    }

    /// The facts alone, an object a step, in their order.
    pub fn json(&self) -> Value {
        let of = self.steps.len();
        let objects = self.steps.iter().zip(1..).map(|((step, facts), number)| {
            let mut object = json!({ "step": step.key(), "number": number, "of": of });
            if let (Some(object), Some(facts)) = (object.as_object_mut(), facts.as_object()) {
                object.extend(facts.clone());
            }
            object
        });
        Value::Array(objects.collect())
    }

    /// The pages of all steps in a language.
    pub fn pages(&self, language: Language) -> Vec<String> {
        let texts = Texts::of(language);
        let of = self.steps.len();
        let pages = self.steps.iter().zip(1..).map(|((step, facts), number)| {
            let mut page = Page::new(&texts, step.key(), facts, (number, of));
            step.show(&mut page);
            page.finish()
        });
        pages.collect()
    }
}

/// What is said before the first step.
pub fn welcome(language: Language) -> String {
    paragraphs(&Texts::of(language).welcome)
}

/// What is said after the last step: where to go on.
pub fn farewell(language: Language) -> String {
    paragraphs(&Texts::of(language).farewell)
}

/// What a reader is asked between two steps.
pub fn prompt(language: Language) -> String {
    Texts::of(language).prompt
}

/// Paragraphs, wrapped, and between them lines that stay as they are because they begin with a blank.
fn paragraphs(text: &str) -> String {
    text.trim_end()
        .split("\n\n")
        .map(|part| if part.starts_with(' ') { format!("\n{part}\n") } else { paragraph(part) })
        .collect::<String>()
        .trim_start_matches('\n')
        .to_owned()
}
