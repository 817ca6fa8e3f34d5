//! One IP stack with its socket descriptions.

use std::collections::VecDeque;
use std::time::Duration;

use ieum_stack::{
    ConnectionId, Info, LinkId, ListenerId, PingId, RawId, Refusal, Stack, StackConfig, Status, TcpRules,
    TcpSettings, UdpId,
};
use ieum_wire::{Instant, Packet};
use slotmap::{SecondaryMap, SlotMap};

use crate::bounds::DESCRIPTIONS_MAX;
use crate::call::listen_any::AnyListener;
use crate::description::{Description, Phase, Stream};
use crate::endpoint::Endpoint;
use crate::make::{Domain, Kind, Make};
use crate::{Errno, Event, RequestId, errno};

slotmap::new_key_type! {
    /// Names an open socket description of a host (what descriptors refer to).
    pub struct SocketId;
}

/// What makes a host. Links, addresses and routes are added on its stack.
#[derive(Clone, Debug)]
pub struct HostConfig {
    /// Keys all that is random or hashed: same seed and same calls, same bytes.
    pub seed: [u8; 32],
    /// Offer and accept TCP timestamps (RFC 7323).
    pub tcp_timestamps: bool,
    /// Listening sockets hold each SYN as [`Event::Request`] until it is accepted or refused.
    pub hold_requests: bool,
}

/// One IP stack with its descriptions: a host as programs know it.
///
/// The calls are in the files of `call`, one each; this file has the doors of the stack and the way of events.
/// Every call gives the errno that Linux gives; [`Errno::EBADF`] is for a description that was closed.
pub struct Host {
    pub(crate) stack: Stack,
    pub(crate) descriptions: SlotMap<SocketId, Description>,
    pub(crate) connections: SecondaryMap<ConnectionId, SocketId>,
    pub(crate) listeners: SecondaryMap<ListenerId, SocketId>,
    pub(crate) endpoints: SecondaryMap<UdpId, SocketId>,
    pub(crate) pings: SecondaryMap<PingId, SocketId>,
    pub(crate) raws: SecondaryMap<RawId, SocketId>,
    pub(crate) hold_requests: bool,
    /// Programs may have raw sockets.
    pub(crate) has_raw_sockets: bool,
    /// The listener for any address, where there is one.
    pub(crate) any: Option<AnyListener>,
    /// Datagrams for any address have come that nobody was told of.
    pub(crate) any_datagrams: bool,
    /// What streams have whose options say nothing else.
    pub(crate) tcp_defaults: TcpSettings,
    /// Sockets beyond so many are refused (ENFILE).
    pub(crate) sockets_max: usize,
    /// The time of the last call that had one, for those that need none of their own but tell the stack.
    pub(crate) now: Instant,
    /// The time of day at [`Instant::ZERO`].
    pub(crate) day_at_zero: Duration,
    events: VecDeque<Event>,
}

impl Host {
    /// A host without links: only its own loopback addresses.
    pub fn new(config: HostConfig) -> Host {
        let mut stack = StackConfig::new(config.seed);
        stack.tcp_timestamps = config.tcp_timestamps;
        Host::with_stack(stack, config.hold_requests)
    }

    /// The same with all that can be chosen of its stack.
    pub fn with_stack(stack: StackConfig, hold_requests: bool) -> Host {
        let mut stack = Stack::new(stack);
        // Whoever serves programs has a peer that keeps sockets for them.
        let resets_silent_ends = hold_requests || stack.tcp_rules().resets_silent_ends;
        stack.tcp_set_rules(TcpRules { resets_silent_ends, ..stack.tcp_rules() });
        Host {
            stack,
            descriptions: SlotMap::with_key(),
            connections: SecondaryMap::new(),
            listeners: SecondaryMap::new(),
            endpoints: SecondaryMap::new(),
            pings: SecondaryMap::new(),
            raws: SecondaryMap::new(),
            hold_requests,
            has_raw_sockets: false,
            any: None,
            any_datagrams: false,
            // And moves their bytes as they come: an urgent one stays in its place.
            tcp_defaults: TcpSettings { urgent_inline: hold_requests, ..TcpSettings::default() },
            sockets_max: DESCRIPTIONS_MAX,
            now: Instant::ZERO,
            day_at_zero: Duration::ZERO,
            events: VecDeque::new(),
        }
    }

    /// What streams are given whose options say nothing else; those that are connected already keep what they have
    /// until their next option is set.
    pub fn set_tcp_defaults(&mut self, defaults: TcpSettings) {
        self.tcp_defaults = defaults;
    }

    /// Sockets beyond so many, up to the bound of this room, are refused from now on (ENFILE).
    pub fn set_sockets_max(&mut self, sockets: usize) {
        self.sockets_max = sockets.min(DESCRIPTIONS_MAX);
    }

    /// The stack, to add links, addresses and routes.
    pub fn stack_mut(&mut self) -> &mut Stack {
        &mut self.stack
    }

    /// The stack, to ask it.
    pub fn stack(&self) -> &Stack {
        &self.stack
    }

    /// A frame came.
    pub fn on_frame(&mut self, now: Instant, link: LinkId, frame: Packet) {
        self.now = now;
        self.stack.on_frame(now, link, frame);
        self.collect_events();
    }

    /// Nobody on its link took a frame of this host's: whoever sent it hears of a host that cannot be reached.
    pub fn on_silence(&mut self, now: Instant, frame: &Packet) {
        self.now = now;
        self.stack.neighbor_silent(now, frame);
        self.collect_events();
    }

    /// The time that [`Host::deadline`] named has come.
    pub fn on_deadline(&mut self, now: Instant) {
        self.now = now;
        self.stack.on_deadline(now);
        self.collect_events();
    }

    /// The next frame to be transmitted.
    pub fn poll_frame(&mut self, now: Instant) -> Option<(LinkId, Packet)> {
        self.now = now;
        let frame = self.stack.poll_frame(now);
        // What sockets of this host say to each other moves here.
        self.collect_events();
        frame
    }

    /// The next thing that happened.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.collect_events();
        loop {
            let event = self.events.pop_front()?;
            match event {
                Event::Readiness(id) => match self.descriptions.get_mut(id) {
                    Some(description) => description.told = false,
                    // Closed since.
                    None => continue,
                },
                Event::Request(..) | Event::Serving { .. } => {}
            }
            return Some(event);
        }
    }

    /// When [`Host::on_deadline`] is to be called.
    pub fn deadline(&self) -> Option<Instant> {
        self.stack.deadline()
    }

    /// A held SYN is answered: the connection may come.
    pub fn accept_request(&mut self, id: RequestId) {
        self.stack.tcp_accept_request(id);
    }

    /// A held SYN is refused with a RST.
    pub fn refuse_request(&mut self, id: RequestId) {
        self.stack.tcp_refuse_request(id, Refusal::Reset);
    }

    /// The kind of a socket; `None` when it is closed.
    pub fn kind(&self, id: SocketId) -> Option<Kind> {
        self.descriptions.get(id).map(Description::kind)
    }

    /// The family and protocol of a socket; `None` when it is closed.
    pub fn make(&self, id: SocketId) -> Option<Make> {
        self.descriptions.get(id).map(|description| description.make)
    }

    /// The address family of a socket; `None` when it is closed.
    pub fn domain(&self, id: SocketId) -> Option<Domain> {
        self.make(id).map(|make| make.domain)
    }

    /// TCP's state and counters of a stream socket that has a connection.
    pub fn status(&self, id: SocketId) -> Option<Status> {
        self.stack.tcp_status(self.descriptions.get(id)?.active()?.connection)
    }

    /// All that TCP can tell of such a socket's connection.
    pub fn info(&self, id: SocketId) -> Option<(Status, Info)> {
        self.stack.tcp_info(self.now, self.descriptions.get(id)?.active()?.connection)
    }

    /// Does the socket listen?
    pub fn is_listening(&self, id: SocketId) -> bool {
        self.descriptions
            .get(id)
            .is_some_and(|description| matches!(description.phase, Phase::Stream(Stream::Listening(_))))
    }

    /// Has the stream neither a connection, nor the end of one to tell of, nor does it listen?
    pub fn is_unconnected(&self, id: SocketId) -> bool {
        self.descriptions.get(id).is_some_and(|description| {
            matches!(description.phase, Phase::Stream(Stream::Unbound | Stream::Bound(_)))
        })
    }

    /// What `connect` on the stream says without doing anything: EISCONN while it listens and once it was connected, also of one
    /// whose connection was reset; EINVAL where it was shut down before there was a connection. Both until it is dissolved.
    pub fn refuses_connect(&self, id: SocketId) -> Option<Errno> {
        let description = self.descriptions.get(id)?;
        match description.phase {
            Phase::Stream(Stream::Listening(_)) => Some(Errno::EISCONN),
            Phase::Stream(Stream::Active(active)) if active.disconnecting => Some(Errno::EINVAL),
            Phase::Stream(Stream::Active(active)) => {
                let is_deferred = self.view(description).is_some_and(|view| view.deferred);
                (active.answered || is_deferred).then_some(Errno::EISCONN)
            }
            Phase::Stream(Stream::Unbound | Stream::Bound(_)) | Phase::Datagram(_) => None,
        }
    }

    /// Is the stream's connection over, in both directions?
    pub fn is_over(&self, id: SocketId) -> bool {
        let view = self.descriptions.get(id).and_then(|description| self.view(description));
        view.is_some_and(|view| view.closed)
    }

    /// Connections, closed ones included, that still owe bytes to their peers.
    pub fn unfinished(&self) -> usize {
        self.stack.tcp_unfinished()
    }

    /// Takes what the stack has to tell. Done after everything that makes it speak, so that an ICMP error is pending
    /// before anybody asks for readiness.
    fn collect_events(&mut self) {
        while let Some(event) = self.stack.poll_event() {
            match event {
                ieum_stack::Event::Request(request) => self.tell_request(request),
                ieum_stack::Event::Acceptable(listener) => {
                    if !self.hear_any(listener, None) {
                        self.tell(self.listeners.get(listener).copied());
                    }
                }
                ieum_stack::Event::Connection(connection) => {
                    let id = self.connections.get(connection).copied();
                    id.into_iter().for_each(|id| self.hear_of_sends(id));
                    self.tell(id);
                }
                ieum_stack::Event::Udp(endpoint) => {
                    let id = self.endpoints.get(endpoint).copied();
                    self.endpoint_changed(id, Endpoint::Udp(endpoint));
                }
                ieum_stack::Event::Ping(endpoint) => {
                    let id = self.pings.get(endpoint).copied();
                    self.endpoint_changed(id, Endpoint::Ping(endpoint));
                }
                ieum_stack::Event::Raw(endpoint) => {
                    let id = self.raws.get(endpoint).copied();
                    self.endpoint_changed(id, Endpoint::Raw(endpoint));
                }
                ieum_stack::Event::AnyDatagram => self.any_datagrams = true,
            }
        }
    }

    /// Queues a readiness event unless one waits already.
    pub(crate) fn tell(&mut self, id: Option<SocketId>) {
        if let Some(id) = id
            && let Some(description) = self.descriptions.get_mut(id)
            && !description.told
        {
            description.told = true;
            self.events.push_back(Event::Readiness(id));
        }
    }

    /// Queues the word that somebody serves an address, or ceased to.
    pub(crate) fn tell_serving(
        &mut self,
        kind: Kind,
        address: std::net::SocketAddr,
        v6_only: bool,
        serving: bool,
    ) {
        // For any other address than `::` the option means nothing.
        let v6_only = v6_only && address.is_ipv6() && address.ip().is_unspecified();
        self.events.push_back(Event::Serving { kind, address, v6_only, serving });
    }

    fn tell_request(&mut self, request: RequestId) {
        let Some(listener) = self.stack.request(request).map(|request| request.listener) else { return };
        if let Some(id) = self.listeners.get(listener) {
            self.events.push_back(Event::Request(*id, request));
        } else {
            self.hear_any(listener, Some(request));
        }
    }

    /// A datagram came, or there is room again, or an ICMP error. Hard errors are told to connected sockets, all to
    /// those that asked for them (IP_RECVERR).
    fn endpoint_changed(&mut self, id: Option<SocketId>, endpoint: Endpoint) {
        let Some(id) = id else { return };
        let (reason, remote) = (self.endpoint_take_error(endpoint), self.endpoint_remote(endpoint));
        let noticed = self.hear_of_errors(id, endpoint);
        if let Some(description) = self.descriptions.get_mut(id) {
            if let Some(open) = description.open_mut() {
                open.full = false;
            }
            let domain = remote.map_or(description.make.domain, |remote| Domain::of(remote.ip()));
            let told = |reason: &_| {
                remote.is_some() && errno::is_hard(*reason) || description.options.receives_errors(domain)
            };
            let told = match (endpoint, remote) {
                // What nobody is connected to may be of either family: what was noticed says so.
                (Endpoint::Udp(_), None) => noticed,
                (Endpoint::Udp(_) | Endpoint::Ping(_) | Endpoint::Raw(_), _) => {
                    reason.filter(told).map(|reason| Errno::of_icmp(reason, domain))
                }
            };
            description.error = told.or(description.error);
        }
        self.hear_of_sends(id);
        self.tell(Some(id));
    }

    /// Asserts the invariants of the module's head; for tests and simulations.
    ///
    /// # Panics
    ///
    /// When one does not hold.
    pub fn check(&self) {
        for (connection, id) in &self.connections {
            let active = self.descriptions.get(*id).and_then(Description::active);
            assert_eq!(
                active.map(|active| active.connection),
                Some(connection),
                "a connection has its socket"
            );
        }
        for (endpoint, id) in &self.endpoints {
            let open = self.descriptions.get(*id).and_then(Description::open);
            assert_eq!(
                open.map(|open| open.endpoint),
                Some(Endpoint::Udp(endpoint)),
                "an endpoint has its socket"
            );
        }
        for (endpoint, id) in &self.pings {
            let open = self.descriptions.get(*id).and_then(Description::open);
            assert_eq!(
                open.map(|open| open.endpoint),
                Some(Endpoint::Ping(endpoint)),
                "an endpoint has its socket"
            );
        }
        for (endpoint, id) in &self.raws {
            let open = self.descriptions.get(*id).and_then(Description::open);
            assert_eq!(
                open.map(|open| open.endpoint),
                Some(Endpoint::Raw(endpoint)),
                "an endpoint has its socket"
            );
        }
        for (_, id) in &self.listeners {
            assert!(self.is_listening(*id), "a listener has its socket");
        }
        let told = self.descriptions.values().filter(|description| description.told).count();
        let queued = self.events.iter().filter(|event| match event {
            Event::Readiness(id) => self.descriptions.contains_key(*id),
            Event::Request(..) | Event::Serving { .. } => false,
        });
        assert_eq!(told, queued.count(), "who is told has one event");
    }
}
