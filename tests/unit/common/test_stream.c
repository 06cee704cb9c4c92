/* Streams over real sockets: one end is a stream, the other a socket that the test drives by hand.
 *
 * Nothing sleeps: every step waits, with a limit, for the condition that it needs. The clock is a
 * fake one wherever time matters, so the test decides how long the wait for a peer's end takes.
 */
#include "alloc_fault.h"
#include "cmocka_all.h"
#include "fake_clock.h"
#include "loop.h"
#include "stream.h"
#include "stream_impl.h"
#include "test_sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SMALL_BUFFER 4096 /* bytes asked of the kernel, which gives a little more */
#define SIDES 3
#define LINGER_MS 1000

struct fixture;

/* A stream and what happened to it. The hooks run in the callbacks of the same name. */
struct side {
    struct stream *stream;
    struct fixture *f;
    uint8_t *got; /* the bytes received */
    size_t got_size;
    unsigned connects;
    unsigned datas;
    unsigned ends;
    unsigned drains;
    unsigned closes;
    enum status connect_status;
    enum status end_status;
    char end_detail[64];
    bool is_open;      /* the stream was initialized */
    size_t read_less;  /* bytes that a read hands out fewer than it could */
    bool is_unwilling; /* wants no bytes now */
    void (*on_connect)(struct side *side);
    void (*on_data)(struct side *side);
    void (*on_end)(struct side *side);
    void (*on_drain)(struct side *side);
    struct side *other; /* for hooks that do something to another stream */
};

struct fixture {
    uv_loop_t loop;
    struct stream_hub *hub;
    struct side sides[SIDES];
    int peers[SIDES]; /* the other ends; -1 = closed */
    uint8_t *read;    /* what peer 0 has read */
    size_t read_size;
    bool has_ended;   /* peer 0 has seen the stream's end */
    bool is_reset;    /* ... which was a reset */
    size_t wanted;    /* how much peer 0 is to read */
    size_t at_a_time; /* and how much in one turn */
};

static void on_connect(void *owner, enum status status, const char *detail)
{
    struct side *side = owner;

    assert_non_null(detail);
    assert_int_equal(side->closes, 0);
    side->connects++;
    side->connect_status = status;
    if (side->on_connect != NULL)
        side->on_connect(side);
}

static void on_data(void *owner, const uint8_t *data, size_t size)
{
    struct side *side = owner;

    assert_int_equal(side->ends, 0);
    assert_int_equal(side->closes, 0);
    assert_true(size > 0 && size <= STREAM_READ_SIZE);
    side->got = realloc(side->got, side->got_size + size);
    assert_non_null(side->got);
    memcpy(side->got + side->got_size, data, size);
    side->got_size += size;
    side->datas++;
    if (side->on_data != NULL)
        side->on_data(side);
}

static void on_end(void *owner, enum status status, const char *detail)
{
    struct side *side = owner;

    assert_int_equal(side->closes, 0);
    side->ends++;
    side->end_status = status;
    strncpy(side->end_detail, detail, sizeof(side->end_detail) - 1);
    if (side->on_end != NULL)
        side->on_end(side);
}

static void on_drain(void *owner)
{
    struct side *side = owner;

    assert_int_equal(side->closes, 0);
    assert_int_equal(stream_backlog(side->stream), 0);
    side->drains++;
    if (side->on_drain != NULL)
        side->on_drain(side);
}

static void on_closed(void *owner)
{
    struct side *side = owner;

    side->closes++;
    side->stream = NULL; /* the memory is the owner's again */
}

static size_t on_read(void *owner)
{
    const struct side *side = owner;

    return side->is_unwilling ? 0 : STREAM_READ_SIZE - side->read_less;
}

static const struct stream_events events = {.on_connect = on_connect,
                                            .on_read = on_read,
                                            .on_data = on_data,
                                            .on_end = on_end,
                                            .on_drain = on_drain,
                                            .on_closed = on_closed};

static int begin(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    fake_clock_begin(1000000);
    loop_begin(&f->loop);
    assert_int_equal(stream_hub_create(&f->loop, &f->hub), STATUS_OK);
    for (int i = 0; i < SIDES; i++) {
        f->sides[i].f = f;
        f->peers[i] = -1;
    }
    *state = f;
    return 0;
}

/* Closes the streams that the test has left open; each calls on_closed exactly once, and the loop
 * has no open handles. */
static int end(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < SIDES; i++) {
        if (f->sides[i].is_open && f->sides[i].closes == 0)
            stream_close(f->sides[i].stream);
    }
    stream_hub_close(f->hub);
    loop_end(&f->loop);
    for (int i = 0; i < SIDES; i++) {
        assert_int_equal(f->sides[i].closes, f->sides[i].is_open ? 1 : 0);
        assert_true(f->sides[i].ends <= 1);
        if (f->peers[i] >= 0)
            assert_int_equal(close(f->peers[i]), 0);
        free(f->sides[i].got);
    }
    free(f->read);
    free(f);
    fake_clock_end();
    return 0;
}

/* Opens stream `i` on one end of a fresh pair; the other is peers[i]. */
static struct side *open_side(struct fixture *f, int i, bool is_tcp, int buffer)
{
    struct side *side = &f->sides[i];
    int fds[2];

    if (is_tcp) {
        sockets_pair_tcp(fds, buffer);
        assert_int_equal(stream_create_tcp(f->hub, &events, side, &side->stream), STATUS_OK);
    } else {
        sockets_pair_unix(fds, buffer);
        assert_int_equal(stream_create_unix(f->hub, &events, side, &side->stream), STATUS_OK);
    }
    side->is_open = true;
    assert_int_equal(stream_open(side->stream, fds[0]), STATUS_OK);
    f->peers[i] = fds[1];
    return side;
}

static void close_peer(struct fixture *f, int i)
{
    assert_int_equal(close(f->peers[i]), 0);
    f->peers[i] = -1;
}

static void reset_peer(struct fixture *f, int i)
{
    sockets_reset(f->peers[i]);
    f->peers[i] = -1;
}

/* Bytes that show their order: no run of them equals another one nearby. */
static uint8_t *pattern(size_t size)
{
    uint8_t *bytes = malloc(size);

    assert_non_null(bytes);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(i * 131 + (i >> 8) * 7 + (i >> 16));
    return bytes;
}

static void send_ok(struct side *side, const void *data, size_t size)
{
    assert_int_equal(stream_send(side->stream, data, size), STATUS_OK);
}

/* Peer 0 reads a little; true when it has all it wants or has seen the end. */
static bool peer_reads(void *context)
{
    struct fixture *f = context;
    uint8_t piece[STREAM_READ_SIZE];
    size_t max = f->at_a_time;

    assert_true(max <= sizeof(piece));
    ssize_t count = recv(f->peers[0], piece, max, 0);
    if (count == 0) {
        f->has_ended = true;
    } else if (count < 0 && errno == ECONNRESET) {
        f->has_ended = true;
        f->is_reset = true;
    } else if (count < 0) {
        assert_true(errno == EAGAIN || errno == EINTR);
    } else {
        f->read = realloc(f->read, f->read_size + (size_t)count);
        assert_non_null(f->read);
        memcpy(f->read + f->read_size, piece, (size_t)count);
        f->read_size += (size_t)count;
    }
    return f->has_ended || f->read_size >= f->wanted;
}

/* Peer 0 reads until it has `size` bytes, `at_a_time` in one turn of the loop. */
static void let_peer_read(struct fixture *f, size_t size, size_t at_a_time)
{
    f->wanted = size;
    f->at_a_time = at_a_time;
    loop_until(&f->loop, peer_reads, f, "the peer's bytes");
}

/* Peer 0 reads until the stream's side has ended. */
static void let_peer_read_to_end(struct fixture *f, size_t at_a_time)
{
    let_peer_read(f, SIZE_MAX, at_a_time);
    assert_true(f->has_ended);
}

/* Runs a few turns of the loop without waiting: only callbacks that are due run. */
static void some_turns(struct fixture *f)
{
    for (int i = 0; i < 10; i++)
        loop_turn(&f->loop);
}

/* Waits until the linger timer has read the clock twice more. */
static void let_linger_timer_look(struct fixture *f)
{
    unsigned enough = fake_clock.reads + 2;

    loop_until_count(&f->loop, &fake_clock.reads, enough, "the linger timer");
}

/* ------------------------------------------------------------------------------ carrying bytes */

/* The stream receives what the peer writes, and the peer what the stream sends, over TCP and Unix
 * sockets. */
static void test_exchange(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < 2; i++) {
        struct side *side = open_side(f, i, i == 0, 0);
        uint8_t answer[16];
        assert_int_equal(stream_read_start(side->stream), STATUS_OK);
        sockets_write(f->peers[i], "question", 8);
        loop_until_count(&f->loop, &side->datas, 1, "data");
        assert_int_equal(side->got_size, 8);
        assert_memory_equal(side->got, "question", 8);
        send_ok(side, "answer", 6);
        assert_int_equal(stream_backlog(side->stream), 6);
        loop_until_count(&f->loop, &side->drains, 1, "drain");
        bool has_ended = false;
        assert_int_equal(sockets_read(f->peers[i], answer, sizeof(answer), &has_ended), 6);
        assert_memory_equal(answer, "answer", 6);
        some_turns(f);
        assert_int_equal(side->drains, 1);
    }
}

/* Sending is never done from within stream_send, and all sends of a turn leave in one write. */
static void test_sends_of_a_turn_are_one_write(void **state)
{
    struct fixture *f = *state;
    struct side *side = &f->sides[0];
    uint8_t packet[4096];
    int fds[2];

    /* A packet socket shows what was one write. */
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    assert_int_equal(stream_create_unix(f->hub, &events, side, &side->stream), STATUS_OK);
    side->is_open = true;
    assert_int_equal(stream_open(side->stream, fds[0]), STATUS_OK);
    f->peers[0] = fds[1];
    for (int i = 0; i < 100; i++)
        send_ok(side, "0123456789", 10);
    send_ok(side, NULL, 0);
    assert_int_equal(stream_backlog(side->stream), 1000);
    assert_int_equal(recv(fds[1], packet, sizeof(packet), 0), -1);
    loop_until_count(&f->loop, &side->drains, 1, "drain");
    assert_int_equal(recv(fds[1], packet, sizeof(packet), 0), 1000);
    assert_int_equal(side->drains, 1);
}

/* A peer that reads a little at a time gets everything, in order, through small buffers, while more
 * is sent. The backlog grows meanwhile, and on_drain is called when everything is written. */
static void test_slow_reader_gets_everything(void **state)
{
    const size_t half = 100 * 1024;
    uint8_t *bytes = pattern(2 * half);

    for (int is_tcp = 0; is_tcp < 2; is_tcp++) {
        struct fixture *f = *state;
        struct side *side = open_side(f, 0, is_tcp != 0, SMALL_BUFFER);
        send_ok(side, bytes, half);
        some_turns(f);
        size_t held = stream_backlog(side->stream);
        assert_true(held > half / 2); /* the kernel has not taken much */
        assert_int_equal(side->drains, 0);
        for (size_t at = half; at < 2 * half; at += 1000) { /* collected during the write */
            size_t size = 2 * half - at < 1000 ? 2 * half - at : 1000;
            send_ok(side, bytes + at, size);
            loop_turn(&f->loop);
        }
        assert_int_equal(stream_backlog(side->stream), held + half);
        let_peer_read(f, 2 * half, 777);
        assert_int_equal(f->read_size, 2 * half);
        assert_memory_equal(f->read, bytes, 2 * half);
        loop_until_count(&f->loop, &side->drains, 1, "drain");
        assert_int_equal(stream_backlog(side->stream), 0);
        assert_int_equal(side->drains, 1);
        if (is_tcp == 0) {
            assert_int_equal(end(state), 0);
            assert_int_equal(begin(state), 0);
        }
    }
    free(bytes);
}

/* A stream without anything to send holds no buffer. */
static void test_idle_stream_holds_no_buffer(void **state)
{
    struct fixture *f = *state;
    uint8_t *bytes = pattern(50000);

    struct side *side = open_side(f, 0, true, SMALL_BUFFER);
    assert_null(side->stream->out.data);
    send_ok(side, "x", 1);
    loop_until_count(&f->loop, &side->drains, 1, "drain");
    assert_null(side->stream->out.data);
    send_ok(side, bytes, 50000);
    let_peer_read(f, 50001, 5000);
    loop_until_count(&f->loop, &side->drains, 2, "drain");
    assert_null(side->stream->out.data);
    assert_null(side->stream->writing.data);
    free(bytes);
}

/* A lot of input arrives in order, in pieces of at most STREAM_READ_SIZE. */
static void test_much_input(void **state)
{
    struct fixture *f = *state;
    const size_t size = 300000;
    uint8_t *bytes = pattern(size);

    struct side *side = open_side(f, 0, true, 0);
    assert_int_equal(stream_read_start(side->stream), STATUS_OK);
    for (size_t at = 0; at < size; at += 5000) {
        sockets_write(f->peers[0], bytes + at, 5000);
        loop_turn(&f->loop);
    }
    close_peer(f, 0);
    loop_until_count(&f->loop, &side->ends, 1, "end");
    assert_int_equal(side->got_size, size);
    assert_memory_equal(side->got, bytes, size);
    free(bytes);
}

/* However much has arrived, a stream is read from once in a turn of the loop, and no more than its
 * owner wants is read. */
static void test_one_read_in_a_turn(void **state)
{
    struct fixture *f = *state;
    uint8_t *bytes = pattern(60000);

    struct side *side = open_side(f, 0, true, 0);
    side->read_less = STREAM_READ_SIZE - 10000;
    assert_int_equal(stream_read_start(side->stream), STATUS_OK);
    sockets_write(f->peers[0], bytes, 60000);
    loop_until_count(&f->loop, &side->datas, 1, "data");
    for (unsigned i = side->datas; i <= 6; i++) {
        assert_int_equal(side->datas, i);
        assert_int_equal(side->got_size, i * 10000);
        loop_turn(&f->loop);
    }
    assert_int_equal(side->datas, 6);
    assert_memory_equal(side->got, bytes, 60000);
    free(bytes);
}

/* If the owner wants no bytes when they are about to be read, they stay in the kernel until it
 * starts to read again. */
static void test_owner_wants_no_bytes(void **state)
{
    struct fixture *f = *state;

    struct side *side = open_side(f, 0, true, 0);
    side->is_unwilling = true;
    assert_int_equal(stream_read_start(side->stream), STATUS_OK);
    sockets_write(f->peers[0], "one", 3);
    some_turns(f);
    side->is_unwilling = false;
    some_turns(f);
    assert_int_equal(side->datas, 0);
    assert_int_equal(stream_read_start(side->stream), STATUS_OK);
    loop_until_count(&f->loop, &side->datas, 1, "data");
    assert_int_equal(side->got_size, 3);
}

static void stop_reading(struct side *side)
{
    stream_read_stop(side->stream);
}

/* While reading is stopped, input stays in the kernel; it arrives when reading starts again, also
 * after a stop from on_data. Starting and stopping twice is fine. */
static void test_read_stop_and_start(void **state)
{
    struct fixture *f = *state;

    struct side *side = open_side(f, 0, true, 0);
    side->on_data = stop_reading;
    assert_int_equal(stream_read_start(side->stream), STATUS_OK);
    assert_int_equal(stream_read_start(side->stream), STATUS_OK);
    sockets_write(f->peers[0], "one", 3);
    loop_until_count(&f->loop, &side->datas, 1, "data");
    stream_read_stop(side->stream);
    sockets_write(f->peers[0], "two", 3);
    some_turns(f);
    assert_int_equal(side->got_size, 3);
    assert_int_equal(stream_read_start(side->stream), STATUS_OK);
    loop_until_count(&f->loop, &side->datas, 2, "data");
    assert_int_equal(side->got_size, 6);
    assert_memory_equal(side->got, "onetwo", 6);
}

static void send_once_more(struct side *side)
{
    if (side->drains < 5)
        send_ok(side, "again", 5);
}

/* Bytes sent from on_drain are written, and then on_drain is called again. */
static void test_send_in_on_drain(void **state)
{
    struct fixture *f = *state;

    struct side *side = open_side(f, 0, true, 0);
    side->on_drain = send_once_more;
    send_ok(side, "again", 5);
    loop_until_count(&f->loop, &side->drains, 5, "drains");
    let_peer_read(f, 25, 100);
    assert_int_equal(f->read_size, 25);
    some_turns(f);
    assert_int_equal(side->drains, 5);
}

/* Without memory for output nothing is collected, and earlier output is still written. */
static void test_send_without_memory(void **state)
{
    struct fixture *f = *state;
    uint8_t *bytes = pattern(10000);

    struct side *side = open_side(f, 0, true, 0);
    alloc_fault_after(0);
    assert_int_equal(stream_send(side->stream, "x", 1), STATUS_NOMEM);
    assert_true(alloc_fault_end());
    assert_int_equal(stream_backlog(side->stream), 0);
    send_ok(side, bytes, 200);
    alloc_fault_after(0);
    assert_int_equal(stream_send(side->stream, bytes, 10000), STATUS_NOMEM);
    assert_true(alloc_fault_end());
    assert_int_equal(stream_backlog(side->stream), 200);
    send_ok(side, bytes + 200, 9800);
    let_peer_read(f, 10000, 10000);
    assert_memory_equal(f->read, bytes, 10000);
    free(bytes);
}

/* -------------------------------------------------------------------------- the peer's end */

/* The peer's orderly end is reported once, with OK; our side can still send. */
static void test_peer_ends(void **state)
{
    struct fixture *f = *state;

    struct side *side = open_side(f, 0, true, 0);
    assert_int_equal(stream_read_start(side->stream), STATUS_OK);
    sockets_write(f->peers[0], "last", 4);
    assert_int_equal(shutdown(f->peers[0], SHUT_WR), 0);
    loop_until_count(&f->loop, &side->ends, 1, "end");
    assert_int_equal(side->end_status, STATUS_OK);
    assert_string_equal(side->end_detail, "");
    assert_int_equal(side->got_size, 4);
    assert_int_equal(stream_read_start(side->stream), STATUS_OK); /* nothing to read any more */
    send_ok(side, "still here", 10);
    let_peer_read(f, 10, 100);
    assert_memory_equal(f->read, "still here", 10);
    some_turns(f);
    assert_int_equal(side->ends, 1);
}

/* A reset is reported once, with an error and its text. */
static void test_peer_resets(void **state)
{
    struct fixture *f = *state;

    struct side *side = open_side(f, 0, true, 0);
    assert_int_equal(stream_read_start(side->stream), STATUS_OK);
    reset_peer(f, 0);
    loop_until_count(&f->loop, &side->ends, 1, "end");
    assert_int_equal(side->end_status, STATUS_IO);
    assert_true(strlen(side->end_detail) > 0);
    send_ok(side, "into the void", 13);
    some_turns(f);
    assert_int_equal(side->ends, 1);
    assert_int_equal(side->closes, 0);
}

/* A stream that does not read notices a reset when it writes; it is reported once, and not within
 * stream_send. */
static void test_reset_while_writing(void **state)
{
    struct fixture *f = *state;
    uint8_t *bytes = pattern(200000);

    struct side *side = open_side(f, 0, true, SMALL_BUFFER);
    send_ok(side, bytes, 200000);
    some_turns(f);
    assert_true(stream_backlog(side->stream) > 0);
    reset_peer(f, 0);
    loop_until_count(&f->loop, &side->ends, 1, "end");
    assert_int_equal(side->end_status, STATUS_IO);
    assert_int_equal(side->drains, 0);

    side = open_side(f, 1, true, 0);
    reset_peer(f, 1);
    send_ok(side, "x", 1);
    send_ok(side, "y", 1);
    assert_int_equal(side->ends, 0);
    loop_until_count(&f->loop, &side->ends, 1, "end");
    assert_int_equal(side->end_status, STATUS_IO);
    free(bytes);
}

/* ----------------------------------------------------------------------------------- finishing */

/* All bytes sent before stream_finish arrive before the end, however slowly they are read; bytes
 * sent after it do not. The stream closes by itself when the peer has ended its side. */
static void test_finish_delivers_everything(void **state)
{
    const size_t size = 150 * 1024;
    uint8_t *bytes = pattern(size);

    for (int is_tcp = 0; is_tcp < 2; is_tcp++) {
        struct fixture *f = *state;
        struct side *side = open_side(f, 0, is_tcp != 0, SMALL_BUFFER);
        assert_int_equal(stream_read_start(side->stream), STATUS_OK);
        send_ok(side, bytes, size - 1000);
        some_turns(f);
        send_ok(side, bytes + size - 1000, 1000);
        stream_finish(side->stream);
        stream_finish(side->stream);
        send_ok(side, "too late", 8);
        assert_int_equal(stream_read_start(side->stream), STATUS_OK);
        let_peer_read_to_end(f, 1111);
        assert_false(f->is_reset);
        assert_int_equal(f->read_size, size);
        assert_memory_equal(f->read, bytes, size);
        let_linger_timer_look(f);
        assert_int_equal(side->closes, 0);
        close_peer(f, 0);
        loop_until_count(&f->loop, &side->closes, 1, "closed");
        assert_int_equal(side->ends, 0);
        assert_int_equal(side->drains, 0);
        if (is_tcp == 0) {
            assert_int_equal(end(state), 0);
            assert_int_equal(begin(state), 0);
        }
    }
    free(bytes);
}

/* Finishing without anything to send ends our side at once. */
static void test_finish_without_output(void **state)
{
    struct fixture *f = *state;

    struct side *side = open_side(f, 0, true, 0);
    stream_finish(side->stream);
    let_peer_read_to_end(f, 100);
    assert_false(f->is_reset);
    assert_int_equal(f->read_size, 0);
    assert_int_equal(side->closes, 0);
    close_peer(f, 0);
    loop_until_count(&f->loop, &side->closes, 1, "closed");
}

/* A half-closed stream still receives the peer's bytes, then its end, and then the owner closes. */
static void test_shutdown(void **state)
{
    for (int is_tcp = 0; is_tcp < 2; is_tcp++) {
        struct fixture *f = *state;
        struct side *side = open_side(f, 0, is_tcp != 0, 0);
        assert_int_equal(stream_read_start(side->stream), STATUS_OK);
        send_ok(side, "question", 8);
        loop_until_count(&f->loop, &side->drains, 1, "on_drain");
        stream_shutdown(side->stream);
        send_ok(side, "too late", 8);
        assert_int_equal(stream_backlog(side->stream), 0);
        let_peer_read_to_end(f, 100);
        assert_false(f->is_reset);
        assert_int_equal(f->read_size, 8);
        sockets_write(f->peers[0], "answer", 6);
        loop_until_count(&f->loop, &side->datas, 1, "on_data");
        assert_int_equal(side->ends, 0);
        close_peer(f, 0);
        loop_until_count(&f->loop, &side->ends, 1, "on_end");
        assert_int_equal(side->end_status, STATUS_OK);
        assert_int_equal(side->got_size, 6);
        assert_int_equal(side->closes, 0);
        stream_close(side->stream);
        loop_until_count(&f->loop, &side->closes, 1, "closed");
        if (is_tcp == 0) {
            assert_int_equal(end(state), 0);
            assert_int_equal(begin(state), 0);
        }
    }
}

/* Finishing a half-closed stream closes it at once. */
static void test_finish_after_shutdown(void **state)
{
    struct fixture *f = *state;

    struct side *side = open_side(f, 0, true, 0);
    assert_int_equal(stream_read_start(side->stream), STATUS_OK);
    stream_shutdown(side->stream);
    stream_finish(side->stream);
    assert_true(stream_is_closing(side->stream));
    loop_until_count(&f->loop, &side->closes, 1, "closed");
    let_peer_read_to_end(f, 100);
    assert_int_equal(side->ends, 0);
}

/* Unread input does not turn the end into a reset: the last bytes arrive. */
static void test_finish_with_unread_input(void **state)
{
    struct fixture *f = *state;
    uint8_t *bytes = pattern(100000);

    struct side *side = open_side(f, 0, true, 0);
    for (int i = 0; i < 4; i++)
        sockets_write(f->peers[0], bytes, 25000);
    send_ok(side, "last words", 10);
    stream_finish(side->stream);
    let_peer_read_to_end(f, 100);
    assert_false(f->is_reset);
    assert_int_equal(f->read_size, 10);
    sockets_write(f->peers[0], bytes, 1000); /* still no reset: the stream throws it away */
    some_turns(f);
    assert_int_equal(side->closes, 0);
    close_peer(f, 0);
    loop_until_count(&f->loop, &side->closes, 1, "closed");
    assert_int_equal(side->datas, 0);
    free(bytes);
}

/* The stream waits a second, and no longer, for a peer that does not end its side; each of several
 * streams has its own second. */
static void test_linger_is_bounded(void **state)
{
    struct fixture *f = *state;
    struct side *first = open_side(f, 0, true, 0);
    struct side *second = open_side(f, 1, true, 0);
    struct side *third = open_side(f, 2, true, 0);

    stream_finish(first->stream);
    let_peer_read_to_end(f, 100);
    fake_clock.now_ms += LINGER_MS / 2;
    stream_finish(second->stream);
    stream_finish(third->stream);
    let_linger_timer_look(f);
    fake_clock.now_ms += LINGER_MS / 2 - 1;
    let_linger_timer_look(f);
    assert_int_equal(first->closes, 0);
    fake_clock.now_ms += 1;
    loop_until_count(&f->loop, &first->closes, 1, "first closed");
    let_linger_timer_look(f);
    assert_int_equal(second->closes, 0);
    close_peer(f, 1);
    loop_until_count(&f->loop, &second->closes, 1, "second closed");
    let_linger_timer_look(f);
    assert_int_equal(third->closes, 0);
    fake_clock.now_ms += LINGER_MS;
    loop_until_count(&f->loop, &third->closes, 1, "third closed");
}

/* Nor does it wait for a peer that sends on and on. */
static void test_linger_throws_away_so_much(void **state)
{
    struct fixture *f = *state;
    struct side *side = open_side(f, 0, true, 0);
    uint8_t *bytes = pattern(STREAM_READ_SIZE);
    size_t sent = 0;

    assert_int_equal(fcntl(f->peers[0], F_SETFL, O_NONBLOCK), 0);
    stream_finish(side->stream);
    while (side->closes == 0) {
        ssize_t size = send(f->peers[0], bytes, STREAM_READ_SIZE, MSG_NOSIGNAL);
        assert_true(sent <= 16 * (size_t)STREAM_LINGER_MAX);
        sent += size > 0 ? (size_t)size : 0;
        loop_turn(&f->loop);
    }
    assert_true(sent >= STREAM_LINGER_MAX);
    assert_int_equal(side->datas + side->ends, 0);
    free(bytes);
}

static void finish(struct side *side)
{
    stream_finish(side->stream);
}

/* The peer has ended its side already: finishing delivers and closes without waiting. */
static void test_finish_after_peer_ended(void **state)
{
    struct fixture *f = *state;

    struct side *side = open_side(f, 0, true, 0);
    side->on_end = finish;
    send_ok(side, "bye", 3);
    assert_int_equal(stream_read_start(side->stream), STATUS_OK);
    assert_int_equal(shutdown(f->peers[0], SHUT_WR), 0);
    loop_until_count(&f->loop, &side->closes, 1, "closed");
    let_peer_read_to_end(f, 100);
    assert_false(f->is_reset);
    assert_int_equal(f->read_size, 3);
    assert_int_equal(side->ends, 1);
}

/* If a peer has ended its side and then resets while we finish, the stream closes; it does not stay
 * open forever. */
static void test_finish_after_peer_ended_then_reset(void **state)
{
    struct fixture *f = *state;
    uint8_t *bytes = pattern(200000);

    struct side *side = open_side(f, 0, true, SMALL_BUFFER);
    assert_int_equal(stream_read_start(side->stream), STATUS_OK);
    assert_int_equal(shutdown(f->peers[0], SHUT_WR), 0);
    loop_until_count(&f->loop, &side->ends, 1, "end");
    send_ok(side, bytes, 200000);
    stream_finish(side->stream);
    some_turns(f);
    assert_true(stream_backlog(side->stream) > 0);
    reset_peer(f, 0);
    loop_until_count(&f->loop, &side->closes, 1, "closed");
    assert_int_equal(side->ends, 1);
    free(bytes);
}

/* The same if the peer resets without having ended its side before. */
static void test_reset_while_finishing(void **state)
{
    struct fixture *f = *state;
    uint8_t *bytes = pattern(200000);

    struct side *side = open_side(f, 0, true, SMALL_BUFFER);
    send_ok(side, bytes, 200000);
    stream_finish(side->stream);
    some_turns(f);
    reset_peer(f, 0);
    loop_until_count(&f->loop, &side->closes, 1, "closed");
    assert_int_equal(side->ends, 0);

    side = open_side(f, 1, true, 0);
    stream_finish(side->stream);
    some_turns(f); /* lingers now */
    reset_peer(f, 1);
    loop_until_count(&f->loop, &side->closes, 1, "closed");
    assert_int_equal(side->ends, 0);
    free(bytes);
}

/* Finishing in the very turn in which the last write completes still waits for the peer's end. */
static void test_finish_while_last_write_completes(void **state)
{
    struct fixture *f = *state;
    uint8_t *bytes = pattern(30000);

    struct side *side = open_side(f, 0, false, SMALL_BUFFER);
    side->on_data = finish;
    assert_int_equal(stream_read_start(side->stream), STATUS_OK);
    send_ok(side, bytes, 30000);
    some_turns(f);
    /* Leave less than fits the buffers, then read and write at once: the loop sees both events. */
    while (stream_backlog(side->stream) > 0 && f->read_size < 30000) {
        f->wanted = SIZE_MAX;
        f->at_a_time = 500;
        struct pollfd poll_fd = {.fd = f->peers[0], .events = POLLIN};
        while (poll(&poll_fd, 1, 0) == 1)
            (void)peer_reads(f);
        sockets_write(f->peers[0], "x", 1);
        loop_turn(&f->loop);
    }
    let_peer_read_to_end(f, 500);
    assert_int_equal(f->read_size, 30000);
    assert_memory_equal(f->read, bytes, 30000);
    let_linger_timer_look(f);
    assert_int_equal(side->closes, 0);
    close_peer(f, 0);
    loop_until_count(&f->loop, &side->closes, 1, "closed");
    free(bytes);
}

/* Finishing from on_drain, when everything is written, ends our side in an orderly way. */
static void test_finish_in_on_drain(void **state)
{
    struct fixture *f = *state;

    struct side *side = open_side(f, 0, true, 0);
    side->on_drain = finish;
    send_ok(side, "all", 3);
    let_peer_read_to_end(f, 100);
    assert_int_equal(f->read_size, 3);
    assert_false(f->is_reset);
    close_peer(f, 0);
    loop_until_count(&f->loop, &side->closes, 1, "closed");
    assert_int_equal(side->drains, 1);
}

/* ------------------------------------------------------------------------------------- closing */

static void close_it(struct side *side)
{
    stream_close(side->stream);
    stream_close(side->stream);
    assert_int_equal(side->closes, 0); /* never from within the call */
}

/* Closing from on_data: no further callback but on_closed, also when more input waits. */
static void test_close_in_on_data(void **state)
{
    struct fixture *f = *state;

    struct side *side = open_side(f, 0, true, 0);
    side->on_data = close_it;
    assert_int_equal(stream_read_start(side->stream), STATUS_OK);
    sockets_write(f->peers[0], "one", 3);
    close_peer(f, 0);
    loop_until_count(&f->loop, &side->closes, 1, "closed");
    some_turns(f);
    assert_int_equal(side->datas, 1);
    assert_int_equal(side->ends, 0);
    assert_int_equal(side->closes, 1);
}

/* Closing from on_end, for an orderly end and for a broken connection. */
static void test_close_in_on_end(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < 2; i++) {
        struct side *side = open_side(f, i, true, 0);
        side->on_end = close_it;
        assert_int_equal(stream_read_start(side->stream), STATUS_OK);
        if (i == 0)
            close_peer(f, i);
        else
            reset_peer(f, i);
        loop_until_count(&f->loop, &side->closes, 1, "closed");
        assert_int_equal(side->ends, 1);
        assert_int_equal(side->closes, 1);
    }
}

/* Closing from on_drain, both at once and after a wait for a slow peer. */
static void test_close_in_on_drain(void **state)
{
    struct fixture *f = *state;
    uint8_t *bytes = pattern(100000);

    struct side *side = open_side(f, 1, true, 0);
    side->on_drain = close_it;
    send_ok(side, "x", 1);
    loop_until_count(&f->loop, &side->closes, 1, "closed");
    side = open_side(f, 0, true, SMALL_BUFFER);
    side->on_drain = close_it;
    send_ok(side, bytes, 100000);
    let_peer_read(f, 100000, 3000);
    loop_until_count(&f->loop, &side->closes, 1, "closed");
    assert_int_equal(side->drains, 1);
    free(bytes);
}

/* Closing with output that is collected, being written, or both: nothing leaks, only on_closed is
 * called, and sending afterwards does nothing and succeeds. */
static void test_close_with_output(void **state)
{
    struct fixture *f = *state;
    uint8_t *bytes = pattern(100000);

    for (int i = 0; i < 3; i++) {
        struct side *side = open_side(f, i, true, SMALL_BUFFER);
        if (i >= 1) {
            send_ok(side, bytes, 100000);
            some_turns(f);
            assert_true(stream_backlog(side->stream) > 0);
        }
        if (i != 1)
            send_ok(side, bytes, 1000);
        stream_close(side->stream);
        send_ok(side, bytes, 1000);
        stream_finish(side->stream);
        stream_read_stop(side->stream);
        assert_int_equal(stream_read_start(side->stream), STATUS_OK);
        loop_until_count(&f->loop, &side->closes, 1, "closed");
        assert_int_equal(side->drains, 0);
        assert_int_equal(side->ends, 0);
    }
    free(bytes);
}

/* Closing while finishing: with output left, and while waiting for the peer's end. */
static void test_close_while_finishing(void **state)
{
    struct fixture *f = *state;
    uint8_t *bytes = pattern(100000);

    struct side *side = open_side(f, 1, true, SMALL_BUFFER);
    send_ok(side, bytes, 100000);
    stream_finish(side->stream);
    some_turns(f);
    stream_close(side->stream);
    loop_until_count(&f->loop, &side->closes, 1, "closed");

    side = open_side(f, 0, true, 0);
    stream_finish(side->stream);
    let_peer_read_to_end(f, 100);
    stream_close(side->stream);
    loop_until_count(&f->loop, &side->closes, 1, "closed");
    free(bytes);
}

static void close_other(struct side *side)
{
    if (side->other->closes == 0)
        stream_close(side->other->stream);
}

/* One stream's callback may close another that was about to be written to; whichever comes first,
 * one drains and the other only closes. */
static void test_close_another_that_is_dirty(void **state)
{
    struct fixture *f = *state;

    for (int order = 0; order < 2; order++) {
        struct side *one = open_side(f, 0, true, 0);
        struct side *two = open_side(f, 1, true, 0);
        struct side *three = open_side(f, 2, true, 0);
        one->other = two;
        two->other = one;
        one->on_drain = close_other;
        two->on_drain = close_other;
        send_ok(order == 0 ? one : two, "x", 1);
        send_ok(order == 0 ? two : one, "y", 1);
        send_ok(three, "z", 1);
        loop_until_count(&f->loop, &three->drains, 1, "drain");
        some_turns(f);
        assert_int_equal(one->closes + two->closes, 1);
        assert_int_equal(one->drains + two->drains, 1);
        assert_int_equal(one->closes, two->drains);
        if (order == 0) {
            assert_int_equal(end(state), 0);
            assert_int_equal(begin(state), 0);
            f = *state;
        }
    }
}

/* A stream that was never opened or connected can be closed. */
static void test_close_at_once(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(stream_create_tcp(f->hub, &events, &f->sides[0], &f->sides[0].stream),
                     STATUS_OK);
    f->sides[0].is_open = true;
    assert_int_equal(stream_create_unix(f->hub, &events, &f->sides[1], &f->sides[1].stream),
                     STATUS_OK);
    f->sides[1].is_open = true;
    stream_close(f->sides[0].stream);
    stream_close(f->sides[1].stream);
    loop_until_count(&f->loop, &f->sides[1].closes, 1, "closed");
    assert_int_equal(f->sides[0].closes, 1);
}

/* The hub serves stream after stream of the same owner. */
static void test_one_stream_after_another(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < 3; i++) {
        struct side *side = open_side(f, 0, true, 0);
        side->closes = 0;
        send_ok(side, "x", 1);
        loop_until_count(&f->loop, &side->drains, i + 1, "drain");
        stream_close(side->stream);
        loop_until_count(&f->loop, &side->closes, 1, "closed");
        close_peer(f, 0);
    }
}

/* A socket that cannot be taken over stays the caller's. */
static void test_open_refused(void **state)
{
    struct fixture *f = *state;
    struct side *side = &f->sides[0];

    assert_int_equal(stream_create_tcp(f->hub, &events, side, &side->stream), STATUS_OK);
    side->is_open = true;
    assert_int_not_equal(stream_open(side->stream, -1), STATUS_OK);
}

/* ---------------------------------------------------------------------------------- connecting */

static struct side *connect_side(struct fixture *f, int i, const struct sockaddr_in *address)
{
    struct side *side = &f->sides[i];
    const char *detail;

    assert_int_equal(stream_create_tcp(f->hub, &events, side, &side->stream), STATUS_OK);
    side->is_open = true;
    assert_int_equal(stream_connect(side->stream, (const struct sockaddr *)address, &detail),
                     STATUS_OK);
    assert_int_equal(side->connects, 0);
    return side;
}

/* A successful connection is reported, and bytes can be sent both ways. */
static void test_connect(void **state)
{
    struct fixture *f = *state;
    struct sockaddr_in address;
    int listener = sockets_listen(&address);

    struct side *side = connect_side(f, 0, &address);
    loop_until_count(&f->loop, &side->connects, 1, "connect");
    assert_int_equal(side->connect_status, STATUS_OK);
    f->peers[0] = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    assert_true(f->peers[0] >= 0);
    assert_int_equal(close(listener), 0);
    assert_int_equal(stream_read_start(side->stream), STATUS_OK);
    send_ok(side, "ping", 4);
    let_peer_read(f, 4, 100);
    sockets_write(f->peers[0], "pong", 4);
    loop_until_count(&f->loop, &side->datas, 1, "data");
    assert_memory_equal(side->got, "pong", 4);
    assert_int_equal(side->connects, 1);
}

/* A connected stream that is given to another owner calls that one's events alone. */
static void test_hand_over(void **state)
{
    struct fixture *f = *state;
    struct sockaddr_in address;
    int listener = sockets_listen(&address);
    struct side *first = connect_side(f, 0, &address);
    struct side *second = &f->sides[1];

    loop_until_count(&f->loop, &first->connects, 1, "connect");
    f->peers[0] = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    assert_true(f->peers[0] >= 0);
    assert_int_equal(close(listener), 0);
    stream_hand_over(first->stream, &events, second);
    second->stream = first->stream;
    second->is_open = true;
    first->is_open = false;
    assert_int_equal(stream_read_start(second->stream), STATUS_OK);
    sockets_write(f->peers[0], "pong", 4);
    loop_until_count(&f->loop, &second->datas, 1, "data");
    assert_memory_equal(second->got, "pong", 4);
    stream_close(second->stream);
    loop_until_count(&f->loop, &second->closes, 1, "close");
    assert_int_equal(first->datas + first->closes, 0);
}

/* With keepalive, the kernel gives up a peer that acknowledges nothing, but not before the limits
 * that the programs set themselves. */
static void test_user_timeout(void **state)
{
    struct fixture *f = *state;
    struct sockaddr_in address;
    int listener = sockets_listen(&address);
    struct side *side = connect_side(f, 0, &address);
    static const struct {
        uint64_t limit_ms;
        unsigned timeout_ms;
    } cases[] = {
        {0, 120000},      {30000, 120000},    {60000, 120000},       {60001, 120001},
        {600000, 660000}, {INT_MAX, INT_MAX}, {UINT64_MAX, INT_MAX}, {INT_MAX - 60000, INT_MAX},
    };
    int fd;

    loop_until_count(&f->loop, &side->connects, 1, "connect");
    assert_int_equal(close(listener), 0);
    assert_int_equal(uv_fileno(&side->stream->handle.any, &fd), 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        unsigned timeout_ms = 0;
        socklen_t size = sizeof(timeout_ms);
        stream_set_keepalive(side->stream, 60, cases[i].limit_ms);
        assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, &size), 0);
        assert_int_equal(timeout_ms, cases[i].timeout_ms);
    }
}

/* Nobody listens: reported once, with an error. The stream still has to be closed, for example in
 * on_connect. */
static void test_connect_refused(void **state)
{
    struct fixture *f = *state;
    struct sockaddr_in address = sockets_free_address();

    f->sides[0].on_connect = close_it;
    struct side *side = connect_side(f, 0, &address);
    loop_until_count(&f->loop, &side->closes, 1, "closed");
    assert_int_equal(side->connects, 1);
    assert_int_equal(side->connect_status, STATUS_IO);
    assert_int_equal(side->ends, 0);
}

/* Closing or finishing while connecting: on_connect is not called, only on_closed. */
static void test_close_while_connecting(void **state)
{
    struct fixture *f = *state;
    struct sockaddr_in address;
    int listener = sockets_listen(&address);

    for (int i = 0; i < 2; i++) {
        struct side *side = connect_side(f, i, &address);
        send_ok(side, "never", 5);
        if (i == 0)
            stream_close(side->stream);
        else
            stream_finish(side->stream);
        loop_until_count(&f->loop, &side->closes, 1, "closed");
        assert_int_equal(side->connects, 0);
        assert_int_equal(side->drains, 0);
    }
    assert_int_equal(close(listener), 0);
}

/* Bytes sent while connecting are written once there is a connection. */
static void test_send_while_connecting(void **state)
{
    struct fixture *f = *state;
    struct sockaddr_in address;
    int listener = sockets_listen(&address);

    struct side *side = connect_side(f, 0, &address);
    send_ok(side, "early", 5);
    loop_until_count(&f->loop, &side->drains, 1, "drain");
    assert_int_equal(side->connects, 1);
    f->peers[0] = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    assert_true(f->peers[0] >= 0);
    let_peer_read(f, 5, 100);
    assert_memory_equal(f->read, "early", 5);
    assert_int_equal(close(listener), 0);

    address = sockets_free_address();
    side = connect_side(f, 1, &address);
    send_ok(side, "lost", 4);
    loop_until_count(&f->loop, &side->connects, 1, "refusal");
    assert_int_equal(side->connect_status, STATUS_IO);
    some_turns(f);
    assert_int_equal(side->drains, 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_exchange),
        CASE(test_sends_of_a_turn_are_one_write),
        CASE(test_slow_reader_gets_everything),
        CASE(test_idle_stream_holds_no_buffer),
        CASE(test_much_input),
        CASE(test_one_read_in_a_turn),
        CASE(test_owner_wants_no_bytes),
        CASE(test_read_stop_and_start),
        CASE(test_send_in_on_drain),
        CASE(test_send_without_memory),
        CASE(test_peer_ends),
        CASE(test_peer_resets),
        CASE(test_reset_while_writing),
        CASE(test_finish_delivers_everything),
        CASE(test_finish_without_output),
        CASE(test_shutdown),
        CASE(test_finish_after_shutdown),
        CASE(test_finish_with_unread_input),
        CASE(test_linger_is_bounded),
        CASE(test_linger_throws_away_so_much),
        CASE(test_finish_after_peer_ended),
        CASE(test_finish_after_peer_ended_then_reset),
        CASE(test_reset_while_finishing),
        CASE(test_finish_while_last_write_completes),
        CASE(test_finish_in_on_drain),
        CASE(test_close_in_on_data),
        CASE(test_close_in_on_end),
        CASE(test_close_in_on_drain),
        CASE(test_close_with_output),
        CASE(test_close_while_finishing),
        CASE(test_close_another_that_is_dirty),
        CASE(test_close_at_once),
        CASE(test_one_stream_after_another),
        CASE(test_open_refused),
        CASE(test_connect),
        CASE(test_hand_over),
        CASE(test_user_timeout),
        CASE(test_connect_refused),
        CASE(test_close_while_connecting),
        CASE(test_send_while_connecting),
    };

    (void)signal(SIGPIPE, SIG_IGN); /* as the programs do */
    return cmocka_run_group_tests_name("stream", tests, NULL, NULL);
}
