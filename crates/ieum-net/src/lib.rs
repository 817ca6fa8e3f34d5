//! Several hosts on one link.
#![forbid(unsafe_code)]

mod bounds;
mod counts;
mod end;
mod enter;
mod forward;
pub mod frame;
mod hosts;
mod member;
pub mod message;
mod plan;
mod socket;
mod switch;

pub use enter::{EnterError, NetRoom, Seat};
pub use hosts::{JoinRefusal, Wish};
pub use member::Member;
pub use message::Place;
pub use plan::{Plan, PlanError};
pub use switch::Switch;
