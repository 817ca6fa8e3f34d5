//! What `recvmsg` writes beside the bytes: flags, and control messages.

use ieum_socket::Control;
use ieum_socket::Received;
use ieum_socket::numbers::{
    IP_RECVERR, IPPROTO_IP, IPPROTO_IPV6, IPPROTO_TCP, IPV6_RECVERR, SCM_TIMESTAMPING_OPT_STATS,
    SO_TIMESTAMPING, SOL_SOCKET, TCP_INQ,
};

use super::value::Value;
use crate::run::Runner;
use crate::stop::Stop;

impl Runner<'_> {
    /// Is what was written into a message what the script says?
    pub(super) fn check_message(&self, message: &Value, received: &Received) -> Result<(), Stop> {
        if let Some(Value::List(expected)) = message.field("msg_control") {
            let actual = &received.control;
            if expected.len() != actual.len() {
                let (wanted, found) = (expected.len(), actual.len());
                return Err(Stop::failed(format!("Expected {wanted} control messages but got {found}")));
            }
            for (expected, actual) in expected.iter().zip(actual) {
                self.check_control(expected, actual)?;
            }
        }
        let (expected, actual) = (message.wanted("msg_flags")?.int()?, received.flags);
        if expected == actual {
            return Ok(());
        }
        Err(Stop::failed(format!("Expected msg_flags {expected:#010X} but got {actual:#010X}")))
    }

    fn check_control(&self, expected: &Value, actual: &Control) -> Result<(), Stop> {
        let part = |name| expected.wanted(name).and_then(Value::int);
        let (level, kind) = (part("cmsg_level")?, part("cmsg_type")?);
        if (level, kind) != (actual.level, actual.kind) {
            let found = (actual.level, actual.kind);
            return Err(Stop::failed(format!(
                "Expected a control message of level and type {:?} but got {found:?}",
                (level, kind)
            )));
        }
        let data = expected.wanted("cmsg_data")?;
        match (level, kind) {
            (IPPROTO_TCP, TCP_INQ) => same("TCP_INQ", data.int()?.cast_unsigned(), word(actual, 0)?),
            (SOL_SOCKET, SO_TIMESTAMPING) => self.check_time(data, actual),
            (IPPROTO_IP, IP_RECVERR) | (IPPROTO_IPV6, IPV6_RECVERR) => check_error(data, actual),
            (SOL_SOCKET, SCM_TIMESTAMPING_OPT_STATS) if *data == Value::Any => Ok(()),
            (_, _) => Err(Stop::unsupported("control messages")),
        }
    }

    /// `{scm_sec=…, scm_nsec=…}`: since the script began, as exact as packets have to be.
    fn check_time(&self, expected: &Value, actual: &Control) -> Result<(), Stop> {
        let number = |name| Ok::<i64, Stop>(expected.wanted(name)?.int()?.into());
        let expected_us = number("scm_sec")? * 1_000_000 + number("scm_nsec")? / 1000;
        let [seconds, nanoseconds] = [0, 8].map(|at| {
            let long = actual.data.get(at..).and_then(|rest| rest.first_chunk::<8>());
            long.map_or(0, |bytes| i64::from_ne_bytes(*bytes))
        });
        let actual_us = self.machine.on_the_script(seconds * 1_000_000 + nanoseconds / 1000);
        let tolerance = self.config.tolerance_us(None);
        if (actual_us - expected_us).abs() <= tolerance {
            return Ok(());
        }
        Err(Stop::failed(format!(
            "timestamp does not match script: expected: {expected_us} us actual: {actual_us} us; tolerance {tolerance} us"
        )))
    }
}

/// `{ee_errno=…, ee_origin=…, ee_type=…, ee_code=…, ee_info=…, ee_data=…}` (`struct sock_extended_err`).
fn check_error(expected: &Value, actual: &Control) -> Result<(), Stop> {
    let number = |name| Ok::<u32, Stop>(expected.wanted(name)?.int()?.cast_unsigned());
    let small = |at: usize| actual.data.get(at).copied().map_or(0, u32::from);
    same("ee_errno", number("ee_errno")?, word(actual, 0)?)?;
    same("ee_origin", number("ee_origin")?, small(4))?;
    same("ee_type", number("ee_type")?, small(5))?;
    same("ee_code", number("ee_code")?, small(6))?;
    same("ee_info", number("ee_info")?, word(actual, 8)?)?;
    same("ee_data", number("ee_data")?, word(actual, 12)?)
}

fn word(control: &Control, at: usize) -> Result<u32, Stop> {
    let word = control.data.get(at..).and_then(|rest| rest.first_chunk::<4>());
    word.map(|bytes| u32::from_ne_bytes(*bytes)).ok_or_else(|| Stop::failed("a control message is short"))
}

fn same(what: &str, expected: u32, actual: u32) -> Result<(), Stop> {
    if expected == actual {
        return Ok(());
    }
    Err(Stop::failed(format!("Bad {what}: expected: {expected} actual: {actual}")))
}
