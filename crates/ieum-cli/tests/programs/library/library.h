/* A program's socket calls become the library's: included before everything else (gcc -include).
 *
 * Calls that are only a socket's go to the library whatever number they are given. Calls that pipes and files have as well ask
 * whose number it is: the library's begin where the kernel has none (IEUM_FIRST).
 */
#ifndef LIBRARY_H
#define LIBRARY_H

/* What a process has and a library's sockets have not is left out; parity.h says what. */
#define SOCKETS_OF_A_LIBRARY

#define _GNU_SOURCE
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "ieum.h"

static inline int is_ours(int fd) { return fd >= IEUM_FIRST; }

static inline int library_close(int fd) { return is_ours(fd) ? ieum_close(fd) : close(fd); }
static inline int library_dup(int fd) { return is_ours(fd) ? ieum_dup(fd) : dup(fd); }

static inline int library_epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
{
    return ieum_epoll_ctl(epoll, operation, fd, event);
}

static inline int library_fcntl(int fd, int command, ...)
{
    va_list rest;
    va_start(rest, command);
    long argument = va_arg(rest, long);
    va_end(rest);
    return is_ours(fd) ? ieum_fcntl(fd, command, argument) : fcntl(fd, command, argument);
}

static inline int library_ioctl(int fd, unsigned long request, ...)
{
    va_list rest;
    va_start(rest, request);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    return is_ours(fd) ? ieum_ioctl(fd, request, argument) : ioctl(fd, request, argument);
}

/* Of one kind at a time: nobody here waits for both. */
static inline int library_poll(struct pollfd *list, nfds_t count, int timeout_ms)
{
    return count && !is_ours(list->fd) ? poll(list, count, timeout_ms) : ieum_poll(list, count, timeout_ms);
}

static inline ssize_t library_read(int fd, void *into, size_t len)
{
    return is_ours(fd) ? ieum_read(fd, into, len) : read(fd, into, len);
}

static inline int library_select(int past, fd_set *read, fd_set *write, fd_set *other, struct timeval *patience)
{
    return ieum_select(is_ours(past) ? past - IEUM_FIRST : past, read, write, other, patience);
}

static inline int library_sockatmark(int fd)
{
    int at_mark = 0;
    return ieum_ioctl(fd, SIOCATMARK, &at_mark) ? -1 : at_mark;
}

static inline ssize_t library_write(int fd, const void *from, size_t len)
{
    return is_ours(fd) ? ieum_write(fd, from, len) : write(fd, from, len);
}

#define accept ieum_accept
#define accept4 ieum_accept4
#define bind ieum_bind
#define close library_close
#define connect ieum_connect
#define dup library_dup
#define epoll_create1 ieum_epoll_create1
#define epoll_ctl library_epoll_ctl
#define epoll_wait ieum_epoll_wait
#define fcntl library_fcntl
#define getpeername ieum_getpeername
#define getsockname ieum_getsockname
#define getsockopt ieum_getsockopt
#define freeifaddrs ieum_freeifaddrs
#define getifaddrs ieum_getifaddrs
#define if_freenameindex ieum_if_freenameindex
/* The structure keeps its name. */
#define if_nameindex() ieum_if_nameindex()
#define if_nametoindex ieum_if_nametoindex
#define ioctl library_ioctl
#define listen ieum_listen
#define poll library_poll
#define read library_read
#define readv ieum_readv
#define recv ieum_recv
#define recvfrom ieum_recvfrom
#define recvmmsg ieum_recvmmsg
#define recvmsg ieum_recvmsg
#define select library_select
#define send ieum_send
#define sendmmsg ieum_sendmmsg
#define sendmsg ieum_sendmsg
#define sendto ieum_sendto
#define setsockopt ieum_setsockopt
#define shutdown ieum_shutdown
#define sockatmark library_sockatmark
#define socket ieum_socket
#define write library_write
#define writev ieum_writev
#undef FD_ISSET
#undef FD_SET
#define FD_ISSET(number, set) __FD_ISSET((number) - IEUM_FIRST, set)
#define FD_SET(number, set) __FD_SET((number) - IEUM_FIRST, set)

#endif
