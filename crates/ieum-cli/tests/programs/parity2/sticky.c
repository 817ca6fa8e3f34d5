/* IPV6_PKTINFO of a socket: by which interface its datagrams go that name none themselves. */
#include "parity2.h"

#include <net/if.h>

static void set(const char *name, int fd, const void *value, socklen_t length)
{
    line2("sticky", name, setsockopt(fd, IPPROTO_IPV6, IPV6_PKTINFO, value, length));
}

void sticky(void)
{
    struct sockaddr_in6 to = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
    int far = socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK, 0), fd = socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    must(bind(far, (struct sockaddr *)&to, sizeof to) == 0, "a free port is bound");
    to.sin6_port = htons(port_of(far));
    struct in6_pktinfo info = { .ipi6_addr = IN6ADDR_LOOPBACK_INIT };
    char into[64], came[64] = "";

    set("nothing", fd, &info, 0);
    set("short", fd, &info, sizeof info - 1);
    set("set", fd, &info, sizeof info);
    socklen_t length = sizeof info;
    line2("sticky", "get", getsockopt(fd, IPPROTO_IPV6, IPV6_PKTINFO, &info, &length));
    line2("sticky", "send", sendto(fd, "a", 1, 0, (struct sockaddr *)&to, sizeof to));
    info.ipi6_ifindex = 1;
    set("of-loopback", fd, &info, sizeof info);
    line2("sticky", "of-loopback.send", sendto(fd, "b", 1, 0, (struct sockaddr *)&to, sizeof to));
    info.ipi6_ifindex = 1000;
    set("of-nobody", fd, &info, sizeof info);
    line2("sticky", "of-nobody.send", sendto(fd, "c", 1, 0, (struct sockaddr *)&to, sizeof to));
    info.ipi6_ifindex = 0;
    set("of-none", fd, &info, sizeof info);
    line2("sticky", "of-none.send", sendto(fd, "d", 1, 0, (struct sockaddr *)&to, sizeof to));
    settle(far, POLLIN);
    while (recv(far, into, sizeof into, 0) == 1)
        strncat(came, into, 1);
    text("sticky.came", "%s", came);
    must(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3) == 0, "it keeps to one interface");
    set("kept.of-none", fd, &info, sizeof info);
    info.ipi6_ifindex = 2;
    set("kept.of-another", fd, &info, sizeof info);
    info.ipi6_ifindex = 1;
    set("kept.of-it", fd, &info, sizeof info);
    line2("sticky", "kept.send", sendto(fd, "e", 1, 0, (struct sockaddr *)&to, sizeof to));
    close(fd);
    fd = socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    info.ipi6_ifindex = 2;
    set("kept-later.of-another", fd, &info, sizeof info);
    must(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3) == 0, "it keeps to one interface");
    line2("sticky", "kept-later.send", sendto(fd, "f", 1, 0, (struct sockaddr *)&to, sizeof to));
    close(fd);
    close(far);

    fd = make(SOCK_DGRAM);
    set("of-four", fd, &info, sizeof info);
    close(fd);
    fd = socket(AF_INET6, SOCK_STREAM, 0);
    set("of-a-stream", fd, &info, sizeof info);
    close(fd);
}
