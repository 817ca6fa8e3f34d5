//! A shared object by which the original packetdrill drives a host of ieum.
//!
//! ```text
//! packetdrill --so_filename=/path/to/libieum_packetdrill.so script.pkt
//! ```
//!
//! packetdrill, the tool by which Linux's TCP is tested, can test a stack that lives in a shared object: it loads the
//! object, calls [`packetdrill_interface_init`] and from then on makes the script's system calls, hands over packets and
//! asks for the time through the table of functions it was given ([`Interface`]). What `ieum drill` says of a script can so
//! be checked with the tool that everybody knows.
//!
//! # Theory of operation
//!
//! Below every call stands the machine of `ieum drill` ([`ieum_drill::Machine`]): a host, its only link, and a clock
//! that counts ([`shared`]). *Time passes when the tool lets it*: asking for it takes a microsecond (the tool spins
//! until an event is due), `usleep` takes what it says, and `netdev_receive` goes from deadline to deadline until there
//! is a packet. An hour of a script takes as long as what happens in it.
//!
//! *Calls that block* come on a second thread, and the tool takes a call for blocked when /proc shows that thread
//! asleep. So it sleeps, in a futex; and who lets time pass wakes it after whatever happened and goes on when it has
//! come to rest again ([`thread`]). When the tool's first thread waits for the second in its turn, nobody is left to
//! let time pass, and the second does it itself.
//!
//! *Descriptors* are real ones, of nothing ([`placeholder`]). *What the tool asks the kernel* past its interface, the
//! state of a socket for code in `%{ }%`, is answered here nevertheless ([`imports`]).
//!
//! *Settings*: what is chosen on packetdrill's command line and in the script ([`told`]), then the flags
//! ([`flags`]), and what the script's own commands set in the namespace of the machine: sysctls ([`sysctls`]), and the MTU of the
//! interface that they expect ([`device`]). What commands ask or tell the kernel that cannot be read there comes by
//! commands of our own ([`stand_ins`]).
//!
//! # Invariants
//!
//! 1. The host is touched by one thread at a time: everything stands behind one lock.
//! 2. Time stands still while a thread that was woken has not come to rest.
//! 3. No call waits for ever: who waits for what can never come is told so.
//! 4. `unsafe` is in files named `sys.rs`: what C hands over becomes slices there, and slices become what C wants.

#![allow(rustdoc::private_intra_doc_links, reason = "the theory points to where each part of it is built")]

mod call;
mod commands;
mod device;
mod door;
mod flags;
mod imports;
mod interface;
mod placeholder;
mod shared;
mod stand_ins;
mod state;
mod sysctls;
mod table;
mod thread;
mod told;

pub use door::packetdrill_interface_init;
pub use interface::Interface;
