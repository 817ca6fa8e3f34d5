/* The second program that is run on Linux's sockets and on ieum's: what the first one asks of single calls, this one
 * asks of calls together (messages, waiting, copies, threads, signals, processes, control messages) and of IPv6 and ping sockets.
 *
 * Lines and rules are those of the first program, and so are its small words. */
#ifndef PARITY2_H
#define PARITY2_H

#include "../parity/parity.h"

#include <pthread.h>
#include <sys/select.h>
#include <sys/syscall.h>

/* words.c */

/* The states a stream can be in, each made anew; `far` and `listening` are -1 where there are none. */
struct subject { int fd, far, listening; };
struct state { const char *name; void (*make)(struct subject *s); };
extern const struct state STATES[];
extern const size_t STATE_COUNT;
void give_up(struct subject *s);

/* Prints `prefix.name: …`. */
void line2(const char *prefix, const char *name, long result);
void text2(const char *prefix, const char *name, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* What epoll says within a moment, as words; a level-triggered look is repeated until `wanted` is there. */
const char *epoll_words(unsigned events);
/* An interval timer that interrupts whatever blocks; `restart` is SA_RESTART. Returns nothing until it is stopped. */
void begin_interrupting(bool restart);
int end_interrupting(void);

/* TCP_INFO; of a listener, the connections that wait to be accepted are unacked and their bound sacked. */
struct tcp_info tcp_info_of(int fd);

/* The first of two ports that follow each other and that nobody holds: any socket before may have been given one of them. */
unsigned free_pair(int type);

/* The kernel gives an interface its route to groups of IPv6 when it has seen a carrier there, in a thread of its own: returns when it has. */
void until_groups_are_reached(void);

/* The chapters. */
void messages(void);
void waiting(void);
void queues(void);
void copies(void);
void blocked(void);
void further(void);
void small_options(void);
void header(void);
void groups(void);
void everybody(void);
void filters(void);
void identity(void);
void interfaces(void);
void undelivered(void);
void offload(void);
void lite(void);
void more_urgent(void);
void raw(void);
void children(void);
void links(void);
void devices(void);
void six(void);
void pings(void);
void addresses_alone(void);
void pieces(void);
void enough(void);
void sticky(void);
void listeners(void);
void marked(void);
void arrivals(void);
void refused_calls(void);
void renewed(void);
void associations(void);
void facts(void);

/* What a child of an exec does: the descriptor's number is in `argument`. */
int after_exec(const char *what, const char *argument);

#endif
