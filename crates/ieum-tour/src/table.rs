//! A program's descriptors and its host's connections at one moment, as read from the tables.

use serde::Serialize;

/// All descriptors of one program.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Table {
    pub(crate) host: &'static str,
    pub(crate) rows: Vec<Row>,
    /// Connections of the host that no descriptor leads to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) without_descriptor: Vec<Row>,
}

/// One descriptor, or one connection without.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) fd: Option<usize>,
    /// `terminal`, or the protocol's name.
    pub(crate) kind: &'static str,
    /// Of a terminal which standard stream it is, of a socket its state as `ss` names it.
    pub(crate) state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) local: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) remote: Option<String>,
    /// Bytes that wait to be read; of a listener connections that wait to be accepted.
    pub(crate) recv_queue: usize,
    /// Bytes that are not acknowledged; of a listener its backlog.
    pub(crate) send_queue: usize,
}

impl Table {
    /// The row of a descriptor.
    pub(crate) fn row(&self, fd: usize) -> Option<&Row> {
        self.rows.iter().find(|row| row.fd == Some(fd))
    }
}
