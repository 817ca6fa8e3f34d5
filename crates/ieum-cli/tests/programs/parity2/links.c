/* The interface that a datagram came by and the one it is to leave by (IP_PKTINFO, IPV6_PKTINFO), and whole lists of senders
 * (IP_MSFILTER, MCAST_MSFILTER). */
#include "parity2.h"

#include <ifaddrs.h>
#include <net/if.h>

/* The number of the interface that has the address of the link. */
static int link_index(void)
{
    struct ifaddrs *all = NULL;
    int index = 0;
    if (getifaddrs(&all) != 0)
        return 0;
    for (struct ifaddrs *one = all; one; one = one->ifa_next)
        if (one->ifa_addr && one->ifa_addr->sa_family == AF_INET
            && ((struct sockaddr_in *)one->ifa_addr)->sin_addr.s_addr == htonl(0x0a4d0002))
            index = (int)if_nametoindex(one->ifa_name);
    freeifaddrs(all);
    return index;
}

static const char *index_name(int index)
{
    return index == 0 ? "none" : index == 1 ? "lo" : index == link_index() ? "link" : "other";
}

static void make_address(struct sockaddr_storage *to, int family, const char *ip, int port)
{
    memset(to, 0, sizeof *to);
    if (family == AF_INET)
        *(struct sockaddr_in *)to = address(ip, port);
    else {
        struct sockaddr_in6 *six = (struct sockaddr_in6 *)to;
        six->sin6_family = AF_INET6;
        six->sin6_port = htons((uint16_t)port);
        must(inet_pton(AF_INET6, ip, &six->sin6_addr) == 1, "an address is read");
    }
}

static socklen_t size_of(int family)
{
    return family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
}

static void came(const char *name, int fd)
{
    char into[8], text[INET6_ADDRSTRLEN] = "?", own[INET6_ADDRSTRLEN] = "-", other[INET6_ADDRSTRLEN] = "-";
    union { struct cmsghdr header; char space[256]; } control = { 0 };
    struct iovec part = { into, sizeof into };
    struct sockaddr_storage from = { 0 };
    struct msghdr message = { .msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &part, .msg_iovlen = 1,
        .msg_control = &control, .msg_controllen = sizeof control };
    settle(fd, POLLIN);
    if (recvmsg(fd, &message, MSG_DONTWAIT) < 0)
        return line2(name, "came", -1);
    if (from.ss_family == AF_INET)
        inet_ntop(AF_INET, &((struct sockaddr_in *)&from)->sin_addr, text, sizeof text);
    else
        inet_ntop(AF_INET6, &((struct sockaddr_in6 *)&from)->sin6_addr, text, sizeof text);
    int index = -1;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header))
        if (header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo *info = (void *)CMSG_DATA(header);
            index = info->ipi_ifindex;
            inet_ntop(AF_INET, &info->ipi_addr, own, sizeof own);
            inet_ntop(AF_INET, &info->ipi_spec_dst, other, sizeof other);
        } else if (header->cmsg_level == IPPROTO_IPV6 && header->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo *info = (void *)CMSG_DATA(header);
            index = (int)info->ipi6_ifindex;
            inet_ntop(AF_INET6, &info->ipi6_addr, own, sizeof own);
        }
    text2(name, "came", "from %s to %s as %s by %s", text, own, other, index_name(index));
}

/* Sends with an interface and a source in a control message, if they are named. */
static long send_by(int fd, int family, struct sockaddr_storage *to, int index, const char *source)
{
    union { struct cmsghdr header; char space[128]; } control = { 0 };
    struct iovec part = { "abc", 3 };
    struct msghdr message = { .msg_name = to, .msg_namelen = size_of(family), .msg_iov = &part, .msg_iovlen = 1,
        .msg_control = &control };
    struct in_pktinfo four = { .ipi_ifindex = index };
    struct in6_pktinfo six = { .ipi6_ifindex = (unsigned)index };
    size_t size = family == AF_INET ? sizeof four : sizeof six;
    if (source)
        must(inet_pton(family, source, family == AF_INET ? (void *)&four.ipi_spec_dst : (void *)&six.ipi6_addr) == 1, "an address is read");
    control.header.cmsg_level = family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6;
    control.header.cmsg_type = family == AF_INET ? IP_PKTINFO : IPV6_PKTINFO;
    control.header.cmsg_len = CMSG_LEN(size);
    memcpy(CMSG_DATA(&control.header), family == AF_INET ? (void *)&four : (void *)&six, size);
    message.msg_controllen = CMSG_SPACE(size);
    return sendmsg(fd, &message, 0);
}

static void by_interface(int family)
{
    int four = family == AF_INET, level = four ? IPPROTO_IP : IPPROTO_IPV6, one = 1, zero = 0;
    int link = link_index();
    const char *group = four ? "224.1.2.3" : "ff15::5", *own = four ? "10.77.0.2" : "fd77::2", *loopback = four ? "127.0.0.1" : "::1";
    int to = socket(family, SOCK_DGRAM | SOCK_NONBLOCK, 0), from = socket(family, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    must(setsockopt(to, level, four ? IP_PKTINFO : IPV6_RECVPKTINFO, &one, sizeof one) == 0, "an option is taken");
    must(setsockopt(to, level, four ? IP_MULTICAST_ALL : 29, &zero, sizeof zero) == 0, "an option is taken");
    struct sockaddr_storage here, where;
    make_address(&here, family, four ? "0.0.0.0" : "::", 0);
    must(bind(to, (struct sockaddr *)&here, size_of(family)) == 0, "a free port is bound");
    socklen_t length = sizeof here;
    must(getsockname(to, (struct sockaddr *)&here, &length) == 0, "it has a name");
    int port = ntohs(four ? ((struct sockaddr_in *)&here)->sin_port : ((struct sockaddr_in6 *)&here)->sin6_port);
    struct ip_mreqn request4 = { .imr_ifindex = link };
    struct ipv6_mreq request6 = { .ipv6mr_interface = (unsigned)link };
    must(inet_pton(family, group, four ? (void *)&request4.imr_multiaddr : (void *)&request6.ipv6mr_multiaddr) == 1, "a group is read");
    must(four ? setsockopt(to, level, IP_ADD_MEMBERSHIP, &request4, sizeof request4) == 0
              : setsockopt(to, level, IPV6_ADD_MEMBERSHIP, &request6, sizeof request6) == 0, "a group is joined");
    const struct { const char *name, *ip; int index; const char *source; } ALL[] = {
        { "loopback", loopback, 0, NULL }, { "loopback-by-lo", loopback, 1, NULL }, { "own", own, 0, NULL }, { "own-by-link", own, link, NULL },
        { "own-by-lo", own, 1, NULL }, { "loopback-by-nothing", loopback, 99, NULL }, { "own-from-loopback", own, 0, loopback },
        { "group-by-link", group, link, NULL }, { "group-by-link-from-own", group, link, own }, { "group-by-nothing", group, 99, NULL },
        { "nowhere-by-nothing", four ? "203.0.113.1" : "2001:db8::1", 99, NULL },
    };
    char name[80];
    for (size_t i = 0; i < sizeof ALL / sizeof *ALL; i++) {
        /* Whether a fresh link has IPv6 ready for groups is a matter of moments. */
        if (!four && ALL[i].ip == group && ALL[i].index == link)
            continue;
        snprintf(name, sizeof name, "by-link-%d-%s", four ? 4 : 6, ALL[i].name);
        make_address(&where, family, ALL[i].ip, port);
        long result = send_by(from, family, &where, ALL[i].index, ALL[i].source);
        line2(name, "send", result);
        if (result >= 0)
            came(name, to);
    }
    close(to);
    close(from);
}

/* What a list of senders is now. */
static void list_is(const char *name, int fd, const char *group, const char *interface, unsigned room)
{
    unsigned char bytes[256] = { 0 };
    struct ip_msfilter *filter = (void *)bytes;
    inet_pton(AF_INET, group, &filter->imsf_multiaddr);
    inet_pton(AF_INET, interface, &filter->imsf_interface);
    filter->imsf_numsrc = room;
    socklen_t length = sizeof bytes;
    long result = getsockopt(fd, IPPROTO_IP, IP_MSFILTER, bytes, &length);
    char text[200] = "";
    size_t end = 0;
    for (unsigned i = 0; i < room && i < filter->imsf_numsrc && result == 0; i++)
        end += (size_t)snprintf(text + end, sizeof text - end, " %s", inet_ntoa(filter->imsf_slist[i]));
    text2("list-is", name, "%s, mode %u of %u in %u bytes:%s", result == 0 ? "0" : errno_name(errno), filter->imsf_fmode,
        filter->imsf_numsrc, length, text);
}

static long set_list(int fd, const char *group, const char *interface, unsigned mode, unsigned count, const char *const *sources, int length)
{
    unsigned char bytes[256] = { 0 };
    struct ip_msfilter *filter = (void *)bytes;
    inet_pton(AF_INET, group, &filter->imsf_multiaddr);
    inet_pton(AF_INET, interface, &filter->imsf_interface);
    filter->imsf_fmode = mode;
    filter->imsf_numsrc = count;
    for (unsigned i = 0; i < count && i < 12; i++)
        inet_pton(AF_INET, sources[i % 3], &filter->imsf_slist[i]);
    return setsockopt(fd, IPPROTO_IP, IP_MSFILTER, bytes, length < 0 ? (socklen_t)(16 + 4 * count) : (socklen_t)length);
}

static void lists4(void)
{
    static const char *const SOURCES[] = { "10.77.0.2", "10.77.0.7", "10.77.0.9" };
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    line2("list", "before-join", set_list(fd, "224.1.2.3", "10.77.0.2", 0, 1, SOURCES, -1));
    list_is("before-join", fd, "224.1.2.3", "10.77.0.2", 4);
    struct ip_mreqn request = { .imr_address.s_addr = htonl(0x0a4d0002) };
    inet_pton(AF_INET, "224.1.2.3", &request.imr_multiaddr);
    must(setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, sizeof request) == 0, "a group is joined");
    list_is("joined", fd, "224.1.2.3", "10.77.0.2", 4);
    line2("list", "exclude", set_list(fd, "224.1.2.3", "10.77.0.2", 0, 2, SOURCES, -1));
    list_is("exclude", fd, "224.1.2.3", "10.77.0.2", 4);
    list_is("exclude-one", fd, "224.1.2.3", "10.77.0.2", 1);
    list_is("exclude-none", fd, "224.1.2.3", "10.77.0.2", 0);
    line2("list", "include", set_list(fd, "224.1.2.3", "10.77.0.2", 1, 3, SOURCES, -1));
    list_is("include", fd, "224.1.2.3", "10.77.0.2", 4);
    line2("list", "other-mode", set_list(fd, "224.1.2.3", "10.77.0.2", 2, 1, SOURCES, -1));
    line2("list", "no-group", set_list(fd, "10.77.0.2", "10.77.0.2", 1, 1, SOURCES, -1));
    line2("list", "other-group", set_list(fd, "224.1.2.4", "10.77.0.2", 1, 1, SOURCES, -1));
    line2("list", "no-interface", set_list(fd, "224.1.2.3", "9.9.9.9", 1, 1, SOURCES, -1));
    line2("list", "many", set_list(fd, "224.1.2.3", "10.77.0.2", 1, 11, SOURCES, -1));
    line2("list", "short", set_list(fd, "224.1.2.3", "10.77.0.2", 1, 2, SOURCES, 20));
    line2("list", "shorter", set_list(fd, "224.1.2.3", "10.77.0.2", 1, 0, SOURCES, 12));
    list_is("other-group", fd, "224.1.2.4", "10.77.0.2", 4);
    list_is("no-interface", fd, "224.1.2.3", "9.9.9.9", 4);
    list_is("no-group", fd, "10.77.0.2", "10.77.0.2", 4);
    char bytes[16] = { 0 };
    socklen_t length = 12;
    line2("list", "read-short", getsockopt(fd, IPPROTO_IP, IP_MSFILTER, bytes, &length));
    line2("list", "exclude-empty", set_list(fd, "224.1.2.3", "10.77.0.2", 0, 0, SOURCES, -1));
    list_is("exclude-empty", fd, "224.1.2.3", "10.77.0.2", 4);
    line2("list", "leave", set_list(fd, "224.1.2.3", "10.77.0.2", 1, 0, SOURCES, -1));
    list_is("left", fd, "224.1.2.3", "10.77.0.2", 4);
    line2("list", "leave-again", set_list(fd, "224.1.2.3", "10.77.0.2", 1, 0, SOURCES, -1));
    close(fd);
}

/* The same by the form that both families have. */
static void lists(int family)
{
    int four = family == AF_INET, level = four ? IPPROTO_IP : IPPROTO_IPV6, fd = socket(family, SOCK_DGRAM, 0);
    static unsigned char bytes[16384];
    struct group_filter *filter = (void *)bytes;
    const char *group = four ? "224.1.2.3" : "ff15::5";
    const char *sources[] = { four ? "10.77.0.2" : "fd77::2", four ? "10.77.0.7" : "fd77::7" };
    struct group_req request = { .gr_interface = (unsigned)link_index() };
    make_address(&request.gr_group, family, group, 0);
    char name[80];
#undef NAME
#define NAME(what) (snprintf(name, sizeof name, "%d-%s", four ? 4 : 6, what), name)
    for (int step = 0; step < 9; step++) {
        static const char *const STEPS[] = { "before", "join", "exclude", "include", "mode", "family", "many", "short", "leave" };
        long result = 0;
        memset(bytes, 0, sizeof bytes);
        filter->gf_interface = (unsigned)link_index();
        make_address(&filter->gf_group, family, group, 0);
        filter->gf_fmode = step == 3 || step == 8 ? 1 : step == 4 ? 7 : 0;
        filter->gf_numsrc = step == 6 ? 80 : step == 8 ? 0 : 2;
        for (unsigned i = 0; i < filter->gf_numsrc; i++)
            make_address(&filter->gf_slist[i], step == 5 && i == 1 ? (four ? AF_INET6 : AF_INET) : family,
                step == 5 && i == 1 ? (four ? "::1" : "127.0.0.1") : sources[i % 2], 0);
        if (step == 1)
            result = setsockopt(fd, level, MCAST_JOIN_GROUP, &request, sizeof request);
        else
            result = setsockopt(fd, level, MCAST_MSFILTER, bytes,
                step == 7 ? 300 : (socklen_t)(144 + 128 * filter->gf_numsrc));
        line2("lists", NAME(STEPS[step]), result);
        memset(bytes, 0, sizeof bytes);
        filter->gf_interface = (unsigned)link_index();
        make_address(&filter->gf_group, family, group, 0);
        filter->gf_numsrc = 3;
        socklen_t length = sizeof bytes;
        result = getsockopt(fd, level, MCAST_MSFILTER, bytes, &length);
        text2("lists-are", NAME(STEPS[step]), "%s, mode %u of %u in %u bytes, first family %d", result == 0 ? "0" : errno_name(errno),
            filter->gf_fmode, filter->gf_numsrc, length, filter->gf_slist[0].ss_family);
    }
    filter->gf_interface = 99;
    socklen_t length = sizeof bytes;
    line2("lists", NAME("read-elsewhere"), getsockopt(fd, level, MCAST_MSFILTER, bytes, &length));
    length = 143;
    line2("lists", NAME("read-short"), getsockopt(fd, level, MCAST_MSFILTER, bytes, &length));
    make_address(&filter->gf_group, four ? AF_INET6 : AF_INET, four ? "ff15::5" : "224.1.2.3", 0);
    length = sizeof bytes;
    line2("lists", NAME("read-family"), getsockopt(fd, level, MCAST_MSFILTER, bytes, &length));
    close(fd);
    /* A stream may be in a group as well, by this form. */
    int stream = socket(family, SOCK_STREAM, 0);
    line2("lists", NAME("stream-join"), setsockopt(stream, level, MCAST_JOIN_GROUP, &request, sizeof request));
    line2("lists", NAME("stream-join-again"), setsockopt(stream, level, MCAST_JOIN_GROUP, &request, sizeof request));
    line2("lists", NAME("stream-leave"), setsockopt(stream, level, MCAST_LEAVE_GROUP, &request, sizeof request));
    close(stream);
}

void links(void)
{
    by_interface(AF_INET);
    by_interface(AF_INET6);
    lists4();
    lists(AF_INET);
    lists(AF_INET6);
}
