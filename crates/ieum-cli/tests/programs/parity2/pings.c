/* Ping sockets: ICMP echo by a datagram socket. */
#include "parity2.h"

#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>

static void four(void)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_ICMP);
    line("ping.socket", fd >= 0 ? 0 : -1);
    if (fd < 0)
        return;
    int value = 0;
    socklen_t length = sizeof value;
    must(getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, &length) == 0, "SO_TYPE is answered");
    text("ping.so-type", "%d", value);
    length = sizeof value;
    must(getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &value, &length) == 0, "SO_PROTOCOL is answered");
    text("ping.so-protocol", "%d", value);
    text("ping.poll", "%s", mask(fd));
    struct sockaddr_in to = address("127.0.0.1", 0);
    struct { struct icmphdr header; char data[8]; } request = { .header = { .type = ICMP_ECHO }, .data = "payload" }, answer;
    request.header.un.echo.id = htons(77);
    request.header.un.echo.sequence = htons(3);
    line("ping.send", sendto(fd, &request, sizeof request, 0, (struct sockaddr *)&to, sizeof to));
    text("ping.answered", "%s", settle(fd, POLLIN));
    struct sockaddr_in from = { 0 };
    length = sizeof from;
    memset(&answer, 0, sizeof answer);
    line("ping.recv", recvfrom(fd, &answer, sizeof answer, 0, (struct sockaddr *)&from, &length));
    char ip[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &from.sin_addr, ip, sizeof ip);
    text("ping.from", "%s port %d length %u", ip, ntohs(from.sin_port), length);
    text("ping.answer", "type %d code %d sequence %d, id is %s, data %.8s", answer.header.type, answer.header.code,
        ntohs(answer.header.un.echo.sequence), answer.header.un.echo.id == htons(77) ? "as sent" : "the socket's", answer.data);
    struct sockaddr_in own = { 0 };
    length = sizeof own;
    must(getsockname(fd, (struct sockaddr *)&own, &length) == 0, "a socket has a name");
    text("ping.name-is-id", "%s", own.sin_port == answer.header.un.echo.id ? "yes" : "no");
    line("ping.too-short", sendto(fd, "abc", 3, 0, (struct sockaddr *)&to, sizeof to));
    request.header.type = ICMP_ECHOREPLY;
    line("ping.not-a-request", sendto(fd, &request, sizeof request, 0, (struct sockaddr *)&to, sizeof to));
    request.header.type = ICMP_ECHO;
    line("ping.no-destination", send(fd, &request, sizeof request, 0));
    line("ping.nothing", recv(fd, &answer, sizeof answer, 0));
    line("ping.connect", connect(fd, (struct sockaddr *)&to, sizeof to));
    line("ping.connected.send", send(fd, &request, sizeof request, 0));
    text("ping.connected.answered", "%s", settle(fd, POLLIN));
    line("ping.connected.recv", read(fd, &answer, sizeof answer));
    line("ping.listen", listen(fd, 1));
    line("ping.accept", accept(fd, NULL, NULL));
    to = address(BEYOND, 0);
    line("ping.no-route", sendto(fd, &request, sizeof request, 0, (struct sockaddr *)&to, sizeof to));
    close(fd);

    /* Two sockets do not hear each other's answers; one that is bound has its id. */
    fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, IPPROTO_ICMP);
    int other = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, IPPROTO_ICMP);
    to = address("127.0.0.1", 4711);
    line("ping.bind", bind(fd, (struct sockaddr *)&to, sizeof to));
    to.sin_port = htons(4712);
    line("ping.bind-other", bind(other, (struct sockaddr *)&to, sizeof to));
    to.sin_port = 0;
    must(sendto(fd, &request, sizeof request, 0, (struct sockaddr *)&to, sizeof to) > 0, "a request is sent");
    text("ping.bound.answered", "%s", settle(fd, POLLIN));
    must(recv(fd, &answer, sizeof answer, 0) == sizeof answer, "an answer comes");
    text("ping.bound.id", "%d", ntohs(answer.header.un.echo.id));
    text("ping.other-hears-nothing", "%s", mask(other));
    close(fd);
    close(other);
}

static void hop_limit(void)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_ICMP), on = 1;
    if (fd < 0)
        return;
    line("ping.recvttl", setsockopt(fd, IPPROTO_IP, IP_RECVTTL, &on, sizeof on));
    struct sockaddr_in to = address("127.0.0.1", 0);
    struct icmphdr request = { .type = ICMP_ECHO };
    must(sendto(fd, &request, sizeof request, 0, (struct sockaddr *)&to, sizeof to) == sizeof request, "a request is sent");
    settle(fd, POLLIN);
    char into[64], control[128];
    struct iovec part = { into, sizeof into };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control };
    line("ping.recvmsg", recvmsg(fd, &message, 0));
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header && header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_TTL)
        text("ping.ttl", "%d", *(int *)CMSG_DATA(header));
    else
        text("ping.ttl", "none");
    close(fd);
}

static void six_pings(void)
{
    int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_ICMPV6);
    line("ping6.socket", fd >= 0 ? 0 : -1);
    if (fd < 0)
        return;
    struct sockaddr_in6 to = { .sin6_family = AF_INET6 }, from = { 0 };
    to.sin6_addr = in6addr_loopback;
    struct { struct icmp6_hdr header; char data[8]; } request = { .header = { .icmp6_type = ICMP6_ECHO_REQUEST }, .data = "payload" }, answer;
    request.header.icmp6_seq = htons(5);
    line("ping6.send", sendto(fd, &request, sizeof request, 0, (struct sockaddr *)&to, sizeof to));
    text("ping6.answered", "%s", settle(fd, POLLIN));
    socklen_t length = sizeof from;
    memset(&answer, 0, sizeof answer);
    line("ping6.recv", recvfrom(fd, &answer, sizeof answer, 0, (struct sockaddr *)&from, &length));
    char ip[INET6_ADDRSTRLEN];
    inet_ntop(AF_INET6, &from.sin6_addr, ip, sizeof ip);
    text("ping6.from", "%s length %u", ip, length);
    text("ping6.answer", "type %d code %d sequence %d data %.8s", answer.header.icmp6_type, answer.header.icmp6_code,
        ntohs(answer.header.icmp6_seq), answer.data);
    close(fd);
    line("ping.wrong-protocol", socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMPV6) >= 0 ? 0 : -1);
    line("ping6.wrong-protocol", socket(AF_INET6, SOCK_DGRAM, IPPROTO_ICMP) >= 0 ? 0 : -1);
}

void pings(void)
{
    four();
    hop_limit();
    six_pings();
}
