/* storm SEED COUNT: COUNT socket calls with arguments by chance, in several processes that share descriptors. Pointers
 * are right, null, wild, or end where memory ends; lengths are right, zero, negative or huge; signals interrupt what
 * blocks. Nothing is asked of the answers: who serves the calls must live on, and every call must come back.
 * Prints "done" and the number of calls that succeeded. All destinations are the host itself or nobody. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static uint64_t state;
static uint64_t next(void) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}
static uint64_t below(uint64_t limit) { return next() % limit; }
static int one_in(int count) { return below(count) == 0; }

enum { DESCRIPTORS = 24, PAGE = 4096 };
static int descriptors[DESCRIPTORS];
static unsigned char *page; /* a page of memory; nothing behind it */

static int any(void) {
    if (one_in(40)) return one_in(2) ? -1 : 3 + (int)below(2000);
    return descriptors[below(DESCRIPTORS)];
}
static void keep(long fd) {
    if (fd < 0) return;
    int at = (int)below(DESCRIPTORS);
    if (descriptors[at] > 2) close(descriptors[at]);
    descriptors[at] = (int)fd;
}

/* Memory for `size` bytes: there, at the end of what is there, cut off, nowhere. */
static void *memory(size_t size) {
    if (size > PAGE) size = PAGE;
    switch (below(12)) {
    case 0: return NULL;
    case 1: return page + PAGE - size / 2;
    case 2: return (void *)(uintptr_t)next();
    case 3: return page + PAGE;
    default: return page + PAGE - size - below(PAGE - size + 1);
    }
}
static socklen_t length(socklen_t right) {
    switch (below(10)) {
    case 0: return 0;
    case 1: return (socklen_t)-1;
    case 2: return right - 1;
    case 3: return (socklen_t)below(300);
    case 4: return 0x7fffffff;
    default: return right;
    }
}

/* An address of the host or of nobody, of a family by chance; sometimes only bytes. */
static socklen_t address(unsigned char out[128]) {
    memset(out, 0, 128);
    static const char *const four[] = {"127.0.0.1", "10.77.0.2", "0.0.0.0", "10.77.0.9", "255.255.255.255", "224.0.0.1"};
    static const char *const six[] = {"::1", "fd77::2", "::", "::ffff:127.0.0.1", "fd77::9", "ff02::1"};
    uint16_t port = htons(one_in(3) ? (uint16_t)below(65536) : (uint16_t)(20000 + below(4)));
    switch (below(8)) {
    case 0: case 1: case 2: case 3: {
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = port};
        inet_pton(AF_INET, four[below(6)], &address.sin_addr);
        memcpy(out, &address, sizeof address);
        return sizeof address;
    }
    case 4: case 5: {
        struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = port, .sin6_scope_id = one_in(9) ? 1 : 0};
        inet_pton(AF_INET6, six[below(6)], &address.sin6_addr);
        memcpy(out, &address, sizeof address);
        return sizeof address;
    }
    case 6: {
        struct sockaddr_in address = {.sin_family = (sa_family_t)below(50), .sin_port = port};
        memcpy(out, &address, sizeof address);
        return (socklen_t)below(129);
    }
    default: return (socklen_t)below(3);
    }
}
static void *placed_address(socklen_t *size) {
    unsigned char bytes[128];
    *size = address(bytes);
    unsigned char *at = memory(*size);
    if (at >= page && at + *size <= page + PAGE) memcpy(at, bytes, *size);
    *size = length(*size);
    return at;
}

static int message_flags(void) {
    static const int flags[] = {0, MSG_PEEK, MSG_TRUNC, MSG_WAITALL, MSG_OOB, MSG_MORE, MSG_ERRQUEUE, MSG_CMSG_CLOEXEC, 0x20000000};
    return MSG_NOSIGNAL | (one_in(4) ? 0 : MSG_DONTWAIT) | flags[below(9)];
}

static struct msghdr header;
static struct msghdr *message(void) {
    /* Behind those that are filled stand empty ones. */
    static struct iovec pieces[3000];
    memset(&header, 0, sizeof header);
    socklen_t size = 0;
    if (one_in(2)) header.msg_name = placed_address(&size);
    header.msg_namelen = size;
    header.msg_iovlen = one_in(20) ? (size_t)below(3000) : (size_t)below(8);
    for (int at = 0; at < 8; at++) {
        pieces[at].iov_len = one_in(30) ? (size_t)next() : (size_t)below(2000);
        pieces[at].iov_base = memory(pieces[at].iov_len);
    }
    header.msg_iov = one_in(20) ? memory(sizeof pieces) : pieces;
    if (one_in(3)) {
        header.msg_control = memory(64);
        header.msg_controllen = (size_t)below(100);
    }
    return one_in(30) ? memory(sizeof header) : &header;
}

static long call(void) {
    socklen_t size;
    void *at;
    switch (below(24)) {
    case 0: case 1: {
        static const int families[] = {AF_INET, AF_INET, AF_INET6, AF_INET6, AF_UNIX, AF_NETLINK, AF_PACKET, 44, -1};
        int kind = one_in(6) ? (int)below(12) : 1 + (int)below(2);
        long fd = syscall(SYS_socket, families[below(9)], kind | (one_in(3) ? 0 : SOCK_NONBLOCK),
                          one_in(4) ? (int)below(300) - 2 : 0);
        keep(fd);
        return fd;
    }
    case 2: at = placed_address(&size); return syscall(SYS_bind, any(), at, size);
    case 3: case 4: at = placed_address(&size); return syscall(SYS_connect, any(), at, size);
    case 5: return syscall(SYS_listen, any(), (int)below(5) - 1);
    case 6: case 7: {
        socklen_t *room = memory(4);
        if ((unsigned char *)room >= page && (unsigned char *)room + 4 <= page + PAGE) *room = length(28);
        long fd = syscall(SYS_accept4, any(), one_in(3) ? NULL : memory(28), room, one_in(8) ? (int)next() : SOCK_NONBLOCK);
        keep(fd);
        return fd;
    }
    case 8: at = one_in(2) ? NULL : placed_address(&size);
        return syscall(SYS_sendto, any(), memory(500), one_in(20) ? (size_t)next() : (size_t)below(3000), message_flags(), at, at ? size : 0);
    case 9: {
        socklen_t *room = memory(4);
        if ((unsigned char *)room >= page && (unsigned char *)room + 4 <= page + PAGE) *room = length(28);
        return syscall(SYS_recvfrom, any(), memory(500), one_in(20) ? (size_t)next() : (size_t)below(3000), message_flags(), memory(28), room);
    }
    case 10: return syscall(SYS_sendmsg, any(), message(), message_flags());
    case 11: return syscall(SYS_recvmsg, any(), message(), message_flags());
    case 12: {
        /* As many as are ever said: sendmmsg looks at UIO_MAXIOV of them, recvmmsg at all. */
        static struct mmsghdr many[5000];
        for (int i = 0; i < 3; i++) {
            message();
            many[i].msg_hdr = header;
        }
        return syscall(one_in(2) ? SYS_sendmmsg : SYS_recvmmsg, any(), many, one_in(9) ? 5000u : (unsigned)below(4), message_flags(), NULL);
    }
    case 13: case 14: {
        socklen_t *room = memory(4);
        if ((unsigned char *)room >= page && (unsigned char *)room + 4 <= page + PAGE) *room = length(4);
        static const int levels[] = {SOL_SOCKET, IPPROTO_TCP, IPPROTO_IP, IPPROTO_IPV6, 300};
        return syscall(SYS_getsockopt, any(), levels[below(5)], (int)below(90), memory(104), room);
    }
    case 15: case 16: {
        static const int levels[] = {SOL_SOCKET, IPPROTO_TCP, IPPROTO_IP, IPPROTO_IPV6, 300};
        int level = levels[below(5)], name = (int)below(90);
        int *value = memory(16);
        if ((unsigned char *)value >= page && (unsigned char *)value + 4 <= page + PAGE) *value = one_in(2) ? (int)below(3) : (int)next();
        return syscall(SYS_setsockopt, any(), level, name, value, length(4));
    }
    case 17: {
        socklen_t *room = memory(4);
        if ((unsigned char *)room >= page && (unsigned char *)room + 4 <= page + PAGE) *room = length(28);
        return syscall(one_in(2) ? SYS_getsockname : SYS_getpeername, any(), memory(28), room);
    }
    case 18: return syscall(SYS_shutdown, any(), (int)below(5) - 1);
    case 19: {
        static const unsigned long requests[] = {FIONREAD, TIOCOUTQ, 0x8905, 0x8912, 0x5421, 0x894B};
        return syscall(SYS_ioctl, any(), requests[below(6)], memory(8));
    }
    case 20: {
        long fd = one_in(2) ? dup(any()) : dup2(any(), 3 + (int)below(60));
        keep(fd);
        return fd;
    }
    case 21: {
        int at_place = (int)below(DESCRIPTORS);
        if (descriptors[at_place] > 2) close(descriptors[at_place]);
        descriptors[at_place] = -1;
        return 0;
    }
    case 22: return one_in(2) ? read(any(), memory(600), (size_t)below(600)) : write(any(), memory(600), (size_t)below(600));
    default: {
        struct pollfd polled = {.fd = any(), .events = (short)next()};
        return poll(&polled, 1, 0);
    }
    }
}

static void interrupted(int number) { (void)number; }

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    state = strtoull(argv[1], NULL, 10) * 0x9e3779b97f4a7c15u | 1;
    long count = strtol(argv[2], NULL, 10), succeeded = 0;
    page = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED || mprotect(page + PAGE, PAGE, PROT_NONE)) return 1;
    /* Sockets of AF_UNIX with names by chance are left in the program's own folder. */
    char *slash = strrchr(argv[0], '/');
    if (slash) {
        *slash = 0;
        if (chdir(argv[0])) return 1;
    }
    memset(descriptors, 0xff, sizeof descriptors);
    struct sigaction action = {.sa_handler = interrupted};
    sigaction(SIGALRM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    /* What blocks is interrupted: twice in ten milliseconds, so that one that comes between two calls does no harm. */
    struct itimerval often = {{0, 5000}, {0, 5000}};
    pid_t children[3];
    for (long at = 0; at < count; at++) {
        if (at == count / 3) {
            /* From here on several processes share the descriptors. */
            for (int child = 0; child < 3; child++) {
                children[child] = fork();
                if (children[child] == 0) {
                    state += (uint64_t)(child + 1) * 77777;
                    setitimer(ITIMER_REAL, &often, NULL);
                    for (long rest = 0; rest < count / 6; rest++) call();
                    _exit(0);
                }
            }
        }
        if (at == 0) setitimer(ITIMER_REAL, &often, NULL);
        succeeded += call() >= 0;
    }
    for (int child = 0; child < 3; child++)
        while (waitpid(children[child], NULL, 0) < 0 && errno == EINTR) continue;
    printf("done %ld\n", succeeded);
    return 0;
}
