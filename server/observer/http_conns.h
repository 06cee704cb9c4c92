/* http_conns.h - how long the observer's connections may take, and which one makes room for
 * another. Pure: no sockets, no clock.
 *
 * A connection waits for the head of a request, or its answer is under way. Either has its time in
 * all, whatever arrives meanwhile, so nobody holds one by sending or reading a byte now and then.
 * When all places are taken, a new connection takes that of the one that has waited longest: who
 * asks at once gets an answer however many others only wait.
 */
#ifndef LOTTERY_OBSERVER_HTTP_CONNS_H
#define LOTTERY_OBSERVER_HTTP_CONNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_CONNS_MAX 64
#define HTTP_HEAD_MS 10000   /* from the connection to the whole head of its first request */
#define HTTP_IDLE_MS 30000   /* from an answer to the whole head of the next request */
#define HTTP_ANSWER_MS 30000 /* from a request to the end of its answer */

struct http_conn {
    bool is_used;
    bool is_started;   /* the caller's: false at first */
    bool is_answering; /* otherwise it waits for a head */
    int fd;            /* borrowed */
    uint64_t since_ms; /* monotonic: when that began */
    uint64_t until_ms; /* monotonic: how long it may last */
};

/* All zero: there is none. */
struct http_conns {
    size_t count; /* that are used */
    struct http_conn items[HTTP_CONNS_MAX];
};

/* The place for a new connection; NULL when all are taken. */
struct http_conn *http_conns_add(struct http_conns *conns, int fd, uint64_t now_ms);

/* The one with this descriptor, NULL: there is none. */
struct http_conn *http_conns_find(struct http_conns *conns, int fd);

/* It is gone; its place is free. */
void http_conns_remove(struct http_conns *conns, struct http_conn *conn);

/* The head of a request has come; its answer was sent. */
void http_conn_on_head(struct http_conn *conn, uint64_t now_ms);
void http_conn_on_answered(struct http_conn *conn, uint64_t now_ms);

/* The one that is to make room: of those that wait for a head the oldest, otherwise of all. NULL
 * when there is none. */
const struct http_conn *http_conns_oldest(const struct http_conns *conns);

#endif
