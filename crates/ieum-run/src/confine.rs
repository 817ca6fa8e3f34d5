//! What ieum's own process gives up once everything is opened: whoever takes it over by a fault in its code finds less.
//!
//! 1. No new privileges, ever.
//! 2. It is not dumpable: other processes of its user cannot trace it, read its memory or take its descriptors. A
//!    program under `ieum run` is such a process.
//! 3. Of root's capabilities it keeps those that it uses ([`KEPT`]). The bounding set stays: nothing is executed any more.
//! 4. A filter refuses (EPERM) the calls that it will not make ([`REFUSED`]): a list of what is refused, since what the
//!    C library calls differs from one to the next.
//!
//! Not Landlock: a process in a domain may neither read the memory nor take the descriptors of one outside of it, root
//! no more than others, and the program, which must be able to open what its user can, stays outside. Both is how calls are
//! served.

use std::io;

use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use rustix::thread::{CapabilitySet, CapabilitySets, capabilities, set_capabilities, set_no_new_privs};

use crate::bpf::Assembler;
use crate::sys::{self, FilterInstruction, number as n};

const EPERM: u32 = 1;

/// What it uses of root's capabilities: signals to programs that changed their user, their memory and descriptors, the
/// way to these through /proc; wide queues of carriers and TUN devices; published ports below 1024, which are bound
/// again and again.
const KEPT: CapabilitySet = CapabilitySet::KILL
    .union(CapabilitySet::SYS_PTRACE)
    .union(CapabilitySet::DAC_READ_SEARCH)
    .union(CapabilitySet::NET_ADMIN)
    .union(CapabilitySet::NET_BIND_SERVICE);

/// System calls that ieum will not make after its start. Not among them are fork, signals, sockets of every kind, files
/// (a capture, the control directory, /proc) and the memory of other processes.
const REFUSED: &[i64] = &[
    // Becoming, or starting, another program.
    n::SYS_execve,
    n::SYS_execveat,
    // Steering another process, as far as reading and writing its memory does not.
    n::SYS_ptrace,
    n::SYS_process_madvise,
    n::SYS_process_mrelease,
    n::SYS_kcmp,
    // Another view of files and of the network.
    n::SYS_mount,
    n::SYS_umount2,
    n::SYS_pivot_root,
    n::SYS_chroot,
    n::SYS_move_mount,
    n::SYS_open_tree,
    n::SYS_fsopen,
    n::SYS_fsconfig,
    n::SYS_fsmount,
    n::SYS_fspick,
    n::SYS_mount_setattr,
    n::SYS_setns,
    n::SYS_unshare,
    n::SYS_open_by_handle_at,
    // Other users, and files given to them.
    n::SYS_setuid,
    n::SYS_setgid,
    n::SYS_setreuid,
    n::SYS_setregid,
    n::SYS_setresuid,
    n::SYS_setresgid,
    n::SYS_setfsuid,
    n::SYS_setfsgid,
    n::SYS_setgroups,
    n::SYS_capset,
    n::SYS_fchown,
    n::SYS_fchownat,
    n::SYS_mknodat,
    n::SYS_setxattr,
    n::SYS_lsetxattr,
    n::SYS_fsetxattr,
    // Parts of the kernel that a socket stack has no use for, and attackers like.
    n::SYS_bpf,
    n::SYS_perf_event_open,
    n::SYS_userfaultfd,
    n::SYS_io_uring_setup,
    n::SYS_io_uring_enter,
    n::SYS_io_uring_register,
    n::SYS_add_key,
    n::SYS_request_key,
    n::SYS_keyctl,
    n::SYS_personality,
    n::SYS_fanotify_init,
    n::SYS_quotactl,
    n::SYS_syslog,
    n::SYS_acct,
    n::SYS_vhangup,
    // The machine itself.
    n::SYS_init_module,
    n::SYS_finit_module,
    n::SYS_delete_module,
    n::SYS_kexec_load,
    n::SYS_kexec_file_load,
    n::SYS_reboot,
    n::SYS_swapon,
    n::SYS_swapoff,
    n::SYS_settimeofday,
    n::SYS_clock_settime,
    n::SYS_adjtimex,
    n::SYS_clock_adjtime,
    n::SYS_sethostname,
    n::SYS_setdomainname,
];

/// Those that only this machine has: older forms of calls above, and I/O ports.
#[cfg(target_arch = "x86_64")]
const REFUSED_OF_THIS_MACHINE: &[i64] = &[
    n::SYS_chown,
    n::SYS_lchown,
    n::SYS_mknod,
    n::SYS_iopl,
    n::SYS_ioperm,
    n::SYS_modify_ldt,
    n::SYS_uselib,
];
/// Those that only this machine has.
#[cfg(not(target_arch = "x86_64"))]
const REFUSED_OF_THIS_MACHINE: &[i64] = &[];

/// Gives up, for the calling process and for good, what a run that has begun needs no more. Call it when the program runs
/// and every file is open, before anything of the program's is served.
///
/// # Errors
///
/// The kernel refuses: a filter of the same kind was accepted for the program, so that it should not.
pub fn confine() -> io::Result<()> {
    confine_but_for_programs()?;
    sys::refuse_from_now_on(&filter())?;
    Ok(())
}

/// The same without the filter, which every program would inherit: for a process that starts some later on.
///
/// # Errors
///
/// The kernel refuses.
pub fn confine_but_for_programs() -> io::Result<()> {
    set_no_new_privs(true)?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    drop_capabilities()
}

fn drop_capabilities() -> io::Result<()> {
    let before = capabilities(None)?;
    let none = CapabilitySet::empty();
    set_capabilities(
        None,
        CapabilitySets {
            effective: before.effective & KEPT,
            permitted: before.permitted & KEPT,
            inheritable: none,
        },
    )?;
    Ok(())
}

fn filter() -> Vec<FilterInstruction> {
    let mut a = Assembler::of_this_machine();
    for call in REFUSED.iter().chain(REFUSED_OF_THIS_MACHINE) {
        a.on_call(*call, |a| a.refuse(EPERM));
    }
    a.ret(n::SECCOMP_RET_ALLOW);
    a.code
}
