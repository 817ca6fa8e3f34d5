//! Redirecting an import of the main program, as the loader's tables describe it (ELF-64, gABI chapter 5).

use std::ffi::{CStr, c_char, c_int, c_void};
use std::mem::size_of;
use std::os::fd::BorrowedFd;
use std::ptr;

use libc::{Elf64_Addr, Elf64_Phdr, Elf64_Rela, Elf64_Sym, Elf64_Xword, dl_phdr_info, off64_t, socklen_t};

/// `struct Elf64_Dyn`: what a thing is, and where.
#[repr(C)]
struct Dyn {
    tag: i64,
    value: Elf64_Xword,
}

const DT_NULL: i64 = 0;
const DT_PLTRELSZ: i64 = 2;
const DT_STRTAB: i64 = 5;
const DT_SYMTAB: i64 = 6;
const DT_RELA: i64 = 7;
const DT_RELASZ: i64 = 8;
const DT_JMPREL: i64 = 23;

/// Relocations that put a function's address into a table: R_…_GLOB_DAT and R_…_JUMP_SLOT.
#[cfg(target_arch = "x86_64")]
const INTO_TABLE: [u64; 2] = [6, 7];
#[cfg(target_arch = "aarch64")]
const INTO_TABLE: [u64; 2] = [1025, 1026];
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const INTO_TABLE: [u64; 0] = [];

/// The imports that are redirected, and where to. With 64 bits a file's offsets are the same by both names.
const REDIRECTED: [(&CStr, *const ()); 3] = [
    (c"getsockopt", getsockopt as *const ()),
    (c"sendfile", sendfile as *const ()),
    (c"sendfile64", sendfile as *const ()),
];

/// Makes the main program's calls of [`REDIRECTED`] lead here.
pub(super) fn redirect() {
    // SAFETY: the function has the type that is asked for, and is called before this call returns.
    unsafe { libc::dl_iterate_phdr(Some(of_first), ptr::null_mut()) };
}

/// The main program is the first that is told of; the rest is not wanted.
unsafe extern "C" fn of_first(info: *mut dl_phdr_info, _: usize, _: *mut c_void) -> c_int {
    // SAFETY: the loader describes an object that stays loaded: the program itself.
    let info = unsafe { &*info };
    // SAFETY: the loader's word for where the headers are, and how many.
    let headers = unsafe { std::slice::from_raw_parts(info.dlpi_phdr, usize::from(info.dlpi_phnum)) };
    if let Some(dynamic) = headers.iter().find(|header| header.p_type == libc::PT_DYNAMIC) {
        let start = info.dlpi_addr.wrapping_add(dynamic.p_vaddr) as *const Dyn;
        // SAFETY: the program's dynamic section, which ends with DT_NULL.
        unsafe { Program::of(info.dlpi_addr, start).redirect(headers) };
    }
    1
}

/// Where the tables of a program are.
struct Program {
    base: Elf64_Addr,
    strings: *const c_char,
    symbols: *const Elf64_Sym,
    /// Tables of relocations: where, and how many.
    relocations: [(*const Elf64_Rela, usize); 2],
}

impl Program {
    /// # Safety
    ///
    /// `entry` is the first entry of the dynamic section of an object that is loaded at `base`.
    unsafe fn of(base: Elf64_Addr, mut entry: *const Dyn) -> Program {
        let mut program =
            Program { base, strings: ptr::null(), symbols: ptr::null(), relocations: [(ptr::null(), 0); 2] };
        loop {
            // SAFETY: the caller's: entries follow each other up to DT_NULL.
            let Dyn { tag, value } = unsafe { &*entry };
            // glibc has made addresses of offsets, other loaders leave them as they are.
            let at = if *value < base { base.wrapping_add(*value) } else { *value };
            let count = usize::try_from(*value).unwrap_or(0) / size_of::<Elf64_Rela>();
            match *tag {
                DT_NULL => return program,
                DT_STRTAB => program.strings = at as *const c_char,
                DT_SYMTAB => program.symbols = at as *const Elf64_Sym,
                DT_RELA => program.relocations[0].0 = at as *const Elf64_Rela,
                DT_RELASZ => program.relocations[0].1 = count,
                DT_JMPREL => program.relocations[1].0 = at as *const Elf64_Rela,
                DT_PLTRELSZ => program.relocations[1].1 = count,
                _ => {}
            }
            // SAFETY: this was not the last entry.
            entry = unsafe { entry.add(1) };
        }
    }

    /// # Safety
    ///
    /// `self` describes a loaded object, and `headers` are its own.
    unsafe fn redirect(&self, headers: &[Elf64_Phdr]) {
        if self.strings.is_null() || self.symbols.is_null() {
            return;
        }
        for (table, count) in self.relocations.iter().filter(|(table, _)| !table.is_null()) {
            // SAFETY: the caller's: the object's own tables, of the sizes that it says.
            for relocation in unsafe { std::slice::from_raw_parts(*table, *count) } {
                let symbol = usize::try_from(relocation.r_info >> 32).unwrap_or(0);
                // SAFETY: relocations name symbols of the object's table, and symbols strings of its table.
                let name = unsafe {
                    CStr::from_ptr(
                        self.strings.add((*self.symbols.add(symbol)).st_name.try_into().unwrap_or(0)),
                    )
                };
                let redirected = REDIRECTED.iter().find(|(of, _)| *of == name);
                if let Some((_, to)) = redirected
                    && INTO_TABLE.contains(&(relocation.r_info & 0xffff_ffff))
                {
                    // SAFETY: this relocation's place holds the address of the function of that name.
                    unsafe { self.write(relocation.r_offset, *to, headers) };
                }
            }
        }
    }

    /// # Safety
    ///
    /// At `offset` stands the address of a function of the type of `to`.
    unsafe fn write(&self, offset: Elf64_Addr, to: *const (), headers: &[Elf64_Phdr]) {
        // The loader makes tables read-only that were filled at the start (RELRO).
        let is_fixed = headers.iter().any(|header| {
            header.p_type == libc::PT_GNU_RELRO
                && (header.p_vaddr..header.p_vaddr + header.p_memsz).contains(&offset)
        });
        let slot = self.base.wrapping_add(offset) as *mut *const ();
        let page_bytes = rustix::param::page_size();
        let page = ptr::without_provenance_mut::<c_void>(slot.addr() & !(page_bytes - 1));
        // SAFETY: the page is the program's own; its rights are widened while one word is written, and then as before.
        unsafe {
            if is_fixed && libc::mprotect(page, page_bytes, libc::PROT_READ | libc::PROT_WRITE) != 0 {
                return;
            }
            slot.write_volatile(to);
            if is_fixed {
                libc::mprotect(page, page_bytes, libc::PROT_READ);
            }
        }
    }
}

/// getsockopt(2), for the main program.
unsafe extern "C" fn getsockopt(
    number: c_int,
    level: c_int,
    name: c_int,
    value: *mut c_void,
    length: *mut socklen_t,
) -> c_int {
    match super::answers_for(number) {
        // SAFETY: the caller keeps to getsockopt's contract, which is that of the interface.
        Some(shared) => unsafe { crate::door::getsockopt_of(&shared, number, level, name, value, length) },
        // SAFETY: the same call, as if it had not come this way.
        None => unsafe { libc::getsockopt(number, level, name, value, length) },
    }
}

/// sendfile(2), for the main program.
unsafe extern "C" fn sendfile(to: c_int, from: c_int, offset: *mut off64_t, count: usize) -> isize {
    let Some(shared) = super::answers_for(to) else {
        // SAFETY: the same call, as if it had not come this way.
        return unsafe { libc::sendfile64(to, from, offset, count) };
    };
    // SAFETY: the caller says that the number is an open file's, and nobody closes it during the call.
    let file = unsafe { BorrowedFd::borrow_raw(from) };
    // SAFETY: the caller's: an offset, or NULL. One that is negative is further than any file goes.
    let offset = unsafe { offset.cast::<u64>().as_mut() };
    crate::door::count(super::send_file(&shared, to, file, offset, count))
}
