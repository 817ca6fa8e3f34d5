/* Tries every way to a socket of the machine's own network that an unprivileged program has, and tells how each ended:
 *
 *     escape OUTSIDE FD PORT INHERITED
 *
 * OUTSIDE is a process of the same user that is not under ieum, FD its socket, which listens on PORT of the machine's
 * loopback; INHERITED is a fresh TCP socket of the machine among our own descriptors. Prints the number of the kernel's
 * Landlock interface, then a line for each way, `closed NAME (why)` or `OPEN NAME: what was won`. */

#define _GNU_SOURCE
#include "escape.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

void report(const char *way, const char *opened) {
    if (opened) {
        printf("OPEN %s: %s\n", way, opened);
    } else {
        printf("closed %s (%s)\n", way, errno ? strerror(errno) : "not the machine's");
    }
    fflush(stdout);
}

/* ieum's host has this address, and hardly any machine. */
static int is_at_home(int fd) {
    struct sockaddr_in at4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x0a4d0002)};
    struct sockaddr_in6 at6 = {.sin6_family = AF_INET6};
    inet_pton(AF_INET6, "fd77::2", &at6.sin6_addr);
    return bind(fd, (struct sockaddr *)&at4, sizeof at4) == 0 || bind(fd, (struct sockaddr *)&at6, sizeof at6) == 0;
}

int is_socket_of_machine(int fd) {
    char protocol[64] = "";
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    ssize_t length = getxattr(path, "system.sockprotoname", protocol, sizeof protocol - 1);
    int is_ours = length <= 0 || strncmp(protocol, "UNIX", 4) == 0 || strcmp(protocol, "NETLINK") == 0 || is_at_home(fd);
    errno = 0;
    return !is_ours;
}

int main(int argc, char **argv) {
    if (argc != 5) return fputs("escape OUTSIDE FD PORT INHERITED\n", stderr), 2;
    /* LANDLOCK_CREATE_RULESET_VERSION */
    printf("landlock %ld\n", syscall(SYS_landlock_create_ruleset, NULL, 0, 1));
    by_system_call();
    by_other_machine();
    by_ring();
    by_tracing_myself();
    by_other_processes(atoi(argv[1]), atoi(argv[2]), getppid());
    by_terminal();
    by_looking();
    by_ports(atoi(argv[3]), atoi(argv[4]));
    return 0;
}
