/* ieum.h: sockets of ieum, the network socket built anew in user space.
 *
 * Made by cbindgen from crates/ieum-c: not to be changed by hand.
 *
 * Networks, links, hosts, sockets and epolls are numbers, which ieum_close() gives back. They begin at 1048576, where no
 * descriptor of the kernel's is (unless fs.nr_open was raised), so that neither is taken for the other.
 *
 * A call returns -1 and sets errno where something is wrong, as the call of its name without "ieum_" does; ieum_error()
 * has it in a sentence. A peer that reads no more gives EPIPE and no SIGPIPE. A child of fork() uses nothing of its parent's:
 * the threads that its networks sleep in are not there. It may make its own.
 *
 * Any thread may make any call. Only what pointers lead to is on trust: where a pointer is not NULL, there is as much as
 * the length beside it says. */

#ifndef IEUM_H
#define IEUM_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/epoll.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <poll.h>
#include <time.h>

/* A set of select(2) has places for 1024 numbers: here those from IEUM_FIRST on. */
#define IEUM_FD_SET(number, set) FD_SET((number) - IEUM_FIRST, set)
#define IEUM_FD_CLR(number, set) FD_CLR((number) - IEUM_FIRST, set)
#define IEUM_FD_ISSET(number, set) FD_ISSET((number) - IEUM_FIRST, set)

/* Seen with _GNU_SOURCE alone. */
struct mmsghdr;

/**
 * The first number that is given out: the kernel gives out none from here on (fs.nr_open, 1,048,576 unless it was raised).
 */
#define IEUM_FIRST (1 << 20)

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * What was wrong with this thread's last call that failed, in a sentence; it stays until its next one.
 */
const char *ieum_error(void);

/**
 * Makes a network: hosts, and the links between them. It lives until it, its links, hosts and their sockets are closed.
 */
int ieum_network_new(void);

/**
 * Makes a link of a network; whoever is on it can talk to whoever else is. 0 is an MTU of 1500 bytes.
 */
int ieum_link_new(int network, unsigned int mtu_bytes);

/**
 * Begins a host of a network. What follows chooses what it is to be, until ieum_host_start() makes it.
 */
int ieum_host_new(int network);

/**
 * Puts the host on a link, under an address with the length of its network's prefix: "10.1.0.1/24", "fd01::1/64".
 *
 * # Safety
 *
 * `address` is a string or NULL.
 */
int ieum_host_address(int host,
                      int link,
                      const char *address);

/**
 * Reaches a network beyond the links, as "0.0.0.0/0", over the link of the neighbour with that address.
 *
 * # Safety
 *
 * Both are strings or NULL.
 */
int ieum_host_route(int host, const char *network, const char *gateway);

/**
 * Reaches whatever is none of its own through the sockets of the machine.
 */
int ieum_host_exit(int host);

/**
 * Lets a port of the machine lead to one of the host's: "127.0.0.1:8080:80", "8053:53/udp".
 *
 * # Safety
 *
 * `ports` is a string or NULL.
 */
int ieum_host_publish(int host, const char *ports);

/**
 * Refuses sockets beyond so many, with ENFILE.
 */
int ieum_host_sockets_max(int host, size_t sockets);

/**
 * Lets it have raw sockets; without it they are EPERM.
 */
int ieum_host_raw_sockets(int host);

/**
 * Keys all that is random or hashed by these 32 bytes. Without it nobody can guess it.
 *
 * # Safety
 *
 * `seed` leads to 32 bytes or is NULL.
 */
int ieum_host_seed(int host, const uint8_t *seed);

/**
 * Makes the host; only then it has sockets. EINVAL, with a sentence, for an address, network or port that is none or
 * that another host on the link has, and for a gateway that is no neighbour.
 */
int ieum_host_start(int host);

/**
 * The process's own host, whose sockets ieum_socket() makes. Unless one was chosen before, it is made when it is first
 * asked for: with an exit, so that it reaches what the machine reaches.
 */
int ieum_host_default(void);

/**
 * Makes it the process's own host from now on.
 */
int ieum_host_make_default(int host);

/**
 * Takes the host out of its network: its connections are reset, its sockets are closed (EBADF), and its addresses are
 * free for another host. Its number, and theirs, are to be closed as ever.
 */
int ieum_host_remove(int host);

/**
 * if_nametoindex(3), of the process's own host: 0 where there is no such interface.
 *
 * # Safety
 *
 * `name` is a string or NULL.
 */
unsigned int ieum_if_nametoindex(const char *name);

/**
 * if_indextoname(3), of the process's own host: NULL where there is no such interface.
 *
 * # Safety
 *
 * `name` leads to 16 bytes (IF_NAMESIZE) or is NULL.
 */
char *ieum_if_indextoname(unsigned int index, char *name);

/**
 * if_nameindex(3), of the process's own host; to be given back by ieum_if_freenameindex().
 */
struct if_nameindex *ieum_if_nameindex(void);

/**
 * if_freenameindex(3).
 *
 * # Safety
 *
 * `list` is what ieum_if_nameindex() gave, or NULL.
 */
void ieum_if_freenameindex(struct if_nameindex *list);

/**
 * getifaddrs(3), of the process's own host; to be given back by ieum_freeifaddrs(). `ifa_data` is NULL.
 *
 * # Safety
 *
 * `list` leads to a pointer or is NULL.
 */
int ieum_getifaddrs(struct ifaddrs **list);

/**
 * The same of a host that was started.
 *
 * # Safety
 *
 * `list` leads to a pointer or is NULL.
 */
int ieum_host_getifaddrs(int host, struct ifaddrs **list);

/**
 * freeifaddrs(3).
 *
 * # Safety
 *
 * `list` is what ieum_getifaddrs() or ieum_host_getifaddrs() gave, or NULL.
 */
void ieum_freeifaddrs(struct ifaddrs *list);

/**
 * recvmsg(2).
 *
 * # Safety
 *
 * What the message has leads to as much as it says.
 */
ptrdiff_t ieum_recvmsg(int number, struct msghdr *message, int flags);

/**
 * recvmmsg(2). Once there is one message, an error ends the call, and is the next one's.
 *
 * # Safety
 *
 * `messages` leads to `messages_count` of their kind, what each has to as much as it says, and `timeout` to one or is NULL.
 */
int ieum_recvmmsg(int number,
                  struct mmsghdr *messages,
                  unsigned int messages_count,
                  int flags,
                  struct timespec *timeout);

/**
 * sendmsg(2). Control messages that are sent along: IP_PKTINFO, IP_TTL, IP_TOS, IPV6_PKTINFO, IPV6_HOPLIMIT, IPV6_TCLASS and
 * UDP_SEGMENT, of datagrams.
 *
 * # Safety
 *
 * What the message has leads to as much as it says.
 */
ptrdiff_t ieum_sendmsg(int number,
                       const struct msghdr *message,
                       int flags);

/**
 * sendmmsg(2). Once one message is sent, an error ends the call.
 *
 * # Safety
 *
 * `messages` leads to `messages_count` of their kind, and what each has to as much as it says.
 */
int ieum_sendmmsg(int number, struct mmsghdr *messages, unsigned int messages_count, int flags);

/**
 * socket(2), on the process's own host.
 */
int ieum_socket(int domain, int kind, int protocol);

/**
 * socket(2), on a host that was started.
 */
int ieum_host_socket(int host, int domain, int kind, int protocol);

/**
 * bind(2).
 *
 * # Safety
 *
 * `address` leads to `address_len` bytes or is NULL.
 */
int ieum_bind(int number, const struct sockaddr *address, socklen_t address_len);

/**
 * listen(2).
 */
int ieum_listen(int number, int backlog);

/**
 * accept(2).
 *
 * # Safety
 *
 * `address` leads to as many bytes as `address_len` says, or is NULL.
 */
int ieum_accept(int number, struct sockaddr *address, socklen_t *address_len);

/**
 * accept4(2).
 *
 * # Safety
 *
 * `address` leads to as many bytes as `address_len` says, or is NULL.
 */
int ieum_accept4(int number, struct sockaddr *address, socklen_t *address_len, int flags);

/**
 * connect(2). An address of AF_UNSPEC dissolves the association.
 *
 * # Safety
 *
 * `address` leads to `address_len` bytes or is NULL.
 */
int ieum_connect(int number, const struct sockaddr *address, socklen_t address_len);

/**
 * shutdown(2).
 */
int ieum_shutdown(int number, int how);

/**
 * close(2): of sockets, epolls, hosts, links and networks. What was sent is delivered all the same.
 */
int ieum_close(int number);

/**
 * dup(2).
 */
int ieum_dup(int number);

/**
 * getsockname(2).
 *
 * # Safety
 *
 * `address` leads to as many bytes as `address_len` says, or is NULL.
 */
int ieum_getsockname(int number, struct sockaddr *address, socklen_t *address_len);

/**
 * getpeername(2).
 *
 * # Safety
 *
 * `address` leads to as many bytes as `address_len` says, or is NULL.
 */
int ieum_getpeername(int number, struct sockaddr *address, socklen_t *address_len);

/**
 * getsockopt(2).
 *
 * # Safety
 *
 * `value` leads to as many bytes as `value_len` says, or is NULL.
 */
int ieum_getsockopt(int number, int level, int name, void *value, socklen_t *value_len);

/**
 * setsockopt(2).
 *
 * # Safety
 *
 * `value` leads to `value_len` bytes or is NULL.
 */
int ieum_setsockopt(int number, int level, int name, const void *value, socklen_t value_len);

/**
 * fcntl(2): F_GETFL and F_SETFL with O_NONBLOCK, F_DUPFD, F_GETFD and F_SETFD. `argument` is 0 where there is none.
 */
int ieum_fcntl(int number,
               int command,
               long argument);

/**
 * ioctl(2): FIONREAD, SIOCOUTQ, SIOCOUTQNSD, SIOCATMARK and FIONBIO, all of which have an int as their argument; and
 * what is asked of the host's interfaces (netdevice(7)): a `struct ifreq`, for SIOCGIFCONF a `struct ifconf`.
 *
 * # Safety
 *
 * `argument` leads to what the request asks with, or is NULL; so does the pointer in a `struct ifconf`.
 */
int ieum_ioctl(int number,
               unsigned long request,
               void *argument);

/**
 * read(2).
 *
 * # Safety
 *
 * `into` leads to `len` bytes or is NULL.
 */
ptrdiff_t ieum_read(int number, void *into, size_t len);

/**
 * readv(2).
 *
 * # Safety
 *
 * `into` leads to `into_count` buffers, each as long as it says.
 */
ptrdiff_t ieum_readv(int number, const struct iovec *into, int into_count);

/**
 * recv(2).
 *
 * # Safety
 *
 * `into` leads to `len` bytes or is NULL.
 */
ptrdiff_t ieum_recv(int number, void *into, size_t len, int flags);

/**
 * recvfrom(2).
 *
 * # Safety
 *
 * `into` leads to `len` bytes or is NULL, and `address` to as many as `address_len` says.
 */
ptrdiff_t ieum_recvfrom(int number,
                        void *into,
                        size_t len,
                        int flags,
                        struct sockaddr *address,
                        socklen_t *address_len);

/**
 * write(2).
 *
 * # Safety
 *
 * `from` leads to `len` bytes or is NULL.
 */
ptrdiff_t ieum_write(int number, const void *from, size_t len);

/**
 * writev(2).
 *
 * # Safety
 *
 * `from` leads to `from_count` buffers, each as long as it says.
 */
ptrdiff_t ieum_writev(int number, const struct iovec *from, int from_count);

/**
 * send(2).
 *
 * # Safety
 *
 * `from` leads to `len` bytes or is NULL.
 */
ptrdiff_t ieum_send(int number, const void *from, size_t len, int flags);

/**
 * sendto(2).
 *
 * # Safety
 *
 * `from` leads to `len` bytes or is NULL, and `address` to `address_len`.
 */
ptrdiff_t ieum_sendto(int number,
                      const void *from,
                      size_t len,
                      int flags,
                      const struct sockaddr *address,
                      socklen_t address_len);

/**
 * poll(2), of ieum's sockets alone: any other number is POLLNVAL.
 *
 * # Safety
 *
 * `list` leads to `count` of its kind or is NULL.
 */
int ieum_poll(struct pollfd *list, nfds_t count, int timeout_ms);

/**
 * select(2), of ieum's sockets alone. A set has 1024 places, which here are the numbers from IEUM_FIRST on:
 * IEUM_FD_SET and its like count from there, and so does `places`, one more than the last that is asked for. What is
 * left of the time is written back.
 *
 * # Safety
 *
 * Each set leads to one or is NULL, and so does `timeout`.
 */
int ieum_select(int places,
                fd_set *read,
                fd_set *write,
                fd_set *except,
                struct timeval *timeout);

/**
 * epoll_create1(2).
 */
int ieum_epoll_create1(int flags);

/**
 * epoll_ctl(2), of ieum's sockets alone; EPERM for anything else, another epoll among them.
 *
 * # Safety
 *
 * `event` leads to one or is NULL.
 */
int ieum_epoll_ctl(int epoll, int operation, int number, struct epoll_event *event);

/**
 * epoll_wait(2).
 *
 * # Safety
 *
 * `into` leads to room for `most` events.
 */
int ieum_epoll_wait(int epoll, struct epoll_event *into, int most, int timeout_ms);

/**
 * A descriptor of the kernel's that is readable while ieum_epoll_wait() may have something to tell: for a loop that
 * waits for the kernel's descriptors as well. To be closed with close(2).
 */
int ieum_epoll_descriptor(int epoll);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* IEUM_H */
