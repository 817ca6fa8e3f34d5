/* Options by the length of what is given and of the room that is offered, and what a connection over loopback says of its segments and
 * buffers. */
#include "parity2.h"

#include <linux/sockios.h>

#ifndef SO_BINDTOIFINDEX
#define SO_BINDTOIFINDEX 62
#endif
#ifndef SO_COOKIE
#define SO_COOKIE 57
#endif
#ifndef TCP_FASTOPEN_NO_COOKIE
#define TCP_FASTOPEN_NO_COOKIE 34
#endif

static const struct option { const char *name; int level, option, value; bool is_read; } OPTIONS[] = {
    { "no-cookie", IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE, 1, true },
    { "fast-open", IPPROTO_TCP, TCP_FASTOPEN, 5, true },
    { "fast-open-connect", IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 0, true },
    { "maxseg", IPPROTO_TCP, TCP_MAXSEG, 1000, true },
    { "no-delay", IPPROTO_TCP, TCP_NODELAY, 1, true },
    { "multicast-hops", IPPROTO_IPV6, IPV6_MULTICAST_HOPS, 3, true },
    { "multicast-link", IPPROTO_IPV6, IPV6_MULTICAST_IF, 1, true },
    { "multicast-loop", IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 1, true },
    { "unicast-hops", IPPROTO_IPV6, IPV6_UNICAST_HOPS, 9, true },
    { "class", IPPROTO_IPV6, IPV6_TCLASS, 8, true },
    { "multicast-ttl", IPPROTO_IP, IP_MULTICAST_TTL, 3, true },
    { "device-index", SOL_SOCKET, SO_BINDTOIFINDEX, 1, true },
    { "cookie", SOL_SOCKET, SO_COOKIE, 1, false },
    { "reuse", SOL_SOCKET, SO_REUSEADDR, 1, true },
};

static int of_family(int family, int type)
{
    int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    must(fd >= 0, "a socket is made");
    return fd;
}

/* What each length does, in one line: set to a fresh socket, and read back where there was room for so much. */
static void by_length(int family, int type)
{
    for (size_t i = 0; i < sizeof OPTIONS / sizeof *OPTIONS; i++) {
        const struct option *one = &OPTIONS[i];
        char name[80], set[200] = "", read[400] = "";
        for (socklen_t length = 0; length <= 9; length++) {
            char value[16] = { 0 }, into[16] = { 0 };
            memcpy(value, &one->value, sizeof one->value);
            int fd = of_family(family, type);
            int result = setsockopt(fd, one->level, one->option, value, length);
            snprintf(set + strlen(set), sizeof set - strlen(set), " %s", result ? errno_name(errno) : "0");
            close(fd);
            fd = of_family(family, type);
            socklen_t room = length;
            result = getsockopt(fd, one->level, one->option, into, &room);
            snprintf(read + strlen(read), sizeof read - strlen(read), " %s/%u", result ? errno_name(errno) : "0", room);
            close(fd);
        }
        snprintf(name, sizeof name, "%s%s.%s", type == SOCK_STREAM ? "stream" : "datagram", family == AF_INET6 ? "6" : "", one->name);
        text2("set-by-length", name, "%s", set + 1);
        text2("read-by-length", name, "%s", read + 1);
    }
}

/* The last acknowledgement may come a moment after both ends have finished. */
static void until_closed(int fd)
{
    for (int waited = 0; waited < PATIENCE_MS; waited++) {
        struct tcp_info info = { 0 };
        socklen_t length = sizeof info;
        must(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) == 0, "TCP_INFO is answered");
        if (info.tcpi_state == TCP_CLOSE)
            return;
        poll(NULL, 0, 1);
    }
}

/* In a state where there is a connection, or was. */
static void by_state(void)
{
    for (size_t i = 0; i < STATE_COUNT; i++) {
        struct subject s = { -1, -1, -1 };
        STATES[i].make(&s);
        if (!strcmp(STATES[i].name, "both-finished"))
            until_closed(s.fd);
        for (size_t j = 0; j < sizeof OPTIONS / sizeof *OPTIONS; j++) {
            char name[80];
            int value = OPTIONS[j].value, got = -7;
            socklen_t length = sizeof got;
            if (OPTIONS[j].level == IPPROTO_IPV6)
                continue;
            snprintf(name, sizeof name, "%s.%s", STATES[i].name, OPTIONS[j].name);
            line2("set-in-state", name, setsockopt(s.fd, OPTIONS[j].level, OPTIONS[j].option, &value, sizeof value));
            if (!OPTIONS[j].is_read)
                continue;
            int result = getsockopt(s.fd, OPTIONS[j].level, OPTIONS[j].option, &got, &length);
            text2("read-in-state", name, "%s %d", result ? errno_name(errno) : "0", got);
        }
        give_up(&s);
    }
}

static int number_of(int fd, int level, int option)
{
    int got = -7;
    socklen_t length = sizeof got;
    return getsockopt(fd, level, option, &got, &length) ? -errno : got;
}

static void tell(const char *name, const char *who, const char *when, int fd, bool is_six)
{
    char label[120];
    struct tcp_info info = { 0 };
    socklen_t length = sizeof info;
    must(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) == 0, "TCP_INFO is answered");
    snprintf(label, sizeof label, "%s.%s.%s", name, who, when);
    text2("segments", label, "%d, %u out", number_of(fd, IPPROTO_TCP, TCP_MAXSEG), info.tcpi_snd_mss);
    if (!is_six)
        text2("segments-announced", label, "%u, path %u", info.tcpi_advmss, info.tcpi_pmtu);
    text2("buffers", label, "out %d, in %d", number_of(fd, SOL_SOCKET, SO_SNDBUF), number_of(fd, SOL_SOCKET, SO_RCVBUF));
}

static void carried_over(int from, int to, long bytes)
{
    static char block[100000];
    for (long sent = 0, come = 0; come < bytes;) {
        long now = sent < bytes ? send(from, block, (size_t)(bytes - sent < (long)sizeof block ? bytes - sent : (long)sizeof block), 0) : 0;
        must(now >= 0 || errno == EAGAIN, "bytes are sent");
        sent += now > 0 ? now : 0;
        struct pollfd there = { .fd = to, .events = POLLIN };
        poll(&there, 1, PATIENCE_MS);
        now = recv(to, block, sizeof block, 0);
        must(now > 0 || errno == EAGAIN, "bytes are received");
        come += now > 0 ? now : 0;
    }
    /* The acknowledgement tells a window. */
    for (int waited = 0, left = 1; waited < PATIENCE_MS && left; waited++) {
        must(ioctl(from, SIOCOUTQ, &left) == 0, "SIOCOUTQ is answered");
        if (left)
            poll(NULL, 0, 1);
    }
}

struct wish { const char *name; int level, option, value; };

static void connection(const char *name, const char *ip, const struct wish *client, const struct wish *server)
{
    struct sockaddr_storage at = { 0 };
    struct sockaddr_in *four = (void *)&at;
    struct sockaddr_in6 *six = (void *)&at;
    socklen_t length = sizeof at;
    bool is_six = strchr(ip, ':') != NULL;
    at.ss_family = is_six ? AF_INET6 : AF_INET;
    must(inet_pton(at.ss_family, ip, is_six ? (void *)&six->sin6_addr : (void *)&four->sin_addr) == 1, "an address is one");
    int listening = of_family(at.ss_family, SOCK_STREAM), from = of_family(at.ss_family, SOCK_STREAM);
    /* How much may wait to be sent depends on it. */
    must(setsockopt(listening, IPPROTO_TCP, TCP_CONGESTION, "reno", 4) == 0, "Reno is known");
    must(setsockopt(from, IPPROTO_TCP, TCP_CONGESTION, "reno", 4) == 0, "Reno is known");
    if (client)
        must(setsockopt(from, client->level, client->option, &client->value, sizeof client->value) == 0, "a wish is taken");
    if (server)
        must(setsockopt(listening, server->level, server->option, &server->value, sizeof server->value) == 0, "a wish is taken");
    tell(name, "client", "fresh", from, is_six);
    must(bind(listening, (struct sockaddr *)&at, sizeof at) == 0 && listen(listening, 4) == 0, "it listens");
    tell(name, "listener", "listening", listening, is_six);
    must(getsockname(listening, (struct sockaddr *)&at, &length) == 0, "it has a name");
    connect(from, (struct sockaddr *)&at, length);
    int to = take(listening);
    settle(from, POLLOUT);
    tell(name, "client", "connected", from, is_six);
    tell(name, "server", "accepted", to, is_six);
    carried_over(from, to, 5);
    tell(name, "client", "after-5", from, is_six);
    carried_over(to, from, 5);
    tell(name, "server", "after-5", to, is_six);
    tell(name, "client", "after-5-each", from, is_six);
    close(from), close(to), close(listening);
}

static void connections(void)
{
    static const struct wish CLAMP = { "clamp", IPPROTO_TCP, TCP_WINDOW_CLAMP, 10000 }, ROOM = { "rcvbuf", SOL_SOCKET, SO_RCVBUF, 20000 },
        LEAST = { "least", SOL_SOCKET, SO_RCVBUF, 1 }, LARGE = { "large", SOL_SOCKET, SO_RCVBUF, 200000 },
        SEND = { "sndbuf", SOL_SOCKET, SO_SNDBUF, 50000 }, MSS = { "maxseg", IPPROTO_TCP, TCP_MAXSEG, 1000 },
        MOST = { "most", IPPROTO_TCP, TCP_MAXSEG, 32767 };
    static const struct wish *WISHES[] = { &CLAMP, &ROOM, &LEAST, &LARGE, &SEND, &MSS, &MOST };
    connection("loopback", "127.0.0.1", NULL, NULL);
    connection("loopback6", "::1", NULL, NULL);
    connection("own", OWN, NULL, NULL);
    connection("own6", "fd77::2", NULL, NULL);
    for (size_t i = 0; i < sizeof WISHES / sizeof *WISHES; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s-of-client", WISHES[i]->name);
        connection(name, "127.0.0.1", WISHES[i], NULL);
        snprintf(name, sizeof name, "%s-of-server", WISHES[i]->name);
        connection(name, "127.0.0.1", NULL, WISHES[i]);
        snprintf(name, sizeof name, "%s-of-server6", WISHES[i]->name);
        connection(name, "::1", NULL, WISHES[i]);
    }
}

/* IP_TOS sets SO_PRIORITY along where it changes; IPV6_TCLASS does not. */
static void priorities(int family, int type)
{
    static const int SERVICES[] = { 0x08, 0x10, 0x18, 0x04, 0xb8, 0x02, 0x1e, 0 };
    char name[60], seen[200] = "";
    int fd = of_family(family, type), own = 3, read = 0;
    socklen_t length = sizeof read;
    for (size_t i = 0; i < sizeof SERVICES / sizeof *SERVICES; i++)
        for (int again = 0; again < 2; again++) {
            must(setsockopt(fd, IPPROTO_IP, IP_TOS, &SERVICES[i], sizeof SERVICES[i]) == 0, "an option is set");
            must(getsockopt(fd, SOL_SOCKET, SO_PRIORITY, &read, &length) == 0, "an option is read");
            snprintf(seen + strlen(seen), sizeof seen - strlen(seen), " %d", read);
            must(setsockopt(fd, SOL_SOCKET, SO_PRIORITY, &own, sizeof own) == 0, "an option is set");
        }
    snprintf(name, sizeof name, "priority%s-%s", family == AF_INET6 ? "6" : "", type == SOCK_STREAM ? "stream" : "datagram");
    text2(name, "by-service", "%s", seen);
    if (family == AF_INET6) {
        must(setsockopt(fd, IPPROTO_IPV6, IPV6_TCLASS, &SERVICES[1], sizeof SERVICES[1]) == 0, "an option is set");
        must(getsockopt(fd, SOL_SOCKET, SO_PRIORITY, &read, &length) == 0, "an option is read");
        line2(name, "by-class", read);
    }
    close(fd);
}

void small_options(void)
{
    for (int type = SOCK_STREAM; type <= SOCK_DGRAM; type++) {
        by_length(AF_INET, type);
        by_length(AF_INET6, type);
        priorities(AF_INET, type);
        priorities(AF_INET6, type);
    }
    int fd = of_family(AF_INET, SOCK_STREAM), unknown = 99;
    line2("device-index", "unknown", setsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, &unknown, sizeof unknown));
    close(fd);
    by_state();
    connections();
}
