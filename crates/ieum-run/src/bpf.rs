//! Classic BPF, as much of it as a seccomp filter needs: load a word of seccomp_data, compare, return.

use crate::sys::FilterInstruction;
use crate::sys::number as n;

pub(crate) const LOAD: u16 = 0x20; // BPF_LD | BPF_W | BPF_ABS
pub(crate) const EQUAL: u16 = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
pub(crate) const GREATER_OR_EQUAL: u16 = 0x35; // BPF_JMP | BPF_JGE | BPF_K
pub(crate) const ANY_BIT: u16 = 0x45; // BPF_JMP | BPF_JSET | BPF_K
pub(crate) const RETURN: u16 = 0x06; // BPF_RET | BPF_K
pub(crate) const OFFSET_CALL: u32 = 0;
pub(crate) const OFFSET_ARCH: u32 = 4;
pub(crate) const OFFSET_ARGUMENTS: u32 = 16;

const ENOSYS: u32 = 38;
/// The bit that marks a call of the x32 kind.
#[cfg(target_arch = "x86_64")]
const X32_BIT: u32 = 0x4000_0000;

/// Instructions in the making. Every method appends; a block ends by returning.
#[derive(Default)]
pub(crate) struct Assembler {
    pub(crate) code: Vec<FilterInstruction>,
}

impl Assembler {
    /// Refuses what is not a call of this machine's own kind (32-bit, x32) with ENOSYS, and loads the call's number.
    pub(crate) fn of_this_machine() -> Assembler {
        let mut a = Assembler::default();
        a.load(OFFSET_ARCH);
        a.if_not_equal(n::AUDIT_ARCH, n::SECCOMP_RET_ERRNO | ENOSYS);
        a.load(OFFSET_CALL);
        #[cfg(target_arch = "x86_64")]
        {
            a.push(GREATER_OR_EQUAL, X32_BIT, 0, 1);
            a.refuse(ENOSYS);
        }
        a
    }

    fn push(&mut self, code: u16, k: u32, jt: u8, jf: u8) {
        self.code.push(FilterInstruction { code, jt, jf, k });
    }

    pub(crate) fn ret(&mut self, action: u32) {
        self.push(RETURN, action, 0, 0);
    }

    pub(crate) fn refuse(&mut self, errno: u32) {
        self.ret(n::SECCOMP_RET_ERRNO | errno);
    }

    pub(crate) fn load(&mut self, offset: u32) {
        self.push(LOAD, offset, 0, 0);
    }

    /// The lower half of argument `index`; little-endian machines only, which both served ones are.
    pub(crate) fn load_argument(&mut self, index: u32) {
        self.load(OFFSET_ARGUMENTS + 8 * index);
    }

    pub(crate) fn load_argument_high(&mut self, index: u32) {
        self.load(OFFSET_ARGUMENTS + 8 * index + 4);
    }

    /// Returns `action` if the loaded word is `value`.
    pub(crate) fn if_equal(&mut self, value: u32, action: u32) {
        self.push(EQUAL, value, 0, 1);
        self.ret(action);
    }

    /// Returns `action` if the loaded word lies between these two, or is one of them.
    pub(crate) fn if_within(&mut self, first: u32, last: u32, action: u32) {
        self.push(GREATER_OR_EQUAL, first, 0, 2);
        self.push(GREATER_OR_EQUAL, last.saturating_add(1), 1, 0);
        self.ret(action);
    }

    /// Returns `action` if the loaded word is not `value`.
    pub(crate) fn if_not_equal(&mut self, value: u32, action: u32) {
        self.push(EQUAL, value, 1, 0);
        self.ret(action);
    }

    /// Returns `action` if the loaded word has a bit of `mask`.
    pub(crate) fn if_any_bit(&mut self, mask: u32, action: u32) {
        self.push(ANY_BIT, mask, 0, 1);
        self.ret(action);
    }

    /// What is done with system call `number`: `block` must return on every path.
    pub(crate) fn on_call(&mut self, number: i64, block: impl FnOnce(&mut Assembler)) {
        let number = u32::try_from(number).expect("numbers of system calls are small and positive");
        self.on_word(number, block);
    }

    /// What is done if the loaded word is `value`: `block` must return on every path.
    pub(crate) fn on_word(&mut self, value: u32, block: impl FnOnce(&mut Assembler)) {
        let mut inner = Assembler::default();
        block(&mut inner);
        let skip = u8::try_from(inner.code.len()).expect("a block is shorter than a jump reaches");
        self.push(EQUAL, value, 0, skip);
        self.code.append(&mut inner.code);
    }
}

/// An int as the filter sees it.
pub(crate) fn bits(value: i32) -> u32 {
    value.cast_unsigned()
}
