//! The system calls that a script cannot make.

use avalanche::sandbox::Outcome;

use super::bench::Bench;

/// Calls with arguments that would do no harm, one of each kind, and prints what came of it. What
/// an ordinary user may not do anyway would answer `EPERM` without a filter too: hence the calls
/// that are open to everyone, or that the kernel refuses for another reason first.
const PROGRAM: &str = r#"
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static void answer(const char *name, long result) {
    printf("%s: %s\n", name, result == -1 ? strerrorname_np(errno) : "done");
}
#define CALL(name, ...) answer(#name, syscall(SYS_##name, __VA_ARGS__))

int main(void) {
    CALL(add_key, "user", "x", "x", 1, -2);
    CALL(keyctl, 0, -2, 1);
    CALL(io_uring_setup, 0, NULL);
    CALL(userfaultfd, -1);
    CALL(bpf, -1, NULL, 0);
    CALL(perf_event_open, NULL, 0, -1, -1, 0);
    CALL(kexec_load, 0, 0, NULL, -1);
    CALL(init_module, NULL, 0, "");
    CALL(mount, "x", "/nowhere", "x", 0, NULL);
    CALL(fsopen, NULL, 0);
    CALL(setns, -1, 0);
    CALL(open_by_handle_at, -1, NULL, 0);
    answer("unshare user", syscall(SYS_unshare, CLONE_NEWUSER));
    answer("clone user", syscall(SYS_clone, CLONE_NEWUSER | CLONE_NEWPID | CLONE_VM, 0, 0, 0, 0));
    CALL(clone3, NULL, 0);
    answer("unshare files", syscall(SYS_unshare, CLONE_FILES));
    CALL(getpid, 0);
#ifdef __x86_64__
    answer("x32 getpid", syscall(0x40000000 + SYS_getpid));
    int result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(288), "b"(0), "c"(-2), "d"(1) : "memory");
    printf("32-bit keyctl: %d\n", result);
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(20) : "memory");
    printf("32-bit getpid: %s\n", result > 0 ? "done" : "failed");
#endif
    return 0;
}
"#;

#[tokio::test]
async fn what_a_build_has_no_business_with_is_not_permitted() {
    let bench = Bench::new();
    std::fs::write(bench.path("work/calls.c"), PROGRAM).unwrap();
    let outcome = bench
        .run("set -e; cc -o calls calls.c; ./calls; grep -E '^Seccomp:' /proc/self/status")
        .await;
    assert_eq!(outcome, Outcome::Ended(0), "{}", bench.text());
    let answers = bench.text().replace('\t', " ");
    insta::assert_snapshot!(answers);
}

#[tokio::test]
async fn a_program_can_be_traced() {
    let bench = Bench::new();
    let program = "#include <signal.h>
        #include <sys/ptrace.h>
        #include <sys/wait.h>
        #include <unistd.h>
        int main(void) {
            int status;
            pid_t child = fork();
            if (child == 0) { ptrace(PTRACE_TRACEME, 0, 0, 0); raise(SIGSTOP); _exit(7); }
            if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status)) return 1;
            ptrace(PTRACE_CONT, child, 0, 0);
            waitpid(child, &status, 0);
            return WEXITSTATUS(status);
        }";
    std::fs::write(bench.path("work/trace.c"), program).unwrap();
    let outcome = bench.run("cc -o trace trace.c && ./trace").await;
    assert_eq!(outcome, Outcome::Ended(7), "{}", bench.text());
}
