/* What the IP header of a datagram says: by its socket's options, and by control messages of its own. */
#include "parity2.h"

/* One control message in the making. */
struct said {
    int level, kind;
    size_t length;
    unsigned char data[32];
};

static struct said of_int(int level, int kind, int value)
{
    struct said said = { level, kind, sizeof value, { 0 } };
    memcpy(said.data, &value, sizeof value);
    return said;
}

static struct said of_bytes(int level, int kind, const void *data, size_t length)
{
    struct said said = { level, kind, length, { 0 } };
    memcpy(said.data, data, length);
    return said;
}

static struct said from4(const char *source)
{
    struct in_pktinfo info = { .ipi_ifindex = 0 };
    must(inet_pton(AF_INET, source, &info.ipi_spec_dst) == 1, "an address is read");
    return of_bytes(IPPROTO_IP, IP_PKTINFO, &info, sizeof info);
}

static struct said from6(const char *source)
{
    struct in6_pktinfo info = { .ipi6_ifindex = 0 };
    must(inet_pton(AF_INET6, source, &info.ipi6_addr) == 1, "an address is read");
    return of_bytes(IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof info);
}

/* A receiver that wants to know everything, on the loopback address of its family. */
static int receiver(int family)
{
    static const int FOUR[] = { IP_RECVTTL, IP_RECVTOS }, SIX[] = { IPV6_RECVHOPLIMIT, IPV6_RECVTCLASS };
    int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK, 0), one = 1;
    for (int i = 0; i < 2; i++)
        must(setsockopt(fd, family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6, family == AF_INET ? FOUR[i] : SIX[i], &one,
                 sizeof one) == 0, "an option is taken");
    struct sockaddr_in four = address("127.0.0.1", 0);
    struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
    must(family == AF_INET ? bind(fd, (struct sockaddr *)&four, sizeof four) == 0
                           : bind(fd, (struct sockaddr *)&six, sizeof six) == 0, "a free port is bound");
    return fd;
}

static void receive(const char *name, int fd)
{
    char into[8];
    union { struct cmsghdr header; char space[256]; } control = { 0 };
    struct iovec part = { into, sizeof into };
    struct sockaddr_storage from = { 0 };
    struct msghdr message = { .msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &part, .msg_iovlen = 1,
        .msg_control = &control, .msg_controllen = sizeof control };
    settle(fd, POLLIN);
    if (recvmsg(fd, &message, 0) < 0)
        return line2(name, "recvmsg", -1);
    char text[INET6_ADDRSTRLEN] = "?";
    if (from.ss_family == AF_INET)
        inet_ntop(AF_INET, &((struct sockaddr_in *)&from)->sin_addr, text, sizeof text);
    else
        inet_ntop(AF_INET6, &((struct sockaddr_in6 *)&from)->sin6_addr, text, sizeof text);
    int hops = -1, service = -1;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header))
        if (header->cmsg_type == (header->cmsg_level == IPPROTO_IP ? IP_TTL : IPV6_HOPLIMIT))
            hops = *(int *)CMSG_DATA(header);
        else if (header->cmsg_type == (header->cmsg_level == IPPROTO_IP ? IP_TOS : IPV6_TCLASS))
            service = *CMSG_DATA(header);
    text2(name, "came", "from %s hops %d service %d", text, hops, service);
}

/* Sends a datagram with these messages along, and tells what came. */
static void sent(const char *name, int sender, int to, const struct said *all, int count)
{
    union { struct cmsghdr header; char space[256]; } control = { 0 };
    struct iovec part = { "abc", 3 };
    struct sockaddr_storage where;
    socklen_t length = sizeof where;
    must(getsockname(to, (struct sockaddr *)&where, &length) == 0, "it has a name");
    struct msghdr message = { .msg_name = &where, .msg_namelen = length, .msg_iov = &part, .msg_iovlen = 1,
        .msg_control = &control, .msg_controllen = sizeof control };
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    size_t used = 0;
    for (int i = 0; i < count; i++, header = CMSG_NXTHDR(&message, header)) {
        header->cmsg_level = all[i].level;
        header->cmsg_type = all[i].kind;
        header->cmsg_len = CMSG_LEN(all[i].length);
        memcpy(CMSG_DATA(header), all[i].data, all[i].length);
        used += CMSG_SPACE(all[i].length);
    }
    message.msg_controllen = used;
    ssize_t result = sendmsg(sender, &message, 0);
    line2(name, "sendmsg", result);
    if (result >= 0)
        receive(name, to);
}

static void one_family(int family)
{
    int four = family == AF_INET, level = four ? IPPROTO_IP : IPPROTO_IPV6;
    int hops = four ? IP_TTL : IPV6_HOPLIMIT, service = four ? IP_TOS : IPV6_TCLASS, value = 9;
    int to = receiver(family), from = socket(family, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    unsigned char small = 0x20;
    struct said both[] = { of_int(level, service, 0x10), of_int(level, hops, 5) };
    struct said odd[] = { of_int(level, hops, 0), of_int(level, hops, -1), of_int(level, hops, 256),
        of_int(level, service, -1), of_int(level, service, 256), of_bytes(level, hops, &value, 2),
        of_bytes(level, service, &small, 1), of_int(level, 99, 1), of_int(SOL_TCP, 99, 1),
        four ? from4("127.0.0.1") : from6("::1"), four ? from4("9.9.9.9") : from6("2001:db8::1"),
        four ? from4("0.0.0.0") : from6("::"), of_bytes(level, four ? IP_PKTINFO : IPV6_PKTINFO, &value, 4) };
    static const char *NAMES[] = { "hops-0", "hops-minus", "hops-256", "service-minus", "service-256", "hops-short",
        "service-byte", "unknown", "other-level", "from-own", "from-foreign", "from-any", "from-short" };
    char name[80];
#define NAME(what) (snprintf(name, sizeof name, "header-%d.%s", four ? 4 : 6, what), name)
    sent(NAME("plain"), from, to, NULL, 0);
    sent(NAME("messages"), from, to, both, 2);
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
        sent(NAME(NAMES[i]), from, to, &odd[i], 1);
    must(setsockopt(from, level, four ? IP_TTL : IPV6_UNICAST_HOPS, &value, sizeof value) == 0, "an option is taken");
    value = 0x28;
    must(setsockopt(from, level, service, &value, sizeof value) == 0, "an option is taken");
    sent(NAME("options"), from, to, NULL, 0);
    sent(NAME("options-and-messages"), from, to, both, 2);
    close(from);
    close(to);
}

/* The messages that come with one datagram to a socket of both families, in their order, as `level/type` and their first byte
 * where that says no interface. */
static void told(const char *name, const char *which, int to, int family)
{
    struct sockaddr_in6 own, six = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
    socklen_t length = sizeof own;
    must(getsockname(to, (struct sockaddr *)&own, &length) == 0, "it has a name");
    struct sockaddr_in four = address("127.0.0.1", ntohs(own.sin6_port));
    six.sin6_port = own.sin6_port;
    int from = socket(family, SOCK_DGRAM, 0), service = 0x22, is_four = family == AF_INET;
    must(setsockopt(from, is_four ? IPPROTO_IP : IPPROTO_IPV6, is_four ? IP_TOS : IPV6_TCLASS, &service, sizeof service) == 0,
        "an option is taken");
    must(sendto(from, "abc", 3, 0, is_four ? (struct sockaddr *)&four : (struct sockaddr *)&six,
             is_four ? sizeof four : sizeof six) == 3, "a datagram is sent");
    char into[8], text[160] = "";
    union { struct cmsghdr header; char space[256]; } control = { 0 };
    struct iovec part = { into, sizeof into };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control };
    settle(to, POLLIN);
    must(recvmsg(to, &message, 0) == 3, "it comes");
    for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
        int is_place = header->cmsg_type == (header->cmsg_level == IPPROTO_IP ? IP_PKTINFO : IPV6_PKTINFO);
        snprintf(text + strlen(text), sizeof text - strlen(text), " %d/%d:%d", header->cmsg_level, header->cmsg_type,
            is_place ? -1 : *CMSG_DATA(header));
    }
    text2(name, which, "told%s", text);
    close(from);
}

static void both_families(void)
{
    static const struct { const char *name; int level, option; } ASKED[] = {
        { "pktinfo", IPPROTO_IP, IP_PKTINFO }, { "ttl", IPPROTO_IP, IP_RECVTTL }, { "tos", IPPROTO_IP, IP_RECVTOS },
        { "pktinfo-6", IPPROTO_IPV6, IPV6_RECVPKTINFO }, { "hops-6", IPPROTO_IPV6, IPV6_RECVHOPLIMIT },
        { "class-6", IPPROTO_IPV6, IPV6_RECVTCLASS } };
    enum { COUNT = sizeof ASKED / sizeof *ASKED };
    for (size_t i = 0; i <= COUNT; i++) {
        int to = socket(AF_INET6, SOCK_DGRAM, 0), one = 1;
        struct sockaddr_in6 any = { .sin6_family = AF_INET6 };
        must(bind(to, (struct sockaddr *)&any, sizeof any) == 0, "a free port is bound");
        for (size_t j = 0; j < COUNT; j++)
            if (i == j || i == COUNT)
                must(setsockopt(to, ASKED[j].level, ASKED[j].option, &one, sizeof one) == 0, "an option is taken");
        char name[80];
        snprintf(name, sizeof name, "header-both.%s", i == COUNT ? "all" : ASKED[i].name);
        told(name, "of-4", to, AF_INET);
        told(name, "of-6", to, AF_INET6);
        close(to);
    }
}

void header(void)
{
    one_family(AF_INET);
    one_family(AF_INET6);
    both_families();
}
