/* One connection for each request: connect, ask, read the answer to its end, close. Blocking sockets, some threads.
 *
 *     requests ADDRESS PORT THREADS COUNT
 *
 * Asks COUNT times altogether, or until its standard input ends when COUNT is 0. Prints how many requests had a whole
 * answer (status 200), out of how many, and in how many seconds; exits with 1 if one had none. Each failure is told on
 * standard error. */

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static const char REQUEST[] = "GET / HTTP/1.0\r\nHost: ieum.test\r\n\r\n";
static const char SUCCESS[] = " 200 ";

static struct sockaddr_in server;
static long wanted;
static atomic_long begun, answered, asked;
static atomic_int over;

static void tell(const char *what) {
    fprintf(stderr, "requests: %s: %s\n", what, strerror(errno));
}

/* Whether the answer says success and is as long as it says it is. */
static int is_whole(const char *answer, size_t length) {
    const char *head_end = strstr(answer, "\r\n\r\n"), *announced = strstr(answer, "Content-Length: ");
    if (!head_end || !strstr(answer, SUCCESS)) return 0;
    size_t body = length - (size_t)(head_end + 4 - answer);
    return !announced || announced > head_end || strtoul(announced + 16, NULL, 10) == body;
}

static int ask(void) {
    char answer[65536];
    size_t length = 0;
    ssize_t count;
    int connection = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connection < 0) return tell("socket"), 0;
    if (connect(connection, (struct sockaddr *)&server, sizeof server) != 0) return tell("connect"), close(connection), 0;
    if (write(connection, REQUEST, sizeof REQUEST - 1) != sizeof REQUEST - 1) return tell("write"), close(connection), 0;
    while ((count = read(connection, answer + length, sizeof answer - 1 - length)) > 0) length += (size_t)count;
    if (count < 0) return tell("read"), close(connection), 0;
    close(connection);
    answer[length] = 0;
    if (is_whole(answer, length)) return 1;
    fprintf(stderr, "requests: not a whole answer, %zu bytes: %.200s\n", length, answer);
    return 0;
}

static void *ask_on(void *unused) {
    while (!over && (wanted == 0 || atomic_fetch_add(&begun, 1) < wanted)) {
        asked++;
        answered += ask();
    }
    return unused;
}

int main(int argc, char **argv) {
    enum { THREADS_MAX = 256 };
    pthread_t threads[THREADS_MAX];
    struct timespec start, end;
    int count = argc == 5 ? atoi(argv[3]) : 0;
    if (count < 1 || count > THREADS_MAX) return fputs("requests ADDRESS PORT THREADS COUNT\n", stderr), 2;
    server.sin_family = AF_INET;
    server.sin_port = htons((unsigned short)atoi(argv[2]));
    if (inet_pton(AF_INET, argv[1], &server.sin_addr) != 1) return fputs("not an address\n", stderr), 2;
    wanted = atol(argv[4]);
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (int i = 0; i < count; i++)
        if (pthread_create(&threads[i], NULL, ask_on, NULL) != 0) return tell("thread"), 2;
    if (wanted == 0) {
        while (getchar() != EOF) {}
        over = 1;
    }
    for (int i = 0; i < count; i++) pthread_join(threads[i], NULL);
    clock_gettime(CLOCK_MONOTONIC, &end);
    double seconds = (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9;
    printf("%ld of %ld requests answered in %.3f s\n", answered, asked, seconds);
    return answered == asked ? 0 : 1;
}
