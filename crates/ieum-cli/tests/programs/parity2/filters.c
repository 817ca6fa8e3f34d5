/* Programs for packets (SO_ATTACH_FILTER) on datagram sockets. */
#include "parity2.h"

#include <linux/filter.h>

static long attach(int fd, struct sock_filter *program, unsigned short length)
{
    struct sock_fprog whole = { length, program };
    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &whole, sizeof whole);
}

/* The first letters of all that comes, up to a c. */
static const char *heard(int fd)
{
    static char letters[8];
    char into[8];
    size_t count = 0;
    do {
        settle(fd, POLLIN);
        if (recv(fd, into, sizeof into, MSG_DONTWAIT) <= 0)
            break;
        letters[count++] = into[0];
    } while (into[0] != 'c' && count < sizeof letters - 1);
    letters[count] = 0;
    return letters;
}

void filters(void)
{
    /* What begins with an a, behind the header of UDP, is not wanted. */
    struct sock_filter not_a[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 8),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 'a', 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, 0xffff),
    };
    int fd = make(SOCK_DGRAM), sender = make(SOCK_DGRAM), none = 0;
    must(bind_to(fd, "127.0.0.1", 0) == 0, "a free port is bound");
    struct sockaddr_in to = address("127.0.0.1", port_of(fd));
    line("filter.attach", attach(fd, not_a, 4));
    line("filter.attach-none", attach(fd, not_a, 0));
    line("filter.attach-endless", attach(fd, not_a, 3));
    for (const char *word = "abac"; *word; word++)
        must(sendto(sender, word, 1, 0, (struct sockaddr *)&to, sizeof to) == 1, "a datagram is sent");
    text("filter.heard", "%s", heard(fd));
    line("filter.detach", setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &none, sizeof none));
    line("filter.detach-again", setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &none, sizeof none));
    close(fd);
    close(sender);
}
