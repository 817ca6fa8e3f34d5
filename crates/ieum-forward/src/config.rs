//! Rules from a file that may change.
//!
//! ```toml
//! [[forward]]
//! from = "8080"
//! to = "10.0.0.5:80"
//!
//! [[forward]]
//! from = 5353
//! to = "[2001:db8::53]:53"
//! protocol = "udp"
//!
//! [[forward]]
//! from = "127.0.0.2:80"
//! to = 80
//! in = "web"
//! ```

use std::io::{self, Read};
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use serde::Deserialize;
use toml::Spanned;

use crate::bounds::CONFIG_BYTES_MAX;
use crate::rule::{Rule, check};
use crate::spot::transport;
use crate::watch::Watch;

/// A file of rules.
#[derive(Debug)]
pub(crate) struct Config {
    path: PathBuf,
    watch: Watch,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    forward: Vec<Spanned<Entry>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    from: End,
    to: End,
    protocol: Option<String>,
    #[serde(rename = "in")]
    within: Option<String>,
}

/// A port may be written as a number.
#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a port, or a text like \"10.0.0.5:80\"")]
enum End {
    Port(u16),
    Text(String),
}

impl End {
    fn text(&self) -> String {
        match self {
            End::Port(port) => port.to_string(),
            End::Text(text) => text.clone(),
        }
    }
}

impl Config {
    /// The file at `path`, watched from now on.
    ///
    /// # Errors
    ///
    /// It cannot be watched, as [`Watch::new`] says.
    pub(crate) fn open(path: &Path) -> io::Result<Config> {
        Ok(Config { path: path.to_owned(), watch: Watch::new(path)? })
    }

    /// Readable when it may have changed.
    pub(crate) fn changes(&self) -> BorrowedFd<'_> {
        self.watch.events()
    }

    /// Whether it has changed.
    ///
    /// # Errors
    ///
    /// One line: it has, and cannot be watched any more.
    pub(crate) fn has_changed(&mut self) -> Result<bool, String> {
        self.watch.has_changed().map_err(|error| format!("cannot watch {}: {error}", self.path.display()))
    }

    /// Its rules.
    ///
    /// # Errors
    ///
    /// One line that says what is wrong, and where.
    pub(crate) fn read(&self) -> Result<Vec<Rule>, String> {
        let shown = self.path.display();
        let mut text = String::new();
        let failed = |error: io::Error| format!("cannot read {shown}: {error}");
        // Opening a pipe would wait for who writes to it.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file =
            rustix::fs::open(&self.path, flags, Mode::empty()).map_err(|error| failed(error.into()))?;
        let file = std::fs::File::from(file);
        if !file.metadata().map_err(failed)?.is_file() {
            return Err(format!("{shown} is no regular file: it is read again and again, so give one"));
        }
        file.take(CONFIG_BYTES_MAX + 1).read_to_string(&mut text).map_err(failed)?;
        if u64::try_from(text.len()).is_ok_and(|length| length > CONFIG_BYTES_MAX) {
            return Err(format!("{shown} has more than {CONFIG_BYTES_MAX} bytes: it is no file of rules"));
        }
        parse(&text).map_err(|(line, sentence)| format!("{shown}:{line}: {sentence}"))
    }
}

/// The rules of a text; else the number of a line and what is wrong there.
fn parse(text: &str) -> Result<Vec<Rule>, (usize, String)> {
    let written: Written = toml::from_str(text).map_err(|error| {
        let line = line_of(text, error.span().map_or(0, |span| span.start));
        (line, error.message().lines().collect::<Vec<_>>().join(" "))
    })?;
    let mut rules = Vec::new();
    for entry in &written.forward {
        let line = line_of(text, entry.span().start);
        rules.extend(rules_of(entry.get_ref()).map_err(|sentence| (line, sentence))?);
        check(&rules).map_err(|error| (line, error.to_string()))?;
    }
    Ok(rules)
}

fn rules_of(entry: &Entry) -> Result<Vec<Rule>, String> {
    let protocol = entry.protocol.as_deref().map(transport).transpose().map_err(|error| error.to_string())?;
    let within = entry.within.as_deref().map(str::parse).transpose();
    let within = within.map_err(|error: ieum_control::NameError| error.to_string())?;
    Rule::pair(&entry.from.text(), &entry.to.text(), protocol, within.as_ref())
        .map_err(|error| error.to_string())
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_rules() {
        let text = "[[forward]]\nfrom = 8080\nto = \"10.0.0.5:80\"\n\n[[forward]]\nfrom = \"53\"\nto = 5353\n\
            protocol = \"udp\"\nin = \"dns\"\n";
        let rules: Vec<String> = parse(text).unwrap().iter().map(Rule::to_string).collect();
        assert_eq!(rules, ["localhost:8080 → 10.0.0.5:80", "localhost:53 → localhost:5353@dns/udp"]);
        assert_eq!(parse(""), Ok(vec![]));
    }

    #[test]
    fn what_cannot_be_read_twice_is_no_file_of_rules() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, Mode::RUSR | Mode::WUSR).unwrap();
        for path in [&pipe, folder.path()] {
            let error = Config::open(path).unwrap().read().unwrap_err();
            assert!(error.contains("is no regular file"), "{error}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let good = "[[forward]]\nfrom = 1\nto = 2\n";
        for (text, line, part) in [
            ("[[forward]]\nfrom = \n", 2, "expected"),
            ("[[forward]]\nfrom = 8080\n", 1, "missing field `to`"),
            ("[[forward]]\nfrom = 70000\nto = 1\n", 2, "expected a port"),
            ("[[forward]]\nfrom = \"x:y\"\nto = 1\n", 1, "not a port"),
            ("[[forward]]\nfrom = 1\nto = 2\nport = 3\n", 4, "unknown field `port`"),
            ("[[forward]]\nfrom = 1\nto = 2\nprotocol = \"sctp\"\n", 1, "not a protocol"),
            ("[[forward]]\nfrom = 1\nto = 2\nin = \"a b\"\n", 1, "cannot be a name"),
            ("[forwards]\n", 1, "unknown field `forwards`"),
            (&[good, good].concat(), 4, "forwarded twice"),
        ] {
            let (at, sentence) = parse(text).unwrap_err();
            assert!(
                at == line && sentence.contains(part) && !sentence.contains('\n'),
                "{text}: {at}: {sentence}"
            );
        }
    }
}
