//! The protocols, sans-IO: what happened goes in, what is to be done comes out.
//!
//! [`Stack`] has three doors inward: [`Stack::on_frame`], [`Stack::on_deadline`] and the user calls (`tcp_*`, `udp_*`,
//! `ping_*`, `raw_*`); and three outward: [`Stack::poll_frame`], [`Stack::poll_event`] and [`Stack::deadline`]. One
//! event in is one plain function call that returns. There is no clock here, no thread and no descriptor: time is the
//! argument `now`, chance comes from the seed given at the start. Same seed and same calls, same bytes.
//!
//! Folders and files, as a packet meets them:
//!
//! - `link`: what a link can do. `receive`: the way up, layer by layer; `transmit`: the way down; `deadline`: timers.
//! - `ip/`: addresses, routes, headers. `icmp/`: echoes and errors. `udp/`, `tcp/`: the transports. `raw/`: users who speak IP.
//! - `delegate`: another stack that has the datagrams of this host.
//! - `port`: who holds which port. `event`: what users are told. `drops`: what was dropped and why.
//! - `bounds`: every bound. `chance`: the seeded generator. `context`: what a transport may use in one call.
#![forbid(unsafe_code)]

mod bounds;
mod chance;
mod context;
mod deadline;
mod delegate;
mod drops;
mod event;
mod icmp;
mod ip;
mod link;
mod port;
mod raw;
mod receive;
mod stack;
mod tcp;
mod tcp_calls;
mod transmit;
mod udp;

pub use drops::Tally;
pub use event::Event;
pub use icmp::ping::{PingId, PingSendError};
pub use ip::{MembershipId, Route, RouteTarget, SourceFilter};
pub use link::{LinkConfig, LinkId, Medium};
pub use port::{BindError, BindRequest, BindingId, PortRange};
pub use raw::{RawForm, RawId, RawSendError};
pub use stack::{Stack, StackConfig};
pub use tcp::{
    AccurateCounts, Belief, CongestionName, ConnectError, ConnectionId, Counts, EcnMode, EcnOption, EcnRules,
    Failure, FastOpenKey, FastOpenKeys, FastOpenMode, HalfOpenId, HeldTimes, Info, Keepalive, Listed,
    ListenError, ListenerId, MtuProbing, Passed, Passing, Refusal, Request, State, Status, StreamPosition,
    SynCookies, TcpRules, TcpSettings, TimeWaitReuse, Tuning, UrgentByte, WriteEnd,
};
pub use udp::{Coverage, Datagram, DatagramError, SendFields, UdpId, UdpSendError};
