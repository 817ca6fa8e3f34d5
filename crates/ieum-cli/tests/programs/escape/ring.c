/* io_uring makes sockets without a system call for each. */
#define _GNU_SOURCE
#include "escape.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

void by_ring(void) {
    char parameters[256];
    memset(parameters, 0, sizeof parameters);
    errno = 0;
    long ring = syscall(SYS_io_uring_setup, 8, parameters);
    report("io-uring-setup", ring >= 0 ? "a ring" : NULL);
    errno = 0;
    report("io-uring-register", syscall(SYS_io_uring_register, -1, 16, parameters, 1) >= 0 ? "a ring" : NULL);
    errno = 0;
    int refused = syscall(SYS_io_uring_enter, -1, 0, 0, 0, NULL, 0) < 0 && errno == ENOSYS;
    report("io-uring-enter", refused ? NULL : "the call itself");
}
