//! Active opens with Fast Open (RFC 7413 §4.2): what goes with the first SYN.

use std::net::SocketAddr;

use ieum_wire::{Mss, SeqNumber};

use super::bounds::{PATH_MTU_MIN_IP4_BYTES, PATH_MTU_MIN_IP6_BYTES};
use super::connection::{Connection, Phase};
use super::fast_open::Answered;
use super::handshake::Handshake;
use super::segment::Segment;
use super::settings::TcpSettings;
use super::user_call::ConnectError;
use super::{ConnectionId, Tcp};
use crate::context::Context;
use crate::port::BindingId;

/// Bytes of a SYN that are left for options: all there can be, since paths are known to add their own (RFC 7413 §4.2.1;
/// Linux: MAX_TCP_OPTION_SPACE).
const OPTION_BYTES_MAX: u16 = 40;

impl Tcp {
    /// CLOSED → SYN-SENT, with as much of `data` as the SYN may carry. Without a cookie that is none, and one is asked for.
    pub(crate) fn connect_with_data(
        &mut self,
        cx: &mut Context<'_>,
        binding: Option<BindingId>,
        remote: SocketAddr,
        settings: TcpSettings,
        data: &[u8],
    ) -> Result<(ConnectionId, usize), ConnectError> {
        let id = self.connect(cx, binding, remote, settings)?;
        let count = self.send_with_syn(cx, id, data);
        Ok((id, count))
    }

    /// CLOSED → SYN-SENT; but where a SYN may carry data it is not sent before there is some. True then.
    pub(crate) fn connect_deferred(
        &mut self,
        cx: &mut Context<'_>,
        binding: Option<BindingId>,
        remote: SocketAddr,
        settings: TcpSettings,
    ) -> Result<(ConnectionId, bool), ConnectError> {
        let id = self.connect(cx, binding, remote, settings)?;
        let Some(connection) = self.connections.get(id) else { return Ok((id, false)) };
        let known = self.paths.remembered(&connection.tuple).option().cookie.is_some();
        let deferred = known || self.needs_no_cookie(&connection.settings);
        match self.handshake_mut(id) {
            Some(handshake) if deferred => {
                handshake.fast.deferred = true;
                handshake.syn.owed = false;
            }
            Some(_) | None => {
                self.send_with_syn(cx, id, &[]);
            }
        }
        Ok((id, deferred))
    }

    /// The first SYN of an active open goes out as Fast Open has it; how many bytes go with it.
    pub(super) fn send_with_syn(&mut self, cx: &mut Context<'_>, id: ConnectionId, data: &[u8]) -> usize {
        let Some(connection) = self.connections.get(id) else { return 0 };
        let known = self.paths.remembered(&connection.tuple);
        let free = self.needs_no_cookie(&connection.settings);
        let Some(handshake) = self.handshake_mut(id) else { return 0 };
        let option = (!free).then(|| known.option());
        let may_carry = option.is_none_or(|option| option.cookie.is_some());
        let mss = known.mss.unwrap_or(u16::MAX).min(handshake.own.mss.bytes());
        let space = if may_carry { usize::from(mss.saturating_sub(OPTION_BYTES_MAX)) } else { 0 };
        let count = data.len().min(space);
        handshake.fast.wanted = true;
        handshake.fast.deferred = false;
        handshake.fast.asked = option;
        handshake.fast.data = data[..count].to_vec();
        handshake.own.fast_open = option;
        handshake.syn.owed = true;
        self.settle(cx, id);
        count
    }

    /// Is this an active open whose SYN waits for data?
    pub(super) fn is_deferred(&self, id: ConnectionId) -> bool {
        self.connections.get(id).and_then(Connection::handshake).is_some_and(|it| it.fast.deferred)
    }

    /// Somebody waits for the end of the handshake in order to write.
    pub(crate) fn writer_waits(&mut self, id: ConnectionId) {
        if let Some(handshake) = self.handshake_mut(id) {
            handshake.writer_waits = true;
        }
    }

    /// Forgets what servers gave us.
    pub(crate) fn forget_paths(&mut self) {
        self.paths.forget();
    }

    fn needs_no_cookie(&self, settings: &TcpSettings) -> bool {
        self.rules.fast_open.client_without_cookie || settings.fast_open_no_cookie
    }

    fn handshake_mut(&mut self, id: ConnectionId) -> Option<&mut Handshake> {
        match &mut self.connections.get_mut(id)?.phase {
            Phase::Handshake(handshake) => Some(handshake),
            Phase::Open(_) | Phase::Closed(_) => None,
        }
    }
}

impl Handshake {
    /// Is this a position of our SYN or of the data on it?
    pub(super) fn is_under_way(&self, seq: SeqNumber) -> bool {
        self.syn.sent_at.is_some() && seq.since(self.own.iss) <= self.data_bytes()
    }

    /// A router says that the SYN with its data was too large: it goes out again at once, without data and with an MSS
    /// that fits. False when it is not believed.
    pub(super) fn path_narrowed(&mut self, is_ip4: bool, mtu_bytes: u32, seq: SeqNumber) -> bool {
        let mss = if is_ip4 {
            Mss::of_mtu_ip4(mtu_bytes.max(PATH_MTU_MIN_IP4_BYTES))
        } else {
            Mss::of_mtu_ip6(mtu_bytes.max(PATH_MTU_MIN_IP6_BYTES))
        };
        if !self.is_under_way(seq) || mss >= self.own.mss {
            return false;
        }
        self.own.mss = mss;
        self.syn.retries += 1;
        self.syn.owed = true;
        true
    }

    /// What the answer to our SYN says about Fast Open; `None` when we did not ask.
    pub(super) fn answered(&self, segment: &Segment<'_>) -> Option<Answered> {
        let options = &segment.header.options;
        let unsaid = if segment.tuple.remote.is_ipv4() { 536 } else { 1220 };
        self.fast.wanted.then(|| Answered {
            mss: options.mss.unwrap_or(unsaid),
            option: options.fast_open,
            asked: self.fast.asked,
            unclear: self.syn.retries > 0 || !self.fast.data.is_empty(),
        })
    }
}
