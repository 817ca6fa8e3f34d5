/* Multicast groups: joining and leaving, whom one hears there, and the interface by which one speaks. */
#include "parity2.h"

#include <netinet/in.h>

static struct in_addr ip(const char *text)
{
    struct in_addr address;
    must(inet_pton(AF_INET, text, &address) == 1, "an address is read");
    return address;
}

static void option(const char *name, int fd, int level, int kind, const void *value, socklen_t length)
{
    line2("group", name, setsockopt(fd, level, kind, value, length));
}

static void member(const char *name, int fd, int kind, const char *group, const char *interface, int index)
{
    struct ip_mreqn wish = { ip(group), ip(interface), index };
    option(name, fd, IPPROTO_IP, kind, &wish, sizeof wish);
}

static void source(const char *name, int fd, int kind, const char *group, const char *interface, const char *sender)
{
    struct ip_mreq_source wish = { ip(group), ip(interface), ip(sender) };
    option(name, fd, IPPROTO_IP, kind, &wish, sizeof wish);
}

static void joining(void)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    member("join-none", fd, IP_ADD_MEMBERSHIP, "10.1.2.3", "127.0.0.1", 0);
    member("join-foreign", fd, IP_ADD_MEMBERSHIP, "239.1.2.3", "9.9.9.9", 0);
    member("join-index-99", fd, IP_ADD_MEMBERSHIP, "239.1.2.3", "127.0.0.1", 99);
    member("join", fd, IP_ADD_MEMBERSHIP, "239.1.2.3", "127.0.0.1", 0);
    member("join-twice", fd, IP_ADD_MEMBERSHIP, "239.1.2.3", "127.0.0.1", 0);
    member("join-by-index", fd, IP_ADD_MEMBERSHIP, "239.1.2.3", "0.0.0.0", 1);
    member("join-another", fd, IP_ADD_MEMBERSHIP, "239.1.2.4", "0.0.0.0", 1);
    struct ip_mreq two = { ip("239.1.2.5"), ip("127.0.0.1") };
    option("join-two-words", fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &two, sizeof two);
    option("join-short", fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &two, 7);
    member("leave-unknown", fd, IP_DROP_MEMBERSHIP, "239.9.9.9", "127.0.0.1", 0);
    member("leave-none", fd, IP_DROP_MEMBERSHIP, "10.1.2.3", "127.0.0.1", 0);
    member("leave-foreign", fd, IP_DROP_MEMBERSHIP, "239.1.2.3", "9.9.9.9", 0);
    member("leave-index-99", fd, IP_DROP_MEMBERSHIP, "239.1.2.3", "127.0.0.1", 99);
    member("leave-other-link", fd, IP_DROP_MEMBERSHIP, "239.1.2.3", "10.77.0.2", 0);
    member("leave", fd, IP_DROP_MEMBERSHIP, "239.1.2.3", "127.0.0.1", 0);
    member("leave-twice", fd, IP_DROP_MEMBERSHIP, "239.1.2.3", "127.0.0.1", 0);
    option("leave-short", fd, IPPROTO_IP, IP_DROP_MEMBERSHIP, &two, 7);
    int joined = 0;
    for (int i = 0; i < 30; i++) {
        struct ip_mreqn wish = { ip("239.2.0.0"), ip("127.0.0.1"), 0 };
        wish.imr_multiaddr.s_addr |= htonl((unsigned)i);
        joined += setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &wish, sizeof wish) == 0;
    }
    line2("group", "joined-in-all", joined);
    member("join-too-many", fd, IP_ADD_MEMBERSHIP, "239.3.2.1", "127.0.0.1", 0);
    close(fd);
    int stream = socket(AF_INET, SOCK_STREAM, 0);
    member("join-stream", stream, IP_ADD_MEMBERSHIP, "239.1.2.3", "127.0.0.1", 0);
    close(stream);
}

static void speaking(void)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    struct in_addr address = ip("127.0.0.1"), read = { 0 };
    struct ip_mreqn three = { ip("0.0.0.0"), ip("9.9.9.9"), 1 };
    socklen_t length = sizeof read;
    option("speak-by", fd, IPPROTO_IP, IP_MULTICAST_IF, &address, sizeof address);
    getsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &read, &length);
    text2("group", "speaks-by", "%s, %u bytes", inet_ntoa(read), length);
    option("speak-by-index", fd, IPPROTO_IP, IP_MULTICAST_IF, &three, sizeof three);
    getsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &read, &length);
    text2("group", "speaks-by-index", "%s", inet_ntoa(read));
    three.imr_ifindex = 99;
    option("speak-by-index-99", fd, IPPROTO_IP, IP_MULTICAST_IF, &three, sizeof three);
    option("speak-by-short", fd, IPPROTO_IP, IP_MULTICAST_IF, &address, 3);
    address = ip("9.9.9.9");
    option("speak-by-foreign", fd, IPPROTO_IP, IP_MULTICAST_IF, &address, sizeof address);
    address = ip("0.0.0.0");
    option("speak-by-any", fd, IPPROTO_IP, IP_MULTICAST_IF, &address, sizeof address);
    getsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &read, &length);
    text2("group", "speaks-by-any", "%s", inet_ntoa(read));
    close(fd);
}

static int bound(const char *to, int port)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0), one = 1;
    must(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0, "an option is taken");
    struct sockaddr_in where = address(to, port);
    must(bind(fd, (struct sockaddr *)&where, sizeof where) == 0, "a port is shared");
    return fd;
}

/* Nobody was in it before. */
static const char *SPOKEN_TO = "239.5.5.5";

/* Sends one datagram to the group, and says who of those that are bound to its port hear it. */
static void heard(const char *name, int sender, int port, const int *fds, int count)
{
    struct sockaddr_in to = address(SPOKEN_TO, port);
    char who[16] = "";
    must(sendto(sender, name, strlen(name), 0, (struct sockaddr *)&to, sizeof to) > 0, "a datagram is sent");
    /* What comes to nobody is followed by what comes to somebody: then everything has come. */
    struct sockaddr_in last = address("127.0.0.1", port);
    int end = bound("127.0.0.1", port);
    must(sendto(end, "end", 3, 0, (struct sockaddr *)&last, sizeof last) == 3, "a datagram is sent");
    settle(end, POLLIN);
    for (int i = 0; i < count; i++) {
        char into[64];
        struct sockaddr_in from = { 0 };
        socklen_t length = sizeof from;
        settle(fds[i], 0);
        ssize_t got = recvfrom(fds[i], into, sizeof into, 0, (struct sockaddr *)&from, &length);
        who[i] = got < 0 ? '-' : got == (ssize_t)strlen(name) ? (from.sin_addr.s_addr == ip("127.0.0.1").s_addr ? 'l' : 'x') : '?';
    }
    text2("group-heard", name, "%s", who);
    close(end);
}

static void hearing(const char *interface, const char *names[])
{
    int none = 0, zero = 0;
    int fds[] = { bound("0.0.0.0", 0), 0, 0, 0 };
    struct sockaddr_in where;
    socklen_t length = sizeof where;
    getsockname(fds[0], (struct sockaddr *)&where, &length);
    int port = ntohs(where.sin_port);
    fds[1] = bound("0.0.0.0", port);
    fds[2] = bound("0.0.0.0", port);
    fds[3] = bound(SPOKEN_TO, port);
    must(setsockopt(fds[2], IPPROTO_IP, IP_MULTICAST_ALL, &none, sizeof none) == 0, "an option is taken");
    int sender = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    struct in_addr by = ip(interface);
    must(setsockopt(sender, IPPROTO_IP, IP_MULTICAST_IF, &by, sizeof by) == 0, "an option is taken");
    heard(names[0], sender, port, fds, 4);
    member(names[1], fds[0], IP_ADD_MEMBERSHIP, SPOKEN_TO, interface, 0);
    heard(names[1], sender, port, fds, 4);
    member(names[2], fds[2], IP_ADD_MEMBERSHIP, SPOKEN_TO, interface, 0);
    heard(names[2], sender, port, fds, 4);
    source(names[3], fds[2], IP_BLOCK_SOURCE, SPOKEN_TO, interface, interface);
    heard(names[3], sender, port, fds, 4);
    source(names[4], fds[2], IP_UNBLOCK_SOURCE, SPOKEN_TO, interface, interface);
    heard(names[4], sender, port, fds, 4);
    source(names[5], fds[1], IP_ADD_SOURCE_MEMBERSHIP, SPOKEN_TO, interface, "9.9.9.9");
    heard(names[5], sender, port, fds, 4);
    source(names[6], fds[1], IP_ADD_SOURCE_MEMBERSHIP, SPOKEN_TO, interface, interface);
    heard(names[6], sender, port, fds, 4);
    if (strcmp(interface, "127.0.0.1") != 0) {
        must(setsockopt(sender, IPPROTO_IP, IP_MULTICAST_TTL, &zero, sizeof zero) == 0, "an option is taken");
        heard(names[7], sender, port, fds, 4);
        must(setsockopt(sender, IPPROTO_IP, IP_MULTICAST_LOOP, &none, sizeof none) == 0, "an option is taken");
        heard(names[8], sender, port, fds, 4);
    }
    member(names[9], fds[0], IP_DROP_MEMBERSHIP, SPOKEN_TO, interface, 0);
    source(names[10], fds[1], IP_DROP_SOURCE_MEMBERSHIP, SPOKEN_TO, interface, "9.9.9.9");
    member(names[11], fds[1], IP_DROP_MEMBERSHIP, SPOKEN_TO, interface, 0);
    member(names[12], fds[2], IP_DROP_MEMBERSHIP, SPOKEN_TO, interface, 0);
    for (int i = 0; i < 3; i++)
        close(fds[i]);
    heard(names[9], sender, port, &fds[3], 1);
    close(fds[3]);
    close(sender);
}

static void listing(void)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    static const char *GROUP = "239.1.2.3", *HERE = "127.0.0.1";
    source("block-unjoined", fd, IP_BLOCK_SOURCE, GROUP, HERE, "9.9.9.9");
    source("want-none", fd, IP_ADD_SOURCE_MEMBERSHIP, "10.1.2.3", HERE, "9.9.9.9");
    source("want-foreign", fd, IP_ADD_SOURCE_MEMBERSHIP, GROUP, "9.9.9.9", "9.9.9.9");
    source("want", fd, IP_ADD_SOURCE_MEMBERSHIP, GROUP, HERE, "9.9.9.9");
    source("want-twice", fd, IP_ADD_SOURCE_MEMBERSHIP, GROUP, HERE, "9.9.9.9");
    source("block-among-wanted", fd, IP_BLOCK_SOURCE, GROUP, HERE, "9.9.9.8");
    member("join-among-wanted", fd, IP_ADD_MEMBERSHIP, GROUP, HERE, 0);
    source("want-no-more-unknown", fd, IP_DROP_SOURCE_MEMBERSHIP, GROUP, HERE, "9.9.9.7");
    source("want-no-more", fd, IP_DROP_SOURCE_MEMBERSHIP, GROUP, HERE, "9.9.9.9");
    member("leave-after-wanted", fd, IP_DROP_MEMBERSHIP, GROUP, HERE, 0);
    member("join-anew", fd, IP_ADD_MEMBERSHIP, GROUP, HERE, 0);
    source("unblock-unknown", fd, IP_UNBLOCK_SOURCE, GROUP, HERE, "9.9.9.9");
    int blocked = 0;
    for (int i = 1; i < 20; i++) {
        struct ip_mreq_source wish = { ip(GROUP), ip(HERE), ip("9.9.9.0") };
        wish.imr_sourceaddr.s_addr |= htonl((unsigned)i);
        blocked += setsockopt(fd, IPPROTO_IP, IP_BLOCK_SOURCE, &wish, sizeof wish) == 0;
    }
    line2("group", "blocked-in-all", blocked);
    source("block-too-many", fd, IP_BLOCK_SOURCE, GROUP, HERE, "9.9.8.1");
    source("want-among-blocked", fd, IP_ADD_SOURCE_MEMBERSHIP, GROUP, HERE, "9.9.9.99");
    struct ip_mreq_source wish = { ip(GROUP), ip(HERE), ip("9.9.9.9") };
    option("want-short", fd, IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP, &wish, 8);
    close(fd);
}

/* The calls of RFC 3678, which name interfaces by number and groups by socket addresses. */
static void by_number(int family)
{
    int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK, 0), level = family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6;
    struct sockaddr_in group4 = address("239.7.7.7", 0), sender4 = address("127.0.0.9", 0), host4 = address("10.0.0.1", 0);
    struct sockaddr_in6 group6 = { .sin6_family = AF_INET6 }, sender6 = group6, host6 = group6;
    must(inet_pton(AF_INET6, "ff15::7", &group6.sin6_addr) == 1, "an address is read");
    must(inet_pton(AF_INET6, "fd00::9", &sender6.sin6_addr) == 1, "an address is read");
    must(inet_pton(AF_INET6, "fd00::1", &host6.sin6_addr) == 1, "an address is read");
    struct group_req wish = { .gr_interface = 1 };
    struct group_source_req with = { .gsr_interface = 1 };
    memcpy(&wish.gr_group, family == AF_INET ? (void *)&group4 : (void *)&group6, family == AF_INET ? sizeof group4 : sizeof group6);
    with.gsr_group = wish.gr_group;
    memcpy(&with.gsr_source, family == AF_INET ? (void *)&sender4 : (void *)&sender6, family == AF_INET ? sizeof sender4 : sizeof sender6);
    char name[64];
#define NAME(what) (snprintf(name, sizeof name, "%d-%s", family == AF_INET ? 4 : 6, what), name)
    option(NAME("leave-unjoined"), fd, level, MCAST_LEAVE_GROUP, &wish, sizeof wish);
    option(NAME("join"), fd, level, MCAST_JOIN_GROUP, &wish, sizeof wish);
    option(NAME("join-twice"), fd, level, MCAST_JOIN_GROUP, &wish, sizeof wish);
    option(NAME("block"), fd, level, MCAST_BLOCK_SOURCE, &with, sizeof with);
    option(NAME("block-twice"), fd, level, MCAST_BLOCK_SOURCE, &with, sizeof with);
    option(NAME("unblock"), fd, level, MCAST_UNBLOCK_SOURCE, &with, sizeof with);
    option(NAME("leave"), fd, level, MCAST_LEAVE_GROUP, &wish, sizeof wish);
    option(NAME("want"), fd, level, MCAST_JOIN_SOURCE_GROUP, &with, sizeof with);
    option(NAME("want-no-more"), fd, level, MCAST_LEAVE_SOURCE_GROUP, &with, sizeof with);
    option(NAME("short"), fd, level, MCAST_JOIN_GROUP, &wish, sizeof wish - 1);
    option(NAME("with-short"), fd, level, MCAST_JOIN_SOURCE_GROUP, &with, sizeof with - 1);
    wish.gr_interface = 99;
    option(NAME("index-99"), fd, level, MCAST_JOIN_GROUP, &wish, sizeof wish);
    wish.gr_interface = 1;
    memcpy(&wish.gr_group, family == AF_INET ? (void *)&host4 : (void *)&host6, family == AF_INET ? sizeof host4 : sizeof host6);
    option(NAME("no-group"), fd, level, MCAST_JOIN_GROUP, &wish, sizeof wish);
    wish.gr_group.ss_family = AF_UNIX;
    option(NAME("no-family"), fd, level, MCAST_JOIN_GROUP, &wish, sizeof wish);
    with.gsr_source.ss_family = AF_UNIX;
    option(NAME("with-no-family"), fd, level, MCAST_JOIN_SOURCE_GROUP, &with, sizeof with);
    close(fd);
}

static void six_options(void)
{
    int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK, 0), one = 1, none = 0, far = 99, read = -1;
    socklen_t length = sizeof read;
    struct ipv6_mreq wish = { .ipv6mr_interface = 1 };
    must(inet_pton(AF_INET6, "ff15::1:2", &wish.ipv6mr_multiaddr) == 1, "an address is read");
    option("6-drop-unjoined", fd, IPPROTO_IPV6, IPV6_LEAVE_GROUP, &wish, sizeof wish);
    option("6-add", fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &wish, sizeof wish);
    option("6-add-twice", fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &wish, sizeof wish);
    wish.ipv6mr_interface = 99;
    option("6-add-99", fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &wish, sizeof wish);
    option("6-drop-99", fd, IPPROTO_IPV6, IPV6_LEAVE_GROUP, &wish, sizeof wish);
    wish.ipv6mr_interface = 0;
    option("6-drop-any", fd, IPPROTO_IPV6, IPV6_LEAVE_GROUP, &wish, sizeof wish);
    option("6-drop-twice", fd, IPPROTO_IPV6, IPV6_LEAVE_GROUP, &wish, sizeof wish);
    option("6-add-short", fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &wish, 19);
    wish.ipv6mr_multiaddr = in6addr_loopback;
    option("6-add-none", fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &wish, sizeof wish);
    option("6-drop-none", fd, IPPROTO_IPV6, IPV6_LEAVE_GROUP, &wish, sizeof wish);
    option("6-speak-by", fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &one, sizeof one);
    getsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &read, &length);
    line2("group", "6-speaks-by", read);
    option("6-speak-by-99", fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &far, sizeof far);
    option("6-speak-by-any", fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &none, sizeof none);
    option("6-speak-by-short", fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &one, 3);
    getsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &read, &length);
    line2("group", "6-speaks-by-any", read);
    close(fd);
}

void groups(void)
{
    static const char *HERE[] = { "nobody", "one", "two", "blocked", "unblocked", "another-sender", "this-sender", "", "", "left",
        "wants-less", "left-by-another", "left-by-a-third" };
    static const char *LINK[] = { "link-nobody", "link-one", "link-two", "link-blocked", "link-unblocked", "link-another-sender",
        "link-this-sender", "link-no-hop", "link-no-loop", "link-left",
        "link-wants-less", "link-left-by-another", "link-left-by-a-third" };
    joining();
    speaking();
    listing();
    hearing("127.0.0.1", HERE);
    hearing("10.77.0.2", LINK);
    by_number(AF_INET);
    by_number(AF_INET6);
    six_options();
}
