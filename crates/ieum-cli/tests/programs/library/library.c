/* The host on which a program's sockets are; see library.h. */
#include <stdio.h>
#include <stdlib.h>

#include "ieum.h"

static void must(int answer, const char *step)
{
    if (answer >= 0)
        return;
    printf("library: %s: %s\n", step, ieum_error());
    exit(1);
}

/* As the namespace has it: an address of each family on its only link, on which nobody else is. */
__attribute__((constructor)) static void begin(void)
{
    int network = ieum_network_new(), link = ieum_link_new(network, 0), host = ieum_host_new(network);
    must(ieum_host_address(host, link, "10.77.0.2/24"), "an address");
    must(ieum_host_address(host, link, "fd77::2/64"), "an address");
    must(ieum_host_raw_sockets(host), "raw sockets");
    must(ieum_host_start(host), "a host");
    must(ieum_host_make_default(host), "the process's own host");
}
