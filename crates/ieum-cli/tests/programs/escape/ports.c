/* Ports of the machine's loopback: by a socket of one's own, and by one of the machine's that was inherited. */
#define _GNU_SOURCE
#include "escape.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

void by_ports(int port, int inherited) {
    struct sockaddr_in there = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
    there.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    errno = 0;
    int own = socket(AF_INET, SOCK_STREAM, 0);
    report("own-connect", connect(own, (struct sockaddr *)&there, sizeof there) == 0 ? "a port of the machine" : NULL);
    close(own);

    errno = 0;
    if (!is_socket_of_machine(inherited)) return report("inherited", "nothing was tried: no socket was inherited");
    struct sockaddr_in here = {.sin_family = AF_INET};
    errno = 0;
    report("inherited-bind", bind(inherited, (struct sockaddr *)&here, sizeof here) == 0 ? "a port of the machine" : NULL);
    errno = 0;
    /* TCP Fast Open connects without connect(2). */
    ssize_t sent = sendto(inherited, "", 1, MSG_FASTOPEN, (struct sockaddr *)&there, sizeof there);
    report("inherited-fastopen", sent >= 0 ? "a connection to the machine" : NULL);
    struct iovec piece = {"", 1};
    struct msghdr message = {.msg_name = &there, .msg_namelen = sizeof there, .msg_iov = &piece, .msg_iovlen = 1};
    errno = 0;
    sent = sendmsg(inherited, &message, MSG_FASTOPEN);
    report("inherited-fastopen-message", sent >= 0 ? "a connection to the machine" : NULL);
    struct mmsghdr messages = {.msg_hdr = message};
    errno = 0;
    int count = sendmmsg(inherited, &messages, 1, MSG_FASTOPEN);
    report("inherited-fastopen-messages", count >= 0 ? "a connection to the machine" : NULL);
    errno = 0;
    int connected = connect(inherited, (struct sockaddr *)&there, sizeof there) == 0;
    report("inherited-connect", connected ? "a connection to the machine" : NULL);
}
