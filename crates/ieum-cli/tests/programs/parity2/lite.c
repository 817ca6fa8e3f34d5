/* UDP-Lite (udplite(7)): its ports, its two options, and who hears what. */
#include "parity2.h"

#define LEVEL 136
#define SENT_COVERAGE 10
#define RECEIVED_COVERAGE 11

static char name[64];
#define NAME(what, number) (snprintf(name, sizeof name, "%s-%d", what, number), name)

static void coverage_options(void)
{
    static const int VALUES[] = { 0, 1, 8, 20, 70000, -1 };
    for (int which = SENT_COVERAGE; which <= RECEIVED_COVERAGE; which++) {
        int lite = socket(AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE), udp = socket(AF_INET, SOCK_DGRAM, 0), value = -1;
        socklen_t length = sizeof value;
        must(lite >= 0 && udp >= 0, "sockets are made");
        line2("lite-fresh", NAME("get", which), getsockopt(lite, LEVEL, which, &value, &length) ? -1 : value);
        for (size_t i = 0; i < sizeof VALUES / sizeof *VALUES; i++) {
            line2(NAME("lite-set", which), (char[]){ 'a' + (char)i, 0 }, setsockopt(lite, LEVEL, which, &VALUES[i], sizeof value));
            line2(NAME("lite-then", which), (char[]){ 'a' + (char)i, 0 }, getsockopt(lite, LEVEL, which, &value, &length) ? -1 : value);
        }
        line2("lite-short", NAME("set", which), setsockopt(lite, LEVEL, which, &value, 2));
        line2("lite-of-udp", NAME("set", which), setsockopt(udp, IPPROTO_UDP, which, &value, sizeof value));
        line2("lite-of-udp", NAME("get", which), getsockopt(udp, IPPROTO_UDP, which, &value, &length) ? -1 : value);
        close(lite);
        close(udp);
    }
    int fd = socket(AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE), protocol = 0;
    socklen_t length = sizeof protocol;
    must(getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &length) == 0, "an option is read");
    line2("lite", "protocol", protocol);
    close(fd);
    line2("lite", "stream", socket(AF_INET, SOCK_STREAM, IPPROTO_UDPLITE));
}

/* Who hears a datagram of 20 bytes, covered so far, and wants so much covered; -1: nothing said. */
static void coverage(int family, int sent, int wanted)
{
    int four = family == AF_INET, key = sent * 100 + wanted;
    struct sockaddr_in here4 = address("127.0.0.1", 4000);
    struct sockaddr_in6 here6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT, .sin6_port = htons(4000) };
    struct sockaddr *here = four ? (struct sockaddr *)&here4 : (struct sockaddr *)&here6;
    socklen_t length = four ? sizeof here4 : sizeof here6;
    int from = socket(family, SOCK_DGRAM, IPPROTO_UDPLITE), to = socket(family, SOCK_DGRAM | SOCK_NONBLOCK, IPPROTO_UDPLITE);
    int udp = socket(family, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    char into[64];
    must(bind(to, here, length) == 0, "a port is bound");
    line2("lite-same-port", NAME(four ? "4" : "6", key), bind(udp, here, length));
    if (sent >= 0)
        must(setsockopt(from, LEVEL, SENT_COVERAGE, &sent, sizeof sent) == 0, "an option is set");
    if (wanted >= 0)
        must(setsockopt(to, LEVEL, RECEIVED_COVERAGE, &wanted, sizeof wanted) == 0, "an option is set");
    line2("lite-send", NAME(four ? "4" : "6", key), sendto(from, "01234567890123456789", 20, 0, here, length));
    must(sendto(udp, "other", 5, 0, here, length) == 5, "a datagram of UDP is sent");
    settle(udp, POLLIN);
    line2("lite-receive", NAME(four ? "4" : "6", key), recv(to, into, sizeof into, 0));
    close(from);
    close(to);
    close(udp);
}

void lite(void)
{
    coverage_options();
    for (int six = 0; six < 2; six++) {
        int family = six ? AF_INET6 : AF_INET;
        coverage(family, -1, -1);
        coverage(family, 8, -1);
        coverage(family, 8, 0);
        coverage(family, 8, 8);
        coverage(family, 8, 9);
        coverage(family, 20, 12);
        coverage(family, -1, 8);
        coverage(family, 0, 0);
    }
}
