//! ioctl(2) about interfaces (netdevice(7)), asked on any socket, the kernel's included: the host answers
//! ([`ieum_socket::Host::ask_interface`]), and what it says is written into the program's memory.

use ieum_socket::{Errno, INTERFACE_REQUEST_BYTES, SIOCGIFCONF};

use crate::notification::Call;
use crate::runner::Runner;
use crate::serve::{Answer, Served};
use crate::socket::host_errno;
use crate::sys::number as n;
use crate::tracee;

impl Runner {
    /// `domain`: of the socket, where it is one of ours.
    pub(super) fn call_interface(&self, call: &Call, request: u32, domain: Option<i32>) -> Served {
        if tracee::socket_inode(call.place(call.int(0))).is_none() {
            // Its number means something else to whatever this is.
            return Ok(Answer::Continue);
        }
        if request == SIOCGIFCONF {
            return self.list_interfaces(call);
        }
        let memory = self.memory(call);
        let asked: [u8; INTERFACE_REQUEST_BYTES] = memory.read_array(call.word(2)).map_err(host_errno)?;
        let mut told = asked;
        self.host.ask_interface(request, domain == Some(n::AF_INET), &mut told)?;
        if told != asked {
            memory.write(call.word(2), &told).map_err(host_errno)?;
        }
        Ok(Answer::Value(0))
    }

    /// SIOCGIFCONF: a length and a pointer, which is 0 where only the length is wanted.
    fn list_interfaces(&self, call: &Call) -> Served {
        let memory = self.memory(call);
        let asked: [u8; 16] = memory.read_array(call.word(2)).map_err(host_errno)?;
        let [l0, l1, l2, l3, _, _, _, _, pointer @ ..] = asked;
        let (room, pointer) = (i32::from_ne_bytes([l0, l1, l2, l3]), u64::from_ne_bytes(pointer));
        let told = self.host.interface_list((pointer != 0).then_some(room));
        if pointer != 0 {
            memory.write(pointer, &told).map_err(host_errno)?;
        }
        let told_bytes = i32::try_from(told.len()).map_err(|_| Errno::EINVAL)?;
        memory.write_int(call.word(2), told_bytes).map_err(host_errno)?;
        Ok(Answer::Value(0))
    }
}
