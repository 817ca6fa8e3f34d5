/* What ieum refuses to root as well. */
#include "parity2.h"

void refused_calls(void)
{
    int fd = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
    text("raw-socket", "%s", fd >= 0 ? "made" : errno_name(errno));
    if (fd >= 0)
        close(fd);
    fd = socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6);
    text("raw-socket-6", "%s", fd >= 0 ? "made" : errno_name(errno));
    if (fd >= 0)
        close(fd);
}
