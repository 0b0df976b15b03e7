//! The system calls that a script cannot make, as a seccomp filter.
//!
//! A denylist like that of container runtimes: everything is allowed but what administers a machine
//! (mounts, modules, kexec, clocks, swap), makes namespaces, or is a large and rarely needed part
//! of the kernel (bpf, perf, keys, io_uring, userfaultfd). Most of it needs privileges that a script
//! does not have anyway; here it does not even reach the code. `ptrace` is allowed, as test suites
//! of debuggers and tracers need it, and the pid namespace bounds it.
//!
//! What is denied fails with `EPERM`. `clone3` fails with `ENOSYS`, as its flags lie in memory
//! where a filter cannot look: C libraries then use `clone`, whose flags are looked at.
//!
//! The filter is loaded between the last mount and the first program, so that it needs no
//! exceptions for what makes the sandbox.

use seccompiler::sock_filter;

/// Instructions of classic BPF, see `linux/bpf_common.h`: load a word of the call's data, …
const LOAD: u16 = 0x20;
/// … compare it for being equal, …
const EQUAL: u16 = 0x15;
/// … for being at least, …
#[cfg(target_arch = "x86_64")]
const AT_LEAST: u16 = 0x35;
/// … for having any of some bits, …
const ANY_BIT: u16 = 0x45;
/// … and decide.
const RETURN: u16 = 0x06;

/// Offsets in `struct seccomp_data` of `linux/seccomp.h`.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
/// The lower half of the first argument, on the little-endian machines that this is for.
const FIRST_ARGUMENT: u32 = 16;

const ALLOW: u32 = 0x7fff_0000;
/// `SECCOMP_RET_ERRNO` with `EPERM`.
const NOT_PERMITTED: u32 = 0x0005_0000 | 1;
/// `SECCOMP_RET_ERRNO` with `ENOSYS`.
const NOT_THERE: u32 = 0x0005_0000 | 38;

/// `CLONE_NEWNS`, `…CGROUP`, `…UTS`, `…IPC`, `…USER`, `…PID` and `…NET` of clone(2).
const NEW_NAMESPACE: u32 = 0x7e02_0000;
/// `CLONE_NEWTIME`, which only unshare(2) and clone3(2) know.
const NEW_TIME: u32 = 0x80;

/// The system calls of one kind of program, as numbers.
struct Calls {
    /// `AUDIT_ARCH_…` of `linux/audit.h`.
    architecture: u32,
    denied: &'static [u32],
    clone: u32,
    unshare: u32,
}

/// The same on all machines: `io_uring_setup`, `_enter`, `_register`, `open_tree`, `move_mount`,
/// `fsopen`, `fsconfig`, `fsmount`, `fspick`, `mount_setattr`, `quotactl_fd`, `open_tree_attr`.
const COMMON: [u32; 12] = [425, 426, 427, 428, 429, 430, 431, 432, 433, 442, 443, 467];
const CLONE3: u32 = 435;

#[cfg(target_arch = "x86_64")]
const KINDS: [Calls; 2] = [
    Calls {
        architecture: 0xc000_003e,
        denied: &[
            175, 313, 176, // init_module, finit_module, delete_module
            246, 320, 169, // kexec_load, kexec_file_load, reboot
            321, 298, 323, // bpf, perf_event_open, userfaultfd
            248, 249, 250, // add_key, request_key, keyctl
            165, 166, 155, 308, // mount, umount2, pivot_root, setns
            304, 300, // open_by_handle_at, fanotify_init
            163, 179, 167, 168, // acct, quotactl, swapon, swapoff
            164, 227, // settimeofday, clock_settime
            103, 153, 212, 180, // syslog, vhangup, lookup_dcookie, nfsservctl
            172, 173, // iopl, ioperm
        ],
        clone: 56,
        unshare: 272,
    },
    // 32-bit programs, which recipes with `emul32` build and try.
    Calls {
        architecture: 0x4000_0003,
        denied: &[
            128, 350, 129, // init_module, finit_module, delete_module
            283, 88, // kexec_load, reboot
            357, 336, 374, // bpf, perf_event_open, userfaultfd
            286, 287, 288, // add_key, request_key, keyctl
            21, 22, 52, 217, 346, // mount, umount, umount2, pivot_root, setns
            342, 338, // open_by_handle_at, fanotify_init
            51, 131, 87, 115, // acct, quotactl, swapon, swapoff
            79, 264, 404, 25, // settimeofday, clock_settime, clock_settime64, stime
            103, 111, 253, 169, // syslog, vhangup, lookup_dcookie, nfsservctl
            110, 101, 166, 113, // iopl, ioperm, vm86, vm86old
        ],
        clone: 120,
        unshare: 310,
    },
];

#[cfg(any(target_arch = "aarch64", target_arch = "riscv64"))]
const KINDS: [Calls; 1] = [Calls {
    architecture: if cfg!(target_arch = "aarch64") {
        0xc000_00b7
    } else {
        0xc000_00f3
    },
    denied: &[
        105, 273, 106, // init_module, finit_module, delete_module
        104, 294, 142, // kexec_load, kexec_file_load, reboot
        280, 241, 282, // bpf, perf_event_open, userfaultfd
        217, 218, 219, // add_key, request_key, keyctl
        40, 39, 41, 268, // mount, umount2, pivot_root, setns
        265, 262, // open_by_handle_at, fanotify_init
        89, 60, 224, 225, // acct, quotactl, swapon, swapoff
        170, 112, // settimeofday, clock_settime
        116, 58, 18, 42, // syslog, vhangup, lookup_dcookie, nfsservctl
    ],
    clone: 220,
    unshare: 97,
}];

/// Denies them to this process and all that it starts, for good.
pub(super) fn deny() -> Result<(), seccompiler::Error> {
    seccompiler::apply_filter(&filter())
}

fn filter() -> Vec<sock_filter> {
    let mut program = vec![load(ARCHITECTURE)];
    for calls in &KINDS {
        let block = block(calls);
        let length = u8::try_from(block.len()).expect("a kind has less than 100 denied calls");
        program.push(step(EQUAL, calls.architecture, 0, length));
        program.extend(block);
    }
    program.push(decide(NOT_THERE)); // Programs of another architecture.
    program
}

fn block(calls: &Calls) -> Vec<sock_filter> {
    let mut block = vec![load(NUMBER)];
    // The x32 calls of x86_64 have numbers of their own from here on.
    #[cfg(target_arch = "x86_64")]
    block.extend([step(AT_LEAST, 0x4000_0000, 0, 1), decide(NOT_THERE)]);
    for number in calls.denied.iter().chain(&COMMON) {
        block.extend([step(EQUAL, *number, 0, 1), decide(NOT_PERMITTED)]);
    }
    block.extend([step(EQUAL, CLONE3, 0, 1), decide(NOT_THERE)]);
    for (number, flags) in [
        (calls.clone, NEW_NAMESPACE),
        (calls.unshare, NEW_NAMESPACE | NEW_TIME),
    ] {
        block.extend([
            step(EQUAL, number, 0, 4),
            load(FIRST_ARGUMENT),
            step(ANY_BIT, flags, 0, 1),
            decide(NOT_PERMITTED),
            decide(ALLOW),
        ]);
    }
    block.push(decide(ALLOW));
    block
}

fn load(offset: u32) -> sock_filter {
    step(LOAD, offset, 0, 0)
}

fn decide(action: u32) -> sock_filter {
    step(RETURN, action, 0, 0)
}

/// An instruction; a comparison skips `yes` instructions when it holds and `no` when not.
fn step(code: u16, k: u32, yes: u8, no: u8) -> sock_filter {
    sock_filter {
        code,
        jt: yes,
        jf: no,
        k,
    }
}
