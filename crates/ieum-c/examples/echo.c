/* A server and a client on two hosts of one process: neither is of the machine's, and no privilege is needed.
 *
 *     cargo build --release -p libieum
 *     cc crates/ieum-c/examples/echo.c -I crates/ieum-c/include -L target/release -lieum -Wl,-rpath,$PWD/target/release -pthread
 *     ./a.out
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ieum.h"

/* Ends the program with a sentence where a call has failed. */
static long well(long answer, const char *call)
{
    if (answer < 0) {
        fprintf(stderr, "%s: %s\n", call, ieum_error());
        exit(1);
    }
    return answer;
}

static struct sockaddr_in at(const char *address, int port)
{
    struct sockaddr_in name = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    inet_pton(AF_INET, address, &name.sin_addr);
    return name;
}

static int host_at(int network, int link, const char *address)
{
    int host = (int)well(ieum_host_new(network), "a host");
    well(ieum_host_address(host, link, address), "its address");
    well(ieum_host_start(host), "its start");
    return host;
}

/* Sends back what comes, until its peer has ended. */
static void *serve(void *listener)
{
    struct sockaddr_in peer;
    socklen_t peer_len = sizeof peer;
    int connection = (int)well(ieum_accept(*(int *)listener, (struct sockaddr *)&peer, &peer_len), "accept");
    char name[INET_ADDRSTRLEN], bytes[4096];
    printf("accepted from %s\n", inet_ntop(AF_INET, &peer.sin_addr, name, sizeof name));
    for (ssize_t count; (count = well(ieum_recv(connection, bytes, sizeof bytes, 0), "recv")) > 0;)
        well(ieum_send(connection, bytes, (size_t)count, 0), "send");
    ieum_close(connection);
    return NULL;
}

int main(void)
{
    int network = (int)well(ieum_network_new(), "a network");
    int link = (int)well(ieum_link_new(network, 0), "a link");
    int here = host_at(network, link, "10.1.0.1/24"), there = host_at(network, link, "10.1.0.2/24");

    /* Every port is free: the host is new. */
    struct sockaddr_in address = at("10.1.0.1", 7);
    int listener = (int)well(ieum_host_socket(here, AF_INET, SOCK_STREAM, 0), "socket");
    well(ieum_bind(listener, (struct sockaddr *)&address, sizeof address), "bind");
    well(ieum_listen(listener, 16), "listen");
    pthread_t server;
    pthread_create(&server, NULL, serve, &listener);

    int client = (int)well(ieum_host_socket(there, AF_INET, SOCK_STREAM, 0), "socket");
    well(ieum_connect(client, (struct sockaddr *)&address, sizeof address), "connect");
    const char *word = "through a TCP of its own";
    well(ieum_write(client, word, strlen(word)), "write");
    well(ieum_shutdown(client, SHUT_WR), "shutdown");
    char echo[64] = "";
    size_t len = 0;
    for (ssize_t count; (count = well(ieum_read(client, echo + len, sizeof echo - 1 - len), "read")) > 0;)
        len += (size_t)count;
    pthread_join(server, NULL);
    printf("%s\n", echo);

    int numbers[] = { client, listener, here, there, link, network };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        well(ieum_close(numbers[i]), "close");
    return strcmp(echo, word) != 0;
}
