/* The chapters in order; see parity2.h. With `datagrams`, those in which no stream is asked for an address and no raw socket is made; with
 * two arguments it is the child of an exec. */
#include "parity2.h"

static void about_datagrams(void)
{
    pings();
    header();
    groups();
    everybody();
    filters();
    interfaces();
    associations();
    undelivered();
    offload();
    lite();
    links();
    devices();
    six();
    addresses_alone();
    pieces();
    sticky();
    marked();
    facts();
    arrivals();
}

int main(int count, char **arguments)
{
    signal(SIGPIPE, SIG_IGN);
    if (count == 3)
        return after_exec(arguments[1], arguments[2]);
    /* Ends the program, not the test, when a call never returns; the alarm is used by the chapters. */
    timer_t timer;
    struct sigevent kill = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL };
    struct itimerspec late = { .it_value = { 100, 0 } };
    must(timer_create(CLOCK_MONOTONIC, &kill, &timer) == 0 && timer_settime(timer, 0, &late, NULL) == 0, "a timer is set");
    if (count == 2) {
        about_datagrams();
        printf("end: 0\n");
        return 0;
    }
    messages();
    waiting();
    queues();
    copies();
    blocked();
    refused_calls();
    renewed();
    associations();
    pings();
    further();
    small_options();
    header();
    groups();
    everybody();
    filters();
    identity();
    interfaces();
    undelivered();
    offload();
    lite();
    more_urgent();
    raw();
    if (CHILDREN_HAVE_SOCKETS)
        children();
    links();
    devices();
    six();
    addresses_alone();
    pieces();
    sticky();
    enough();
    listeners();
    marked();
    facts();
    arrivals();
    printf("end: 0\n");
    return 0;
}
