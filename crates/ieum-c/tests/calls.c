/* Every call, from C: what it answers, and what it answers to nonsense. Ends with the number of the line that does not hold. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "ieum.h"

#define HOLDS(what)                                                                                          \
    do {                                                                                                     \
        if (!(what)) {                                                                                       \
            fprintf(stderr, "line %d does not hold: %s (errno %d, %s)\n", __LINE__, #what, errno,            \
                    ieum_error());                                                                           \
            exit(1);                                                                                         \
        }                                                                                                    \
    } while (0)
#define FAILS(call, number) HOLDS((errno = 0, (call) == -1 && errno == (number)))

static struct sockaddr_in at(const char *address, int port)
{
    struct sockaddr_in name = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    inet_pton(AF_INET, address, &name.sin_addr);
    return name;
}

#define NAME(name) (struct sockaddr *)&(name), sizeof(name)

static int network, link_, server, client;

static void hosts(void)
{
    HOLDS((network = ieum_network_new()) >= 1 << 20);
    HOLDS((link_ = ieum_link_new(network, 0)) == network + 1);
    FAILS(ieum_link_new(network, 67), EINVAL);
    FAILS(ieum_link_new(link_, 0), EINVAL);
    FAILS(ieum_link_new(0, 0), EBADF);
    HOLDS((server = ieum_host_new(network)) == link_ + 1);
    FAILS(ieum_host_socket(server, AF_INET, SOCK_STREAM, 0), EINVAL);
    FAILS(ieum_host_address(server, link_, NULL), EFAULT);
    FAILS(ieum_host_address(server, network, "10.1.0.1/24"), EINVAL);
    HOLDS(ieum_host_address(server, link_, "10.1.0.1/24") == 0);
    HOLDS(ieum_host_address(server, link_, "fd01::1/64") == 0);
    HOLDS(ieum_host_route(server, "0.0.0.0/0", "10.1.0.2") == 0);
    HOLDS(ieum_host_start(server) == 0);
    FAILS(ieum_host_start(server), EALREADY);
    FAILS(ieum_host_address(server, link_, "10.1.0.3/24"), EBUSY);
    client = ieum_host_new(network);
    HOLDS(ieum_host_address(client, link_, "10.1.0.2/24") == 0);
    HOLDS(ieum_host_address(client, link_, "fd01::2/64") == 0);
    HOLDS(ieum_host_start(client) == 0);
    int wrong = ieum_host_new(network);
    HOLDS(ieum_host_address(wrong, link_, "10.1.0.2/24") == 0);
    FAILS(ieum_host_start(wrong), EINVAL);
    HOLDS(strstr(ieum_error(), "10.1.0.2") != NULL);
    FAILS(ieum_host_start(wrong), EINVAL);
    HOLDS(ieum_close(wrong) == 0);
    FAILS(ieum_close(wrong), EBADF);
    FAILS(ieum_close(-1), EBADF);
    FAILS(ieum_close(1), EBADF);
}

static void streams(void)
{
    struct sockaddr_in name = at("10.1.0.1", 80), peer, own;
    socklen_t len = sizeof peer;
    FAILS(ieum_host_socket(server, 99, SOCK_STREAM, 0), EAFNOSUPPORT);
    int listener = ieum_host_socket(server, AF_INET, SOCK_STREAM, 0);
    FAILS(ieum_bind(listener, NULL, sizeof name), EFAULT);
    FAILS(ieum_bind(listener, (struct sockaddr *)&name, 3), EINVAL);
    FAILS(ieum_bind(listener, (struct sockaddr *)&name, (socklen_t)-1), EINVAL);
    FAILS(ieum_bind(server, NAME(name)), ENOTSOCK);
    HOLDS(ieum_bind(listener, NAME(name)) == 0);
    HOLDS(ieum_listen(listener, 8) == 0);
    HOLDS(ieum_fcntl(listener, F_SETFL, O_NONBLOCK) == 0);
    HOLDS(ieum_fcntl(listener, F_GETFL, 0) == (O_RDWR | O_NONBLOCK));
    FAILS(ieum_accept(listener, NULL, NULL), EAGAIN);
    FAILS(ieum_accept4(listener, NULL, NULL, 1), EINVAL);

    int epoll = ieum_epoll_create1(0);
    struct epoll_event event = { .events = EPOLLIN, .data.u64 = 77 }, found[4];
    FAILS(ieum_epoll_ctl(epoll, EPOLL_CTL_ADD, listener, NULL), EFAULT);
    FAILS(ieum_epoll_ctl(epoll, EPOLL_CTL_ADD, server, &event), EPERM);
    FAILS(ieum_epoll_ctl(listener, EPOLL_CTL_ADD, listener, &event), EINVAL);
    int outer = ieum_epoll_create1(EPOLL_CLOEXEC);
    FAILS(ieum_epoll_ctl(outer, EPOLL_CTL_ADD, epoll, &event), EPERM);
    HOLDS(strstr(ieum_error(), "ieum_epoll_descriptor") != NULL);
    HOLDS(ieum_close(outer) == 0);
    HOLDS(ieum_epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event) == 0);
    FAILS(ieum_epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event), EEXIST);
    HOLDS(ieum_epoll_wait(epoll, found, 4, 0) == 0);
    FAILS(ieum_epoll_wait(epoll, found, 0, 0), EINVAL);
    FAILS(ieum_epoll_wait(epoll, NULL, 4, 0), EFAULT);
    int kernel = ieum_epoll_descriptor(epoll);
    struct pollfd bell = { .fd = kernel, .events = POLLIN };

    int one = ieum_host_socket(client, AF_INET, SOCK_STREAM, 0);
    FAILS(ieum_getpeername(one, (struct sockaddr *)&peer, &len), ENOTCONN);
    HOLDS(ieum_connect(one, NAME(name)) == 0);
    HOLDS(poll(&bell, 1, -1) == 1);
    HOLDS(ieum_epoll_wait(epoll, found, 4, -1) == 1 && found[0].data.u64 == 77 && found[0].events == EPOLLIN);
    HOLDS(ieum_epoll_wait(epoll, found, 4, -1) == 1);
    len = sizeof peer;
    int other = ieum_accept4(listener, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK);
    HOLDS(other >= 0 && len == sizeof peer);
    HOLDS(ieum_epoll_wait(epoll, found, 4, 0) == 0);
    HOLDS(poll(&bell, 1, 0) == 0);
    len = sizeof own;
    HOLDS(ieum_getsockname(one, (struct sockaddr *)&own, &len) == 0);
    HOLDS(memcmp(&own, &peer, sizeof own) == 0);
    len = 4;
    HOLDS(ieum_getpeername(one, (struct sockaddr *)&own, &len) == 0 && len == sizeof own);
    FAILS(ieum_getsockname(one, NULL, NULL), EFAULT);

    /* Bytes, in every way. */
    char bytes[64];
    FAILS(ieum_recv(other, bytes, sizeof bytes, 0), EAGAIN);
    FAILS(ieum_recv(one, bytes, sizeof bytes, MSG_DONTWAIT), EAGAIN);
    HOLDS(ieum_send(one, "hello", 5, 0) == 5);
    FAILS(ieum_send(one, NULL, 5, 0), EFAULT);
    struct iovec parts[] = { { "wor", 3 }, { "ld", 2 } };
    HOLDS(ieum_writev(one, parts, 2) == 5);
    struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };
    HOLDS(ieum_sendmsg(one, &message, MSG_NOSIGNAL) == 5);
    FAILS(ieum_sendmsg(one, NULL, 0), EFAULT);
    int queued = -1;
    HOLDS(ieum_ioctl(other, FIONREAD, &queued) == 0 && queued == 15);
    HOLDS(ieum_ioctl(one, SIOCOUTQ, &queued) == 0);
    FAILS(ieum_ioctl(other, FIONREAD, NULL), EFAULT);
    FAILS(ieum_ioctl(other, 12345, &queued), ENOTTY);
    FAILS(ieum_ioctl(listener, FIONREAD, &queued), EINVAL);
    HOLDS(ieum_recv(other, bytes, 5, MSG_PEEK) == 5 && memcmp(bytes, "hello", 5) == 0);
    FAILS(ieum_recv(other, NULL, 5, 0), EFAULT);
    HOLDS(ieum_read(other, bytes, 4) == 4 && memcmp(bytes, "hell", 4) == 0);
    struct iovec into[] = { { bytes, 1 }, { bytes + 1, 5 } };
    HOLDS(ieum_readv(other, into, 2) == 6 && memcmp(bytes, "oworld", 6) == 0);
    struct msghdr come = { .msg_iov = into, .msg_iovlen = 2 };
    HOLDS(ieum_recvmsg(other, &come, 0) == 5 && memcmp(bytes, "world", 5) == 0);
    FAILS(ieum_recvmsg(other, NULL, 0), EFAULT);
    FAILS(ieum_readv(other, into, -1), EINVAL);

    /* Options. */
    int value = 1;
    len = sizeof value;
    HOLDS(ieum_setsockopt(one, IPPROTO_TCP, TCP_NODELAY, &value, sizeof value) == 0);
    value = 0;
    HOLDS(ieum_getsockopt(one, IPPROTO_TCP, TCP_NODELAY, &value, &len) == 0 && value == 1 && len == 4);
    FAILS(ieum_setsockopt(one, SOL_SOCKET, 9999, &value, sizeof value), ENOPROTOOPT);
    FAILS(ieum_setsockopt(one, IPPROTO_TCP, TCP_NODELAY, NULL, 4), EFAULT);
    FAILS(ieum_setsockopt(one, IPPROTO_TCP, TCP_NODELAY, &value, 1), EINVAL);
    FAILS(ieum_getsockopt(one, IPPROTO_TCP, TCP_NODELAY, &value, NULL), EFAULT);
    struct timeval patience = { .tv_usec = 10000 };
    HOLDS(ieum_setsockopt(one, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0);
    FAILS(ieum_recv(one, bytes, 1, 0), EAGAIN);

    /* Waiting. */
    struct pollfd list[] = { { .fd = one, .events = POLLIN | POLLOUT }, { .fd = -5, .events = POLLIN },
                             { .fd = other, .events = POLLIN } };
    HOLDS(ieum_poll(list, 3, -1) == 1 && list[0].revents == POLLOUT && list[2].revents == 0);
    HOLDS(ieum_poll(list + 2, 1, 10) == 0);
    list[1].fd = 3;
    HOLDS(ieum_poll(list + 1, 2, -1) == 1 && list[1].revents == POLLNVAL);
    FAILS(ieum_poll(NULL, 1, 0), EFAULT);
    fd_set read_set, write_set, except_set;
    FD_ZERO(&read_set);
    FD_ZERO(&write_set);
    FD_ZERO(&except_set);
    IEUM_FD_SET(one, &read_set);
    IEUM_FD_SET(one, &write_set);
    IEUM_FD_SET(other, &except_set);
    int places = (one > other ? one : other) - IEUM_FIRST + 1;
    HOLDS(ieum_select(places, &read_set, &write_set, &except_set, NULL) == 1);
    HOLDS(!IEUM_FD_ISSET(one, &read_set) && IEUM_FD_ISSET(one, &write_set) && !IEUM_FD_ISSET(other, &except_set));
    struct timeval soon = { .tv_usec = 2000 };
    IEUM_FD_SET(other, &read_set);
    HOLDS(ieum_select(places, &read_set, NULL, NULL, &soon) == 0 && !IEUM_FD_ISSET(other, &read_set));
    HOLDS(soon.tv_sec == 0 && soon.tv_usec == 0);
    HOLDS(ieum_send(one, "!", 1, MSG_OOB) == 1);
    IEUM_FD_SET(other, &except_set);
    HOLDS(ieum_select(places, NULL, NULL, &except_set, NULL) == 1 && IEUM_FD_ISSET(other, &except_set));
    struct iovec urgent = { bytes, sizeof bytes };
    struct msghdr by_itself = { .msg_iov = &urgent, .msg_iovlen = 1 };
    HOLDS(ieum_recvmsg(other, &by_itself, MSG_OOB) == 1 && bytes[0] == '!' && by_itself.msg_flags == MSG_OOB);
    FAILS(ieum_select(-1, NULL, NULL, NULL, &soon), EINVAL);
    FAILS(ieum_select(FD_SETSIZE + 1, NULL, NULL, NULL, &soon), EINVAL);
    soon.tv_usec = -1;
    FAILS(ieum_select(0, NULL, NULL, NULL, &soon), EINVAL);
    FD_ZERO(&read_set);
    IEUM_FD_SET(epoll, &read_set);
    FAILS(ieum_select(places, &read_set, NULL, NULL, NULL), EBADF);
    HOLDS(ieum_read(other, bytes, 0) == 0 && ieum_readv(other, into, 0) == 0);
    event.events = EPOLLIN | EPOLLET;
    event.data.u64 = 78;
    HOLDS(ieum_epoll_ctl(epoll, EPOLL_CTL_ADD, other, &event) == 0);
    HOLDS(ieum_write(one, "x", 1) == 1);
    HOLDS(ieum_epoll_wait(epoll, found, 4, -1) == 1 && found[0].data.u64 == 78);
    HOLDS(ieum_epoll_wait(epoll, found, 4, 0) == 0);
    HOLDS(ieum_write(one, "x", 1) == 1);
    HOLDS(ieum_epoll_wait(epoll, found, 4, -1) == 1);
    HOLDS(ieum_epoll_ctl(epoll, EPOLL_CTL_DEL, other, NULL) == 0);
    FAILS(ieum_epoll_ctl(epoll, EPOLL_CTL_DEL, other, NULL), ENOENT);
    HOLDS(ieum_ioctl(other, FIONREAD, &queued) == 0 && queued == 2);
    HOLDS(ieum_read(other, bytes, sizeof bytes) == 2);

    /* A copy is the same connection; the end comes with the last. */
    int copy = ieum_dup(one);
    HOLDS(copy >= 0 && ieum_close(one) == 0);
    FAILS(ieum_write(one, "x", 1), EBADF);
    HOLDS(ieum_write(copy, "y", 1) == 1 && ieum_read(other, bytes, 9) == 1);
    int far = ieum_fcntl(copy, F_DUPFD, copy + 100);
    HOLDS(far == copy + 100 && ieum_close(far) == 0);
    int blocks = 0;
    HOLDS(ieum_ioctl(other, FIONBIO, &blocks) == 0);
    HOLDS(ieum_write(copy, "end", 3) == 3 && ieum_shutdown(copy, SHUT_WR) == 0);
    FAILS(ieum_shutdown(copy, 9), EINVAL);
    /* Whoever wants more than is to come is told of the end that is there already. */
    HOLDS(ieum_recv(other, bytes, 9, MSG_WAITALL) == 3 && memcmp(bytes, "end", 3) == 0);
    HOLDS(ieum_read(other, bytes, 9) == 0);
    FAILS(ieum_send(copy, "z", 1, 0), EPIPE);
    HOLDS(ieum_close(copy) == 0 && ieum_close(other) == 0);

    /* Nobody listens. */
    one = ieum_host_socket(client, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct sockaddr_in nobody = at("10.1.0.1", 81);
    FAILS(ieum_connect(one, NAME(nobody)), EINPROGRESS);
    struct pollfd refused = { .fd = one, .events = POLLOUT };
    HOLDS(ieum_poll(&refused, 1, -1) == 1 && (refused.revents & POLLERR));
    len = sizeof value;
    HOLDS(ieum_getsockopt(one, SOL_SOCKET, SO_ERROR, &value, &len) == 0 && value == ECONNREFUSED);
    int off = 0;
    HOLDS(ieum_ioctl(one, FIONBIO, &off) == 0 && ieum_fcntl(one, F_GETFL, 0) == O_RDWR);
    /* That attempt has told its end. */
    FAILS(ieum_connect(one, NAME(nobody)), ECONNABORTED);
    FAILS(ieum_connect(one, NAME(nobody)), ECONNREFUSED);
    HOLDS(ieum_close(one) == 0 && ieum_close(listener) == 0 && ieum_close(epoll) == 0 && close(kernel) == 0);
}

static void datagrams(void)
{
    int one = ieum_host_socket(client, AF_INET6, SOCK_DGRAM, 0);
    int other = ieum_host_socket(server, AF_INET6, SOCK_DGRAM, 0);
    struct sockaddr_in6 name = { .sin6_family = AF_INET6, .sin6_port = htons(53) }, from;
    HOLDS(ieum_bind(other, NAME(name)) == 0);
    inet_pton(AF_INET6, "fd01::1", &name.sin6_addr);
    HOLDS(ieum_sendto(one, "question", 8, 0, NAME(name)) == 8);
    HOLDS(ieum_sendto(one, NULL, 0, 0, NAME(name)) == 0);
    FAILS(ieum_send(one, "x", 1, 0), EDESTADDRREQ);
    char bytes[4];
    struct iovec into = { bytes, sizeof bytes };
    struct msghdr message = { .msg_iov = &into, .msg_iovlen = 1, .msg_name = &from, .msg_namelen = sizeof from };
    HOLDS(ieum_recvmsg(other, &message, 0) == 4 && message.msg_flags == MSG_TRUNC);
    char text[INET6_ADDRSTRLEN];
    HOLDS(strcmp(inet_ntop(AF_INET6, &from.sin6_addr, text, sizeof text), "fd01::2") == 0);
    socklen_t len = sizeof from;
    HOLDS(ieum_recvfrom(other, bytes, sizeof bytes, 0, (struct sockaddr *)&from, &len) == 0 && len == 28);
    HOLDS(ieum_sendto(other, "answer", 6, 0, NAME(from)) == 6);
    HOLDS(ieum_recv(one, bytes, sizeof bytes, MSG_TRUNC) == 6);
    HOLDS(ieum_close(one) == 0 && ieum_close(other) == 0);
}

/* Writes a control message; the next one's place. */
static char *say(char *place, int level, int kind, const void *data, size_t length)
{
    struct cmsghdr *header = (struct cmsghdr *)(void *)place;
    *header = (struct cmsghdr){ .cmsg_level = level, .cmsg_type = kind, .cmsg_len = CMSG_LEN(length) };
    memcpy(CMSG_DATA(header), data, length);
    return place + CMSG_SPACE(length);
}

/* What a message's control messages say of one kind; -1 where nothing does. */
static int told(struct msghdr *message, int level, int kind)
{
    for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header; header = CMSG_NXTHDR(message, header))
        if (header->cmsg_level == level && header->cmsg_type == kind)
            return *CMSG_DATA(header);
    return -1;
}

static void messages(void)
{
    int one = ieum_host_socket(client, AF_INET, SOCK_DGRAM, 0), yes = 1;
    int other = ieum_host_socket(server, AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in name = at("10.1.0.1", 53);
    HOLDS(ieum_bind(other, NAME(name)) == 0 && ieum_connect(one, NAME(name)) == 0);
    HOLDS(ieum_setsockopt(other, IPPROTO_IP, IP_RECVTTL, &yes, sizeof yes) == 0);
    HOLDS(ieum_setsockopt(other, IPPROTO_IP, IP_RECVTOS, &yes, sizeof yes) == 0);
    HOLDS(ieum_setsockopt(other, IPPROTO_IP, IP_PKTINFO, &yes, sizeof yes) == 0);
    HOLDS(ieum_setsockopt(other, SOL_SOCKET, SO_TIMESTAMP, &yes, sizeof yes) == 0);

    /* Each message says of itself what its header is to say. */
    char bytes[4][8];
    struct iovec parts[4] = { { "abc", 3 } };
    int hops = 9, service = 0x20;
    _Alignas(struct cmsghdr) char both[2 * CMSG_SPACE(sizeof(int))], room[256];
    say(say(both, IPPROTO_IP, IP_TTL, &hops, sizeof hops), IPPROTO_IP, IP_TOS, &service, sizeof service);
    struct msghdr message = { .msg_iov = parts, .msg_iovlen = 1, .msg_control = both, .msg_controllen = sizeof both };
    HOLDS(ieum_sendmsg(one, &message, 0) == 3);
    struct iovec into = { bytes[0], 8 };
    struct msghdr come = { .msg_iov = &into, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room };
    HOLDS(ieum_recvmsg(other, &come, 0) == 3 && come.msg_flags == 0);
    HOLDS(told(&come, IPPROTO_IP, IP_TTL) == 9 && told(&come, IPPROTO_IP, IP_TOS) == 0x20);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    struct timeval stamp = { 0 };
    struct in_pktinfo place = { 0 };
    for (struct cmsghdr *header = CMSG_FIRSTHDR(&come); header; header = CMSG_NXTHDR(&come, header))
        if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SO_TIMESTAMP)
            memcpy(&stamp, CMSG_DATA(header), sizeof stamp);
        else if (header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_PKTINFO)
            memcpy(&place, CMSG_DATA(header), sizeof place);
    /* The time of day, not of some beginning. */
    HOLDS(stamp.tv_sec <= now.tv_sec && now.tv_sec - stamp.tv_sec < 3600);
    HOLDS(place.ipi_ifindex == 2 && place.ipi_addr.s_addr == name.sin_addr.s_addr);

    /* What has no room is cut, and that is said. */
    HOLDS(ieum_sendmsg(one, &message, 0) == 3);
    size_t short_room = CMSG_SPACE(sizeof stamp) + CMSG_LEN(4);
    come.msg_controllen = short_room;
    HOLDS(ieum_recvmsg(other, &come, 0) == 3 && come.msg_flags == MSG_CTRUNC && come.msg_controllen == short_room);

    /* What it cannot say. */
    say(both, IPPROTO_IP, IP_TTL, &(int){ 256 }, 4);
    message.msg_controllen = CMSG_SPACE(4);
    FAILS(ieum_sendmsg(one, &message, 0), EINVAL);
    message.msg_controllen = 131073;
    FAILS(ieum_sendmsg(one, &message, 0), ENOBUFS);
    message.msg_control = NULL;
    message.msg_controllen = 16;
    FAILS(ieum_sendmsg(one, &message, 0), EFAULT);
    message.msg_controllen = 0;
    message.msg_iovlen = 1025;
    FAILS(ieum_sendmsg(one, &message, 0), EMSGSIZE);

    /* Many at once: one call cuts into three, one sends three. */
    say(both, IPPROTO_UDP, UDP_SEGMENT, &(uint16_t){ 2 }, sizeof(uint16_t));
    message = (struct msghdr){ .msg_iov = &(struct iovec){ "aabbc", 5 }, .msg_iovlen = 1, .msg_control = both,
                               .msg_controllen = CMSG_SPACE(sizeof(uint16_t)) };
    HOLDS(ieum_sendmsg(one, &message, 0) == 5);
    struct mmsghdr many[4] = { 0 };
    for (int i = 0; i < 4; i++) {
        parts[i] = (struct iovec){ "datagram", (size_t)i + 1 };
        many[i].msg_hdr = (struct msghdr){ .msg_iov = &parts[i], .msg_iovlen = 1 };
    }
    HOLDS(ieum_sendmmsg(one, many, 3, 0) == 3 && many[0].msg_len == 1 && many[2].msg_len == 3);
    for (int i = 0; i < 4; i++)
        parts[i] = (struct iovec){ bytes[i], 8 };
    HOLDS(ieum_recvmmsg(other, many, 4, 0, NULL) == 4);
    HOLDS(many[0].msg_len == 2 && memcmp(bytes[1], "bb", 2) == 0 && many[2].msg_len == 1 && many[3].msg_len == 1);
    /* Two are left: a third is not waited for. */
    HOLDS(ieum_recvmmsg(other, many, 4, MSG_WAITFORONE, NULL) == 2);
    HOLDS(many[0].msg_len == 2 && many[1].msg_len == 3 && memcmp(bytes[1], "dat", 3) == 0);
    FAILS(ieum_recvmmsg(other, many, 4, MSG_DONTWAIT, NULL), EAGAIN);
    HOLDS(ieum_sendmmsg(one, many, 2, 0) == 2);
    struct timespec none = { 0 };
    HOLDS(ieum_recvmmsg(other, many, 4, 0, &none) == 1 && none.tv_nsec == 0);
    FAILS(ieum_recvmmsg(other, many, 1, 0, &(struct timespec){ .tv_nsec = -1 }), EINVAL);
    FAILS(ieum_recvmmsg(other, NULL, 1, 0, NULL), EFAULT);
    FAILS(ieum_sendmmsg(server, many, 1, 0), ENOTSOCK);
    HOLDS(ieum_recvmmsg(other, many, 1, 0, NULL) == 1);

    /* An address that is none; and one at which a stream does not look. */
    FAILS(ieum_sendto(other, "x", 1, 0, (struct sockaddr *)&name, 3), EINVAL);
    FAILS(ieum_sendto(other, "x", 1, MSG_OOB, NAME(name)), EOPNOTSUPP);
    FAILS(ieum_sendto(other, "x", 1, 0, (struct sockaddr *)&(struct sockaddr_in6){ .sin6_family = AF_INET6 }, 28), EAFNOSUPPORT);
    HOLDS(ieum_close(one) == 0 && ieum_close(other) == 0);
}

/* A host that is removed is gone from its link, and its sockets with it. */
static void removed(void)
{
    int host = ieum_host_new(network);
    FAILS(ieum_host_remove(host), EINVAL);
    FAILS(ieum_host_socket(host, AF_INET, SOCK_RAW, IPPROTO_ICMP), EINVAL);
    HOLDS(ieum_host_address(host, link_, "10.1.0.7/24") == 0 && ieum_host_raw_sockets(host) == 0);
    HOLDS(ieum_host_start(host) == 0);
    FAILS(ieum_host_raw_sockets(host), EBUSY);
    FAILS(ieum_host_socket(client, AF_INET, SOCK_RAW, IPPROTO_ICMP), EPERM);
    int raw = ieum_host_socket(host, AF_INET, SOCK_RAW, IPPROTO_ICMP);
    HOLDS(raw >= IEUM_FIRST);
    int one = ieum_host_socket(client, AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in name = at("10.1.0.7", 80);
    FAILS(ieum_connect(one, NAME(name)), ECONNREFUSED);
    HOLDS(ieum_host_remove(host) == 0);
    FAILS(ieum_getsockname(raw, (struct sockaddr *)&name, &(socklen_t){ sizeof name }), EBADF);
    FAILS(ieum_host_socket(host, AF_INET, SOCK_STREAM, 0), ENFILE);
    name = at("10.1.0.7", 80);
    FAILS(ieum_connect(one, NAME(name)), EHOSTUNREACH);
    HOLDS(ieum_close(raw) == 0 && ieum_close(one) == 0 && ieum_close(host) == 0);
    host = ieum_host_new(network);
    HOLDS(ieum_host_address(host, link_, "10.1.0.7/24") == 0 && ieum_host_start(host) == 0 && ieum_close(host) == 0);
}

/* Interfaces by ioctl and by name. */
static void interfaces(void)
{
    int one = ieum_host_socket(client, AF_INET, SOCK_STREAM, 0);
    struct ifreq asked = { .ifr_name = "eth0" };
    struct sockaddr_in own;
    HOLDS(ieum_ioctl(one, SIOCGIFADDR, &asked) == 0);
    memcpy(&own, &asked.ifr_addr, sizeof own);
    HOLDS(own.sin_family == AF_INET && own.sin_addr.s_addr == at("10.1.0.2", 0).sin_addr.s_addr);
    HOLDS(ieum_ioctl(one, SIOCGIFINDEX, &asked) == 0 && asked.ifr_ifindex == 2);
    FAILS(ieum_ioctl(one, SIOCSIFMTU, &asked), EPERM);
    FAILS(ieum_ioctl(one, SIOCGIFADDR, NULL), EFAULT);
    FAILS(ieum_ioctl(network, SIOCGIFADDR, &asked), ENOTSOCK);
    strcpy(asked.ifr_name, "wlan7");
    FAILS(ieum_ioctl(one, SIOCGIFADDR, &asked), ENODEV);
    struct ifreq room[4];
    struct ifconf list = { .ifc_len = sizeof room, .ifc_req = room };
    HOLDS(ieum_ioctl(one, SIOCGIFCONF, &list) == 0 && list.ifc_len == 2 * sizeof *room && !strcmp(room[1].ifr_name, "eth0"));
    list.ifc_req = NULL;
    HOLDS(ieum_ioctl(one, SIOCGIFCONF, &list) == 0 && list.ifc_len == 2 * sizeof *room);
    FAILS(ieum_ioctl(one, SIOCGIFCONF, NULL), EFAULT);
    struct ifaddrs *all;
    HOLDS(ieum_host_getifaddrs(client, &all) == 0);
    int links = 0, found = 0;
    for (struct ifaddrs *each = all; each; each = each->ifa_next) {
        if (each->ifa_addr->sa_family == AF_PACKET) {
            links++;
            /* The frames of a link of the library are packets, which have no link addresses. */
            HOLDS(!each->ifa_broadaddr == !strcmp(each->ifa_name, "eth0"));
        }
        if (strcmp(each->ifa_name, "eth0") || each->ifa_addr->sa_family != AF_INET)
            continue;
        memcpy(&own, each->ifa_addr, sizeof own);
        found += own.sin_addr.s_addr == at("10.1.0.2", 0).sin_addr.s_addr;
        memcpy(&own, each->ifa_netmask, sizeof own);
        found += own.sin_addr.s_addr == at("255.255.255.0", 0).sin_addr.s_addr;
        memcpy(&own, each->ifa_broadaddr, sizeof own);
        found += own.sin_addr.s_addr == at("10.1.0.255", 0).sin_addr.s_addr;
    }
    HOLDS(links == 2 && found == 3);
    ieum_freeifaddrs(all);
    ieum_freeifaddrs(NULL);
    FAILS(ieum_host_getifaddrs(client, NULL), EFAULT);
    HOLDS(ieum_close(one) == 0);
}

/* Those of the process's own host. */
static void interfaces_by_name(void)
{
    char name[IF_NAMESIZE];
    HOLDS(ieum_if_nametoindex("lo") == 1 && ieum_if_nametoindex("eth0") == 2);
    errno = 0;
    HOLDS(ieum_if_nametoindex("wlan7") == 0 && errno == ENODEV);
    HOLDS(ieum_if_indextoname(2, name) == name && !strcmp(name, "eth0"));
    errno = 0;
    HOLDS(ieum_if_indextoname(7, name) == NULL && errno == ENXIO);
    struct if_nameindex *all = ieum_if_nameindex();
    HOLDS(all && all[1].if_index == 2 && !strcmp(all[1].if_name, "eth0") && all[2].if_index == 0 && !all[2].if_name);
    ieum_if_freenameindex(all);
    ieum_if_freenameindex(NULL);
    struct ifaddrs *list;
    HOLDS(ieum_getifaddrs(&list) == 0 && list);
    ieum_freeifaddrs(list);
}

/* Time-outs of calls that open connections. */
static void in_time(void)
{
    struct timeval soon = { .tv_usec = 5000 };
    int listener = ieum_host_socket(server, AF_INET, SOCK_STREAM, 0);
    HOLDS(ieum_listen(listener, 0) == 0);
    HOLDS(ieum_setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof soon) == 0);
    FAILS(ieum_accept(listener, NULL, NULL), EAGAIN);
    struct sockaddr_in name, full = at("10.1.0.1", 0);
    socklen_t len = sizeof name;
    HOLDS(ieum_getsockname(listener, (struct sockaddr *)&name, &len) == 0);
    full.sin_port = name.sin_port;
    /* One fills the queue; the next is not answered. */
    int one = ieum_host_socket(client, AF_INET, SOCK_STREAM, 0), two = ieum_host_socket(client, AF_INET, SOCK_STREAM, 0);
    HOLDS(ieum_connect(one, NAME(full)) == 0);
    HOLDS(ieum_setsockopt(two, SOL_SOCKET, SO_SNDTIMEO, &soon, sizeof soon) == 0);
    FAILS(ieum_connect(two, NAME(full)), EINPROGRESS);
    FAILS(ieum_connect(two, NAME(full)), EALREADY);
    HOLDS(ieum_close(one) == 0 && ieum_close(two) == 0 && ieum_close(listener) == 0);
}

static void default_host(void)
{
    HOLDS(ieum_host_make_default(server) == 0);
    int host = ieum_host_default(), socket = ieum_socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in name = at("10.1.0.1", 0);
    HOLDS(ieum_bind(socket, NAME(name)) == 0);
    interfaces_by_name();
    HOLDS(ieum_close(socket) == 0 && ieum_close(host) == 0);
}

int main(void)
{
    hosts();
    streams();
    datagrams();
    messages();
    removed();
    in_time();
    interfaces();
    default_host();
    int numbers[] = { server, client, link_, network };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        HOLDS(ieum_close(numbers[i]) == 0);
    puts("all holds");
    return 0;
}
