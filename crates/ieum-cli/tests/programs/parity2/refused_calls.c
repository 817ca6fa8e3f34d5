/* What ieum refuses, and a machine may refuse as well: rings, raw sockets, packet sockets, a second listener. Only that the
 * call fails or works is printed, where machines differ. */
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
    char parameters[120] = { 0 };
    fd = (int)syscall(SYS_io_uring_setup, 4, parameters);
    text("io-uring-setup", "%s", fd >= 0 ? "made" : errno_name(errno));
    long entered = syscall(SYS_io_uring_enter, fd >= 0 ? fd : 0, 0, 0, 0, NULL, 0);
    text("io-uring-enter", "%s", entered >= 0 ? "entered" : errno_name(errno));
    long registered = syscall(SYS_io_uring_register, fd >= 0 ? fd : 0, 9, NULL, 0);
    text("io-uring-register", "%s", registered >= 0 ? "registered" : errno_name(errno));
    if (fd >= 0)
        close(fd);
}
