//! `getsockopt`, `setsockopt`, and TCP_INFO for code.

use ieum_socket::Errno;

use super::value::Value;
use super::{Asked, Progress};
use crate::run::Runner;
use crate::script::Expr;
use crate::stop::Stop;

impl Runner<'_> {
    pub(super) fn setsockopt(&mut self, asked: &Asked<'_>) -> Result<Progress, Stop> {
        let arguments = &asked.arguments;
        arguments.must_be(5)?;
        let (_, id) = self.socket_at(asked, 0)?;
        let (level, name, length) = (arguments.int(1)?, arguments.int(2)?, arguments.size(4)?);
        let mut bytes = match arguments.get(3)? {
            Value::Bytes(bytes) => bytes.clone(),
            list @ Value::List(_) => number(list.bracketed()?)?,
            structure @ Value::Struct(_) => structure_bytes(structure)?,
            other @ (Value::Any | Value::Integer(_)) => {
                return Err(Stop::failed(format!("unsupported setsockopt value type: {other:?}")));
            }
        };
        bytes.resize(length, 0);
        let answer = self.machine.host.set_option(self.machine.now(), id, level, name, &bytes);
        self.must_exist(asked, answer.err())?;
        asked.exactly(answer.map(|()| 0))?;
        Ok(Progress::Done)
    }

    pub(super) fn getsockopt(&mut self, asked: &Asked<'_>) -> Result<Progress, Stop> {
        let arguments = &asked.arguments;
        arguments.must_be(5)?;
        let (_, id) = self.socket_at(asked, 0)?;
        let (level, name) = (arguments.int(1)?, arguments.int(2)?);
        let length = usize::try_from(arguments.get(4)?.bracketed()?).unwrap_or(0);
        let answer = self.machine.host.option(id, level, name);
        self.must_exist(asked, answer.as_ref().err().copied())?;
        asked.exactly(answer.as_ref().map(|_| 0).map_err(|errno| *errno))?;
        let Ok(mut actual) = answer else { return Ok(Progress::Done) };
        actual.truncate(length);
        if actual.len() != length {
            let found = actual.len();
            return Err(Stop::failed(format!("Bad getsockopt optlen: expected: {length} actual: {found}")));
        }
        compare(arguments.get(3)?, &actual)?;
        Ok(Progress::Done)
    }

    /// An option that the script finds and the host has not is a missing feature, not a wrong answer.
    fn must_exist(&self, asked: &Asked<'_>, errno: Option<Errno>) -> Result<(), Stop> {
        let missing = [Errno::ENOPROTOOPT, Errno::EOPNOTSUPP, Errno::EPERM, Errno::ENOENT];
        match errno {
            Some(errno) if asked.expected == 0 && missing.contains(&errno) => {
                let word = |at: usize| match asked.call.arguments.get(at) {
                    Some(Expr::Word(name)) => name.clone(),
                    Some(Expr::Integer(number)) => number.to_string(),
                    _ => "…".to_owned(),
                };
                Err(Stop::unsupported(format!("the socket option {} ({errno})", word(2))))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// What TCP_INFO says of a flow's socket.
    pub(crate) fn tcp_info(&mut self, flow: usize) -> Option<Vec<u8>> {
        let id = self.table.socket_of(flow)?;
        self.machine.host.option(id, libc::IPPROTO_TCP, libc::TCP_INFO).ok()
    }

    /// What SO_MEMINFO says of it.
    pub(crate) fn socket_memory(&mut self, flow: usize) -> Vec<u8> {
        let socket = self.table.socket_of(flow);
        let memory = |id| self.machine.host.option(id, libc::SOL_SOCKET, libc::SO_MEMINFO).ok();
        socket.and_then(memory).unwrap_or_default()
    }
}

fn number(number: i64) -> Result<Vec<u8>, Stop> {
    Ok(Value::Integer(number).int()?.to_ne_bytes().to_vec())
}

/// `struct linger` and `struct timeval`.
fn structure_bytes(structure: &Value) -> Result<Vec<u8>, Stop> {
    if let (Some(on), Some(seconds)) = (structure.field("onoff"), structure.field("linger")) {
        return Ok([on.int()?.to_ne_bytes(), seconds.int()?.to_ne_bytes()].concat());
    }
    if let (Some(Value::Integer(seconds)), Some(Value::Integer(us))) =
        (structure.field("tv_sec"), structure.field("tv_usec"))
    {
        return Ok([seconds.to_ne_bytes(), us.to_ne_bytes()].concat());
    }
    Err(Stop::failed(format!("unsupported setsockopt value type: {structure:?}")))
}

/// Is an option's value the script's?
fn compare(expected: &Value, actual: &[u8]) -> Result<(), Stop> {
    let bytes = match expected {
        Value::Any => return Ok(()),
        Value::Bytes(bytes) => bytes.clone(),
        Value::Struct(_) => structure_bytes(expected)?,
        list @ (Value::Integer(_) | Value::List(_)) => {
            let expected = Value::Integer(list.bracketed()?).int()?;
            let Some(actual) = actual.first_chunk().filter(|_| actual.len() == 4) else {
                return Err(Stop::failed(format!("Unsupported getsockopt optlen: {}", actual.len())));
            };
            let actual = i32::from_ne_bytes(*actual);
            return if actual == expected {
                Ok(())
            } else {
                Err(Stop::failed(format!("Bad getsockopt optval: expected: {expected} actual: {actual}")))
            };
        }
    };
    if bytes == actual {
        return Ok(());
    }
    let shown = |bytes: &[u8]| bytes.escape_ascii().to_string();
    Err(Stop::failed(format!(
        "Bad getsockopt optval: expected: '{}' actual: '{}'",
        shown(&bytes),
        shown(actual)
    )))
}
