/* What is told of datagrams that were not delivered: by the error queue (IP_RECVERR), and by other calls. */
#include "parity2.h"

#include <linux/errqueue.h>
#include <net/if.h>

/* The oldest message of the error queue in words. */
static void notice(const char *name, int fd)
{
    char into[16] = "", text[INET6_ADDRSTRLEN] = "", by[INET6_ADDRSTRLEN] = "";
    union { struct cmsghdr header; char space[256]; } control = { 0 };
    struct iovec part = { into, sizeof into - 1 };
    struct sockaddr_storage to = { 0 };
    struct msghdr message = { .msg_name = &to, .msg_namelen = sizeof to, .msg_iov = &part, .msg_iovlen = 1,
        .msg_control = &control, .msg_controllen = sizeof control };
    ssize_t got = recvmsg(fd, &message, MSG_ERRQUEUE);
    line2("told", name, got);
    if (got < 0)
        return;
    int port = 0;
    if (to.ss_family == AF_INET) {
        inet_ntop(AF_INET, &((struct sockaddr_in *)&to)->sin_addr, text, sizeof text);
        port = ntohs(((struct sockaddr_in *)&to)->sin_port);
    } else if (to.ss_family == AF_INET6) {
        inet_ntop(AF_INET6, &((struct sockaddr_in6 *)&to)->sin6_addr, text, sizeof text);
        port = ntohs(((struct sockaddr_in6 *)&to)->sin6_port);
    }
    text2("told-of", name, "%s port %d, %u bytes, '%s', flags %x", text, port, message.msg_namelen, into, message.msg_flags);
    for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
        struct sock_extended_err *error = (void *)CMSG_DATA(header);
        struct sockaddr *offender = SO_EE_OFFENDER(error);
        if (offender->sa_family == AF_INET)
            inet_ntop(AF_INET, &((struct sockaddr_in *)offender)->sin_addr, by, sizeof by);
        else if (offender->sa_family == AF_INET6)
            inet_ntop(AF_INET6, &((struct sockaddr_in6 *)offender)->sin6_addr, by, sizeof by);
        text2("told-why", name, "%d/%d, %s, origin %d type %d code %d info %u data %u by %s, %zu bytes", header->cmsg_level,
            header->cmsg_type, errno_name((int)error->ee_errno), error->ee_origin, error->ee_type, error->ee_code,
            error->ee_info, error->ee_data, by, (size_t)header->cmsg_len);
    }
}

static void one_family(int family)
{
    int four = family == AF_INET, one = 1;
    struct sockaddr_in nobody4 = address("127.0.0.1", 9);
    struct sockaddr_in6 nobody6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT, .sin6_port = htons(9) };
    struct sockaddr *nobody = four ? (struct sockaddr *)&nobody4 : (struct sockaddr *)&nobody6;
    socklen_t length = four ? sizeof nobody4 : sizeof nobody6;
    char name[64], into[8];
#undef NAME
#define NAME(what) (snprintf(name, sizeof name, "%d-%s", four ? 4 : 6, what), name)
    int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    line2("told", NAME("send-unasked"), sendto(fd, "one", 3, 0, nobody, length));
    notice(NAME("unasked"), fd);
    must(setsockopt(fd, four ? IPPROTO_IP : IPPROTO_IPV6, four ? IP_RECVERR : IPV6_RECVERR, &one, sizeof one) == 0,
        "an option is taken");
    notice(NAME("none"), fd);
    line2("told", NAME("send"), sendto(fd, "one", 3, 0, nobody, length));
    text2("told", NAME("poll"), "%s", settle(fd, POLLERR));
    notice(NAME("first"), fd);
    notice(NAME("no-second"), fd);
    text2("told", NAME("poll-after"), "%s", settle(fd, POLLOUT));
    line2("told", NAME("receive-after"), recv(fd, into, sizeof into, 0));
    line2("told", NAME("send-two"), sendto(fd, "two", 3, 0, nobody, length));
    text2("told", NAME("poll-two"), "%s", settle(fd, POLLERR));
    line2("told", NAME("send-three"), sendto(fd, "three", 5, 0, nobody, length));
    line2("told", NAME("send-four"), sendto(fd, "four", 4, 0, nobody, length));
    settle(fd, POLLERR);
    notice(NAME("two"), fd);
    notice(NAME("four"), fd);
    notice(NAME("no-more"), fd);
    line2("told", NAME("connect"), connect(fd, nobody, length));
    line2("told", NAME("send-connected"), send(fd, "five", 4, 0));
    text2("told", NAME("poll-connected"), "%s", settle(fd, POLLERR));
    line2("told", NAME("receive-connected"), recv(fd, into, sizeof into, 0));
    notice(NAME("connected"), fd);
    notice(NAME("connected-no-more"), fd);
    close(fd);
}

/* What the host itself does not send, since it is larger than the link takes and may not be cut, or than any packet. */
static void too_large(int family)
{
    int four = family == AF_INET, one = 1, never = 2;
    int level = four ? IPPROTO_IP : IPPROTO_IPV6, errors = four ? IP_RECVERR : IPV6_RECVERR;
    static char large[128000];
    size_t fits = 1500 - (four ? 20 : 40) - 8;
    char name[64];
    /* A group has no neighbour that would have to answer. */
    struct sockaddr_in to4 = address("239.1.2.3", 9);
    struct sockaddr_in6 to6 = { .sin6_family = AF_INET6, .sin6_port = htons(9) };
    must(inet_pton(AF_INET6, "ff15::123", &to6.sin6_addr) == 1, "an address of IPv6");
    struct sockaddr *to = four ? (struct sockaddr *)&to4 : (struct sockaddr *)&to6;
    socklen_t length = four ? sizeof to4 : sizeof to6;
    int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    struct ip_mreqn by4 = { .imr_ifindex = (int)if_nametoindex("eth0") };
    int by6 = by4.imr_ifindex, zero = 0;
    must(four ? setsockopt(fd, level, IP_MULTICAST_IF, &by4, sizeof by4) == 0 && setsockopt(fd, level, IP_MULTICAST_LOOP, &zero, sizeof zero) == 0
              : setsockopt(fd, level, IPV6_MULTICAST_IF, &by6, sizeof by6) == 0 && setsockopt(fd, level, IPV6_MULTICAST_LOOP, &zero, sizeof zero) == 0,
        "a link is named");
    must(setsockopt(fd, level, four ? IP_MTU_DISCOVER : IPV6_MTU_DISCOVER, &never, sizeof never) == 0, "an option is taken");
    line2("too-large", NAME("unasked"), sendto(fd, large, fits + 1, 0, to, length));
    must(setsockopt(fd, level, errors, &one, sizeof one) == 0, "an option is taken");
    notice(NAME("large-unasked"), fd);
    line2("too-large", NAME("fits"), sendto(fd, large, fits, 0, to, length));
    notice(NAME("large-fits"), fd);
    line2("too-large", NAME("one-more"), sendto(fd, large, fits + 1, 0, to, length));
    line2("too-large", NAME("again"), sendto(fd, large, 20000, 0, to, length));
    text2("too-large", NAME("error"), "%s", errno_name(take_error(fd)));
    notice(NAME("large"), fd);
    notice(NAME("large-again"), fd);
    notice(NAME("large-no-more"), fd);
    must(connect(fd, to, length) == 0, "a remote is set");
    line2("too-large", NAME("connected"), sendto(fd, large, fits + 1, 0, to, length));
    notice(NAME("large-connected"), fd);
    must(setsockopt(fd, level, four ? IP_MTU_DISCOVER : IPV6_MTU_DISCOVER, &zero, sizeof zero) == 0, "an option is taken");
    size_t packet = four ? 65507 : 65527;
    line2("too-large", NAME("any-packet"), sendto(fd, large, packet + 1, 0, to, length));
    notice(NAME("large-any-packet"), fd);
    line2("too-large", NAME("any-length"), sendto(fd, large, 65535, 0, to, length));
    notice(NAME("large-any-length"), fd);
    line2("too-large", NAME("no-length"), sendto(fd, large, 65536, 0, to, length));
    notice(NAME("large-no-length"), fd);
    line2("too-large", NAME("far-too-large"), sendto(fd, large, sizeof large, 0, to, length));
    notice(NAME("large-far-too-large"), fd);
    close(fd);
    if (!four)
        return;
    /* To itself nothing is larger than what the loopback interface takes, save what is larger than any packet. */
    struct sockaddr_in own = address(OWN, 9);
    fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    must(setsockopt(fd, level, errors, &one, sizeof one) == 0, "an option is taken");
    line2("too-large", NAME("own"), sendto(fd, large, 65508, 0, (struct sockaddr *)&own, sizeof own));
    notice(NAME("large-own"), fd);
    /* Where no way leads, that is said first. */
    struct sockaddr_in nowhere = address("198.51.100.1", 9);
    line2("too-large", NAME("nowhere"), sendto(fd, large, 65508, 0, (struct sockaddr *)&nowhere, sizeof nowhere));
    notice(NAME("large-nowhere"), fd);
    /* What the network told is pending when it is the next notice, though it was told already. */
    line2("too-large", NAME("before-refused"), sendto(fd, large, 65508, 0, (struct sockaddr *)&own, sizeof own));
    line2("too-large", NAME("refused"), sendto(fd, "abc", 3, 0, (struct sockaddr *)&own, sizeof own));
    settle(fd, POLLERR);
    text2("too-large", NAME("refused-error"), "%s", errno_name(take_error(fd)));
    notice(NAME("large-before-refused"), fd);
    text2("too-large", NAME("refused-again"), "%s", errno_name(take_error(fd)));
    notice(NAME("after-large"), fd);
    text2("too-large", NAME("refused-no-more"), "%s", errno_name(take_error(fd)));
    close(fd);
    fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK, IPPROTO_ICMP);
    must(setsockopt(fd, level, errors, &one, sizeof one) == 0, "an option is taken");
    large[0] = 8;
    line2("too-large", NAME("echo"), sendto(fd, large, 65535, 0, (struct sockaddr *)&own, sizeof own));
    notice(NAME("large-echo"), fd);
    large[0] = 0;
    close(fd);
}

void undelivered(void)
{
    one_family(AF_INET);
    one_family(AF_INET6);
    too_large(AF_INET);
    too_large(AF_INET6);
}
