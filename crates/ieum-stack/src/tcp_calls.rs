//! The user calls of TCP.
//!
//! A connection is named by its [`ConnectionId`] from `tcp_connect` or `tcp_accept` on until `tcp_close` or
//! `tcp_abort`; a call with a name that has gone does nothing. No call waits: [`crate::Event::Connection`] says when
//! it is worth asking again.

use std::io::{IoSlice, IoSliceMut};
use std::net::{IpAddr, SocketAddr};

use ieum_wire::{Instant, Protocol};

use crate::{
    BindError, BindRequest, BindingId, ConnectError, ConnectionId, EcnRules, FastOpenKeys, HalfOpenId, Info,
    LinkId, Listed, ListenError, ListenerId, Passed, Refusal, Request, Stack, Status, StreamPosition,
    TcpRules, TcpSettings, UrgentByte, WriteEnd,
};

impl Stack {
    /// Reserves a local address and port for TCP.
    ///
    /// # Errors
    ///
    /// As [`BindError`] says.
    pub fn tcp_bind(&mut self, request: BindRequest) -> Result<BindingId, BindError> {
        self.ports.bind(Protocol::Tcp, request, &mut self.chance)
    }

    /// The address and port a binding holds.
    pub fn binding_address(&self, binding: BindingId) -> Option<SocketAddr> {
        self.ports.address(binding)
    }

    /// Changes whether a binding shares its port (SO_REUSEADDR, SO_REUSEPORT).
    pub fn binding_set_reuse(&mut self, binding: BindingId, reuse_address: bool, reuse_port: bool) {
        self.ports.set_reuse(binding, reuse_address, reuse_port);
    }

    /// A binding of every address holds but this one from now on, as that of a socket does which has a connection, or every one
    /// again. Conflicts that exist already stay.
    pub fn binding_set_address(&mut self, binding: BindingId, address: IpAddr) {
        self.ports.set_address(binding, address);
    }

    /// A binding keeps to that link from now on (SO_BINDTODEVICE), or to none in particular. Conflicts that exist already stay.
    pub fn binding_set_link(&mut self, binding: BindingId, link: Option<LinkId>) {
        self.ports.set_link(binding, link);
    }

    /// Gives a binding up. Connections made from it keep the port busy until they end.
    pub fn tcp_unbind(&mut self, binding: BindingId) {
        self.ports.release(binding);
    }

    /// Listens on a binding. At most `backlog` + 1 established connections wait to be accepted. With `held`, each SYN
    /// is an [`crate::Event::Request`] that waits for [`Stack::tcp_accept_request`] or [`Stack::tcp_refuse_request`].
    ///
    /// # Errors
    ///
    /// [`ListenError::InUse`] when a listener that does not share has the same address and port.
    pub fn tcp_listen(
        &mut self,
        binding: BindingId,
        backlog: u32,
        held: bool,
        settings: TcpSettings,
    ) -> Result<ListenerId, ListenError> {
        self.tcp.listen(&mut self.ports, binding, backlog, held, settings)
    }

    /// Listens for every address and port that nobody else listens on; each SYN is a request.
    pub fn tcp_listen_any(&mut self, settings: TcpSettings) -> ListenerId {
        self.tcp.listen_any(settings)
    }

    /// Changes a listener's backlog; connections that wait already stay.
    pub fn tcp_set_backlog(&mut self, listener: ListenerId, backlog: u32) {
        self.tcp.set_backlog(listener, backlog);
    }

    /// What a request asks for; `None` once it is decided, or its peer has given up.
    pub fn request(&self, id: HalfOpenId) -> Option<Request> {
        self.tcp.request(id)
    }

    /// Answers a request with a SYN-ACK.
    pub fn tcp_accept_request(&mut self, id: HalfOpenId) {
        self.tcp.accept_request(id);
    }

    /// Refuses a request.
    pub fn tcp_refuse_request(&mut self, id: HalfOpenId, refusal: Refusal) {
        self.tcp.refuse_request(&mut self.ip, &mut self.icmp, &mut self.drops, id, refusal);
    }

    /// The connection that has waited longest to be accepted.
    pub fn tcp_accept(&mut self, listener: ListenerId) -> Option<ConnectionId> {
        self.tcp.accept(listener)
    }

    /// So many connections given out by [`Stack::tcp_accept`] wait in a queue of the caller's own: each counts
    /// against the backlog, once, until this says that it does not any more.
    pub fn tcp_set_waiting_elsewhere(&mut self, listener: ListenerId, count: u32) {
        self.tcp.set_waiting_elsewhere(listener, count);
    }

    /// How many connections count against the backlog: those here and those that wait elsewhere.
    pub fn tcp_waiting(&self, listener: ListenerId) -> u32 {
        self.tcp.waiting(listener)
    }

    /// How many connections [`Stack::tcp_accept`] could give out now.
    pub fn tcp_accept_queue_len(&self, listener: ListenerId) -> usize {
        self.tcp.accept_queue_len(listener)
    }

    /// Ends listening: connections that nobody accepted are reset. The binding stays.
    pub fn tcp_close_listener(&mut self, now: Instant, listener: ListenerId) {
        let (tcp, mut cx) = self.split(now);
        tcp.close_listener(&mut cx, listener);
    }

    /// Begins a connection, from `binding` or else from an ephemeral port. It is in SYN-SENT; wait for its event.
    ///
    /// # Errors
    ///
    /// As [`ConnectError`] says: only what is known without asking the peer.
    pub fn tcp_connect(
        &mut self,
        now: Instant,
        binding: Option<BindingId>,
        remote: SocketAddr,
        settings: TcpSettings,
    ) -> Result<ConnectionId, ConnectError> {
        let (tcp, mut cx) = self.split(now);
        tcp.connect(&mut cx, binding, remote, settings)
    }

    /// Begins a connection whose SYN carries as much of `data` as it may (RFC 7413); how much that is. Without a cookie
    /// for that peer it is nothing, and one is asked for. What is left is sent when the connection is open.
    ///
    /// # Errors
    ///
    /// As [`Stack::tcp_connect`].
    pub fn tcp_connect_with_data(
        &mut self,
        now: Instant,
        binding: Option<BindingId>,
        remote: SocketAddr,
        settings: TcpSettings,
        data: &[u8],
    ) -> Result<(ConnectionId, usize), ConnectError> {
        let (tcp, mut cx) = self.split(now);
        tcp.connect_with_data(&mut cx, binding, remote, settings, data)
    }

    /// Begins a connection whose SYN waits for the first [`Stack::tcp_send`], where a SYN to that peer may carry data; else
    /// as [`Stack::tcp_connect`]. True when it waits.
    ///
    /// # Errors
    ///
    /// As [`Stack::tcp_connect`].
    pub fn tcp_connect_deferred(
        &mut self,
        now: Instant,
        binding: Option<BindingId>,
        remote: SocketAddr,
        settings: TcpSettings,
    ) -> Result<(ConnectionId, bool), ConnectError> {
        let (tcp, mut cx) = self.split(now);
        tcp.connect_deferred(&mut cx, binding, remote, settings)
    }

    /// Somebody waits for this connection's handshake in order to write: the acknowledgement that ends it may wait for the
    /// data.
    pub fn tcp_writer_waits(&mut self, id: ConnectionId) {
        self.tcp.writer_waits(id);
    }

    /// Forgets what was learnt of peers: their cookies and sizes.
    pub fn tcp_forget_paths(&mut self) {
        self.tcp.forget_paths();
    }

    /// What holds for all connections.
    pub fn tcp_rules(&self) -> TcpRules {
        self.tcp.rules()
    }

    /// Changes what holds for all connections.
    pub fn tcp_set_rules(&mut self, rules: TcpRules) {
        self.tcp.set_rules(rules);
    }

    /// A listener makes its cookies of Fast Open with keys of its own.
    pub fn tcp_set_fast_open_keys(&mut self, listener: ListenerId, keys: FastOpenKeys) {
        self.tcp.set_fast_open_keys(listener, keys);
    }

    /// Changes a connection's settings.
    pub fn tcp_configure(&mut self, now: Instant, id: ConnectionId, settings: TcpSettings) {
        let (tcp, mut cx) = self.split(now);
        tcp.configure(&mut cx, id, settings);
    }

    /// Acknowledgements go at once from now on, the one that waits included, or they wait. The connection's course ends that by
    /// itself (tcp(7), TCP_QUICKACK), which is why saying it again is more than a setting that stays as it is.
    pub fn tcp_set_quick_ack(&mut self, now: Instant, id: ConnectionId, quick: bool) {
        let (tcp, mut cx) = self.split(now);
        tcp.set_quick_ack(&mut cx, id, quick);
    }

    /// Changes what connections inherit that a listener accepts from now on.
    pub fn tcp_configure_listener(&mut self, listener: ListenerId, settings: TcpSettings) {
        self.tcp.configure_listener(listener, settings);
    }

    /// What is meant by ECN from now on, for handshakes to come and for the connections there are.
    pub fn tcp_set_ecn(&mut self, rules: EcnRules) {
        self.tcp.set_ecn(rules);
    }

    /// Sets a mark behind the last byte written: [`crate::Event::Connection`] comes when that byte is sent and when it is
    /// acknowledged, and [`Stack::tcp_take_passed`] says so. False where there is no open connection (yet).
    pub fn tcp_mark(&mut self, now: Instant, id: ConnectionId, token: u32) -> bool {
        self.tcp.mark(now, id, token)
    }

    /// What became of marks since this was asked last, in the order in which it happened. A connection that is over tells
    /// of none.
    pub fn tcp_take_passed(&mut self, id: ConnectionId) -> Vec<Passed> {
        self.tcp.take_passed(id)
    }

    /// Where in its stream an open connection stands.
    pub fn tcp_stream_position(&self, id: ConnectionId) -> Option<StreamPosition> {
        self.tcp.stream_position(id)
    }

    /// How a connection stands; `None` once it was closed.
    pub fn tcp_status(&self, id: ConnectionId) -> Option<Status> {
        self.tcp.status(id)
    }

    /// How it stands, and all else that can be told of it.
    pub fn tcp_info(&self, now: Instant, id: ConnectionId) -> Option<(Status, Info)> {
        self.tcp.info(now, id)
    }

    /// Every connection, whoever holds it or nobody, every passive open before its handshake ends, and every TIME-WAIT:
    /// what a table of sockets shows. The order is that of the tables inside, the same for the same calls.
    pub fn tcp_connections(&self) -> impl Iterator<Item = Listed> + '_ {
        self.tcp.list()
    }

    /// Queues bytes to be sent; returns how many there was room for. When fewer than given, an event tells of room.
    pub fn tcp_send(&mut self, now: Instant, id: ConnectionId, bytes: &[u8]) -> usize {
        let (tcp, mut cx) = self.split(now);
        tcp.send(&mut cx, id, bytes, WriteEnd::Push)
    }

    /// What waits for company goes now, small or not, until more is written.
    pub fn tcp_flush(&mut self, now: Instant, id: ConnectionId) {
        let (tcp, mut cx) = self.split(now);
        tcp.flush(&mut cx, id);
    }

    /// The same for a write that says how it ends.
    pub fn tcp_send_ending(&mut self, now: Instant, id: ConnectionId, bytes: &[u8], end: WriteEnd) -> usize {
        let (tcp, mut cx) = self.split(now);
        tcp.send(&mut cx, id, bytes, end)
    }

    /// Free memory of the send buffer, at most `bytes_max`, to be filled from its front and then told by
    /// [`Stack::tcp_commit`]. It may be less than there is room for: who fills it all asks again. When it is none at
    /// all, an event tells of room.
    pub fn tcp_send_space(&mut self, id: ConnectionId, bytes_max: usize) -> Vec<IoSliceMut<'_>> {
        self.tcp.send_space(id, bytes_max)
    }

    /// `count` bytes of the memory from [`Stack::tcp_send_space`] were filled (0 gives it back).
    ///
    /// # Panics
    ///
    /// When `count` is more than there was room for.
    pub fn tcp_commit(&mut self, now: Instant, id: ConnectionId, count: usize) {
        let (tcp, mut cx) = self.split(now);
        tcp.commit(&mut cx, id, count);
    }

    /// Copies received bytes; with `peek` they stay. 0: none are there now (whether any will come, the status says).
    pub fn tcp_recv(&mut self, now: Instant, id: ConnectionId, into: &mut [u8], peek: bool) -> usize {
        let (tcp, mut cx) = self.split(now);
        tcp.recv(&mut cx, id, into, peek)
    }

    /// Queues bytes of which the last one is urgent (RFC 6093); returns how many there was room for.
    pub fn tcp_send_urgent(&mut self, now: Instant, id: ConnectionId, bytes: &[u8]) -> usize {
        let (tcp, mut cx) = self.split(now);
        tcp.send_urgent(&mut cx, id, bytes)
    }

    /// The peer's urgent byte, read by itself; with `peek` it stays. Never where it is read inline.
    pub fn tcp_recv_urgent(&mut self, id: ConnectionId, peek: bool) -> UrgentByte {
        self.tcp.recv_urgent(id, peek)
    }

    /// Does the next read begin at the urgent byte (sockatmark(3))?
    pub fn tcp_is_at_mark(&self, id: ConnectionId) -> bool {
        self.tcp.is_at_mark(id)
    }

    /// How many readable bytes come before the urgent one; `None`: it is not among them.
    pub fn tcp_urgent_ahead(&self, id: ConnectionId) -> Option<usize> {
        self.tcp.urgent_ahead(id)
    }

    /// Received bytes in order, where they lie, in as many slices as a vectored write takes: perhaps not all that are
    /// readable. [`Stack::tcp_consume`] takes them away.
    pub fn tcp_recv_chunks(&self, id: ConnectionId) -> Vec<IoSlice<'_>> {
        self.tcp.recv_chunks(id)
    }

    /// The first `count` received bytes were read.
    ///
    /// # Panics
    ///
    /// When fewer were readable.
    pub fn tcp_consume(&mut self, now: Instant, id: ConnectionId, count: usize) {
        let (tcp, mut cx) = self.split(now);
        tcp.consume(&mut cx, id, count, None);
    }

    /// The first `count` received bytes were handed on, into a queue in which `queued` bytes waited for their reader. The
    /// receive buffer grows with what is read, not with what is handed on: a reader that stops fills its queue and the
    /// buffer as it is.
    ///
    /// # Panics
    ///
    /// When fewer were readable.
    pub fn tcp_hand_on(&mut self, now: Instant, id: ConnectionId, count: usize, queued: usize) {
        let (tcp, mut cx) = self.split(now);
        tcp.consume(&mut cx, id, count, Some(queued));
    }

    /// Sends a FIN after what is queued: the end of our direction.
    pub fn tcp_finish(&mut self, now: Instant, id: ConnectionId) {
        let (tcp, mut cx) = self.split(now);
        tcp.finish(&mut cx, id);
    }

    /// The user reads no more: data that comes once our own direction has ended as well resets the connection
    /// (RFC 1122 §4.2.2.13).
    pub fn tcp_stop_reading(&mut self, id: ConnectionId) {
        self.tcp.stop_reading(id);
    }

    /// The user is done: what is queued is still delivered, then a FIN. With bytes left unread the peer is reset
    /// (RFC 2525 §2.17).
    pub fn tcp_close(&mut self, now: Instant, id: ConnectionId) {
        let (tcp, mut cx) = self.split(now);
        tcp.close(&mut cx, id);
    }

    /// The connection ends at once, with a RST.
    pub fn tcp_abort(&mut self, now: Instant, id: ConnectionId) {
        let (tcp, mut cx) = self.split(now);
        tcp.abort_call(&mut cx, id);
    }

    /// Closed connections that still have bytes or their end to deliver; TIME-WAIT is not counted.
    pub fn tcp_unfinished(&self) -> usize {
        self.tcp.unfinished()
    }
}
