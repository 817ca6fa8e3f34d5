/* Options: what is taken, what is answered back, what is refused. */
#include "parity.h"

static void one(const char *name, int type, int level, int option, int value)
{
    int fd = make(type), back = -77;
    socklen_t length = sizeof back;
    char label[80];
    snprintf(label, sizeof label, "option.%s.default", name);
    int result = getsockopt(fd, level, option, &back, &length);
    line(label, result ? result : back);
    snprintf(label, sizeof label, "option.%s.set", name);
    line(label, setsockopt(fd, level, option, &value, sizeof value));
    back = -77;
    length = sizeof back;
    result = getsockopt(fd, level, option, &back, &length);
    snprintf(label, sizeof label, "option.%s.back", name);
    line(label, result ? result : back);
    snprintf(label, sizeof label, "option.%s.short", name);
    line(label, setsockopt(fd, level, option, &value, 1));
    close(fd);
}

static void numbers(void)
{
    static const struct { const char *name; int type, level, option, value; } NUMBERS[] = {
        { "reuseaddr", SOCK_STREAM, SOL_SOCKET, SO_REUSEADDR, 1 },
        { "reuseport", SOCK_STREAM, SOL_SOCKET, SO_REUSEPORT, 1 },
        { "keepalive", SOCK_STREAM, SOL_SOCKET, SO_KEEPALIVE, 1 },
        { "dontroute", SOCK_STREAM, SOL_SOCKET, SO_DONTROUTE, 1 },
        { "broadcast", SOCK_DGRAM, SOL_SOCKET, SO_BROADCAST, 1 },
        { "oobinline", SOCK_STREAM, SOL_SOCKET, SO_OOBINLINE, 1 },
        { "priority", SOCK_STREAM, SOL_SOCKET, SO_PRIORITY, 4 },
        { "rcvlowat", SOCK_STREAM, SOL_SOCKET, SO_RCVLOWAT, 7 },
        { "timestamp", SOCK_DGRAM, SOL_SOCKET, SO_TIMESTAMP, 1 },
        { "nodelay", SOCK_STREAM, IPPROTO_TCP, TCP_NODELAY, 1 },
        { "cork", SOCK_STREAM, IPPROTO_TCP, TCP_CORK, 1 },
        { "quickack", SOCK_STREAM, IPPROTO_TCP, TCP_QUICKACK, 1 },
        { "keepidle", SOCK_STREAM, IPPROTO_TCP, TCP_KEEPIDLE, 33 },
        { "keepidle-zero", SOCK_STREAM, IPPROTO_TCP, TCP_KEEPIDLE, 0 },
        { "keepintvl", SOCK_STREAM, IPPROTO_TCP, TCP_KEEPINTVL, 11 },
        { "keepcnt", SOCK_STREAM, IPPROTO_TCP, TCP_KEEPCNT, 5 },
        { "keepcnt-large", SOCK_STREAM, IPPROTO_TCP, TCP_KEEPCNT, 500 },
        { "user-timeout", SOCK_STREAM, IPPROTO_TCP, TCP_USER_TIMEOUT, 4000 },
        { "user-timeout-negative", SOCK_STREAM, IPPROTO_TCP, TCP_USER_TIMEOUT, -4 },
        { "syncnt", SOCK_STREAM, IPPROTO_TCP, TCP_SYNCNT, 3 },
        { "linger2-zero", SOCK_STREAM, IPPROTO_TCP, TCP_LINGER2, 0 },
        { "detach-filter", SOCK_STREAM, SOL_SOCKET, SO_DETACH_FILTER, 0 },
        { "detach-filter-of-datagrams", SOCK_DGRAM, SOL_SOCKET, SO_DETACH_FILTER, 0 },
        { "linger2", SOCK_STREAM, IPPROTO_TCP, TCP_LINGER2, 20 },
        { "maxseg-small", SOCK_STREAM, IPPROTO_TCP, TCP_MAXSEG, 7 },
        { "tos", SOCK_STREAM, IPPROTO_IP, IP_TOS, 16 },
        { "ttl", SOCK_STREAM, IPPROTO_IP, IP_TTL, 33 },
        { "ttl-zero", SOCK_STREAM, IPPROTO_IP, IP_TTL, 0 },
        { "ttl-large", SOCK_STREAM, IPPROTO_IP, IP_TTL, 256 },
        { "pktinfo", SOCK_DGRAM, IPPROTO_IP, IP_PKTINFO, 1 },
        { "recverr", SOCK_DGRAM, IPPROTO_IP, IP_RECVERR, 1 },
        { "bind-address-no-port", SOCK_STREAM, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1 },
        { "type-is-read-only", SOCK_STREAM, SOL_SOCKET, SO_TYPE, 1 },
        { "error-is-read-only", SOCK_STREAM, SOL_SOCKET, SO_ERROR, 1 },
        { "unknown-socket", SOCK_STREAM, SOL_SOCKET, 9999, 1 },
        { "unknown-tcp", SOCK_STREAM, IPPROTO_TCP, 9999, 1 },
        { "unknown-ip", SOCK_STREAM, IPPROTO_IP, 9999, 1 },
        { "unknown-level", SOCK_STREAM, 9999, 1, 1 },
        { "unknown-level-datagram", SOCK_DGRAM, 9999, 1, 1 },
        { "level-of-ip6-datagram", SOCK_DGRAM, IPPROTO_IPV6, 79, 1 },
        { "tcp-on-datagram", SOCK_DGRAM, IPPROTO_TCP, TCP_NODELAY, 1 },
    };
    for (size_t i = 0; i < sizeof NUMBERS / sizeof *NUMBERS; i++)
        one(NUMBERS[i].name, NUMBERS[i].type, NUMBERS[i].level, NUMBERS[i].option, NUMBERS[i].value);
}

static void structures(void)
{
    int fd = make(SOCK_STREAM);
    struct linger linger = { .l_onoff = 1, .l_linger = 5 };
    socklen_t length = sizeof linger;
    line("option.linger.set", setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger));
    memset(&linger, 0, sizeof linger);
    line("option.linger", getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &length));
    text("option.linger.back", "%d %d length %u", linger.l_onoff, linger.l_linger, length);

    struct timeval time = { .tv_sec = 2, .tv_usec = 500000 };
    length = sizeof time;
    line("option.rcvtimeo.set", setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time));
    memset(&time, 0, sizeof time);
    line("option.rcvtimeo", getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, &length));
    text("option.rcvtimeo.back", "%ld %ld", (long)time.tv_sec, (long)time.tv_usec);
    time.tv_usec = 2000000;
    line("option.rcvtimeo.wrong", setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time));

    /* What bounds a window may be taken away only where there is none. */
    struct pair both = connected();
    int clamps[] = { make(SOCK_STREAM), listener(), both.client }, none = 0;
    for (size_t i = 0; i < sizeof clamps / sizeof *clamps; i++) {
        static const char *const NAMES[] = { "option.unclamp.fresh", "option.unclamp.listening", "option.unclamp.connected" };
        line(NAMES[i], setsockopt(clamps[i], IPPROTO_TCP, TCP_WINDOW_CLAMP, &none, sizeof none));
        close(clamps[i]);
    }
    close(both.server);

    char name[16] = "";
    length = sizeof name;
    line("option.congestion", getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &length));
    text("option.congestion.length", "%u", length);
    line("option.congestion.reno", setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "reno", 4));
    line("option.congestion.unknown", setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "nosuchthing", 11));

    int value = 1;
    if (POINTERS_ARE_CHECKED)
        line("option.bad-pointer", setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, (void *)8, sizeof value));
    length = 0;
    line("option.zero-length", getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, &length));
    text("option.zero-length.length", "%u", length);
    length = (socklen_t)-1;
    line("option.negative-length", getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, &length));
    length = 1;
    value = 0;
    line("option.cut", getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, &length));
    text("option.cut.back", "%d length %u", value, length);

    struct ucred who;
    length = sizeof who;
    line("option.peercred", getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &length));
    text("option.peercred.back", "%d %d %d", who.pid, (int)who.uid, (int)who.gid);
    close(fd);
}

static void buffers(void)
{
    static const struct { const char *name; int option; } BUFFERS[] = { { "rcvbuf", SO_RCVBUF }, { "sndbuf", SO_SNDBUF } };
    for (size_t i = 0; i < 2; i++) {
        int fd = make(SOCK_STREAM), value = 50000, back = 0;
        socklen_t length = sizeof back;
        char label[60];
        snprintf(label, sizeof label, "option.%s.set", BUFFERS[i].name);
        line(label, setsockopt(fd, SOL_SOCKET, BUFFERS[i].option, &value, sizeof value));
        snprintf(label, sizeof label, "option.%s.doubled", BUFFERS[i].name);
        must(getsockopt(fd, SOL_SOCKET, BUFFERS[i].option, &back, &length) == 0, "a size is answered");
        line(label, back);
        close(fd);
    }
}

static void inherited(void)
{
    int listening = listener(), value = 1, back = 0;
    must(setsockopt(listening, IPPROTO_TCP, TCP_NODELAY, &value, sizeof value) == 0, "nodelay is taken");
    must(setsockopt(listening, SOL_SOCKET, SO_KEEPALIVE, &value, sizeof value) == 0, "keepalive is taken");
    value = 44;
    must(setsockopt(listening, IPPROTO_TCP, TCP_KEEPIDLE, &value, sizeof value) == 0, "keepidle is taken");
    int client = make_blocking(SOCK_STREAM);
    must(connect_to(client, "127.0.0.1", port_of(listening)) == 0, "a connection is made");
    int server = take(listening);
    socklen_t length = sizeof back;
    must(getsockopt(server, IPPROTO_TCP, TCP_NODELAY, &back, &length) == 0, "nodelay is answered");
    line("inherited.nodelay", back);
    must(getsockopt(server, SOL_SOCKET, SO_KEEPALIVE, &back, &length) == 0, "keepalive is answered");
    line("inherited.keepalive", back);
    must(getsockopt(server, IPPROTO_TCP, TCP_KEEPIDLE, &back, &length) == 0, "keepidle is answered");
    line("inherited.keepidle", back);
    close(server);
    close(client);
    close(listening);
}

void options(void)
{
    numbers();
    structures();
    buffers();
    inherited();
}
