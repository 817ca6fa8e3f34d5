/* IP_BIND_ADDRESS_NO_PORT: an address is bound, and its port is chosen when there is somebody to speak to. */
#include "parity2.h"

/* One kind of socket: its family, its type, and how it writes addresses of IPv4. */
struct kind { const char *name; int family, type; const char *form; };

struct place { struct sockaddr_storage at; socklen_t length; };

static struct place place(const struct kind *kind, const char *ip, int port)
{
    struct place made = { .length = sizeof(struct sockaddr_in) };
    struct sockaddr_in *four = (void *)&made.at;
    if (kind->family == AF_INET) {
        *four = address(ip, port);
        return made;
    }
    char text[64];
    struct sockaddr_in6 *six = (void *)&made.at;
    snprintf(text, sizeof text, kind->form, ip);
    *six = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons(port) };
    must(inet_pton(AF_INET6, text, &six->sin6_addr) == 1, "an address of IPv6");
    made.length = sizeof *six;
    return made;
}

static long bind_at(int fd, const struct kind *kind, const char *ip, int port)
{
    struct place at = place(kind, ip, port);
    return bind(fd, (struct sockaddr *)&at.at, at.length);
}

static long connect_at(int fd, const struct kind *kind, const char *ip, int port)
{
    struct place at = place(kind, ip, port);
    return connect(fd, (struct sockaddr *)&at.at, at.length);
}

static int alone(const struct kind *kind)
{
    int fd = socket(kind->family, kind->type, 0), yes = 1;
    must(setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof yes) == 0, "an option is set");
    return fd;
}

static void tell(const struct kind *kind, const char *name, long result)
{
    char whole[96];
    snprintf(whole, sizeof whole, "%s.%s", kind->name, name);
    line2("address-alone", whole, result);
}

/* The address, and whether there is a port. */
static void tell_name(const struct kind *kind, const char *name, int fd)
{
    struct sockaddr_storage at = { 0 };
    socklen_t length = sizeof at;
    getsockname(fd, (struct sockaddr *)&at, &length);
    struct sockaddr_in *four = (void *)&at;
    struct sockaddr_in6 *six = (void *)&at;
    char text[64] = "", whole[96];
    inet_ntop(at.ss_family, at.ss_family == AF_INET ? (void *)&four->sin_addr : (void *)&six->sin6_addr, text, sizeof text);
    snprintf(whole, sizeof whole, "%s.%s", kind->name, name);
    text2("address-alone", whole, "%s, %s", text, port_of(fd) ? "a port" : "no port");
}

static int one_who_hears(const struct kind *kind, const char *ip)
{
    int fd = socket(kind->family, kind->type, 0);
    must(bind_at(fd, kind, ip, 0) == 0, "a free port is bound");
    if (kind->type == SOCK_STREAM)
        must(listen(fd, 16) == 0, "it listens");
    return fd;
}

static void one_life(const struct kind *kind)
{
    struct sockaddr nobody = { .sa_family = AF_UNSPEC };
    int far = one_who_hears(kind, "127.0.0.1"), port = port_of(far);
    int fd = alone(kind);
    tell(kind, "bind", bind_at(fd, kind, "127.0.0.5", 0));
    tell_name(kind, "bound", fd);
    tell(kind, "bind-again", bind_at(fd, kind, "127.0.0.6", 0));
    tell_name(kind, "bound-again", fd);
    tell(kind, "bind-foreign", bind_at(fd, kind, "192.0.2.9", 0));
    tell_name(kind, "bound-foreign", fd);
    tell(kind, "connect", connect_at(fd, kind, "127.0.0.1", port));
    tell_name(kind, "connected", fd);
    tell(kind, "bind-connected", bind_at(fd, kind, "127.0.0.5", 0));
    tell(kind, "dissolve", connect(fd, &nobody, sizeof nobody));
    tell_name(kind, "dissolved", fd);
    tell(kind, "connect-again", connect_at(fd, kind, "127.0.0.1", port));
    tell_name(kind, "connected-again", fd);
    close(fd);

    fd = alone(kind);
    must(bind_at(fd, kind, "127.0.0.5", 0) == 0, "an address is bound");
    tell(kind, "bind-port-after", bind_at(fd, kind, "127.0.0.6", port));
    tell_name(kind, "port-bound-after", fd);
    tell(kind, "bind-once-more", bind_at(fd, kind, "127.0.0.6", 0));
    close(fd);

    fd = alone(kind);
    tell(kind, "bind-any", bind_at(fd, kind, "0.0.0.0", 0));
    tell_name(kind, "any", fd);
    tell(kind, "any-connect", connect_at(fd, kind, "127.0.0.1", port));
    tell_name(kind, "any-connected", fd);
    close(fd);

    fd = alone(kind);
    must(bind_at(fd, kind, "127.0.0.5", 0) == 0, "an address is bound");
    if (kind->type == SOCK_DGRAM) {
        struct place to = place(kind, "127.0.0.1", port);
        tell(kind, "send", sendto(fd, "abc", 3, 0, (struct sockaddr *)&to.at, to.length));
        tell_name(kind, "sent", fd);
    } else {
        tell(kind, "refused", connect_at(fd, kind, "127.0.0.1", 1));
        tell_name(kind, "refused-then", fd);
        tell(kind, "bind-after-refusal", bind_at(fd, kind, "127.0.0.6", 0));
        tell_name(kind, "bound-after-refusal", fd);
        tell(kind, "listen", listen(fd, 1));
        tell_name(kind, "listening", fd);
        int client = socket(kind->family, kind->type, 0);
        tell(kind, "reached", connect_at(client, kind, "127.0.0.6", port_of(fd)));
        close(client);
    }
    close(fd);
    close(far);
}

/* Two ports to choose from: each is used for each remote. */
static void few_ports(const struct kind *kind)
{
    static const char *const REMOTES[] = { "127.0.0.1", "127.0.0.2", "127.0.0.3" };
    int opened[9], far[3], count = 0;
    unsigned first = free_pair(kind->type);
    for (int i = 0; i < 3; i++)
        far[i] = one_who_hears(kind, REMOTES[i]);
    for (int i = 0; i < 9; i++) {
        unsigned range = (first + 1) << 16 | first;
        int fd = opened[i] = alone(kind);
        must(setsockopt(fd, IPPROTO_IP, 51 /* IP_LOCAL_PORT_RANGE */, &range, sizeof range) == 0, "a range is set");
        must(bind_at(fd, kind, "127.0.0.9", 0) == 0, "an address is bound");
        count += connect_at(fd, kind, REMOTES[i % 3], port_of(far[i % 3])) == 0;
    }
    tell(kind, "connections-by-two-ports", count);
    for (int i = 0; i < 9; i++)
        close(opened[i]);
    for (int i = 0; i < 3; i++)
        close(far[i]);
}

void addresses_alone(void)
{
    static const struct kind KINDS[] = {
        { "stream", AF_INET, SOCK_STREAM, "%s" }, { "datagram", AF_INET, SOCK_DGRAM, "%s" },
        { "stream-dual", AF_INET6, SOCK_STREAM, "::ffff:%s" }, { "datagram-dual", AF_INET6, SOCK_DGRAM, "::ffff:%s" },
    };
    for (size_t i = 0; i < sizeof KINDS / sizeof *KINDS; i++) {
        one_life(&KINDS[i]);
        few_ports(&KINDS[i]);
    }
}
