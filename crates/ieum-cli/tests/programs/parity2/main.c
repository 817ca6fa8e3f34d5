/* The chapters in order; see parity2.h. With `datagrams`, those in which no stream is asked for an address and no raw socket is made; with
 * two arguments it is the child of an exec. */
#include "parity2.h"

/* No chapter lasts longer, in seconds: what has not returned by then never will. The longest takes 16 on an idle machine. */
enum { CHAPTER_S = 250 };

static void children_if_any(void)
{
    if (CHILDREN_HAVE_SOCKETS)
        children();
}

static const struct chapter {
    void (*tell)(void);
    bool is_of_datagrams;
} CHAPTERS[] = {
    { messages, false }, { waiting, false }, { queues, false }, { copies, false }, { blocked, false }, { refused_calls, false },
    { renewed, false }, { associations, true }, { pings, true }, { further, false }, { small_options, false }, { header, true },
    { groups, true }, { everybody, true }, { filters, true }, { identity, false }, { interfaces, true }, { undelivered, true },
    { offload, true }, { lite, true }, { more_urgent, false }, { raw, false }, { children_if_any, false }, { links, true },
    { devices, true }, { six, true }, { addresses_alone, true }, { pieces, true }, { sticky, true }, { enough, false },
    { listeners, false }, { marked, true }, { facts, true }, { arrivals, true },
};

int main(int count, char **arguments)
{
    signal(SIGPIPE, SIG_IGN);
    if (count == 3)
        return after_exec(arguments[1], arguments[2]);
    /* Ends the program, not the test, when a call never returns; the alarm is used by the chapters. */
    timer_t timer;
    struct sigevent kill = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL };
    struct itimerspec late = { .it_value = { CHAPTER_S, 0 } };
    must(timer_create(CLOCK_MONOTONIC, &kill, &timer) == 0, "a timer is made");
    must(timer_settime(timer, 0, &late, NULL) == 0, "a timer is set");
    until_groups_are_reached();
    for (size_t i = 0; i < sizeof CHAPTERS / sizeof *CHAPTERS; i++) {
        if (count == 2 && !CHAPTERS[i].is_of_datagrams)
            continue;
        must(timer_settime(timer, 0, &late, NULL) == 0, "a timer is set");
        CHAPTERS[i].tell();
        /* Whoever waits for the program sees that it goes on. */
        fflush(stdout);
    }
    printf("end: 0\n");
    return 0;
}
