/* The chapters in order; see parity.h. */
#include "parity.h"

int main(void)
{
    /* The alarm ends the program, not the test, when a call never returns. */
    signal(SIGPIPE, SIG_IGN);
    alarm(120);
    connecting();
    binding();
    accepting();
    alarm(120); /* accepting uses the timer */
    ending();
    transferring();
    options();
    datagrams();
    descriptors();
    printf("end: 0\n");
    return 0;
}
