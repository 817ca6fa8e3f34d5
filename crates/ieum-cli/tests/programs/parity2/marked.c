/* Options of single sockets that say how something is sent, or what is told of what came: SO_MARK, SO_TIMESTAMPNS, IP_MTU_DISCOVER,
 * TCP_NOTSENT_LOWAT. */
#include "parity2.h"

#include <linux/capability.h>
#include <net/if.h>

static int number(int fd, int level, int option)
{
    int value = -77;
    socklen_t length = sizeof value;
    return getsockopt(fd, level, option, &value, &length) ? -1 : value;
}

static int set(int fd, int level, int option, int value) { return setsockopt(fd, level, option, &value, sizeof value); }

/* A number is read back, whatever it is, and so that -1 is no errno. */
static void back(const char *prefix, const char *name, int fd, int level, int option)
{
    int value = -77;
    socklen_t length = sizeof value;
    int result = getsockopt(fd, level, option, &value, &length);
    text2(prefix, name, "%s %d", result ? errno_name(errno) : "0", value);
}

static void not_sent(void)
{
    static const int VALUES[] = { 1, 16384, 2147483647, -1, 0 };
    struct pair both = connected();
    int listening = listener(), fresh = make(SOCK_STREAM), datagrams = make(SOCK_DGRAM);
    struct { const char *name; int fd; } kinds[] = {
        { "fresh", fresh }, { "listening", listening }, { "connected", both.client },
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        char name[60];
        snprintf(name, sizeof name, "not-sent.%s", kinds[i].name);
        back(name, "default", kinds[i].fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT);
        for (size_t j = 0; j < sizeof VALUES / sizeof *VALUES; j++) {
            char value[90];
            snprintf(value, sizeof value, "%s.%d", name, VALUES[j]);
            line2(value, "set", set(kinds[i].fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, VALUES[j]));
            back(value, "back", kinds[i].fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT);
        }
    }
    line("not-sent.datagram", set(datagrams, IPPROTO_TCP, TCP_NOTSENT_LOWAT, 1));
    must(set(listening, IPPROTO_TCP, TCP_NOTSENT_LOWAT, 5000) == 0, "an option is taken");
    int client = make_blocking(SOCK_STREAM);
    must(connect_to(client, "127.0.0.1", port_of(listening)) == 0, "a connection is made");
    int server = take(listening);
    back("not-sent", "inherited", server, IPPROTO_TCP, TCP_NOTSENT_LOWAT);
    int all[] = { both.client, both.server, listening, fresh, datagrams, client, server };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        close(all[i]);
}

/* The rights to mark, taken away and given back. */
static void rights_to_mark(bool yes)
{
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct have[2];
    must(syscall(SYS_capget, &header, have) == 0, "its rights are told");
    unsigned both = 1u << CAP_NET_ADMIN | 1u << CAP_NET_RAW;
    have[0].effective = yes ? have[0].effective | (have[0].permitted & both) : have[0].effective & ~both;
    must(syscall(SYS_capset, &header, have) == 0, "rights are set");
}

static void marks(const char *prefix, int type)
{
    static const int MARKS[] = { 7, -1, 0 };
    int fd = make(type);
    back(prefix, "default", fd, SOL_SOCKET, SO_MARK);
    for (size_t i = 0; i < sizeof MARKS / sizeof *MARKS; i++) {
        char name[60];
        snprintf(name, sizeof name, "%s.%d", prefix, MARKS[i]);
        line2(name, "set", set(fd, SOL_SOCKET, SO_MARK, MARKS[i]));
        back(name, "back", fd, SOL_SOCKET, SO_MARK);
    }
    rights_to_mark(false);
    line2(prefix, "without-a-right", set(fd, SOL_SOCKET, SO_MARK, 9));
    back(prefix, "without-a-right.back", fd, SOL_SOCKET, SO_MARK);
    rights_to_mark(true);
    line2(prefix, "short", setsockopt(fd, SOL_SOCKET, SO_MARK, "a", 1));
    close(fd);
}

/* A mark of a listener is that of its connections. */
static void marks_of_a_listener(void)
{
    int listening = listener();
    must(set(listening, SOL_SOCKET, SO_MARK, 5) == 0, "a listener is marked");
    int client = make_blocking(SOCK_STREAM);
    must(connect_to(client, "127.0.0.1", port_of(listening)) == 0, "a connection is made");
    int server = take(listening);
    back("mark", "inherited", server, SOL_SOCKET, SO_MARK);
    close(server);
    close(client);
    close(listening);
}

static void tell_stamps(const char *prefix, const char *name, int fd)
{
    text2(prefix, name, "%d %d new %d %d", number(fd, SOL_SOCKET, SO_TIMESTAMP), number(fd, SOL_SOCKET, SO_TIMESTAMPNS),
        number(fd, SOL_SOCKET, SO_TIMESTAMP_NEW), number(fd, SOL_SOCKET, SO_TIMESTAMPNS_NEW));
}

/* One of the two counts, and taking away either takes both. */
static void which_stamps(void)
{
    static const struct { const char *name; int option, value; } STEPS[] = {
        { "fine", SO_TIMESTAMPNS, 1 }, { "coarse", SO_TIMESTAMP, 1 }, { "fine-off", SO_TIMESTAMPNS, 0 },
        { "fine-again", SO_TIMESTAMPNS, 5 }, { "coarse-off", SO_TIMESTAMP, 0 }, { "fine-negative", SO_TIMESTAMPNS, -1 },
        { "new-fine", SO_TIMESTAMPNS_NEW, 1 }, { "new-coarse", SO_TIMESTAMP_NEW, 1 }, { "old-fine", SO_TIMESTAMPNS, 1 },
        { "new-fine-again", SO_TIMESTAMPNS_NEW, 1 }, { "new-coarse-off", SO_TIMESTAMP_NEW, 0 },
    };
    static const struct { const char *name; int type; } KINDS[] = { { "stamps", SOCK_DGRAM }, { "stamps-of-stream", SOCK_STREAM } };
    for (size_t i = 0; i < 2; i++) {
        int fd = make(KINDS[i].type);
        tell_stamps(KINDS[i].name, "default", fd);
        for (size_t j = 0; j < sizeof STEPS / sizeof *STEPS; j++) {
            must(set(fd, SOL_SOCKET, STEPS[j].option, STEPS[j].value) == 0, "an option is taken");
            tell_stamps(KINDS[i].name, STEPS[j].name, fd);
        }
        close(fd);
    }
}

static struct timespec now(void)
{
    struct timespec at;
    must(clock_gettime(CLOCK_REALTIME, &at) == 0, "a clock is read");
    return at;
}

static const char *kind_of_stamp(int type)
{
    return type == SCM_TIMESTAMPNS ? "fine" : type == SCM_TIMESTAMP ? "coarse" : type == SO_TIMESTAMPNS_NEW ? "new fine"
        : type == SO_TIMESTAMP_NEW ? "new coarse" : "other";
}

/* What comes with a datagram that was sent and read between two looks at the clock. */
static void stamped(const char *name, int to, size_t room)
{
    /* Clocks of one machine that are read in different ways differ by less, in seconds. */
    enum { APART_MAX_S = 1 };
    int from = make(SOCK_DGRAM);
    struct sockaddr_in there = address("127.0.0.1", port_of(to));
    char into[8];
    union { struct cmsghdr header; char space[256]; } control = { 0 };
    struct iovec part = { into, sizeof into };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = room };
    struct timespec before = now();
    must(sendto(from, "abc", 3, 0, (struct sockaddr *)&there, sizeof there) == 3, "a datagram is sent");
    settle(to, POLLIN);
    line2(name, "recvmsg", recvmsg(to, &message, 0));
    struct timespec after = now();
    text2(name, "flags", "%d", message.msg_flags);
    int count = 0;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header), count++) {
        char which[80];
        snprintf(which, sizeof which, "%s.%d", name, count);
        bool fine = header->cmsg_type == SCM_TIMESTAMPNS || header->cmsg_type == SO_TIMESTAMPNS_NEW;
        text2(which, "kind", "%d/%s/%zu", header->cmsg_level, kind_of_stamp(header->cmsg_type),
            (size_t)header->cmsg_len);
        long at[2];
        if (header->cmsg_len < CMSG_LEN(sizeof at))
            continue;
        memcpy(at, CMSG_DATA(header), sizeof at);
        text2(which, "time", "%s", at[0] < before.tv_sec - APART_MAX_S ? "too early" : at[0] > after.tv_sec + APART_MAX_S
            ? "too late" : at[1] < 0 || at[1] >= (fine ? 1000000000 : 1000000) ? "no time" : "when it came");
    }
    text2(name, "messages", "%d", count);
    close(from);
}

static void stamps(void)
{
    int to = make(SOCK_DGRAM);
    must(bind_to(to, "127.0.0.1", 0) == 0, "a free port is bound");
    stamped("stamp.none", to, 256);
    must(set(to, SOL_SOCKET, SO_TIMESTAMPNS, 1) == 0, "an option is taken");
    stamped("stamp.fine", to, 256);
    stamped("stamp.cut", to, 24);
    stamped("stamp.no-room", to, 0);
    must(set(to, IPPROTO_IP, IP_RECVTTL, 1) == 0, "an option is taken");
    stamped("stamp.fine-and-hops", to, 256);
    must(set(to, SOL_SOCKET, SO_TIMESTAMP, 1) == 0, "an option is taken");
    stamped("stamp.coarse", to, 256);
    must(set(to, SOL_SOCKET, SO_TIMESTAMPNS_NEW, 1) == 0, "an option is taken");
    stamped("stamp.new-fine", to, 256);
    must(set(to, SOL_SOCKET, SO_TIMESTAMP_NEW, 1) == 0, "an option is taken");
    stamped("stamp.new-coarse", to, 256);
    must(set(to, SOL_SOCKET, SO_TIMESTAMPNS, 0) == 0, "an option is taken");
    stamped("stamp.off", to, 256);
    /* A socket that knows who speaks to it. */
    int from = make(SOCK_DGRAM);
    must(bind_to(from, "127.0.0.1", 0) == 0 && connect_to(to, "127.0.0.1", port_of(from)) == 0, "a remote is set");
    must(set(to, IPPROTO_IP, IP_RECVTTL, 0) == 0 && set(to, SOL_SOCKET, SO_TIMESTAMPNS, 1) == 0, "options are taken");
    must(connect_to(from, "127.0.0.1", port_of(to)) == 0 && send(from, "abc", 3, 0) == 3, "a datagram is sent");
    char into[8];
    union { struct cmsghdr header; char space[256]; } control = { 0 };
    struct iovec part = { into, sizeof into };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control };
    settle(to, POLLIN);
    line("stamp.connected.recvmsg", recvmsg(to, &message, 0));
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    text("stamp.connected.kind", "%s", header ? kind_of_stamp(header->cmsg_type) : "none");
    close(from);
    close(to);
}

/* What goes to groups leaves by the host's link, and nobody here hears it. */
static void by_the_link(int family, int fd)
{
    unsigned link = if_nametoindex("eth0");
    if (family == AF_INET) {
        struct ip_mreqn where = { .imr_ifindex = (int)link };
        must(setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &where, sizeof where) == 0, "a link is named");
        must(set(fd, IPPROTO_IP, IP_MULTICAST_LOOP, 0) == 0, "an option is taken");
        return;
    }
    must(set(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, (int)link) == 0, "a link is named");
    must(set(fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 0) == 0, "an option is taken");
}

/* Whether packets may be cut on their way, and what that means for one that is too large for the link. */
static void path_mtu(int family)
{
    bool four = family == AF_INET;
    int level = four ? IPPROTO_IP : IPPROTO_IPV6, option = four ? IP_MTU_DISCOVER : IPV6_MTU_DISCOVER;
    /* As much as a packet of 1500 bytes takes. A group has no neighbour that would have to answer. */
    size_t fits = 1500 - (four ? 20 : 40) - 8;
    static char large[65536];
    struct sockaddr_in to4 = address("239.1.2.3", 9);
    struct sockaddr_in6 to6 = { .sin6_family = AF_INET6, .sin6_port = htons(9) };
    must(inet_pton(AF_INET6, "ff15::123", &to6.sin6_addr) == 1, "an address of IPv6");
    struct sockaddr *to = four ? (struct sockaddr *)&to4 : (struct sockaddr *)&to6;
    socklen_t length = four ? sizeof to4 : sizeof to6;
    char name[80];
    for (int type = 0; type < 2; type++)
        for (int value = -1; value <= 7; value++) {
            int fd = socket(family, (type ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK, 0);
            snprintf(name, sizeof name, "path-mtu-%d.%s.%d", four ? 4 : 6, type ? "stream" : "datagram", value);
            if (!type)
                by_the_link(family, fd);
            int result = set(fd, level, option, value);
            line2(name, "set", result);
            back(name, "back", fd, level, option);
            if (!type && result == 0) {
                line2(name, "fits", sendto(fd, large, fits, 0, to, length));
                line2(name, "too-large", sendto(fd, large, fits + 1, 0, to, length));
                line2(name, "much-too-large", sendto(fd, large, 20000, 0, to, length));
                line2(name, "more-than-a-packet", sendto(fd, large, 65536, 0, to, length));
                must(connect(fd, to, length) == 0, "a remote is set");
                back(name, "mtu", fd, level, four ? IP_MTU : IPV6_MTU);
                line2(name, "connected-too-large", sendto(fd, large, fits + 1, 0, NULL, 0));
            }
            close(fd);
        }
    snprintf(name, sizeof name, "path-mtu-%d", four ? 4 : 6);
    int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    line2(name, "without-a-remote", number(fd, level, four ? IP_MTU : IPV6_MTU));
    line2(name, "byte", setsockopt(fd, level, option, "\2", 1));
    back(name, "byte-back", fd, level, option);
    close(fd);
}

/* Where a packet of IPv4 that was sent is cut, and where it comes whole. */
static void cut_on_the_way(void)
{
    static char large[60000];
    static char into[65536];
    int to = make(SOCK_DGRAM), from = make(SOCK_DGRAM);
    must(bind_to(to, OWN, 0) == 0, "a free port is bound");
    struct sockaddr_in there = address(OWN, port_of(to));
    for (int value = 0; value <= 5; value++) {
        char name[40];
        snprintf(name, sizeof name, "own-mtu.%d", value);
        must(set(from, IPPROTO_IP, IP_MTU_DISCOVER, value) == 0, "an option is taken");
        line2(name, "send", sendto(from, large, sizeof large, 0, (struct sockaddr *)&there, sizeof there));
        settle(to, POLLIN);
        line2(name, "recv", recv(to, into, sizeof into, 0));
    }
    close(from);
    close(to);
}

void marked(void)
{
    not_sent();
    marks("mark", SOCK_STREAM);
    marks("mark-of-datagrams", SOCK_DGRAM);
    marks_of_a_listener();
    which_stamps();
    stamps();
    path_mtu(AF_INET);
    path_mtu(AF_INET6);
    cut_on_the_way();
}
