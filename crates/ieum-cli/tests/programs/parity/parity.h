/* One program, run on Linux's sockets, under ieum and on the library, whose printed lines are compared.
 *
 * Every line is `name: outcome`, where the outcome of a call is its value or the name of its errno. Nothing that
 * may differ between two runs (a port, a descriptor number, a time) is printed. Where Linux's loopback answers
 * within the call and another stack may need a moment, `settle` waits for the event, never for a while.
 */
#ifndef PARITY_H
#define PARITY_H

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* What the sockets of a process have, and those of a library in its memory have not. A program that is compiled for a library
 * (../library/library.h) leaves out what asks for it: docs/DIFFERENCES.md lists those lines with the reason. */
#ifdef SOCKETS_OF_A_LIBRARY
enum { OF_A_PROCESS = 0 };
#else
enum { OF_A_PROCESS = 1 };
#endif
enum {
    /* fork, exec and SCM_RIGHTS hand sockets on; who is killed closes them. */
    CHILDREN_HAVE_SOCKETS = OF_A_PROCESS,
    /* EINTR, SIGPIPE, SIGIO. */
    SIGNALS_ARE_HEARD = OF_A_PROCESS,
    /* EFAULT for a pointer that leads nowhere. */
    POINTERS_ARE_CHECKED = OF_A_PROCESS,
    /* dup2, lseek, /proc/self/fd, sendfile, splice, RLIMIT_NOFILE, close on exec. */
    NUMBERS_ARE_FILES = OF_A_PROCESS,
    /* Sockets of netlink. */
    NETLINK_IS_ANSWERED = OF_A_PROCESS,
};

/* How long `settle` waits for an event that never comes. */
#define PATIENCE_MS 1500

/* The host's own address on its only link, which has no other host and no gateway. */
#define OWN "10.77.0.2"
/* On that link, but nobody is there. */
#define ABSENT "10.77.0.99"
/* Beyond it: no route. */
#define BEYOND "198.51.100.7"

/* report.c: lines, and the small words every story needs. */

/* Prints `name: value`, or `name: ERRNO` when the call failed. */
void line(const char *name, long result);
/* Prints `name: ` and a text. */
void text(const char *name, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The name of an errno. */
const char *errno_name(int number);
/* What poll says about `fd` now, as words. */
const char *mask(int fd);
/* Waits until poll shows every bit of `wanted`, then answers as `mask` does. */
const char *settle(int fd, short wanted);
/* Ends the program with a sentence, when a step fails that is not what is being compared. */
void must(bool held, const char *sentence);

struct sockaddr_in address(const char *ip, int port);
int make(int type);                       /* a non-blocking socket */
int make_blocking(int type);
int port_of(int fd);
int bind_to(int fd, const char *ip, int port);
int connect_to(int fd, const char *ip, int port);
int take_error(int fd);                   /* SO_ERROR, as a positive errno */
void blocking(int fd, bool yes);

/* A listening socket on 127.0.0.1 and a free port, non-blocking. */
int listener(void);
/* Both ends of an established connection over loopback, non-blocking. */
struct pair { int client, server; };
struct pair connected(void);
/* Writes into a non-blocking stream until the buffers of both ends are full, and tells how many bytes they took; errno is
 * that of the last refusal. */
long fill(int fd);
/* Waits for a connection and takes it. */
int take(int listening);
/* A port on which nobody listens. */
int closed_port(void);
/* SO_LINGER 0 and close: a reset. */
void reset(int fd);

/* Does that beside the caller, in a child where children have its sockets, else in a thread; and waits for its end. */
void begin_beside(void (*work)(int), int argument);
void end_beside(void);

/* The chapters. */
void connecting(void);
void binding(void);
void accepting(void);
void ending(void);
void transferring(void);
void options(void);
void datagrams(void);
void descriptors(void);

#endif
