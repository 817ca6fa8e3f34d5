/* Each state × each call; see states.h. */
#include "states.h"

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    matrix();
    printf("end: 0\n");
    return 0;
}
