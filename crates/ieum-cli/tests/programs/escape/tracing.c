/* Tracers change the system calls of their tracees, and take what other processes have. */
#define _GNU_SOURCE
#include "escape.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__x86_64__)
/* A child asks for its process id, and its tracer makes that a call for a socket after the call was entered. */
void by_tracing_myself(void) {
    pid_t child = fork();
    if (child == 0) {
        ptrace(PTRACE_TRACEME, 0, 0, 0);
        raise(SIGSTOP);
        long fd = syscall(SYS_getuid, AF_INET, SOCK_STREAM, 0);
        _exit(fd >= 0 && is_socket_of_machine((int)fd) ? 1 : 0);
    }
    int status = 0, changed = 0;
    waitpid(child, &status, 0);
    while (!WIFEXITED(status) && !WIFSIGNALED(status)) {
        struct user_regs_struct registers;
        if (ptrace(PTRACE_GETREGS, child, 0, &registers) == 0 && registers.orig_rax == SYS_getuid && !changed) {
            changed = 1;
            registers.orig_rax = SYS_socket;
            ptrace(PTRACE_SETREGS, child, 0, &registers);
        }
        if (ptrace(changed ? PTRACE_CONT : PTRACE_SYSCALL, child, 0, 0) != 0) break;
        if (waitpid(child, &status, 0) != child) break;
    }
    errno = 0;
    if (!changed) return report("changed-call", "nothing was tried: the call was not seen");
    report("changed-call", WIFEXITED(status) && WEXITSTATUS(status) == 0 ? NULL : "a socket of the machine");
}
#else
void by_tracing_myself(void) {}
#endif

/* Everything that one process may do to another of the same user. */
static void reach(const char *name, int process, int wanted_fd) {
    char way[64], path[64];
    long pidfd = syscall(SYS_pidfd_open, process, 0);
    snprintf(way, sizeof way, "%s-pidfd-getfd", name);
    errno = 0;
    long taken = syscall(SYS_pidfd_getfd, pidfd, wanted_fd, 0);
    report(way, taken >= 0 ? "one of its descriptors" : NULL);
    if (taken >= 0) close((int)taken);

    snprintf(way, sizeof way, "%s-ptrace", name);
    errno = 0;
    long seized = ptrace(PTRACE_SEIZE, process, 0, 0);
    report(way, seized == 0 ? "its system calls" : NULL);
    if (seized == 0) ptrace(PTRACE_DETACH, process, 0, 0);

    /* Any address does: what is asked is whether one may, EPERM or EFAULT. */
    char byte = 0;
    struct iovec here = {&byte, 1}, there = {&byte, 1};
    snprintf(way, sizeof way, "%s-memory", name);
    errno = 0;
    long copied = process_vm_readv(process, &here, 1, &there, 1, 0);
    report(way, copied >= 0 || errno == EFAULT ? "its memory" : NULL);

    snprintf(way, sizeof way, "%s-proc-mem", name);
    snprintf(path, sizeof path, "/proc/%d/mem", process);
    errno = 0;
    int memory = open(path, O_RDWR);
    report(way, memory >= 0 ? "its memory" : NULL);
    if (memory >= 0) close(memory);
    if (pidfd >= 0) close((int)pidfd);
}

void by_other_processes(int outside, int outside_fd, int above) {
    reach("outside", outside, outside_fd);
    reach("ieum", above, 0);
}
