/* Every call, from C: what it answers, and what it answers to nonsense. Ends with the number of the line that does not hold. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
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
    HOLDS(ieum_shutdown(copy, SHUT_WR) == 0);
    FAILS(ieum_shutdown(copy, 9), EINVAL);
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

static void default_host(void)
{
    HOLDS(ieum_host_make_default(server) == 0);
    int host = ieum_host_default(), socket = ieum_socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in name = at("10.1.0.1", 0);
    HOLDS(ieum_bind(socket, NAME(name)) == 0);
    HOLDS(ieum_close(socket) == 0 && ieum_close(host) == 0);
}

int main(void)
{
    hosts();
    streams();
    datagrams();
    default_host();
    int numbers[] = { server, client, link_, network };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        HOLDS(ieum_close(numbers[i]) == 0);
    puts("all holds");
    return 0;
}
