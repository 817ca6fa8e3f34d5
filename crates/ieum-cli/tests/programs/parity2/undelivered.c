/* What is told of datagrams that were not delivered: by the error queue (IP_RECVERR), and by other calls. */
#include "parity2.h"

#include <linux/errqueue.h>

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

void undelivered(void)
{
    one_family(AF_INET);
    one_family(AF_INET6);
}
