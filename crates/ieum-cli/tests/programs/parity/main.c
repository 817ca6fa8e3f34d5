/* The chapters in order; see parity.h. */
#include "parity.h"

/* No chapter lasts longer, in seconds: what has not returned by then never will. */
enum { CHAPTER_S = 250 };

static void (*const CHAPTERS[])(void) = {
    connecting, binding, accepting, ending, transferring, options, datagrams, descriptors,
};

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < sizeof CHAPTERS / sizeof *CHAPTERS; i++) {
        /* The alarm ends the program, not the test, when a call never returns; some chapters use the timer, too. */
        alarm(CHAPTER_S);
        CHAPTERS[i]();
        /* Whoever waits for the program sees that it goes on. */
        fflush(stdout);
    }
    printf("end: 0\n");
    return 0;
}
