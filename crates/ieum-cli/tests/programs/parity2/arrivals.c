/* When what was received came (SO_TIMESTAMPNS), which is told as it was though it is read later. */
#include "parity2.h"

#include <netinet/ip_icmp.h>

/* So long what came waits to be read. */
#define WAITED_NS 200000000L

static long long since_1970_ns(void)
{
    struct timespec at;
    must(clock_gettime(CLOCK_REALTIME, &at) == 0, "a clock is read");
    return at.tv_sec * 1000000000LL + at.tv_nsec;
}

/* Waits until it is that late. */
static void until_ns(long long then)
{
    for (long long now; (now = since_1970_ns()) < then;) {
        struct timespec rest = { .tv_nsec = (long)(then - now) };
        nanosleep(&rest, NULL);
    }
}

/* Reads, so long after it has come, what is there; whether its time is nearer to the moment by which it had come. */
static void read_later(const char *name, int fd, int flags, long long came_by)
{
    until_ns(came_by + WAITED_NS);
    settle(fd, POLLIN);
    char into[64];
    union { struct cmsghdr header; char space[256]; } control = { 0 };
    struct iovec part = { into, sizeof into };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control };
    line2("arrived", name, recvmsg(fd, &message, flags));
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (!header) {
        text2("arrived-at", name, "no time");
        return;
    }
    long at[2];
    memcpy(at, CMSG_DATA(header), sizeof at);
    text2("arrived-at", name, "%s", at[0] * 1000000000LL + at[1] < came_by + WAITED_NS / 2 ? "when it came" : "when it was read");
}

static int asking(const char *ip)
{
    int fd = make(SOCK_DGRAM), one = 1;
    must(setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof one) == 0, "an option is taken");
    must(bind_to(fd, ip, 0) == 0, "a free port is bound");
    return fd;
}

/* Returns when all of it had come: what goes to the host itself has come when it was sent. */
static long long say(int from, int to, const char *ip, int count)
{
    struct sockaddr_in there = address(ip, port_of(to));
    for (int i = 0; i < count; i++)
        must(sendto(from, "abc", 3, 0, (struct sockaddr *)&there, sizeof there) == 3, "a datagram is sent");
    return since_1970_ns();
}

/* Linux begins to look at the clock for what comes a moment after the first socket asks for it, and ends when the last is closed:
 * returns one for which it has begun. */
static int begun(int from)
{
    enum { MOMENT_NS = 1000000 };
    int fd = asking("127.0.0.1");
    for (long at[2] = { -1 }, came_by_ns = 0; at[0] < 0 || at[0] * 1000000000LL + at[1] > came_by_ns;) {
        say(from, fd, "127.0.0.1", 1);
        settle(fd, POLLIN);
        came_by_ns = since_1970_ns();
        until_ns(came_by_ns + MOMENT_NS);
        char into[8];
        union { struct cmsghdr header; char space[256]; } control = { 0 };
        struct iovec part = { into, sizeof into };
        struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control };
        must(recvmsg(fd, &message, 0) == 3 && CMSG_FIRSTHDR(&message), "a datagram is read with its time");
        memcpy(at, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof at);
    }
    return fd;
}

void arrivals(void)
{
    /* More than wait in an AF_UNIX socket (net.unix.max_dgram_qlen is 10). */
    enum { MANY = 40 };
    static const char *const ADDRESSES[] = { "127.0.0.1", OWN };
    int from = make(SOCK_DGRAM), first = begun(from);
    char into[64], name[64];
    for (size_t i = 0; i < sizeof ADDRESSES / sizeof *ADDRESSES; i++) {
        int fd = asking(ADDRESSES[i]);
        long long came_by = say(from, fd, ADDRESSES[i], 1);
        snprintf(name, sizeof name, "%s.peeked", ADDRESSES[i]);
        read_later(name, fd, MSG_PEEK, came_by);
        snprintf(name, sizeof name, "%s.alone", ADDRESSES[i]);
        read_later(name, fd, 0, came_by);
        came_by = say(from, fd, ADDRESSES[i], MANY);
        snprintf(name, sizeof name, "%s.first-of-many", ADDRESSES[i]);
        read_later(name, fd, 0, came_by);
        for (int read = 1; read < MANY - 1; read++) {
            settle(fd, POLLIN);
            must(recv(fd, into, sizeof into, 0) == 3, "a datagram is read");
        }
        snprintf(name, sizeof name, "%s.last-of-many", ADDRESSES[i]);
        read_later(name, fd, 0, came_by);
        close(fd);
    }
    close(from);
    from = make(SOCK_DGRAM);
    int fd = asking("127.0.0.1");
    must(bind_to(from, "127.0.0.1", 0) == 0 && connect_to(fd, "127.0.0.1", port_of(from)) == 0, "a remote is set");
    long long came_by = say(from, fd, "127.0.0.1", MANY);
    read_later("connected.first", fd, 0, came_by);
    for (int read = 1; read < MANY - 1; read++) {
        settle(fd, POLLIN);
        must(recv(fd, into, sizeof into, 0) == 3, "a datagram is read");
    }
    read_later("connected.last", fd, 0, came_by);
    close(fd);
    close(from);

    int ping = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, IPPROTO_ICMP), one = 1;
    struct { struct icmphdr header; char data[8]; } request = { .header = { .type = ICMP_ECHO }, .data = "payload" };
    struct sockaddr_in own = address(OWN, 0);
    must(setsockopt(ping, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof one) == 0, "an option is taken");
    must(sendto(ping, &request, sizeof request, 0, (struct sockaddr *)&own, sizeof own) == sizeof request, "an echo is asked for");
    read_later("echo", ping, 0, since_1970_ns());
    close(ping);
    close(first);
}
