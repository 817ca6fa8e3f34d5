/* A program like that of ../parity, by whose words it speaks: every state of a socket, in every family of addresses, × every call.
 *
 * A line is `state.call: outcome`. States of IPv6 end in `6`, those of IPv6 that speaks IPv4 in `-dual`.
 */
#ifndef STATES_H
#define STATES_H

#include "../parity/parity.h"

/* What a socket's addresses are. */
struct end { int domain; const char *loopback, *any; };

/* The families in which each state is made: what is asked, and who is at the far end of it. */
struct family { const char *suffix; struct end own, far; };

/* A socket in some state, the far end if it has one, and two further sockets, which keep the state as it is. */
struct subject { const struct family *of; int fd, far, beside[2]; };

typedef void setting(struct subject *);
struct state { const char *name; setting *set; };

/* streams.c, datagrams.c, others.c */
extern const struct state STREAM_STATES[], DATAGRAM_STATES[], OTHERS_STATES[];
extern const size_t STREAM_STATE_COUNT, DATAGRAM_STATE_COUNT, OTHERS_STATE_COUNT;

/* matrix.c: the small words of states, by ends. */

int make_at(const struct end *at, int type);            /* non-blocking */
int make_bound_at(const struct end *at, int type);      /* by loopback, at a free port */
int bind_at(const struct end *at, int fd, int port);    /* to loopback */
int connect_at(const struct end *at, int fd, int port); /* to loopback */
int port_at(int fd);
int listener_at(const struct end *at, int backlog);
/* Dissolves what connect made. */
int dissolve(int fd);

void matrix(void);

#endif
