//! A step on paper.

use serde_json::Value;
use unicode_width::UnicodeWidthStr;

use crate::draw::diagram::{Diagram, Numbers};
use crate::draw::{WIDTH, padded, padded_left};
use crate::event::{Call, Event, What};
use crate::table::{Row, Table};
use crate::text::Texts;

/// What stands before every line but the title.
const INDENT: &str = "  ";

/// One step's page, being written.
pub(crate) struct Page<'a> {
    texts: &'a Texts,
    step: &'static str,
    facts: &'a Value,
    out: String,
}

impl<'a> Page<'a> {
    /// A page with its title, the `number`th `of` so many.
    pub(crate) fn new(
        texts: &'a Texts,
        step: &'static str,
        facts: &'a Value,
        (number, of): (usize, usize),
    ) -> Page<'a> {
        let title = format!("[{number}/{of}] {} ", texts.sentence(step, "title", facts));
        let rule = "-".repeat(WIDTH.saturating_sub(title.width()));
        Page { texts, step, facts, out: format!("{title}{rule}\n") }
    }

    /// The whole of it.
    pub(crate) fn finish(self) -> String {
        self.out
    }

    /// A paragraph.
    pub(crate) fn say(&mut self, name: &str) {
        let text = self.texts.sentence(self.step, name, self.facts);
        self.out += &paragraph(&text);
    }

    /// The calls among the events, each with its answer.
    pub(crate) fn calls(&mut self, events: &[Event]) {
        self.list_calls(&events.iter().filter_map(call_of).collect::<Vec<_>>());
    }

    /// The calls of one host among them.
    pub(crate) fn calls_of(&mut self, host: &str, events: &[Event]) {
        let calls = events.iter().filter_map(call_of).filter(|call| call.host == host);
        self.list_calls(&calls.collect::<Vec<_>>());
    }

    fn list_calls(&mut self, calls: &[&Call]) {
        let widest =
            |texts: &mut dyn Iterator<Item = &str>| texts.map(|text| text.width()).max().unwrap_or(0);
        let hosts = widest(&mut calls.iter().map(|call| self.texts.host(call.host)));
        let texts = widest(&mut calls.iter().map(|call| call.call.as_str()));
        self.out.push('\n');
        for call in calls {
            let (host, told) = (padded(self.texts.host(call.host), hosts), answer(call));
            let line = format!("{INDENT}  {host}  {}  -> ", padded(&call.call, texts));
            let gives = call.gives.as_deref().filter(|_| line.width() + told.width() > WIDTH);
            self.out += &match gives {
                // What it wrote has a line of its own then, at the right.
                Some(gives) => format!("{line}{}\n{}\n", call.result, padded_left(gives, WIDTH)),
                None => format!("{line}{told}\n"),
            };
        }
    }

    /// What crossed the link between hosts, with what they did meanwhile.
    pub(crate) fn diagram(&mut self, lanes: &[&'static str], events: &[Event], numbers: Numbers) {
        let names = lanes.iter().map(|host| (*host, self.texts.host(host))).collect();
        let diagram = Diagram::new(names, numbers);
        self.out.push('\n');
        self.out += &diagram.draw(events);
    }

    /// The descriptors of a program.
    pub(crate) fn table(&mut self, table: &Table) {
        let title = format!("{}{}", self.texts.host(table.host), self.texts.word("descriptors"));
        let of_table: Vec<&Row> = table.rows.iter().chain(&table.without_descriptor).collect();
        // What waits is of interest where something does.
        let waits = of_table.iter().any(|row| row.recv_queue > 0);
        let names = ["fd", "kind", "state", "local", "remote", "waiting"];
        let mut rows = vec![self.words(&names[..if waits { 6 } else { 5 }])];
        rows.extend(of_table.iter().map(|row| cells(row)));
        self.heading(&title);
        self.columns(rows, &[0]);
    }

    /// Any other table: its title, the names of its columns, its lines.
    pub(crate) fn grid(&mut self, title: &str, columns: &[&str], lines: Vec<Vec<String>>) {
        let title = self.texts.word(title).to_owned();
        let mut rows = vec![self.words(columns)];
        rows.extend(lines);
        self.heading(&title);
        self.columns(rows, &[]);
    }

    /// What a host is called.
    pub(crate) fn host(&self, name: &str) -> String {
        self.texts.host(name).to_owned()
    }

    /// A word of tables.
    pub(crate) fn word(&self, name: &str) -> String {
        self.texts.word(name).to_owned()
    }

    fn words(&self, names: &[&str]) -> Vec<String> {
        names.iter().map(|name| self.word(name)).collect()
    }

    fn heading(&mut self, title: &str) {
        self.out += &format!("\n{INDENT}{title}:");
    }

    /// Lines whose cells stand under each other; numbers at the right where `right` says so.
    fn columns(&mut self, rows: Vec<Vec<String>>, right: &[usize]) {
        let mut widths: Vec<usize> = Vec::new();
        for row in &rows {
            widths.resize(widths.len().max(row.len()), 0);
            widths.iter_mut().zip(row).for_each(|(width, cell)| *width = (*width).max(cell.width()));
        }
        self.out.push('\n');
        for row in rows {
            let cells = row.iter().zip(&widths).enumerate().map(|(at, (cell, width))| {
                if right.contains(&at) { padded_left(cell, *width) } else { padded(cell, *width) }
            });
            let line = cells.collect::<Vec<_>>().join("  ");
            self.out += &format!("{INDENT}  {}\n", line.trim_end());
        }
    }
}

/// A paragraph, wrapped, after an empty line.
pub(crate) fn paragraph(text: &str) -> String {
    let options = textwrap::Options::new(WIDTH)
        .initial_indent(INDENT)
        .subsequent_indent(INDENT)
        // FIN-WAIT-2 is one word.
        .word_splitter(textwrap::WordSplitter::NoHyphenation);
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    format!("\n{}\n", textwrap::fill(&text, options))
}

/// The call that an event is, once: of one that waited its beginning, which has the answer too.
fn call_of(event: &Event) -> Option<&Call> {
    match &event.what {
        What::Call(call) => Some(call),
        What::Return(_) | What::Frame(_) | What::State(_) => None,
    }
}

/// What a call returned, wrote, or complained of.
pub(crate) fn answer(call: &Call) -> String {
    let told = [&call.errno, &call.gives];
    let told = told.into_iter().flatten().map(|told| format!(" {told}")).collect::<String>();
    format!("{}{told}", call.result)
}

fn cells(row: &Row) -> Vec<String> {
    let or = |text: &Option<String>, none: &str| text.clone().unwrap_or_else(|| none.to_owned());
    let none = if row.local.is_some() { "-" } else { "" };
    let waiting = if row.recv_queue > 0 { row.recv_queue.to_string() } else { String::new() };
    let fd = row.fd.map_or_else(|| "-".to_owned(), |fd| fd.to_string());
    vec![fd, row.kind.to_owned(), row.state.to_owned(), or(&row.local, none), or(&row.remote, none), waiting]
}
