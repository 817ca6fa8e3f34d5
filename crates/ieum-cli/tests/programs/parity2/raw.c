/* Raw sockets, for those who may have them: what they hear, what they send, and what they are asked. */
#include "parity2.h"

#include <linux/icmp.h>
#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/udp.h>

#ifndef SOL_RAW
#define SOL_RAW 255
#endif
#ifndef IPV6_HDRINCL
#define IPV6_HDRINCL 36
#endif

static char name[120];

static const char *joined(const char *first, const char *second)
{
    snprintf(name, sizeof name, "%s-%s", first, second);
    return name;
}

/* A source or destination in words. */
static const char *shown(const struct sockaddr_storage *address)
{
    static char text[INET6_ADDRSTRLEN + 16];
    char ip[INET6_ADDRSTRLEN] = "?";
    int port = -1;
    if (address->ss_family == AF_INET) {
        inet_ntop(AF_INET, &((const struct sockaddr_in *)address)->sin_addr, ip, sizeof ip);
        port = ntohs(((const struct sockaddr_in *)address)->sin_port);
    } else if (address->ss_family == AF_INET6) {
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)address)->sin6_addr, ip, sizeof ip);
        port = ntohs(((const struct sockaddr_in6 *)address)->sin6_port);
    }
    snprintf(text, sizeof text, "%s port %d", ip, port);
    return text;
}

static struct sockaddr_storage to4(const char *ip, int port)
{
    struct sockaddr_storage all = { 0 };
    *(struct sockaddr_in *)&all = address(ip, port);
    return all;
}

static struct sockaddr_storage to6(const char *ip, int port)
{
    struct sockaddr_storage all = { 0 };
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)&all;
    six->sin6_family = AF_INET6;
    six->sin6_port = htons((uint16_t)port);
    must(inet_pton(AF_INET6, ip, &six->sin6_addr) == 1, "an address is read");
    return all;
}

static socklen_t size_of(const struct sockaddr_storage *address)
{
    return address->ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
}

static long send_on(int fd, const void *bytes, size_t length, struct sockaddr_storage to)
{
    return sendto(fd, bytes, length, 0, (struct sockaddr *)&to, size_of(&to));
}

static void names_of(const char *what, int fd)
{
    struct sockaddr_storage own = { 0 }, peer = { 0 };
    socklen_t own_length = sizeof own, peer_length = sizeof peer;
    long own_result = getsockname(fd, (struct sockaddr *)&own, &own_length);
    text2("raw-own", what, "%ld %s", own_result, shown(&own));
    long peer_result = getpeername(fd, (struct sockaddr *)&peer, &peer_length);
    text2("raw-peer", what, "%s", peer_result == 0 ? shown(&peer) : errno_name(errno));
}

/* All that waits, each in words: over IPv4 its header, then what is in it. */
static void heard(const char *what, int fd)
{
    unsigned char bytes[70000];
    char into[160];
    settle(fd, POLLIN);
    for (int i = 0; i < 8; i++) {
        struct sockaddr_storage from = { 0 };
        socklen_t length = sizeof from;
        ssize_t got = recvfrom(fd, bytes, sizeof bytes, MSG_DONTWAIT, (struct sockaddr *)&from, &length);
        snprintf(into, sizeof into, "%s-%d", what, i);
        if (got < 0) {
            text2("raw-heard", into, "%s", errno_name(errno));
            return;
        }
        const unsigned char *payload = bytes;
        char header[200] = "";
        if (from.ss_family == AF_INET && got >= 20) {
            struct iphdr *ip = (struct iphdr *)bytes;
            char source[INET_ADDRSTRLEN], destination[INET_ADDRSTRLEN];
            inet_ntop(AF_INET, &ip->saddr, source, sizeof source);
            inet_ntop(AF_INET, &ip->daddr, destination, sizeof destination);
            payload += ip->ihl * 4;
            snprintf(header, sizeof header, "v%d ihl %d tos %d total %d frag %x ttl %d protocol %d %s to %s, ", ip->version, ip->ihl,
                ip->tos, ntohs(ip->tot_len), ntohs(ip->frag_off), ip->ttl, ip->protocol, source, destination);
        }
        text2("raw-heard", into, "%zd from %s, %u bytes, %sthen %d %d", got, shown(&from), length, header, payload[0], payload[1]);
    }
}

/* Nothing waits: what was sent before was heard by others already. */
static void silent(const char *what, int fd)
{
    char into[160], bytes[64];
    snprintf(into, sizeof into, "%s-0", what);
    text2("raw-heard", into, "%s", recv(fd, bytes, sizeof bytes, MSG_DONTWAIT) < 0 ? errno_name(errno) : "something");
}

static void made(void)
{
    static const int PROTOCOLS[] = { -1, 0, 1, 6, 17, 58, 253, 255, 263, 300 };
    for (int family = 0; family < 2; family++)
        for (size_t i = 0; i < sizeof PROTOCOLS / sizeof *PROTOCOLS; i++) {
            char which[40];
            snprintf(which, sizeof which, "%d-protocol-%d", family ? 6 : 4, PROTOCOLS[i]);
            int fd = socket(family ? AF_INET6 : AF_INET, SOCK_RAW | SOCK_NONBLOCK, PROTOCOLS[i]);
            text2("raw-made", which, "%s", fd >= 0 ? "made" : errno_name(errno));
            if (fd < 0)
                continue;
            static const struct { const char *name; int level, number; } READ[] = {
                { "type", SOL_SOCKET, SO_TYPE }, { "protocol", SOL_SOCKET, SO_PROTOCOL }, { "domain", SOL_SOCKET, SO_DOMAIN },
                { "included", IPPROTO_IP, IP_HDRINCL }, { "included6", IPPROTO_IPV6, IPV6_HDRINCL },
                { "checksum", IPPROTO_IPV6, IPV6_CHECKSUM }, { "checksum-raw", SOL_RAW, IPV6_CHECKSUM },
                { "filter", SOL_RAW, ICMP_FILTER }, { "filter6", IPPROTO_ICMPV6, ICMP6_FILTER }, { "ttl", IPPROTO_IP, IP_TTL },
                { "hops", IPPROTO_IPV6, IPV6_UNICAST_HOPS }, { "tcp", IPPROTO_TCP, 1 }, { "udp", IPPROTO_UDP, 103 },
                { "v6only", IPPROTO_IPV6, IPV6_V6ONLY }, { "sndbuf", SOL_SOCKET, SO_SNDBUF }, { "error", SOL_SOCKET, SO_ERROR },
                { "nodefrag", IPPROTO_IP, 22 },
            };
            for (size_t j = 0; j < sizeof READ / sizeof *READ; j++) {
                int value[8] = { -7 };
                socklen_t length = sizeof value;
                long result = getsockopt(fd, READ[j].level, READ[j].number, value, &length);
                text2(joined("raw-option", which), READ[j].name, "%s, %d in %u bytes", result == 0 ? "0" : errno_name(errno), value[0], length);
            }
            names_of(which, fd);
            text2("raw-poll", which, "%s", settle(fd, POLLOUT));
            line2("raw-listen", which, listen(fd, 1));
            line2("raw-accept", which, accept(fd, NULL, NULL));
            char into[4];
            line2("raw-empty", which, recv(fd, into, sizeof into, 0));
            struct iovec part = { "abcdefgh", 8 };
            struct msghdr nowhere = { .msg_iov = &part, .msg_iovlen = 1 };
            line2("raw-no-destination", which, sendmsg(fd, &nowhere, MSG_NOSIGNAL));
            line2("raw-urgent", which, sendto(fd, "abcdefgh", 8, MSG_OOB, (struct sockaddr *)&(struct sockaddr_in){ .sin_family = AF_INET }, 16));
            close(fd);
        }
}

static void set(const char *what, int family, int protocol, int level, int number, const void *value, socklen_t length)
{
    int fd = socket(family, SOCK_RAW | SOCK_NONBLOCK, protocol), read[8] = { -7 };
    socklen_t room = sizeof read;
    line2("raw-set", what, setsockopt(fd, level, number, value, length));
    long result = getsockopt(fd, level, number, read, &room);
    text2("raw-get", what, "%s, %x in %u bytes", result == 0 ? "0" : errno_name(errno), (unsigned)read[0], room);
    close(fd);
}

static void options_set(void)
{
    static const int ONE = 1, TWO = 2, THREE = 3, MINUS = -5;
    static const unsigned long long LONG[4] = { 0x1122334455667788, 1, 2, 3 };
    set("included", AF_INET, 253, IPPROTO_IP, IP_HDRINCL, &ONE, 4);
    set("included-two", AF_INET, 253, IPPROTO_IP, IP_HDRINCL, &TWO, 4);
    set("included-byte", AF_INET, 253, IPPROTO_IP, IP_HDRINCL, &ONE, 1);
    set("filter", AF_INET, 1, SOL_RAW, ICMP_FILTER, LONG, 4);
    set("filter-short", AF_INET, 1, SOL_RAW, ICMP_FILTER, LONG, 2);
    set("filter-long", AF_INET, 1, SOL_RAW, ICMP_FILTER, LONG, 8);
    set("filter-other", AF_INET, 17, SOL_RAW, ICMP_FILTER, LONG, 4);
    set("filter-unknown", AF_INET, 1, SOL_RAW, 99, LONG, 4);
    set("filter6-on-4", AF_INET, 1, IPPROTO_ICMPV6, ICMP6_FILTER, LONG, 32);
    set("filter6", AF_INET6, 58, IPPROTO_ICMPV6, ICMP6_FILTER, LONG, 32);
    set("filter6-short", AF_INET6, 58, IPPROTO_ICMPV6, ICMP6_FILTER, LONG, 8);
    set("filter6-other", AF_INET6, 17, IPPROTO_ICMPV6, ICMP6_FILTER, LONG, 32);
    set("filter6-unknown", AF_INET6, 58, IPPROTO_ICMPV6, 99, LONG, 32);
    set("included6", AF_INET6, 253, IPPROTO_IPV6, IPV6_HDRINCL, &ONE, 4);
    set("included6-short", AF_INET6, 253, IPPROTO_IPV6, IPV6_HDRINCL, &ONE, 2);
    set("included-on-6", AF_INET6, 253, IPPROTO_IP, IP_HDRINCL, &ONE, 4);
    set("ttl-on-6", AF_INET6, 253, IPPROTO_IP, IP_TTL, &ONE, 4);
    set("checksum-two", AF_INET6, 253, IPPROTO_IPV6, IPV6_CHECKSUM, &TWO, 4);
    set("checksum-odd", AF_INET6, 253, IPPROTO_IPV6, IPV6_CHECKSUM, &THREE, 4);
    set("checksum-minus", AF_INET6, 253, IPPROTO_IPV6, IPV6_CHECKSUM, &MINUS, 4);
    set("checksum-short", AF_INET6, 253, IPPROTO_IPV6, IPV6_CHECKSUM, &TWO, 2);
    set("checksum-icmp", AF_INET6, 58, IPPROTO_IPV6, IPV6_CHECKSUM, &TWO, 4);
    set("checksum-icmp-raw", AF_INET6, 58, SOL_RAW, IPV6_CHECKSUM, &TWO, 4);
    set("raw-unknown", AF_INET6, 58, SOL_RAW, 99, &TWO, 4);
    set("udp-segment", AF_INET, 17, IPPROTO_UDP, 103, &TWO, 4);
}

static uint16_t sum(const void *bytes, size_t length)
{
    uint32_t all = 0;
    for (size_t i = 0; i + 1 < length; i += 2)
        all += (uint32_t)((const unsigned char *)bytes)[i] << 8 | ((const unsigned char *)bytes)[i + 1];
    while (all >> 16)
        all = (all & 0xffff) + (all >> 16);
    return htons((uint16_t)~all);
}

static void echo4(void)
{
    unsigned char request[16] = { 8, 0, 0, 0, 0x12, 0x34, 0, 1, 'a', 'b', 'c', 'd' };
    uint16_t checksum = sum(request, sizeof request);
    memcpy(request + 2, &checksum, 2);
    int one = socket(AF_INET, SOCK_RAW | SOCK_NONBLOCK, IPPROTO_ICMP), other = socket(AF_INET, SOCK_RAW | SOCK_NONBLOCK, IPPROTO_ICMP);
    int unasked = socket(AF_INET, SOCK_RAW | SOCK_NONBLOCK, IPPROTO_TCP), six = socket(AF_INET6, SOCK_RAW | SOCK_NONBLOCK, IPPROTO_ICMP);
    line2("raw-echo", "send", send_on(one, request, sizeof request, to4("127.0.0.1", 7)));
    heard("echo", one);
    heard("echo-other", other);
    silent("echo-unasked", unasked);
    silent("echo-six", six);
    line2("raw-echo", "send-own", send_on(one, request, sizeof request, to4("10.77.0.2", 0)));
    heard("echo-own", one);
    heard("echo-own-other", other);
    /* Filters. */
    uint32_t blocked = 1 << 8;
    must(setsockopt(one, SOL_RAW, ICMP_FILTER, &blocked, sizeof blocked) == 0, "a filter is set");
    struct sockaddr_storage own = to4("10.77.0.2", 99);
    line2("raw-echo", "bind", bind(other, (struct sockaddr *)&own, size_of(&own)));
    names_of("bound", other);
    line2("raw-echo", "send-filtered", send_on(one, request, sizeof request, to4("127.0.0.1", 0)));
    heard("echo-filtered", one);
    silent("echo-bound", other);
    line2("raw-echo", "send-bound", send_on(one, request, sizeof request, own));
    heard("echo-filtered-own", one);
    heard("echo-bound-own", other);
    own = to4("127.0.0.1", 0);
    line2("raw-echo", "bind-again", bind(other, (struct sockaddr *)&own, size_of(&own)));
    names_of("bound-again", other);
    own = to4("9.9.9.9", 0);
    line2("raw-echo", "bind-foreign", bind(other, (struct sockaddr *)&own, size_of(&own)));
    own = to4("224.0.0.5", 0);
    line2("raw-echo", "bind-group", bind(other, (struct sockaddr *)&own, size_of(&own)));
    own = to4("0.0.0.0", 0);
    line2("raw-echo", "bind-any", bind(other, (struct sockaddr *)&own, size_of(&own)));
    line2("raw-echo", "bind-short", bind(other, (struct sockaddr *)&own, 8));
    /* A peer. */
    own = to4("127.0.0.1", 5);
    line2("raw-echo", "connect", connect(other, (struct sockaddr *)&own, size_of(&own)));
    names_of("connected", other);
    line2("raw-echo", "bind-connected", bind(other, (struct sockaddr *)&own, size_of(&own)));
    line2("raw-echo", "send-connected", send(other, request, sizeof request, 0));
    heard("echo-connected", other);
    line2("raw-echo", "send-not-to-peer", send_on(one, request, sizeof request, to4("10.77.0.2", 0)));
    silent("echo-not-from-peer", other);
    own = to4("10.77.0.2", 0);
    line2("raw-echo", "connect-again", connect(other, (struct sockaddr *)&own, size_of(&own)));
    names_of("connected-again", other);
    struct sockaddr nobody = { .sa_family = AF_UNSPEC };
    line2("raw-echo", "disconnect", connect(other, &nobody, sizeof nobody));
    names_of("disconnected", other);
    line2("raw-echo", "send-after", send_on(one, request, sizeof request, to4("127.0.0.1", 0)));
    silent("echo-disconnected", other);
    line2("raw-echo", "send-from-disconnected", send_on(other, request, sizeof request, to4("127.0.0.1", 0)));
    silent("echo-from-disconnected", other);
    line2("raw-echo", "short", send_on(one, request, 1, to4("127.0.0.1", 0)));
    line2("raw-echo", "nothing", send_on(one, request, 0, to4("127.0.0.1", 0)));
    line2("raw-echo", "shutdown", shutdown(one, SHUT_RDWR));
    close(one);
    close(other);
    close(unasked);
    close(six);
}

static void others4(void)
{
    static char large[65600];
    unsigned char bytes[12] = "abcdefghijkl";
    int one = socket(AF_INET, SOCK_RAW | SOCK_NONBLOCK, 253), raw = socket(AF_INET, SOCK_RAW | SOCK_NONBLOCK, IPPROTO_RAW), value;
    int icmp = socket(AF_INET, SOCK_RAW | SOCK_NONBLOCK, IPPROTO_ICMP);
    line2("raw-253", "send", send_on(one, bytes, sizeof bytes, to4("127.0.0.1", 0)));
    heard("253", one);
    silent("253-icmp", icmp);
    line2("raw-253", "send-nothing", send_on(one, bytes, 0, to4("127.0.0.1", 0)));
    heard("253-nothing", one);
    line2("raw-253", "send-any", send_on(one, bytes, 5, to4("0.0.0.0", 0)));
    heard("253-any", one);
    value = 9;
    must(setsockopt(one, IPPROTO_IP, IP_TTL, &value, sizeof value) == 0, "an option is taken");
    value = 0x28;
    must(setsockopt(one, IPPROTO_IP, IP_TOS, &value, sizeof value) == 0, "an option is taken");
    line2("raw-253", "send-options", send_on(one, bytes, 5, to4("10.77.0.2", 0)));
    heard("253-options", one);
    line2("raw-253", "most", send_on(one, large, 65515, to4("127.0.0.1", 0)));
    heard("253-most", one);
    line2("raw-253", "more", send_on(one, large, 65516, to4("127.0.0.1", 0)));
    line2("raw-253", "far-more", send_on(one, large, 65536, to4("127.0.0.1", 0)));
    line2("raw-253", "broadcast", send_on(one, bytes, 5, to4("10.77.0.255", 0)));
    line2("raw-253", "nowhere", send_on(one, bytes, 5, to4("203.0.113.1", 0)));
    line2("raw-253", "family", send_on(one, bytes, 5, to6("::1", 0)));
    struct sockaddr_in unspec = { .sin_family = AF_UNSPEC, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    line2("raw-253", "unspec", sendto(one, bytes, 5, 0, (struct sockaddr *)&unspec, sizeof unspec));
    heard("253-unspec", one);
    line2("raw-253", "short-address", sendto(one, bytes, 5, 0, (struct sockaddr *)&unspec, 8));
    /* Nobody hears this one, and its sender is told. */
    int other = socket(AF_INET, SOCK_RAW | SOCK_NONBLOCK, 254);
    must(setsockopt(other, IPPROTO_IP, IP_TOS, &value, sizeof value) == 0, "an option is taken");
    struct sockaddr_storage peer = to4("127.0.0.1", 0);
    must(bind(other, (struct sockaddr *)&(struct sockaddr_storage){ 0 }, sizeof peer) == 0, "it can be bound");
    peer = to4("10.77.0.2", 0);
    must(bind(other, (struct sockaddr *)&peer, size_of(&peer)) == 0, "it can be bound");
    line2("raw-254", "send", send_on(other, bytes, 12, to4("127.0.0.1", 0)));
    silent("254", other);
    heard("254-icmp", icmp);
    close(other);
    /* With a header. */
    struct { struct iphdr ip; unsigned char bytes[8]; } packet = { .ip = { .version = 4, .ihl = 5, .ttl = 33, .protocol = 253,
        .tos = 4, .tot_len = htons(9999), .check = 7, .daddr = htonl(INADDR_LOOPBACK) }, .bytes = "payload" };
    line2("raw-header", "send", send_on(raw, &packet, sizeof packet, to4("127.0.0.1", 0)));
    heard("header", one);
    packet.ip.saddr = htonl(0x0a4d0002);
    packet.ip.frag_off = htons(0x4000);
    packet.ip.id = htons(77);
    line2("raw-header", "send-from-own", send_on(raw, &packet, sizeof packet, to4("127.0.0.1", 0)));
    heard("header-from-own", one);
    packet.ip.saddr = htonl(0x0a4d0009);
    line2("raw-header", "send-from-foreign", send_on(raw, &packet, sizeof packet, to4("127.0.0.1", 0)));
    heard("header-from-foreign", one);
    packet.ip.saddr = 0;
    packet.ip.ihl = 8;
    line2("raw-header", "ihl-long", send_on(raw, &packet, sizeof packet, to4("127.0.0.1", 0)));
    packet.ip.ihl = 5;
    line2("raw-header", "short", send_on(raw, &packet, 19, to4("127.0.0.1", 0)));
    line2("raw-header", "alone", send_on(raw, &packet, 20, to4("127.0.0.1", 0)));
    heard("header-alone", one);
    line2("raw-header", "far-too-large", send_on(raw, large, 65537, to4("127.0.0.1", 0)));
    value = 1;
    must(setsockopt(one, IPPROTO_IP, IP_HDRINCL, &value, sizeof value) == 0, "an option is taken");
    line2("raw-header", "by-option", send_on(one, &packet, sizeof packet, to4("127.0.0.1", 0)));
    heard("header-by-option", one);
    silent("header-raw", raw);
    /* UDP's datagrams are heard beside UDP. */
    int udp = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0), listens = socket(AF_INET, SOCK_RAW | SOCK_NONBLOCK, IPPROTO_UDP);
    struct sockaddr_storage where = to4("127.0.0.1", 0);
    must(bind(udp, (struct sockaddr *)&where, size_of(&where)) == 0, "a free port is bound");
    socklen_t known = sizeof where;
    must(getsockname(udp, (struct sockaddr *)&where, &known) == 0, "it has a name");
    line2("raw-udp", "send", send_on(udp, bytes, 12, where));
    char into[100];
    settle(udp, POLLIN);
    line2("raw-udp", "udp-gets", recv(udp, into, sizeof into, 0));
    struct sockaddr_storage from = { 0 };
    unsigned char all[100] = { 0 };
    settle(listens, POLLIN);
    known = sizeof from;
    ssize_t got = recvfrom(listens, all, sizeof all, 0, (struct sockaddr *)&from, &known);
    text2("raw-udp", "raw-gets", "%zd from %s, length %d, '%.12s'", got, shown(&from), all[20 + 5], all + 28);
    /* Peeking, and cutting. */
    line2("raw-udp", "send-again", send_on(udp, bytes, 12, where));
    settle(listens, POLLIN);
    line2("raw-udp", "peek", recv(listens, all, 10, MSG_PEEK));
    line2("raw-udp", "peek-length", recv(listens, all, 10, MSG_PEEK | MSG_TRUNC));
    line2("raw-udp", "cut", recv(listens, all, 10, 0));
    line2("raw-udp", "gone", recv(listens, all, 10, 0));
    /* What it is told of a port where nobody is. */
    struct sockaddr_storage nobody = to4("127.0.0.1", 9);
    line2("raw-udp", "connect", connect(listens, (struct sockaddr *)&nobody, size_of(&nobody)));
    unsigned char datagram[8] = { 0x30, 0x39, 0, 9, 0, 8, 0, 0 };
    line2("raw-udp", "send-to-nobody", send(listens, datagram, 8, 0));
    text2("raw-udp", "poll-after", "%s", settle(listens, POLLERR));
    int error = -1;
    known = sizeof error;
    getsockopt(listens, SOL_SOCKET, SO_ERROR, &error, &known);
    text2("raw-udp", "error", "%s", error ? errno_name(error) : "0");
    close(udp);
    close(listens);
    close(one);
    close(raw);
    close(icmp);
}

static void over6(void)
{
    unsigned char request[16] = { 128, 0, 0, 0, 0x12, 0x34, 0, 1, 'a', 'b', 'c', 'd' };
    int one = socket(AF_INET6, SOCK_RAW | SOCK_NONBLOCK, IPPROTO_ICMPV6), other = socket(AF_INET6, SOCK_RAW | SOCK_NONBLOCK, IPPROTO_ICMPV6);
    line2("raw6-echo", "send", send_on(one, request, sizeof request, to6("::1", 0)));
    heard("echo6", one);
    heard("echo6-other", other);
    line2("raw6-echo", "send-own", send_on(one, request, sizeof request, to6("fd77::2", 58)));
    heard("echo6-own", one);
    line2("raw6-echo", "port-other", send_on(one, request, sizeof request, to6("::1", 17)));
    line2("raw6-echo", "port-large", send_on(one, request, sizeof request, to6("::1", 300)));
    struct icmp6_filter filter;
    ICMP6_FILTER_SETBLOCKALL(&filter);
    ICMP6_FILTER_SETPASS(129, &filter);
    must(setsockopt(other, IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof filter) == 0, "a filter is set");
    heard("echo6-own-other", other);
    line2("raw6-echo", "send-filtered", send_on(one, request, sizeof request, to6("::1", 0)));
    heard("echo6-filtered", other);
    line2("raw6-echo", "short", send_on(one, request, 1, to6("::1", 0)));
    line2("raw6-echo", "shortest", send_on(one, request, 3, to6("::1", 0)));
    line2("raw6-echo", "mapped", send_on(one, request, 16, to6("::ffff:127.0.0.1", 0)));
    line2("raw6-echo", "foreign-form", send_on(one, request, 16, to4("127.0.0.1", 0)));
    line2("raw6-echo", "any", send_on(one, request, 16, to6("::", 0)));
    line2("raw6-echo", "nowhere", send_on(one, request, 16, to6("2001:db8::1", 0)));
    struct sockaddr_storage own = to6("fd77::2", 3);
    line2("raw6-echo", "bind", bind(other, (struct sockaddr *)&own, size_of(&own)));
    names_of("bound6", other);
    own = to6("::ffff:127.0.0.1", 0);
    line2("raw6-echo", "bind-mapped", bind(other, (struct sockaddr *)&own, size_of(&own)));
    own = to6("2001:db8::1", 0);
    line2("raw6-echo", "bind-foreign", bind(other, (struct sockaddr *)&own, size_of(&own)));
    own = to4("127.0.0.1", 0);
    line2("raw6-echo", "bind-4", bind(other, (struct sockaddr *)&own, sizeof own));
    own = to6("ff15::5", 0);
    line2("raw6-echo", "bind-group", bind(other, (struct sockaddr *)&own, size_of(&own)));
    own = to6("::", 0);
    line2("raw6-echo", "bind-any", bind(other, (struct sockaddr *)&own, size_of(&own)));
    own = to6("::1", 7);
    line2("raw6-echo", "connect", connect(other, (struct sockaddr *)&own, size_of(&own)));
    names_of("connected6", other);
    own = to4("127.0.0.1", 0);
    line2("raw6-echo", "connect-4", connect(other, (struct sockaddr *)&own, size_of(&own)));
    close(one);
    close(other);
    /* Another protocol, without a checksum and with one. */
    static char large[65600];
    unsigned char bytes[12] = { 9, 8, 0, 0, 5, 6, 7, 8 };
    one = socket(AF_INET6, SOCK_RAW | SOCK_NONBLOCK, 253);
    int icmp = socket(AF_INET6, SOCK_RAW | SOCK_NONBLOCK, IPPROTO_ICMPV6), at = 2;
    line2("raw6-253", "send", send_on(one, bytes, sizeof bytes, to6("::1", 0)));
    heard("6-253", one);
    must(setsockopt(one, IPPROTO_IPV6, IPV6_CHECKSUM, &at, sizeof at) == 0, "an option is taken");
    line2("raw6-253", "send-summed", send_on(one, bytes, sizeof bytes, to6("::1", 0)));
    unsigned char into[64] = { 0 };
    settle(one, POLLIN);
    ssize_t got = recv(one, into, sizeof into, 0);
    text2("raw6-253", "summed", "%zd, checksum %02x%02x", got, into[2], into[3]);
    line2("raw6-253", "send-too-short", send_on(one, bytes, 3, to6("::1", 0)));
    at = -1;
    int sender = socket(AF_INET6, SOCK_RAW | SOCK_NONBLOCK, 253);
    line2("raw6-253", "send-unsummed", send_on(sender, bytes, sizeof bytes, to6("::1", 0)));
    heard("6-253-sender", sender);
    silent("6-253-unsummed", one);
    line2("raw6-253", "most", send_on(sender, large, 65535, to6("::1", 0)));
    line2("raw6-253", "more", send_on(sender, large, 65536, to6("::1", 0)));
    close(sender);
    close(one);
    silent("6-253-icmp", icmp);
    one = socket(AF_INET6, SOCK_RAW | SOCK_NONBLOCK, IPPROTO_RAW);
    unsigned char packet[48] = { 0x60, 0, 0, 0, 0, 8, 253, 33, [23] = 1, [39] = 1, [40] = 'x' };
    int listens = socket(AF_INET6, SOCK_RAW | SOCK_NONBLOCK, 253);
    line2("raw6-header", "send", send_on(one, packet, sizeof packet, to6("::1", 0)));
    heard("6-header", listens);
    line2("raw6-header", "port", send_on(one, packet, sizeof packet, to6("::1", 253)));
    heard("6-header-port", listens);
    line2("raw6-header", "short", send_on(one, packet, 39, to6("::1", 0)));
    close(listens);
    close(one);
    close(icmp);
}

void raw(void)
{
    made();
    options_set();
    echo4();
    others4();
    over6();
}
