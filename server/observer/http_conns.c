#include "http_conns.h"

#include "assertion.h"

struct http_conn *http_conns_add(struct http_conns *conns, int fd, uint64_t now_ms)
{
    if (conns->count == HTTP_CONNS_MAX)
        return NULL;
    struct http_conn *conn = conns->items;
    while (conn->is_used)
        conn++;
    *conn = (struct http_conn){
        .is_used = true, .fd = fd, .since_ms = now_ms, .until_ms = now_ms + HTTP_HEAD_MS};
    conns->count++;
    return conn;
}

struct http_conn *http_conns_find(struct http_conns *conns, int fd)
{
    for (size_t i = 0; i < HTTP_CONNS_MAX; i++) {
        if (conns->items[i].is_used && conns->items[i].fd == fd)
            return &conns->items[i];
    }
    return NULL;
}

void http_conns_remove(struct http_conns *conns, struct http_conn *conn)
{
    ASSERT(conn->is_used && conns->count > 0);
    conn->is_used = false;
    conns->count--;
}

void http_conn_on_head(struct http_conn *conn, uint64_t now_ms)
{
    conn->is_answering = true;
    conn->since_ms = now_ms;
    conn->until_ms = now_ms + HTTP_ANSWER_MS;
}

void http_conn_on_answered(struct http_conn *conn, uint64_t now_ms)
{
    conn->is_answering = false;
    conn->since_ms = now_ms;
    conn->until_ms = now_ms + HTTP_IDLE_MS;
}

static bool http_conn_goes_before(const struct http_conn *conn, const struct http_conn *other)
{
    if (conn->is_answering != other->is_answering)
        return other->is_answering;
    return conn->since_ms < other->since_ms;
}

const struct http_conn *http_conns_oldest(const struct http_conns *conns)
{
    const struct http_conn *oldest = NULL;

    for (size_t i = 0; i < HTTP_CONNS_MAX; i++) {
        const struct http_conn *conn = &conns->items[i];
        if (conn->is_used && (oldest == NULL || http_conn_goes_before(conn, oldest)))
            oldest = conn;
    }
    return oldest;
}
