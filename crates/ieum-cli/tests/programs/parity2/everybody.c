/* What is sent to everybody on a link: who hears it, from where, and what is told of it. To which address and port a datagram went
 * (IP_RECVORIGDSTADDR, IPV6_RECVORIGDSTADDR). */
#include "parity2.h"

/* Several that share a port: every other one hears what is for everybody. */
static int sharing(const char *ip, int port)
{
    int fd = make(SOCK_DGRAM), one = 1;
    must(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0, "SO_REUSEADDR is taken");
    must(setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &one, sizeof one) == 0, "IP_PKTINFO is taken");
    must(setsockopt(fd, IPPROTO_IP, IP_RECVORIGDSTADDR, &one, sizeof one) == 0, "IP_RECVORIGDSTADDR is taken");
    must(bind_to(fd, ip, port) == 0, "an address is bound");
    return fd;
}

static const char *shown(int family, const void *address)
{
    static char text[4][INET6_ADDRSTRLEN];
    static int next;
    next = (next + 1) % 4;
    return inet_ntop(family, address, text[next], sizeof text[next]);
}

/* What came, and what is told of it; ports are told apart from `port` alone. */
static void came(const char *name, const char *who, int fd, int port)
{
    char label[80], into[8];
    union { struct cmsghdr header; char space[256]; } control = { 0 };
    struct iovec part = { into, sizeof into };
    struct sockaddr_storage from = { 0 };
    struct msghdr message = { .msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &part, .msg_iovlen = 1,
        .msg_control = &control, .msg_controllen = sizeof control };
    snprintf(label, sizeof label, "%s.%s", name, who);
    settle(fd, POLLIN);
    if (recvmsg(fd, &message, MSG_DONTWAIT) < 0)
        return line2("everybody", label, -1);
    const char *sender = from.ss_family == AF_INET ? shown(AF_INET, &((struct sockaddr_in *)&from)->sin_addr)
                                                   : shown(AF_INET6, &((struct sockaddr_in6 *)&from)->sin6_addr);
    const char *to = "-", *answer = "-", *meant = "-";
    int at = -1;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header))
        if (header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo *info = (void *)CMSG_DATA(header);
            to = shown(AF_INET, &info->ipi_addr);
            answer = shown(AF_INET, &info->ipi_spec_dst);
        } else if (header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_ORIGDSTADDR) {
            struct sockaddr_in *four = (void *)CMSG_DATA(header);
            meant = shown(AF_INET, &four->sin_addr);
            at = ntohs(four->sin_port);
        } else if (header->cmsg_level == IPPROTO_IPV6 && header->cmsg_type == IPV6_ORIGDSTADDR) {
            struct sockaddr_in6 *six = (void *)CMSG_DATA(header);
            meant = shown(AF_INET6, &six->sin6_addr);
            at = ntohs(six->sin6_port);
        }
    text2("everybody", label, "from %s to %s as %s, meant for %s at %s", sender, to, answer, meant,
        at == -1 ? "none" : at == port ? "its port" : "another");
}

/* Says something to everybody as `to` spells it, from `own`, if that is not null. */
static void said(const char *name, const char *own, const char *to)
{
    int sender = make(SOCK_DGRAM), one = 1;
    int any = sharing("0.0.0.0", 0), port = port_of(any);
    int another = sharing("0.0.0.0", port), that = sharing(to, port), single = sharing("127.0.0.1", port), link = sharing(OWN, port);
    if (own)
        must(bind_to(sender, own, 0) == 0, "an own address is bound");
    struct sockaddr_in where = address(to, port);
    char label[80];
    snprintf(label, sizeof label, "%s.not-allowed", name);
    line2("everybody", label, sendto(sender, "abc", 3, 0, (struct sockaddr *)&where, sizeof where));
    must(setsockopt(sender, SOL_SOCKET, SO_BROADCAST, &one, sizeof one) == 0, "SO_BROADCAST is taken");
    long sent = sendto(sender, "abc", 3, 0, (struct sockaddr *)&where, sizeof where);
    line2("everybody", name, sent);
    if (sent == 3) {
        came(name, "any", any, port);
        came(name, "another", another, port);
        came(name, "bound-to-it", that, port);
        /* All of them were given it at one time: who has nothing by now has heard nothing. */
        snprintf(label, sizeof label, "%s.single", name);
        text2("everybody", label, "%s", mask(single));
        snprintf(label, sizeof label, "%s.of-the-link", name);
        text2("everybody", label, "%s", mask(link));
    }
    int all[] = { sender, any, another, that, single, link };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        close(all[i]);
}

static void to_one(void)
{
    int one = 1, fd = sharing("127.0.0.1", 0), sender = make(SOCK_DGRAM);
    struct sockaddr_in four = address("127.0.0.1", port_of(fd));
    must(sendto(sender, "abc", 3, 0, (struct sockaddr *)&four, sizeof four) == 3, "a datagram is sent");
    came("one", "4", fd, port_of(fd));
    close(sender);
    close(fd);
    struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
    socklen_t length = sizeof six;
    fd = socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    sender = socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    must(setsockopt(fd, IPPROTO_IPV6, IPV6_RECVORIGDSTADDR, &one, sizeof one) == 0, "IPV6_RECVORIGDSTADDR is taken");
    must(bind(fd, (struct sockaddr *)&six, sizeof six) == 0, "a free port is bound");
    must(getsockname(fd, (struct sockaddr *)&six, &length) == 0, "it has a name");
    must(sendto(sender, "abc", 3, 0, (struct sockaddr *)&six, sizeof six) == 3, "a datagram is sent");
    came("one", "6", fd, ntohs(six.sin6_port));
    close(sender);
    close(fd);
}

/* A group by the loopback link: whoever answers does so from there. */
static void to_a_group(void)
{
    int fd = sharing("0.0.0.0", 0), sender = make(SOCK_DGRAM);
    struct ip_mreqn group = { .imr_ifindex = 1 };
    must(inet_pton(AF_INET, "224.1.2.3", &group.imr_multiaddr) == 1, "a group is read");
    must(setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof group) == 0, "a group is joined");
    must(bind_to(sender, "127.0.0.1", 0) == 0, "a free port is bound");
    struct sockaddr_in where = address("224.1.2.3", port_of(fd));
    must(sendto(sender, "abc", 3, 0, (struct sockaddr *)&where, sizeof where) == 3, "a datagram is sent");
    came("group", "member", fd, port_of(fd));
    close(sender);
    close(fd);
    /* One who has left by closing hears nothing any more, and nobody for it. */
    int other = sharing("0.0.0.0", 0);
    sender = make(SOCK_DGRAM);
    must(bind_to(sender, "127.0.0.1", 0) == 0, "a free port is bound");
    where.sin_port = htons((uint16_t)port_of(other));
    must(sendto(sender, "abc", 3, 0, (struct sockaddr *)&where, sizeof where) == 3, "a datagram is sent");
    struct sockaddr_in own = address("127.0.0.1", port_of(other));
    must(sendto(sender, "abc", 3, 0, (struct sockaddr *)&own, sizeof own) == 3, "a datagram is sent");
    came("group", "after-its-member", other, port_of(other));
    close(sender);
    close(other);
}

void everybody(void)
{
    said("link-by-number", NULL, "10.77.0.255");
    said("link", OWN, "255.255.255.255");
    said("nowhere", NULL, "255.255.255.255");
    said("loopback", "127.0.0.1", "255.255.255.255");
    said("loopback-by-number", NULL, "127.255.255.255");
    to_one();
    to_a_group();
    int ping = socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP);
    line2("everybody", "ping-bind", bind_to(ping, "127.255.255.255", 0));
    close(ping);
}
