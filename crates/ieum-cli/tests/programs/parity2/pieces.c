/* A datagram that is sent in pieces: MSG_MORE and UDP_CORK. */
#include "parity2.h"

#include <netinet/udp.h>

/* How a family writes addresses of loopback. */
struct speech { const char *name; int family; const char *loopback; };

struct whom { struct sockaddr_storage at; socklen_t length; };

static struct whom whom(const struct speech *speech, int port)
{
    struct whom made = { .length = sizeof(struct sockaddr_in) };
    if (speech->family == AF_INET) {
        *(struct sockaddr_in *)&made.at = address(speech->loopback, port);
        return made;
    }
    struct sockaddr_in6 *six = (void *)&made.at;
    *six = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons(port) };
    must(inet_pton(AF_INET6, speech->loopback, &six->sin6_addr) == 1, "an address of IPv6");
    made.length = sizeof *six;
    return made;
}

static const char *prefix;

static void tell_received(const char *name, int fd)
{
    char into[256] = "";
    if (recv(fd, into, sizeof into - 1, MSG_DONTWAIT) < 0)
        text2(prefix, name, "%s", errno_name(errno));
    else
        text2(prefix, name, "%s", into);
}

static int one_who_hears(const struct speech *speech, struct whom *where)
{
    int fd = socket(speech->family, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    struct whom any = whom(speech, 0);
    must(bind(fd, (struct sockaddr *)&any.at, any.length) == 0, "a free port is bound");
    *where = whom(speech, port_of(fd));
    return fd;
}

static void in(const struct speech *speech)
{
    char named[32];
    snprintf(named, sizeof named, "pieces-%s", speech->name);
    prefix = named;
    struct whom there, elsewhere;
    int far = one_who_hears(speech, &there), other = one_who_hears(speech, &elsewhere);
    struct sockaddr *to = (struct sockaddr *)&there.at, *not_to = (struct sockaddr *)&elsewhere.at;
    int fd = socket(speech->family, SOCK_DGRAM | SOCK_NONBLOCK, 0);

    line2(prefix, "nowhere", sendto(fd, "ab", 2, MSG_MORE, NULL, 0));
    line2(prefix, "first", sendto(fd, "ab", 2, MSG_MORE, to, there.length));
    tell_received("first-alone", far);
    line2(prefix, "second", sendto(fd, "cd", 2, MSG_MORE, not_to, elsewhere.length));
    line2(prefix, "last", sendto(fd, "e", 1, 0, to, there.length));
    settle(far, POLLIN);
    tell_received("whole", far);
    tell_received("none-elsewhere", other);
    line2(prefix, "alone", sendto(fd, "f", 1, 0, to, there.length));
    settle(far, POLLIN);
    tell_received("alone-again", far);

    static char much[40000];
    line2(prefix, "large", sendto(fd, much, sizeof much, MSG_MORE, to, there.length));
    line2(prefix, "too-large", sendto(fd, much, sizeof much, MSG_MORE, to, there.length));
    line2(prefix, "after-too-large", sendto(fd, "g", 1, 0, to, there.length));
    settle(far, POLLIN);
    tell_received("after-too-large-came", far);

    must(connect(fd, to, there.length) == 0, "a remote is set");
    line2(prefix, "connected-first", send(fd, "hi", 2, MSG_MORE));
    tell_received("connected-first-alone", far);
    line2(prefix, "connected-last", send(fd, "j", 1, 0));
    settle(far, POLLIN);
    tell_received("connected-whole", far);
    struct iovec parts[2] = { { "kl", 2 }, { "m", 1 } };
    struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };
    line2(prefix, "message-first", sendmsg(fd, &message, MSG_MORE));
    line2(prefix, "message-last", sendmsg(fd, &message, 0));
    settle(far, POLLIN);
    tell_received("message-whole", far);
    struct mmsghdr some[2] = { { .msg_hdr = message }, { .msg_hdr = message } };
    line2(prefix, "messages-first", sendmmsg(fd, some, 2, MSG_MORE));
    line2(prefix, "messages-last", write(fd, "n", 1));
    settle(far, POLLIN);
    tell_received("messages-whole", far);

    int value = 2;
    socklen_t length = sizeof value;
    line2(prefix, "cork", setsockopt(fd, IPPROTO_UDP, UDP_CORK, &value, sizeof value));
    must(getsockopt(fd, IPPROTO_UDP, UDP_CORK, &value, &length) == 0, "an option is read");
    line2(prefix, "corked", value);
    line2(prefix, "corked-first", sendto(fd, "o", 1, 0, to, there.length));
    tell_received("corked-first-alone", far);
    line2(prefix, "corked-last", sendmsg(fd, &message, 0));
    value = 0;
    line2(prefix, "uncork", setsockopt(fd, IPPROTO_UDP, UDP_CORK, &value, sizeof value));
    settle(far, POLLIN);
    tell_received("corked-whole", far);
    line2(prefix, "uncork-again", setsockopt(fd, IPPROTO_UDP, UDP_CORK, &value, sizeof value));
    tell_received("nothing-more", far);
    close(fd);
    close(far);
    close(other);
}

void pieces(void)
{
    static const struct speech SPEECHES[] = {
        { "4", AF_INET, "127.0.0.1" }, { "6", AF_INET6, "::1" }, { "dual", AF_INET6, "::ffff:127.0.0.1" },
    };
    for (size_t i = 0; i < sizeof SPEECHES / sizeof *SPEECHES; i++)
        in(&SPEECHES[i]);
}
