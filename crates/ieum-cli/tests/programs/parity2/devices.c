/* Sockets that keep to one interface (SO_BINDTODEVICE, SO_BINDTOIFINDEX). Whoever is root may choose again; that is not asked. */
#include "parity2.h"

#include <net/if.h>

#ifndef SO_BINDTOIFINDEX
#define SO_BINDTOIFINDEX 62
#endif

/* The interface of a name of ours: "" is none. */
static const char *const KEPT[] = { "", "lo", "eth0" };
enum { KEPT_COUNT = sizeof KEPT / sizeof *KEPT };
/* Something always comes: how long is waited before that is given up. */
#define LONG_MS 60000

static const char *word(int i)
{
    return i < 0 ? "nobody" : *KEPT[i] ? KEPT[i] : "all";
}

/* A socket that shares its port and keeps to an interface. */
static int kept(int type, const char *name)
{
    int fd = make(type), one = 1;
    must(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0, "a port is shared");
    must(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, (socklen_t)strlen(name)) == 0, "an interface is chosen");
    return fd;
}

static void read_back(const char *name, int fd)
{
    char device[64];
    int index = 7;
    memset(device, '#', sizeof device);
    socklen_t length = sizeof device, four = sizeof index;
    long result = getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, &length);
    text2("device-is", name, "%ld, %u bytes, %.*s", result, length, length > 0 ? (int)length - 1 : 0, device);
    getsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, &index, &four);
    text2("device-index-is", name, "%s", index == 0 ? "none" : index == 1 ? "lo" : index == (int)if_nametoindex("eth0") ? "eth0" : "other");
}

static void chosen(void)
{
    static const struct { const char *name, *value; socklen_t length; } ALL[] = {
        { "none", "", 0 }, { "a-zero", "", 1 }, { "unknown", "wlan7", 5 }, { "too-long", "a-name-of-twenty-letters", 24 },
        { "lo", "lo", 2 }, { "lo-and-zero", "lo", 3 }, { "lo-and-more", "lo\0wlan7", 8 }, { "cut", "eth0", 3 }, { "eth0", "eth0", 4 },
    };
    for (int type = SOCK_STREAM; type <= SOCK_DGRAM; type++)
        for (size_t i = 0; i < sizeof ALL / sizeof *ALL; i++) {
            char name[64];
            snprintf(name, sizeof name, "%s.%s", type == SOCK_STREAM ? "stream" : "datagram", ALL[i].name);
            int fd = make(type);
            line2("device", name, setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, ALL[i].value, ALL[i].length));
            read_back(name, fd);
            close(fd);
        }
    int one = 1, below = -1;
    int fd = make(SOCK_STREAM);
    for (int is_kept = 0; is_kept < 2; is_kept++) {
        must(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, is_kept ? "lo" : "", is_kept ? 2 : 0) == 0, "an interface is chosen");
        for (socklen_t room = 0; room < 18; room++) {
            char name[64], device[32] = "#";
            socklen_t length = room;
            snprintf(name, sizeof name, "%s.%u", is_kept ? "kept" : "free", room);
            long result = getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, &length);
            text2("device-room", name, "%s, %u bytes, %s", result ? errno_name(errno) : "0", length, device);
        }
    }
    close(fd);
    fd = make(SOCK_STREAM);
    line2("device-index", "short", setsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, &one, 2));
    line2("device-index", "below", setsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, &below, sizeof below));
    line2("device-index", "lo", setsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, &one, sizeof one));
    read_back("index", fd);
    close(fd);
}

/* Who may have a port that somebody has. */
static void ports(int type)
{
    for (int first = 0; first < KEPT_COUNT; first++)
        for (int second = 0; second < KEPT_COUNT; second++) {
            char name[64];
            snprintf(name, sizeof name, "%s.%s-%s", type == SOCK_STREAM ? "stream" : "datagram", word(first), word(second));
            int holder = make(type), other = make(type);
            must(setsockopt(holder, SOL_SOCKET, SO_BINDTODEVICE, KEPT[first], (socklen_t)strlen(KEPT[first])) == 0, "chosen");
            must(setsockopt(other, SOL_SOCKET, SO_BINDTODEVICE, KEPT[second], (socklen_t)strlen(KEPT[second])) == 0, "chosen");
            must(bind_to(holder, "0.0.0.0", 0) == 0, "a free port is bound");
            line2("device-port", name, bind_to(other, "0.0.0.0", port_of(holder)));
            if (type == SOCK_STREAM)
                line2("device-port-listen", name, listen(holder, 1) == 0 ? listen(other, 1) : -1);
            close(holder);
            close(other);
        }
}

/* Which of those that hear it got something. */
static int who(const int *fds, int count)
{
    struct pollfd all[KEPT_COUNT];
    for (int i = 0; i < count; i++)
        all[i] = (struct pollfd){ .fd = fds[i], .events = POLLIN };
    if (poll(all, (nfds_t)count, LONG_MS) <= 0)
        return -1;
    for (int i = 0; i < count; i++)
        if (all[i].revents & POLLIN)
            return i;
    return -1;
}

/* Each way of sending, to receivers on one port of whom the first `count` are there. */
static void heard(int count)
{
    int fds[KEPT_COUNT], port = 0;
    for (int i = 0; i < count; i++) {
        fds[i] = kept(SOCK_DGRAM, KEPT[i]);
        must(bind_to(fds[i], "0.0.0.0", port) == 0, "the port is shared");
        port = port_of(fds[i]);
    }
    for (int by = 0; by < KEPT_COUNT; by++)
        for (int own = 0; own < 2; own++) {
            const char *ip = own ? OWN : "127.0.0.1";
            /* It would leave by the link, to nobody. */
            if (by == 2 && !own)
                continue;
            char name[64], byte;
            snprintf(name, sizeof name, "%d.%s.%s", count, word(by), own ? "own" : "loopback");
            int from = kept(SOCK_DGRAM, KEPT[by]);
            struct sockaddr_in to = address(ip, port);
            line2("device-send", name, sendto(from, "x", 1, 0, (struct sockaddr *)&to, sizeof to));
            int got = who(fds, count);
            text2("device-heard-by", name, "%s", word(got));
            if (got >= 0)
                must(recv(fds[got], &byte, 1, 0) == 1, "what came is read");
            close(from);
        }
    for (int i = 0; i < count; i++)
        close(fds[i]);
}

/* A receiver that keeps to the link is not there for what a host says to itself. */
static void absent(void)
{
    int fd = kept(SOCK_DGRAM, "eth0"), from = make(SOCK_DGRAM);
    must(bind_to(fd, "0.0.0.0", 0) == 0, "a free port is bound");
    must(connect_to(from, OWN, port_of(fd)) == 0, "a peer is named");
    line2("device-absent", "send", send(from, "x", 1, 0));
    settle(from, POLLERR);
    text2("device-absent", "error", "%s", errno_name(take_error(from)));
    close(fd);
    close(from);
}

static void connections(void)
{
    for (int at = 0; at < KEPT_COUNT; at++) {
        int listening = kept(SOCK_STREAM, KEPT[at]);
        must(bind_to(listening, "0.0.0.0", 0) == 0 && listen(listening, 4) == 0, "it listens");
        for (int by = 0; by < KEPT_COUNT; by++)
            for (int own = 0; own < 2; own++) {
                /* Its SYN would leave by the link, to nobody; or its answer come by an interface that it does not hear. */
                if (own ? by == 1 : by == 2)
                    continue;
                char name[64];
                snprintf(name, sizeof name, "%s.%s.%s", word(at), word(by), own ? "own" : "loopback");
                int client = kept(SOCK_STREAM, KEPT[by]);
                connect_to(client, own ? OWN : "127.0.0.1", port_of(listening));
                struct pollfd done = { .fd = client, .events = POLLOUT };
                must(poll(&done, 1, LONG_MS) == 1, "an attempt to connect ends");
                text2("device-connect", name, "%s", errno_name(take_error(client)));
                if (done.revents == POLLOUT) {
                    int accepted = take(listening);
                    read_back(name, accepted);
                    close(accepted);
                }
                close(client);
            }
        close(listening);
    }
}

/* Where the interface leads, whatever the routes say, and with which address. */
static void led(void)
{
    for (int by = 0; by < KEPT_COUNT; by++) {
        int fd = kept(SOCK_DGRAM, KEPT[by]);
        struct sockaddr_in own = { 0 };
        socklen_t length = sizeof own;
        char ip[INET_ADDRSTRLEN];
        line2("device-led", word(by), connect_to(fd, BEYOND, 9));
        getsockname(fd, (struct sockaddr *)&own, &length);
        text2("device-led-from", word(by), "%s", inet_ntop(AF_INET, &own.sin_addr, ip, sizeof ip));
        struct in_addr loopback = { htonl(INADDR_LOOPBACK) }, link = { htonl(0x0a4d0002) };
        line2("device-groups-by-lo", word(by), setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &loopback, sizeof loopback));
        line2("device-groups-by-link", word(by), setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &link, sizeof link));
        close(fd);
    }
}

/* By IPv6 an own address is on its interface alone. */
static void of_ip6(void)
{
    static const char *const OWN6[] = { "fd77::2", "::1" };
    for (int by = 1; by < KEPT_COUNT; by++)
        for (int i = 0; i < 2; i++) {
            char name[64];
            struct sockaddr_in6 to = { .sin6_family = AF_INET6, .sin6_port = htons(9) };
            must(inet_pton(AF_INET6, OWN6[i], &to.sin6_addr) == 1, "an address of IPv6");
            int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK, 0);
            must(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, KEPT[by], (socklen_t)strlen(KEPT[by])) == 0, "an interface is chosen");
            snprintf(name, sizeof name, "%s.%s", word(by), OWN6[i]);
            line2("device-ip6-send", name, sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof to));
            close(fd);
            fd = socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK, 0);
            must(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, KEPT[by], (socklen_t)strlen(KEPT[by])) == 0, "an interface is chosen");
            line2("device-ip6-connect", name, connect(fd, (struct sockaddr *)&to, sizeof to));
            close(fd);
        }
}

void devices(void)
{
    chosen();
    ports(SOCK_STREAM);
    ports(SOCK_DGRAM);
    heard(1);
    heard(2);
    heard(3);
    absent();
    connections();
    led();
    of_ip6();
}
