/* What every way out reports. */
#pragma once

#include <stdio.h>

/* How a way out ended: `opened` says what was won; it is NULL when nothing was, and then the error says why. */
void report(const char *way, const char *opened);

/* Whether descriptor `fd` is a socket of the machine's network: the kernel's by its own word, which no filter touches, and
 * at home elsewhere than at the host's address. */
int is_socket_of_machine(int fd);

void by_system_call(void);
void by_other_machine(void);
void by_ring(void);
void by_tracing_myself(void);
void by_other_processes(int outside, int outside_fd, int above);
void by_terminal(void);
void by_looking(void);
void by_ports(int port, int inherited);
