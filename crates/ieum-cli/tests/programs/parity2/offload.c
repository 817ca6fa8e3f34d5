/* Many datagrams in one call: UDP_SEGMENT cuts what is sent, UDP_GRO joins what comes. */
#include "parity2.h"

#include <netinet/udp.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

static char bytes[70000];

static void both_options(int family)
{
    static const struct { const char *name; int value; socklen_t length; } ALL[] = {
        { "one", 1, 4 }, { "most", 65535, 4 }, { "more", 65536, 4 }, { "minus", -1, 4 }, { "short", 5, 3 }, { "long", 7, 8 },
        { "none", 0, 4 }, { "empty", 1, 0 },
    };
    static const struct { const char *name; int number; } BOTH[] = { { "segment", UDP_SEGMENT }, { "gro", UDP_GRO } };
    char name[64];
    for (size_t which = 0; which < 2; which++)
        for (size_t i = 0; i < sizeof ALL / sizeof *ALL; i++) {
            int fd = socket(family, SOCK_DGRAM, 0), value[2] = { ALL[i].value, 0 }, read = -7;
            socklen_t length = sizeof read;
            snprintf(name, sizeof name, "%d-%s-%s", family == AF_INET ? 4 : 6, BOTH[which].name, ALL[i].name);
            line2("offload-set", name, setsockopt(fd, IPPROTO_UDP, BOTH[which].number, value, ALL[i].length));
            line2("offload-get", name, getsockopt(fd, IPPROTO_UDP, BOTH[which].number, &read, &length));
            text2("offload-is", name, "%d, %u bytes", read, length);
            close(fd);
        }
    int stream = socket(family, SOCK_STREAM, 0), value = 1;
    snprintf(name, sizeof name, "%d-stream", family == AF_INET ? 4 : 6);
    line2("offload-set", name, setsockopt(stream, IPPROTO_UDP, UDP_SEGMENT, &value, sizeof value));
    close(stream);
}

/* Sends with the size in a control message, or with none (negative); `length` is what the message says its data has. */
static long send_sized(int fd, int to, size_t count, int size, size_t length)
{
    union { struct cmsghdr header; char space[64]; } control = { 0 };
    struct iovec part = { bytes, count };
    struct sockaddr_storage where;
    socklen_t known = sizeof where;
    must(getsockname(to, (struct sockaddr *)&where, &known) == 0, "it has a name");
    struct msghdr message = { .msg_name = &where, .msg_namelen = known, .msg_iov = &part, .msg_iovlen = 1 };
    if (size >= 0) {
        control.header.cmsg_level = IPPROTO_UDP;
        control.header.cmsg_type = UDP_SEGMENT;
        control.header.cmsg_len = CMSG_LEN(length);
        memcpy(CMSG_DATA(&control.header), &size, sizeof size);
        message.msg_control = &control;
        message.msg_controllen = CMSG_SPACE(length);
    }
    return sendmsg(fd, &message, 0);
}

/* All that waits, as lengths, with the size that is told behind a star. */
static void arrived(const char *name, int fd)
{
    static char into[70000];
    char text[600] = "";
    size_t end = 0, at = 0;
    settle(fd, POLLIN);
    for (int i = 0; i < 140; i++) {
        union { struct cmsghdr header; char space[128]; } control = { 0 };
        struct iovec part = { into, sizeof into };
        struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control };
        ssize_t got = recvmsg(fd, &message, MSG_DONTWAIT);
        if (got < 0)
            break;
        if (end < sizeof text - 30)
            end += (size_t)snprintf(text + end, sizeof text - end, "%zd", got);
        for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
            int size = 0;
            memcpy(&size, CMSG_DATA(header), sizeof size);
            if (end < sizeof text - 30)
                end += (size_t)snprintf(text + end, sizeof text - end, "*%d/%d/%d/%zu", header->cmsg_level, header->cmsg_type,
                    size, (size_t)header->cmsg_len);
        }
        if (end < sizeof text - 30)
            end += (size_t)snprintf(text + end, sizeof text - end, " ");
        /* It goes on where the part before it ended, or something else begins that was sent. */
        if (memcmp(into, bytes + at, (size_t)got) != 0)
            at = 0;
        if (memcmp(into, bytes + at, (size_t)got) != 0 && end < sizeof text - 30)
            end += (size_t)snprintf(text + end, sizeof text - end, "(%d) ", into[0]);
        at += (size_t)got;
    }
    text2("offload-came", name, "%s", text);
}

static int receiver(int family, int joins)
{
    int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    struct sockaddr_in four = address("127.0.0.1", 0);
    struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
    must(setsockopt(fd, IPPROTO_UDP, UDP_GRO, &joins, sizeof joins) == 0, "an option is taken");
    must(family == AF_INET ? bind(fd, (struct sockaddr *)&four, sizeof four) == 0
                           : bind(fd, (struct sockaddr *)&six, sizeof six) == 0, "a free port is bound");
    return fd;
}

static void transfers(int family)
{
    static const struct { const char *name; size_t count; int size; size_t length; } ALL[] = {
        { "plain", 300, -1, 2 }, { "zero", 300, 0, 2 }, { "thirds", 300, 100, 2 }, { "rest", 310, 100, 2 }, { "exact", 100, 100, 2 },
        { "one-more", 101, 100, 2 }, { "smaller", 99, 100, 2 }, { "nothing", 0, 100, 2 }, { "ones", 5, 1, 2 },
        { "all", 128, 1, 2 }, { "too-many", 129, 1, 2 }, { "all-large", 128 * 500, 500, 2 }, { "many-large", 65000, 500, 2 },
        { "largest", 65507, 1400, 2 }, { "too-large", 65508, 1400, 2 }, { "far-too-large", 65536, 1400, 2 },
        { "wide", 65507, 65507, 2 }, { "wide-more", 65507, 65508, 2 }, { "widest", 65507, 65535, 2 }, { "half", 65507, 32754, 2 },
        { "int", 300, 100, 4 }, { "byte", 300, 100, 1 },
    };
    for (int joins = 0; joins < 2; joins++) {
        int to = receiver(family, joins), from = socket(family, SOCK_DGRAM | SOCK_NONBLOCK, 0), value;
        char name[80];
#undef NAME
#define NAME(what) (snprintf(name, sizeof name, "%d-%s-%s", family == AF_INET ? 4 : 6, joins ? "joined" : "apart", what), name)
        for (size_t i = 0; i < sizeof ALL / sizeof *ALL; i++) {
            long sent = send_sized(from, to, ALL[i].count, ALL[i].size, ALL[i].length);
            line2("offload-send", NAME(ALL[i].name), sent);
            if (sent >= 0)
                arrived(NAME(ALL[i].name), to);
        }
        value = 100;
        must(setsockopt(from, IPPROTO_UDP, UDP_SEGMENT, &value, sizeof value) == 0, "an option is taken");
        line2("offload-send", NAME("option"), send_sized(from, to, 250, -1, 2));
        arrived(NAME("option"), to);
        line2("offload-send", NAME("option-off"), send_sized(from, to, 250, 0, 2));
        arrived(NAME("option-off"), to);
        line2("offload-send", NAME("option-other"), send_sized(from, to, 250, 200, 2));
        arrived(NAME("option-other"), to);
        /* Sent one by one: nothing joins what a host says to itself. */
        for (int i = 0; i < 3; i++)
            send_sized(from, to, 50, -1, 2);
        arrived(NAME("one-by-one"), to);
        value = 1;
        must(setsockopt(from, SOL_SOCKET, SO_NO_CHECK, &value, sizeof value) == 0, "an option is taken");
        line2("offload-send", NAME("no-checksum"), send_sized(from, to, 250, 100, 2));
        arrived(NAME("no-checksum"), to);
        close(from);
        /* A connected sender, natively. */
        from = socket(family, SOCK_DGRAM | SOCK_NONBLOCK, 0);
        struct sockaddr_storage where;
        socklen_t known = sizeof where;
        must(getsockname(to, (struct sockaddr *)&where, &known) == 0, "it has a name");
        must(connect(from, (struct sockaddr *)&where, known) == 0, "it is connected");
        value = 100;
        must(setsockopt(from, IPPROTO_UDP, UDP_SEGMENT, &value, sizeof value) == 0, "an option is taken");
        line2("offload-send", NAME("connected"), send(from, bytes, 250, 0));
        arrived(NAME("connected"), to);
        /* Parts of what came together, and all of its length. */
        char into[120];
        send_sized(from, to, 250, 100, 2);
        settle(to, POLLIN);
        line2("offload-recv", NAME("cut"), recv(to, into, sizeof into, MSG_TRUNC));
        arrived(NAME("cut"), to);
        close(from);
        close(to);
    }
}

void offload(void)
{
    /* No two parts of what is sent are alike. */
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(i * 7 + i / 251);
    both_options(AF_INET);
    both_options(AF_INET6);
    transfers(AF_INET);
    transfers(AF_INET6);
}
