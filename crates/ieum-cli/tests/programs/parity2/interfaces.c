/* Interfaces: their names, numbers, flags and addresses, by ioctl, by getifaddrs and by sockets of NETLINK_ROUTE. Of links
 * other than lo and eth0 nothing is said, nor of eth0's hardware. */
#include "parity2.h"

#include <ifaddrs.h>
#include <linux/fib_rules.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netpacket/packet.h>
#include <sys/ioctl.h>
#include <sys/un.h>

static void request(const char *name, int fd, unsigned long what, const char *interface)
{
    struct ifreq asked = { 0 };
    snprintf(asked.ifr_name, sizeof asked.ifr_name, "%s", interface);
    line2("interface", name, ioctl(fd, what, &asked));
}

static const char *address_of(int fd, unsigned long what, const char *interface)
{
    struct ifreq asked = { 0 };
    snprintf(asked.ifr_name, sizeof asked.ifr_name, "%s", interface);
    if (ioctl(fd, what, &asked) < 0)
        return strerrorname_np(errno);
    return inet_ntoa(((struct sockaddr_in *)&asked.ifr_addr)->sin_addr);
}

/* Descriptors that are no sockets of the internet, and pointers that lead nowhere. */
static void elsewhere(int four)
{
    struct ifconf list = { 0 };
    if (NUMBERS_ARE_FILES) {
        int local = socket(AF_UNIX, SOCK_STREAM, 0), ends[2];
        must(pipe(ends) == 0, "a pipe");
        text2("interface", "address-on-local", "%s", address_of(local, SIOCGIFADDR, "lo"));
        request("flags-on-local", local, SIOCGIFFLAGS, "lo");
        line2("interface", "list-on-local", ioctl(local, SIOCGIFCONF, &list));
        request("flags-on-pipe", ends[0], SIOCGIFFLAGS, "lo");
        close(local), close(ends[0]), close(ends[1]);
    }
    if (POINTERS_ARE_CHECKED) {
        line2("interface", "flags-nowhere", ioctl(four, SIOCGIFFLAGS, (void *)8));
        line2("interface", "set-flags-nowhere", ioctl(four, SIOCSIFFLAGS, (void *)8));
        list = (struct ifconf){ .ifc_len = 80, .ifc_buf = (void *)8 };
        line2("interface", "list-nowhere", ioctl(four, SIOCGIFCONF, &list));
    }
    request("flags-on-nothing", 99, SIOCGIFFLAGS, "lo");
}

static void by_ioctl(void)
{
    int four = socket(AF_INET, SOCK_DGRAM, 0), six = socket(AF_INET6, SOCK_STREAM, 0);
    struct ifreq asked = { .ifr_name = "lo" };
    must(ioctl(four, SIOCGIFFLAGS, &asked) == 0, "lo has flags");
    int shown = IFF_UP | IFF_LOOPBACK | IFF_BROADCAST | IFF_POINTOPOINT;
    text2("interface", "lo-flags", "%x", asked.ifr_flags & shown);
    must(ioctl(four, SIOCGIFINDEX, &asked) == 0, "lo has a number");
    text2("interface", "lo-index", "%d", asked.ifr_ifindex);
    asked.ifr_ifindex = 1;
    memset(asked.ifr_name, 0, sizeof asked.ifr_name);
    must(ioctl(four, SIOCGIFNAME, &asked) == 0, "1 has a name");
    text2("interface", "name-of-1", "%s", asked.ifr_name);
    asked.ifr_ifindex = 99;
    line2("interface", "name-of-99", ioctl(four, SIOCGIFNAME, &asked));
    snprintf(asked.ifr_name, sizeof asked.ifr_name, "eth0");
    must(ioctl(four, SIOCGIFFLAGS, &asked) == 0, "eth0 has flags");
    text2("interface", "eth0-flags", "%x", asked.ifr_flags & (shown | IFF_MULTICAST | IFF_RUNNING));
    must(ioctl(four, SIOCGIFMTU, &asked) == 0, "eth0 has an MTU");
    text2("interface", "eth0-mtu", "%d", asked.ifr_mtu);
    must(ioctl(four, SIOCGIFHWADDR, &asked) == 0, "lo has a kind");
    snprintf(asked.ifr_name, sizeof asked.ifr_name, "lo");
    must(ioctl(four, SIOCGIFHWADDR, &asked) == 0, "lo has a kind");
    text2("interface", "lo-kind", "%d", asked.ifr_hwaddr.sa_family);
    for (const char **name = (const char *[]){ "lo", "eth0", "none0", "", NULL }; *name; name++) {
        char line[64];
        const struct { const char *of; unsigned long what; } facts[] = {
            { "address", SIOCGIFADDR }, { "destination", SIOCGIFDSTADDR }, { "mask", SIOCGIFNETMASK },
        };
        for (size_t i = 0; i < sizeof facts / sizeof *facts; i++) {
            snprintf(line, sizeof line, "%s-of-%s", facts[i].of, *name);
            text2("interface", line, "%s", address_of(four, facts[i].what, *name));
        }
    }
    text2("interface", "broadcast-of-lo", "%s", address_of(four, SIOCGIFBRDADDR, "lo"));
    text2("interface", "address-on-six", "%s", address_of(six, SIOCGIFADDR, "lo"));
    request("flags-on-six", six, SIOCGIFFLAGS, "lo");
    request("flags-of-none", four, SIOCGIFFLAGS, "none0");
    request("metric", four, SIOCGIFMETRIC, "lo");
    request("queue", four, SIOCGIFTXQLEN, "lo");
    request("map", four, SIOCGIFMAP, "lo");
    request("private-flags", four, SIOCGIFPFLAGS, "lo");
    request("slave", four, SIOCGIFSLAVE, "lo");
    request("encapsulation", four, SIOCGIFENCAP, "lo");
    request("phy", four, SIOCGMIIPHY, "lo");
    request("private", four, SIOCDEVPRIVATE, "lo");
    elsewhere(four);
    must(ioctl(four, SIOCGIFFLAGS, &asked) == 0, "lo has flags");
    line2("interface", "up-again", ioctl(four, SIOCSIFFLAGS, &asked));
    char room[4096];
    struct ifconf list = { .ifc_len = sizeof room, .ifc_buf = room };
    line2("interface", "list", ioctl(four, SIOCGIFCONF, &list));
    for (struct ifreq *one = list.ifc_req; (char *)one < room + list.ifc_len; one++)
        text2("listed", one->ifr_name, "%s", inet_ntoa(((struct sockaddr_in *)&one->ifr_addr)->sin_addr));
    list.ifc_len = sizeof(struct ifreq) + 7;
    line2("interface", "list-short", ioctl(four, SIOCGIFCONF, &list));
    text2("interface", "list-short-bytes", "%d", list.ifc_len);
    list.ifc_len = -1;
    line2("interface", "list-below", ioctl(four, SIOCGIFCONF, &list));
    text2("interface", "list-below-bytes", "%d", list.ifc_len);
    list = (struct ifconf){ 0 };
    line2("interface", "list-room", ioctl(six, SIOCGIFCONF, &list));
    text2("interface", "list-room-bytes", "%d", list.ifc_len);
    close(four), close(six);
}

static void by_library(void)
{
    text2("interface", "if_nametoindex-lo", "%u", if_nametoindex("lo"));
    errno = 0;
    unsigned none = if_nametoindex("none0");
    text2("interface", "if_nametoindex-none", "%u %s", none, strerrorname_np(errno));
    struct if_nameindex *all = if_nameindex();
    must(all != NULL, "if_nameindex");
    for (struct if_nameindex *one = all; one->if_index; one++)
        if (!strcmp(one->if_name, "lo") || !strcmp(one->if_name, "eth0"))
            text2("named", one->if_name, "%s", one->if_index == 1 ? "1" : "another");
    if_freenameindex(all);
    struct ifaddrs *list;
    must(getifaddrs(&list) == 0, "getifaddrs");
    for (struct ifaddrs *one = list; one; one = one->ifa_next) {
        char line[128], text[64] = "-", mask[64] = "-";
        if ((strcmp(one->ifa_name, "lo") && strcmp(one->ifa_name, "eth0")) || !one->ifa_addr)
            continue;
        int family = one->ifa_addr->sa_family;
        if (family == AF_PACKET && strcmp(one->ifa_name, "lo"))
            continue;
        if (family == AF_INET) {
            inet_ntop(family, &((struct sockaddr_in *)one->ifa_addr)->sin_addr, text, sizeof text);
            inet_ntop(family, &((struct sockaddr_in *)one->ifa_netmask)->sin_addr, mask, sizeof mask);
        } else if (family == AF_INET6) {
            const struct in6_addr *address = &((struct sockaddr_in6 *)one->ifa_addr)->sin6_addr;
            if (IN6_IS_ADDR_LINKLOCAL(address))
                continue;
            inet_ntop(family, address, text, sizeof text);
            inet_ntop(family, &((struct sockaddr_in6 *)one->ifa_netmask)->sin6_addr, mask, sizeof mask);
        }
        snprintf(line, sizeof line, "%s-%d-%s", one->ifa_name, family, text);
        text2("has", line, "%s %x", mask, one->ifa_flags & (IFF_UP | IFF_LOOPBACK | IFF_BROADCAST));
    }
    freeifaddrs(list);
}

/* The family of the address that the last answer came from. */
static int answered_by;

/* Asks for all of a kind; how the answer ends, and how many messages were in it that are of lo. */
static void dump(const char *name, int fd, int kind, int family)
{
    struct { struct nlmsghdr head; struct rtgenmsg body; } asked = {
        { sizeof asked, kind, NLM_F_REQUEST | NLM_F_DUMP, 7, 0 }, { family },
    };
    struct sockaddr_nl kernel = { .nl_family = AF_NETLINK }, from = { 0 };
    long sent = sendto(fd, &asked, sizeof asked, 0, (struct sockaddr *)&kernel, sizeof kernel);
    int of_lo = 0, done = 0, told = 0;
    while (sent > 0 && !done) {
        char room[32768];
        struct iovec piece = { room, sizeof room };
        struct msghdr message = { .msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &piece, .msg_iovlen = 1 };
        int length = recvmsg(fd, &message, 0);
        must(length > 0 && message.msg_namelen == sizeof from && !from.nl_pid, "an answer");
        answered_by = from.nl_family;
        for (struct nlmsghdr *one = (void *)room; NLMSG_OK(one, length); one = NLMSG_NEXT(one, length)) {
            must(one->nlmsg_seq == 7 && (one->nlmsg_flags & NLM_F_MULTI), "it belongs to the request");
            done |= one->nlmsg_type == NLMSG_DONE;
            told = one->nlmsg_type != NLMSG_DONE ? one->nlmsg_type : told;
            if (one->nlmsg_type == RTM_NEWLINK)
                of_lo += ((struct ifinfomsg *)NLMSG_DATA(one))->ifi_index == 1;
            if (one->nlmsg_type == RTM_NEWADDR)
                of_lo += ((struct ifaddrmsg *)NLMSG_DATA(one))->ifa_index == 1;
        }
    }
    text2("netlink", name, "%ld, %d of lo, type %d, done %d", sent, of_lo, told, done);
}

/* One request, and the type and error of its first answer. */
static void ask_for(const char *name, int fd, int kind, int flags, struct ifinfomsg body)
{
    struct { struct nlmsghdr head; struct ifinfomsg body; } asked = {
        { sizeof asked, kind, NLM_F_REQUEST | flags, 8, 0 }, body,
    };
    char room[8192] = { 0 };
    struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
    long sent = sendto(fd, &asked, sizeof asked, 0, (struct sockaddr *)&kernel, sizeof kernel);
    long got = recv(fd, room, sizeof room, MSG_DONTWAIT);
    struct nlmsghdr *answer = (void *)room;
    struct nlmsgerr *error = NLMSG_DATA(answer);
    if (got < 0)
        text2("netlink", name, "%ld, %s", sent, strerrorname_np(errno));
    else
        text2("netlink", name, "%ld, type %d, error %d", sent, answer->nlmsg_type,
              answer->nlmsg_type == NLMSG_ERROR ? -error->error : 0);
    while (recv(fd, room, sizeof room, MSG_DONTWAIT) > 0)
        ;
}

static void ask(const char *name, int fd, int kind, int flags, int index)
{
    ask_for(name, fd, kind, flags, (struct ifinfomsg){ .ifi_index = index });
}

/* The tables in which routes are looked for. */
static void rules(const char *name, int fd, int family)
{
    struct { struct nlmsghdr head; struct fib_rule_hdr body; } asked = {
        { sizeof asked, RTM_GETRULE, NLM_F_REQUEST | NLM_F_DUMP, 7, 0 }, { .family = (unsigned char)family },
    };
    struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
    must(sendto(fd, &asked, sizeof asked, 0, (struct sockaddr *)&kernel, sizeof kernel) == sizeof asked, "a request is sent");
    char found[512] = "";
    for (int done = 0; !done;) {
        char room[32768];
        int length = (int)recv(fd, room, sizeof room, 0);
        must(length > 0, "an answer");
        for (struct nlmsghdr *one = (void *)room; NLMSG_OK(one, length); one = NLMSG_NEXT(one, length)) {
            done |= one->nlmsg_type == NLMSG_DONE;
            if (one->nlmsg_type != RTM_NEWRULE)
                continue;
            struct fib_rule_hdr *rule = NLMSG_DATA(one);
            unsigned priority = 0, table = 0;
            int left = (int)(one->nlmsg_len - NLMSG_SPACE(sizeof *rule));
            for (struct rtattr *each = (void *)((char *)rule + NLMSG_ALIGN(sizeof *rule)); RTA_OK(each, left); each = RTA_NEXT(each, left)) {
                if (each->rta_type == FRA_PRIORITY)
                    priority = *(unsigned *)RTA_DATA(each);
                if (each->rta_type == FRA_TABLE)
                    table = *(unsigned *)RTA_DATA(each);
            }
            snprintf(found + strlen(found), sizeof found - strlen(found), " %d:%u:%u/%u/%d", rule->family, priority, table, rule->table, rule->action);
        }
    }
    text2("netlink", name, "%s", found);
}

static void memberships(const char *name, int fd, size_t room)
{
    unsigned groups[4] = { 0x55555555, 0x55555555, 0x55555555, 0x55555555 };
    socklen_t length = (socklen_t)room;
    int result = getsockopt(fd, SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS, groups, &length);
    text2("netlink", name, "%d, %u bytes: %x %x %x", result, length, groups[0], groups[1], groups[2]);
}

static void in_groups(void)
{
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), group = RTNLGRP_LINK;
    memberships("groups-of-none", fd, 12);
    line2("netlink", "join", setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group));
    memberships("groups", fd, 12);
    memberships("groups-no-room", fd, 0);
    memberships("groups-half", fd, 4);
    memberships("groups-less", fd, 3);
    group = 0;
    line2("netlink", "join-none", setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group));
    group = 5000;
    line2("netlink", "join-beyond", setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group));
    group = RTNLGRP_IPV4_IFADDR;
    line2("netlink", "join-another", setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group));
    group = RTNLGRP_LINK;
    line2("netlink", "leave", setsockopt(fd, SOL_NETLINK, NETLINK_DROP_MEMBERSHIP, &group, sizeof group));
    memberships("groups-after", fd, 12);
    close(fd);
}

static void by_netlink(void)
{
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    struct sockaddr_nl own = { .nl_family = AF_NETLINK };
    socklen_t length = sizeof own;
    int value = 0;
    line2("netlink", "stream", socket(AF_NETLINK, SOCK_STREAM, NETLINK_ROUTE));
    getsockname(fd, (struct sockaddr *)&own, &length);
    text2("netlink", "unbound", "%u bytes, port %s", length, own.nl_pid ? "some" : "0");
    line2("netlink", "bind-short", bind(fd, (struct sockaddr *)&own, 4));
    struct sockaddr_in internet = { .sin_family = AF_INET };
    line2("netlink", "bind-internet", bind(fd, (struct sockaddr *)&internet, sizeof internet));
    line2("netlink", "bind", bind(fd, (struct sockaddr *)&own, sizeof own));
    getsockname(fd, (struct sockaddr *)&own, &length);
    text2("netlink", "bound", "%s", own.nl_pid == (unsigned)getpid() ? "this process" : "another");
    int second = socket(AF_NETLINK, SOCK_DGRAM, NETLINK_ROUTE);
    line2("netlink", "bind-taken", bind(second, (struct sockaddr *)&own, sizeof own));
    own.nl_pid = 0;
    line2("netlink", "bind-second", bind(second, (struct sockaddr *)&own, sizeof own));
    getsockname(second, (struct sockaddr *)&own, &length);
    text2("netlink", "bound-second", "%s", own.nl_pid == (unsigned)getpid() ? "this process" : "another");
    own.nl_pid = 12345678;
    line2("netlink", "bind-again", bind(second, (struct sockaddr *)&own, sizeof own));
    length = sizeof value;
    for (const int *option = (const int[]){ SO_TYPE, SO_DOMAIN, SO_PROTOCOL, SO_ERROR, SO_ACCEPTCONN, 0 }; *option; option++) {
        char line[32];
        snprintf(line, sizeof line, "option-%d", *option);
        int result = getsockopt(second, SOL_SOCKET, *option, &value, &length);
        text2("netlink", line, "%d %d", result, value);
    }
    value = 1;
    line2("netlink", "strict", setsockopt(second, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &value, sizeof value));
    line2("netlink", "short-option", setsockopt(second, SOL_NETLINK, NETLINK_CAP_ACK, &value, 1));
    line2("netlink", "unknown-option", setsockopt(second, SOL_NETLINK, 99, &value, sizeof value));
    line2("netlink", "other-level", setsockopt(second, IPPROTO_TCP, 1, &value, sizeof value));
    line2("netlink", "listen", listen(second, 1));
    line2("netlink", "accept", accept(second, NULL, NULL));
    line2("netlink", "shutdown", shutdown(second, SHUT_WR));
    close(second);
    dump("links", fd, RTM_GETLINK, AF_UNSPEC);
    dump("addresses", fd, RTM_GETADDR, AF_UNSPEC);
    dump("addresses-4", fd, RTM_GETADDR, AF_INET);
    dump("addresses-6", fd, RTM_GETADDR, AF_INET6);
    dump("routes-4", fd, RTM_GETROUTE, AF_INET);
    dump("routes-6", fd, RTM_GETROUTE, AF_INET6);
    text2("netlink", "answers.family", "%s", answered_by == AF_NETLINK ? "netlink" : "another");
    ask("link-1", fd, RTM_GETLINK, 0, 1);
    ask("link-1-acknowledged", fd, RTM_GETLINK, NLM_F_ACK, 1);
    ask("link-99", fd, RTM_GETLINK, 0, 99);
    ask_for("link-1-up-again", fd, RTM_NEWLINK, NLM_F_ACK,
            (struct ifinfomsg){ .ifi_index = 1, .ifi_flags = IFF_UP, .ifi_change = IFF_UP });
    ask("no-kind", fd, 9, 0, 1);
    ask("no-kind-acknowledged", fd, 9, NLM_F_ACK, 1);
    ask("unknown-kind", fd, 998, 0, 1);
    ask("unknown-kind-dump", fd, 1146, NLM_F_DUMP, 0);
    rules("rules-4", fd, AF_INET);
    rules("rules-6", fd, AF_INET6);
    in_groups();
    char byte;
    line2("netlink", "nothing", recv(fd, &byte, 1, MSG_DONTWAIT));
    line2("netlink", "send-nothing", send(fd, &byte, 0, 0));
    struct pollfd look = { fd, POLLIN | POLLOUT, 0 };
    poll(&look, 1, 0);
    text2("netlink", "poll", "%x", look.revents);
    struct sockaddr_nl other = { .nl_family = AF_NETLINK, .nl_pid = 7654321 };
    line2("netlink", "send-to-nobody", sendto(fd, &other, sizeof other, 0, (struct sockaddr *)&other, sizeof other));
    /* The length of an answer that has no room, without taking it. */
    struct { struct nlmsghdr head; struct rtgenmsg body; } asked = {
        { sizeof asked, RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, 9, 0 }, { AF_UNSPEC },
    };
    must(write(fd, &asked, sizeof asked) == sizeof asked, "a request is written");
    char room[32768];
    struct iovec piece = { room, 20 };
    struct msghdr message = { .msg_iov = &piece, .msg_iovlen = 1 };
    long whole = recvmsg(fd, &message, MSG_PEEK | MSG_TRUNC), cut = message.msg_flags & MSG_TRUNC;
    text2("netlink", "peeked", "%s, %s", whole > 20 ? "the whole length" : "less", cut ? "cut" : "whole");
    text2("netlink", "read", "%s", read(fd, room, sizeof room) == whole ? "as long as was said" : "another length");
    close(fd);
}

void interfaces(void)
{
    by_ioctl();
    by_library();
    if (NETLINK_IS_ANSWERED)
        by_netlink();
}
