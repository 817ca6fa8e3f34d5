/* socket(2) and its like: every family and type, with words whose upper halves are not zero, by other machines' numbers. */
#define _GNU_SOURCE
#include "escape.h"

#include <errno.h>
#include <linux/netlink.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { FAMILIES = 64, X32_BIT = 0x40000000 };

static void judge(const char *way, long fd) {
    if (fd < 0) return report(way, NULL);
    report(way, is_socket_of_machine((int)fd) ? "a socket of the machine" : NULL);
    close((int)fd);
}

static void every_family(void) {
    static const int TYPES[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_RAW, SOCK_SEQPACKET, SOCK_RDM};
    for (int family = 0; family < FAMILIES; family++)
        for (size_t type = 0; type < sizeof TYPES / sizeof *TYPES; type++)
            for (int protocol = 0; protocol < 2; protocol++) {
                char way[64];
                snprintf(way, sizeof way, "socket-%d-%d-%d", family, TYPES[type], protocol);
                errno = 0;
                long fd = syscall(SYS_socket, family, TYPES[type], protocol);
                /* Families that lead out of a host need not be the internet's: none but these three is let through. */
                int is_local = family == AF_UNIX || family == AF_NETLINK || family == AF_ALG;
                int is_served = family == AF_INET || family == AF_INET6;
                if (fd >= 0 && !is_local && !is_served) {
                    report(way, "a socket of another family");
                    close((int)fd);
                } else if (!is_local || fd < 0) {
                    judge(way, fd);
                } else {
                    close((int)fd);
                }
            }
}

void by_system_call(void) {
    every_family();
    errno = 0;
    judge("raw-icmp", syscall(SYS_socket, AF_INET, SOCK_RAW, 1));
    errno = 0;
    judge("upper-halves", syscall(SYS_socket, 0xffffffff00000000 | AF_INET, 0xffffffff00000000 | SOCK_STREAM, 0));
    for (int family = 0; family < FAMILIES; family++) {
        int pair[2];
        char way[64];
        if (family == AF_UNIX) continue;
        snprintf(way, sizeof way, "socketpair-%d", family);
        errno = 0;
        int failed = socketpair(family, SOCK_STREAM, 0, pair) != 0 && socketpair(family, SOCK_DGRAM, 0, pair) != 0;
        report(way, failed ? NULL : "a pair of another family");
    }
}

#if defined(__x86_64__)
/* Calls by the 32-bit gate: registers hold 32 bits, so arguments in memory must lie below 4 GiB. */
static long int80(long number, long a, long b, long c) {
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c) : "memory", "r8", "r9", "r10", "r11");
    if (result < 0 && result > -4096) {
        errno = (int)-result;
        return -1;
    }
    return result;
}

void by_other_machine(void) {
    errno = 0;
    judge("x32-socket", syscall(X32_BIT | SYS_socket, AF_INET, SOCK_STREAM, 0));
    uint32_t *low = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    if (low == MAP_FAILED) return report("32-bit", "no memory to try it with");
    low[0] = AF_INET, low[1] = SOCK_STREAM, low[2] = 0;
    errno = 0;
    judge("32-bit-socketcall", int80(102, 1, (long)low, 0));
    errno = 0;
    judge("32-bit-socket", int80(359, AF_INET, SOCK_STREAM, 0));
}
#else
void by_other_machine(void) {}
#endif

void by_looking(void) {
    /* Lists all sockets of the machine, and destroys them for root. */
    errno = 0;
    int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG);
    report("sock-diag", fd >= 0 ? "the list of the machine's sockets" : NULL);
    if (fd >= 0) close(fd);
}
