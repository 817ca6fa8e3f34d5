//! Loading the object, and calling through its table.
//!
//! `SAFETY: the table` means: the functions of the table take what the system calls of their names take, and every
//! pointer given here leads to a local variable of the size that is said.

use std::ffi::{CString, c_char, c_int, c_void};
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::ptr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ieum_packetdrill::Interface;

/// A tool that has loaded the object. The object serves one tool in a process at a time.
pub(crate) struct Tool {
    table: Interface,
    _alone: MutexGuard<'static, ()>,
}

static ALONE: Mutex<()> = Mutex::new(());

// SAFETY: the object is made to be called from several threads.
unsafe impl Sync for Tool {}

impl Drop for Tool {
    fn drop(&mut self) {
        // SAFETY: the table; the last call.
        unsafe { (self.table.free)(self.table.userdata) };
    }
}

fn errno() -> c_int {
    std::io::Error::last_os_error().raw_os_error().unwrap()
}

/// A `struct sockaddr_in`.
fn sockaddr(ip: [u8; 4], port: u16) -> libc::sockaddr_in {
    libc::sockaddr_in {
        sin_family: libc::AF_INET.try_into().unwrap(),
        sin_port: port.to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(ip) },
        sin_zero: [0; 8],
    }
}

const SOCKADDR_BYTES: u32 = 16;

impl Tool {
    pub(crate) fn load(flags: &str) -> Tool {
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let tests = std::env::current_exe().unwrap();
        let path = tests.with_file_name("libieum_packetdrill.so");
        let path = CString::new(path.to_str().unwrap()).unwrap();
        // Tests change nothing of the machine.
        let flags = CString::new(format!("no_commands,{flags}")).unwrap();
        let mut table = MaybeUninit::<Interface>::uninit();
        // SAFETY: the object is this crate's own, and its door has the type that it is called with.
        let table = unsafe {
            let how = libc::RTLD_NOW | libc::RTLD_LOCAL | libc::RTLD_NODELETE | libc::RTLD_DEEPBIND;
            let object = libc::dlopen(path.as_ptr(), how);
            assert!(!object.is_null(), "{path:?} cannot be loaded");
            let init = libc::dlsym(object, c"packetdrill_interface_init".as_ptr());
            assert!(!init.is_null());
            type Init = unsafe extern "C" fn(*const c_char, *mut Interface);
            std::mem::transmute::<*mut c_void, Init>(init)(flags.as_ptr(), table.as_mut_ptr());
            table.assume_init()
        };
        Tool { table, _alone: alone }
    }

    pub(crate) fn socket(&self, kind: c_int) -> c_int {
        // SAFETY: the table.
        let number = unsafe { (self.table.socket)(self.table.userdata, libc::AF_INET, kind, 0) };
        assert!(number >= 0);
        number
    }

    pub(crate) fn listening(&self, ip: [u8; 4], port: u16) -> c_int {
        let (number, address) = (self.socket(libc::SOCK_STREAM), sockaddr(ip, port));
        // SAFETY: the table.
        let done = unsafe {
            let bound =
                (self.table.bind)(self.table.userdata, number, (&raw const address).cast(), SOCKADDR_BYTES);
            (bound, (self.table.listen)(self.table.userdata, number, 1))
        };
        assert_eq!(done, (0, 0));
        number
    }

    /// The new socket, and the peer's address.
    pub(crate) fn accept(&self, number: c_int) -> (c_int, [u8; 4]) {
        let (mut address, mut length) = (sockaddr([0; 4], 0), SOCKADDR_BYTES);
        // SAFETY: the table.
        let accepted = unsafe {
            (self.table.accept)(self.table.userdata, number, (&raw mut address).cast(), &raw mut length)
        };
        assert!(accepted >= 0 && length == SOCKADDR_BYTES);
        (accepted, address.sin_addr.s_addr.to_ne_bytes())
    }

    pub(crate) fn connect_in_progress(&self, number: c_int, ip: [u8; 4], port: u16) {
        let address = sockaddr(ip, port);
        // SAFETY: the table.
        let answer = unsafe {
            (self.table.connect)(self.table.userdata, number, (&raw const address).cast(), SOCKADDR_BYTES)
        };
        assert_eq!((answer, errno()), (-1, libc::EINPROGRESS));
    }

    pub(crate) fn read(&self, number: c_int, bytes_max: usize) -> Vec<u8> {
        let mut buffer = vec![0u8; bytes_max];
        // SAFETY: the table.
        let count =
            unsafe { (self.table.read)(self.table.userdata, number, buffer.as_mut_ptr().cast(), bytes_max) };
        buffer.truncate(usize::try_from(count).unwrap());
        buffer
    }

    /// The error of a read that fails.
    pub(crate) fn read_error(&self, number: c_int) -> c_int {
        let mut buffer = [0u8; 8];
        // SAFETY: the table.
        let count = unsafe { (self.table.read)(self.table.userdata, number, buffer.as_mut_ptr().cast(), 8) };
        assert_eq!(count, -1);
        errno()
    }

    pub(crate) fn write(&self, number: c_int, bytes: &[u8]) -> isize {
        // SAFETY: the table.
        unsafe { (self.table.write)(self.table.userdata, number, bytes.as_ptr().cast(), bytes.len()) }
    }

    pub(crate) fn set_recv_time_out_ms(&self, number: c_int, ms: i64) {
        let time = libc::timeval { tv_sec: ms / 1000, tv_usec: ms % 1000 * 1000 };
        // SAFETY: the table.
        let set = unsafe {
            (self.table.setsockopt)(
                self.table.userdata,
                number,
                libc::SOL_SOCKET,
                libc::SO_RCVTIMEO,
                (&raw const time).cast(),
                16,
            )
        };
        assert_eq!(set, 0);
    }

    pub(crate) fn close(&self, number: c_int) -> c_int {
        // SAFETY: the table.
        unsafe { (self.table.close)(self.table.userdata, number) }
    }

    pub(crate) fn inject(&self, packet: &[u8]) {
        // SAFETY: the table.
        let sent =
            unsafe { (self.table.netdev_send)(self.table.userdata, packet.as_ptr().cast(), packet.len()) };
        assert_eq!(sent, 0);
    }

    /// The next packet and when it was sent; `None` if none will come.
    pub(crate) fn receive(&self) -> Option<(Vec<u8>, i64)> {
        let (mut buffer, mut length, mut at_us) = (vec![0u8; 65_536], 65_536, 0);
        // SAFETY: the table.
        let received = unsafe {
            (self.table.netdev_receive)(
                self.table.userdata,
                buffer.as_mut_ptr().cast(),
                &raw mut length,
                &raw mut at_us,
            )
        };
        assert_eq!(received, 0);
        buffer.truncate(length);
        (length > 0).then_some((buffer, at_us))
    }

    pub(crate) fn usleep(&self, us: u32) {
        // SAFETY: the table.
        unsafe { (self.table.usleep)(self.table.userdata, us) };
    }

    pub(crate) fn now_us(&self) -> i64 {
        let mut time = libc::timeval { tv_sec: 0, tv_usec: 0 };
        // SAFETY: the table.
        unsafe { (self.table.gettimeofday)(self.table.userdata, &raw mut time, ptr::null_mut()) };
        time.tv_sec * 1_000_000 + time.tv_usec
    }
}

/// TCP_INFO as this program's own getsockopt(2) tells it.
pub(crate) fn tcp_info_of_c_library(number: c_int) -> Result<Vec<u8>, c_int> {
    let (mut info, mut length) = (vec![0u8; 512], 512);
    // SAFETY: room for 512 bytes, as is said.
    let answer = unsafe {
        libc::getsockopt(number, libc::IPPROTO_TCP, libc::TCP_INFO, info.as_mut_ptr().cast(), &raw mut length)
    };
    info.truncate(usize::try_from(length).unwrap());
    if answer == 0 { Ok(info) } else { Err(errno()) }
}

/// sendfile(2) as this program calls it: what it answers, and where the offset is then.
pub(crate) fn sendfile_of_c_library(
    number: c_int,
    file: &std::fs::File,
    offset: i64,
    count: usize,
) -> (isize, i64) {
    let mut offset = offset;
    // SAFETY: the offset lives through the call.
    let sent = unsafe { libc::sendfile(number, file.as_raw_fd(), &raw mut offset, count) };
    (sent, offset)
}

/// Does the kernel know the number?
pub(crate) fn is_open(number: c_int) -> bool {
    // SAFETY: asks and changes nothing.
    unsafe { libc::fcntl(number, libc::F_GETFD) != -1 }
}

/// close(2).
pub(crate) fn close(number: c_int) {
    // SAFETY: a number that nothing here owns.
    assert_eq!(unsafe { libc::close(number) }, 0);
}
