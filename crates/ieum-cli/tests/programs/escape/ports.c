/* Ports of the machine's loopback: by a socket of one's own, and by one of the machine's that was inherited. */
#include "escape.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

void by_ports(int port, int inherited) {
    struct sockaddr_in there = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
    there.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    errno = 0;
    int own = socket(AF_INET, SOCK_STREAM, 0);
    report("own-connect", connect(own, (struct sockaddr *)&there, sizeof there) == 0 ? "a port of the machine" : NULL);
    close(own);

    errno = 0;
    if (!is_kernel_internet_socket(inherited)) return report("inherited", "nothing was tried: no socket was inherited");
    struct sockaddr_in here = {.sin_family = AF_INET};
    errno = 0;
    report("inherited-bind", bind(inherited, (struct sockaddr *)&here, sizeof here) == 0 ? "a port of the machine" : NULL);
    errno = 0;
    int connected = connect(inherited, (struct sockaddr *)&there, sizeof there) == 0;
    report("inherited-connect", connected ? "a connection to the machine" : NULL);
}
