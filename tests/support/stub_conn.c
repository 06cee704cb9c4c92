#include "stub_conn.h"

#include "conn.h"

static void on_data(void *owner, const uint8_t *data, size_t size)
{
    (void)owner;
    (void)data;
    (void)size;
}

static void on_end(void *owner, enum status status, const char *detail)
{
    struct conn *conn = owner;

    (void)status;
    (void)detail;
    stream_close(conn->stream);
}

static void on_closed(void *owner)
{
    conn_note_reason(owner, "closed by the test");
    conn_free(owner);
}

const struct stream_events stub_conn_events = {
    .on_data = on_data,
    .on_end = on_end,
    .on_closed = on_closed,
};
