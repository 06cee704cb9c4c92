/* The operator's socket: real sockets in a folder of the test's own, peers driven by hand, and a
 * backend that answers as the test wants. */
#include "alloc_fault.h"
#include "capture.h"
#include "cmocka_all.h"
#include "control.h"
#include "control.pb-c.h"
#include "control_socket.h"
#include "descriptors.h"
#include "fake_control.h"
#include "frame.h"
#include "log.h"
#include "loop.h"
#include "test_sockets.h"
#include "tmpdir.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define GET_STATUS LOTTERY__CONTROL__V1__OPCODE__OPCODE_GET_STATUS
#define LIST_WINNERS LOTTERY__CONTROL__V1__OPCODE__OPCODE_LIST_WINNERS
#define CLOSE LOTTERY__CONTROL__V1__OPCODE__OPCODE_CLOSE
#define RESULT LOTTERY__CONTROL__V1__OPCODE__OPCODE_RESULT

struct fixture {
    uv_loop_t loop;
    struct fake_control fake;
    struct control *control; /* NULL: not started */
    char *folder;
    char path[300];
    struct capture log;
    unsigned files; /* that were open before */
};

/* The other side of a connection. */
struct peer {
    int fd;
    uint8_t in[1024 * 1024]; /* what has come */
    size_t in_size;
    size_t in_at; /* frames before it were looked at */
    bool has_ended;
};

static int begin(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    f->files = descriptors_count();
    f->folder = tmpdir_make();
    (void)snprintf(f->path, sizeof(f->path), "%s/" CONTROL_SOCKET, f->folder);
    fake_control_init(&f->fake);
    loop_begin(&f->loop);
    *state = f;
    return 0;
}

static void start_with(struct fixture *f, struct control_config config)
{
    config.loop = &f->loop;
    config.path = config.path != NULL ? config.path : f->path;
    config.backend = &fake_control_backend;
    config.owner = &f->fake;
    capture_begin(&f->log);
    assert_int_equal(control_create(&config, &f->control), STATUS_OK);
}

static void start(struct fixture *f)
{
    start_with(f, (struct control_config){.path = NULL});
}

/* Stops it, with all that still runs; the log is complete then. */
static void stop(struct fixture *f)
{
    control_close(f->control);
    control_close(f->control);
    loop_end(&f->loop);
    control_destroy(f->control);
    f->control = NULL;
    capture_end(&f->log);
}

static void assert_logged(const struct fixture *f, const char *text)
{
    if (strstr(f->log.text, text) == NULL)
        fail_msg("\"%s\" is not in the log: %s", text, f->log.text);
}

/* Nothing is left open. */
static int end(void **state)
{
    struct fixture *f = *state;

    if (f->control != NULL)
        stop(f);
    assert_int_equal(access(f->path, F_OK) == 0 ? 1 : 0, 0);
    capture_free(&f->log);
    tmpdir_remove(f->folder);
    assert_int_equal(descriptors_count(), f->files);
    free(f);
    return 0;
}

static struct peer *peer_connect(const struct fixture *f)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct peer *peer = calloc(1, sizeof(*peer));

    assert_non_null(peer);
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", f->path);
    peer->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_true(peer->fd >= 0);
    assert_int_equal(connect(peer->fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return peer;
}

static void peer_close(struct peer *peer)
{
    assert_int_equal(close(peer->fd), 0);
    free(peer);
}

static void peer_send(const struct peer *peer, unsigned opcode)
{
    uint8_t frame[FRAME_HEADER_SIZE];

    frame_header_write(frame, (uint8_t)opcode, 0);
    sockets_write(peer->fd, frame, sizeof(frame));
}

static void peer_read(struct peer *peer)
{
    peer->in_size += sockets_read(peer->fd, peer->in + peer->in_size,
                                  sizeof(peer->in) - peer->in_size, &peer->has_ended);
}

static bool peer_has_frame(void *context)
{
    struct peer *peer = context;
    struct frame frame;

    peer_read(peer);
    return frame_decode(peer->in + peer->in_at, peer->in_size - peer->in_at, &frame) == FRAME_OK;
}

static bool peer_has_ended(void *context)
{
    peer_read(context);
    return ((struct peer *)context)->has_ended;
}

/* The same, but nothing is read. */
static bool peer_is_hung_up(void *context)
{
    struct pollfd poll_fd = {.fd = ((struct peer *)context)->fd, .events = POLLRDHUP};

    return poll(&poll_fd, 1, 0) == 1;
}

/* Waits for the next frame, which is borrowed until the peer reads more. */
static struct frame peer_take(struct fixture *f, struct peer *peer)
{
    struct frame frame;

    loop_until(&f->loop, peer_has_frame, peer, "an answer");
    assert_int_equal(frame_decode(peer->in + peer->in_at, peer->in_size - peer->in_at, &frame),
                     FRAME_OK);
    peer->in_at += frame_size(&frame);
    return frame;
}

/* The next frame is this result. */
static void peer_takes_result(struct fixture *f, struct peer *peer, enum control_result code,
                              const char *reason)
{
    struct frame frame = peer_take(f, peer);

    assert_int_equal(frame.opcode, RESULT);
    Lottery__Control__V1__Result *result =
        lottery__control__v1__result__unpack(NULL, frame.body_size, frame.body);
    assert_non_null(result);
    assert_int_equal(result->code, code);
    assert_int_not_equal(result->instance, 0);
    if (strstr(result->reason, reason) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", reason, result->reason);
    lottery__control__v1__result__free_unpacked(result, NULL);
}

/* The server has closed the connection without another word. */
static void peer_is_closed(struct fixture *f, struct peer *peer)
{
    loop_until(&f->loop, peer_has_ended, peer, "the end of the connection");
    assert_int_equal(peer->in_at, peer->in_size);
    peer_close(peer);
}

static void peer_asks_status(struct fixture *f, struct peer *peer)
{
    peer_send(peer, GET_STATUS);
    assert_int_equal(peer_take(f, peer).opcode, LOTTERY__CONTROL__V1__OPCODE__OPCODE_STATUS);
    peer_takes_result(f, peer, CONTROL_DONE, "");
}

/* Lets what is due happen. */
static void run_turns(struct fixture *f, int count)
{
    for (int i = 0; i < count; i++)
        loop_turn(&f->loop);
}

/* Runs the loop until no more pages are asked for; returns how many calls there were. */
static unsigned run_until_full(struct fixture *f)
{
    unsigned before;

    do {
        before = f->fake.calls;
        run_turns(f, 50);
    } while (f->fake.calls > before);
    return before;
}

static bool runs(void *context)
{
    return ((struct fixture *)context)->fake.running_count > 0;
}

static bool nobody_may(uint32_t uid)
{
    (void)uid;
    return false;
}

/* The name has mode 0600 whatever the umask is, which stays; it goes with the server. */
static void test_name(void **state)
{
    struct fixture *f = *state;
    struct stat made;
    mode_t before = umask(0);

    start(f);
    assert_int_equal(umask(before), 0);
    assert_int_equal(lstat(f->path, &made), 0);
    assert_true(S_ISSOCK(made.st_mode));
    assert_int_equal(made.st_mode & 07777, 0600);
    stop(f);
    assert_int_equal(access(f->path, F_OK), -1);
}

/* The socket of a dead server is replaced. One that took the name from a living server keeps it. */
static void test_replaced(void **state)
{
    struct fixture *f = *state;
    struct control_socket dead;
    struct control_socket other;

    assert_int_equal(control_socket_open(f->path, &dead, NULL), STATUS_OK);
    assert_int_equal(close(dead.fd), 0);
    start(f);
    struct peer *peer = peer_connect(f);
    peer_asks_status(f, peer);
    peer_close(peer);
    assert_int_equal(control_socket_open(f->path, &other, NULL), STATUS_OK);
    stop(f);
    assert_int_equal(access(f->path, F_OK), 0);
    control_socket_close(&other);
    control_socket_close(&other);
}

/* What is not a socket is left alone; the log says so, and there is no socket. */
static void test_not_a_socket(void **state)
{
    struct fixture *f = *state;
    char target[400];
    struct stat found;

    (void)snprintf(target, sizeof(target), "%s/target", f->folder);
    int fd = open(f->path, O_CREAT | O_WRONLY, 0600);
    assert_int_equal(close(fd), 0);
    start(f);
    stop(f);
    assert_logged(f, "WARNING  action: control | result: fail | reason: ");
    assert_logged(f, "control.sock: is not a socket; it is left alone");
    capture_free(&f->log);
    assert_int_equal(unlink(f->path), 0);
    /* A link is not followed, also where it leads to a socket, or to nothing. */
    struct control_socket elsewhere = {.fd = -1};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(symlink(target, f->path), 0);
        loop_begin(&f->loop);
        start(f);
        stop(f);
        assert_logged(f, "is not a socket");
        capture_free(&f->log);
        assert_int_equal(lstat(f->path, &found), 0);
        assert_true(S_ISLNK(found.st_mode));
        assert_int_equal(lstat(target, &found), i == 0 ? -1 : 0);
        assert_int_equal(unlink(f->path), 0);
        if (i == 0)
            assert_int_equal(control_socket_open(target, &elsewhere, NULL), STATUS_OK);
    }
    control_socket_close(&elsewhere);
    loop_begin(&f->loop);
    start(f);
}

/* 107 bytes fit into an address; a longer path is a line in the log. */
static void test_long_path(void **state)
{
    struct fixture *f = *state;
    char path[300];
    struct control_socket made;
    size_t size = strlen(f->folder);

    memset(path, 'x', sizeof(path));
    memcpy(path, f->folder, size);
    path[size] = '/';
    path[107] = '\0';
    assert_int_equal(control_socket_open(path, &made, NULL), STATUS_OK);
    control_socket_close(&made);
    path[107] = 'x';
    path[108] = '\0';
    start_with(f, (struct control_config){.path = path});
    stop(f);
    assert_logged(f, "the path is too long for a socket: it has 108 bytes, 107 fit");
    assert_int_equal(access(path, F_OK), -1);
}

/* A folder that is not there: a line in the log. */
static void test_no_folder(void **state)
{
    struct fixture *f = *state;

    start_with(f, (struct control_config){.path = "/no/such/folder/control.sock"});
    stop(f);
    assert_logged(f, "/no/such/folder/control.sock: bind: No such file or directory");
}

/* One command after the other on a connection, with our own uid. */
static void test_commands(void **state)
{
    struct fixture *f = *state;

    start(f);
    struct peer *peer = peer_connect(f);
    for (int i = 0; i < 3; i++)
        peer_asks_status(f, peer);
    assert_int_equal(f->fake.uid, geteuid());
    peer_send(peer, CLOSE);
    peer_takes_result(f, peer, CONTROL_DONE, "");
    peer_close(peer);
    stop(f);
    assert_logged(f, "INFO     action: control | result: success | command: close | uid: ");
}

/* Two peers: the command of one waits, the other is answered meanwhile. */
static void test_two_peers(void **state)
{
    struct fixture *f = *state;

    start(f);
    struct peer *slow = peer_connect(f);
    struct peer *fast = peer_connect(f);
    f->fake.waits = true;
    peer_send(slow, CLOSE);
    loop_until(&f->loop, runs, f, "the command");
    f->fake.waits = false;
    peer_asks_status(f, fast);
    assert_false(peer_has_frame(slow));
    f->fake.result = CONTROL_REFUSED;
    f->fake.text = "it is closed already";
    fake_control_end(&f->fake);
    peer_takes_result(f, slow, CONTROL_REFUSED, "it is closed already");
    f->fake.result = CONTROL_DONE;
    peer_asks_status(f, slow);
    peer_close(slow);
    peer_close(fast);
}

/* Who may not connect is told so; the log says who it was. */
static void test_other_user(void **state)
{
    struct fixture *f = *state;

    start_with(f, (struct control_config){.is_allowed = nobody_may});
    struct peer *peer = peer_connect(f);
    peer_takes_result(f, peer, CONTROL_REFUSED, "may not operate this server");
    peer_is_closed(f, peer);
    stop(f);
    assert_int_equal(f->fake.calls, 0);
    assert_logged(f, "WARNING  action: control | result: fail | reason: user ");
}

static bool one_is_refused(void *context)
{
    return peer_has_frame(context);
}

/* As many connections as the limit; one more is turned away, until one has gone. */
static void test_many(void **state)
{
    struct fixture *f = *state;
    struct peer *peers[4];

    start_with(f, (struct control_config){.max_conns = 4});
    for (int i = 0; i < 4; i++) {
        peers[i] = peer_connect(f);
        peer_asks_status(f, peers[i]);
    }
    struct peer *other = peer_connect(f);
    peer_takes_result(f, other, CONTROL_REFUSED, "too many connections");
    peer_is_closed(f, other);
    peer_close(peers[0]);
    run_turns(f, 10);
    other = peer_connect(f);
    peer_asks_status(f, other);
    peer_close(other);
    for (int i = 1; i < 4; i++)
        peer_close(peers[i]);
}

/* Peers that leave while their commands run keep their places until the backend has ended them:
 * however many come and go, what runs is bounded. */
static void test_deserted(void **state)
{
    struct fixture *f = *state;

    start_with(f, (struct control_config){.max_conns = 3});
    f->fake.waits = true;
    for (unsigned i = 1; i <= 3; i++) {
        struct peer *peer = peer_connect(f);
        peer_send(peer, CLOSE);
        loop_until_count(&f->loop, &f->fake.calls, i, "the command");
        if (i > 1) { /* the server ends the connection first */
            peer_send(peer, GET_STATUS);
            loop_until(&f->loop, peer_has_ended, peer, "the end of the connection");
        }
        peer_close(peer);
    }
    struct peer *other = peer_connect(f);
    loop_until(&f->loop, one_is_refused, other, "the refusal");
    peer_takes_result(f, other, CONTROL_REFUSED, "too many connections");
    peer_is_closed(f, other);
    while (f->fake.running_count > 0)
        fake_control_end(&f->fake);
    f->fake.waits = false;
    run_turns(f, 10);
    other = peer_connect(f);
    peer_asks_status(f, other);
    peer_close(other);
    assert_int_equal(f->fake.calls, 4);
}

/* A peer that ends its side after the command still gets the answer, then the connection ends. */
static void test_half_closed(void **state)
{
    struct fixture *f = *state;

    start(f);
    f->fake.winners = 3 * CONTROL_PAGE_MAX;
    f->fake.waits = true;
    struct peer *peer = peer_connect(f);
    peer_send(peer, LIST_WINNERS);
    assert_int_equal(shutdown(peer->fd, SHUT_WR), 0);
    loop_until(&f->loop, runs, f, "the command");
    f->fake.waits = false;
    fake_control_end(&f->fake);
    for (int i = 0; i < 3; i++)
        assert_int_equal(peer_take(f, peer).opcode, LOTTERY__CONTROL__V1__OPCODE__OPCODE_WINNERS);
    peer_takes_result(f, peer, CONTROL_DONE, "");
    peer_is_closed(f, peer);
}

/* A command that comes byte by byte. */
static void test_bytes(void **state)
{
    struct fixture *f = *state;
    uint8_t frame[FRAME_HEADER_SIZE];

    start(f);
    struct peer *peer = peer_connect(f);
    frame_header_write(frame, GET_STATUS, 0);
    for (size_t i = 0; i < sizeof(frame); i++) {
        sockets_write(peer->fd, frame + i, 1);
        run_turns(f, 2);
    }
    assert_int_equal(peer_take(f, peer).opcode, LOTTERY__CONTROL__V1__OPCODE__OPCODE_STATUS);
    peer_takes_result(f, peer, CONTROL_DONE, "");
    peer_close(peer);
}

/* Sends these bytes; the connection ends, and the log says why. */
static void assert_ends(struct fixture *f, const void *bytes, size_t size)
{
    struct peer *peer = peer_connect(f);

    sockets_write(peer->fd, bytes, size);
    peer_is_closed(f, peer);
}

/* Frames over the limit, garbage, unknown commands, and more than one command at a time. */
static void test_garbage(void **state)
{
    struct fixture *f = *state;
    static uint8_t zeros[60000];
    uint8_t two[] = {CLOSE, 0, 0, 0, 0, GET_STATUS, 0, 0, 0, 0};

    start(f);
    assert_ends(f, "\x01\xfc\x1f\x00\x00", 5);
    assert_ends(f, "GET / HTTP/1.1\r\n\r\n", 18);
    assert_ends(f, zeros, sizeof(zeros));
    assert_ends(f, "\x05\x03\x00\x00\x00\x12\x05x", 8);
    f->fake.waits = true;
    assert_ends(f, two, sizeof(two));
    f->fake.waits = false;
    fake_control_end(&f->fake);
    struct peer *peer = peer_connect(f);
    peer_asks_status(f, peer);
    peer_close(peer);
    stop(f);
    assert_logged(f, "reason: a frame over the limit");
    assert_logged(f, "reason: not a command");
    assert_logged(f, "reason: not a message of this kind");
    assert_logged(f, "reason: a command before the answer to the last one");
}

/* A peer that says nothing, or not all of a frame. One whose command runs may be silent. */
static void test_silence(void **state)
{
    struct fixture *f = *state;

    start_with(f, (struct control_config){.idle_ms = 1, .frame_ms = 60000});
    struct peer *patient = peer_connect(f);
    f->fake.waits = true;
    peer_send(patient, CLOSE);
    loop_until(&f->loop, runs, f, "the command");
    struct peer *silent = peer_connect(f);
    peer_is_closed(f, silent);
    assert_false(peer_has_ended(patient));
    fake_control_end(&f->fake);
    peer_takes_result(f, patient, CONTROL_DONE, "");
    peer_is_closed(f, patient);
    stop(f);
    assert_logged(f, "reason: no command in time");
}

static void test_half_a_frame(void **state)
{
    struct fixture *f = *state;

    start_with(f, (struct control_config){.frame_ms = 1});
    struct peer *peer = peer_connect(f);
    sockets_write(peer->fd, "\x01\x00", 2);
    peer_is_closed(f, peer);
    stop(f);
    assert_logged(f, "reason: a frame was not completed in time");
}

/* The peer reads nothing of a list without end: what is kept for it is bounded, and it is closed;
 * others are answered meanwhile. */
static void test_no_reader(void **state)
{
    struct fixture *f = *state;

    start_with(f, (struct control_config){.unread_ms = 1000});
    f->fake.winners = UINT64_MAX;
    struct peer *peer = peer_connect(f);
    peer_send(peer, LIST_WINNERS);
    struct peer *other = peer_connect(f);
    unsigned before = run_until_full(f);
    assert_in_range(before, 5, 2000);
    peer_asks_status(f, other);
    peer_close(other);
    loop_until(&f->loop, peer_is_hung_up, peer, "the end of the connection");
    assert_int_equal(f->fake.calls, before + 1);
    peer_close(peer);
    stop(f);
    assert_logged(f, "reason: the answer is not read");
}

/* A peer that reads slowly gets the whole list. */
static void test_slow_reader(void **state)
{
    struct fixture *f = *state;
    uint64_t rows = 0;

    start(f);
    f->fake.winners = 20000;
    f->fake.page = 100;
    struct peer *peer = peer_connect(f);
    peer_send(peer, LIST_WINNERS);
    for (;;) {
        struct frame frame = peer_take(f, peer);
        if (frame.opcode == RESULT)
            break;
        Lottery__Control__V1__Winners *page =
            lottery__control__v1__winners__unpack(NULL, frame.body_size, frame.body);
        assert_non_null(page);
        for (size_t i = 0; i < page->n_winners; i++, rows++) {
            char document[17];
            fake_control_document(rows, document);
            assert_string_equal(page->winners[i]->document, document);
        }
        lottery__control__v1__winners__free_unpacked(page, NULL);
    }
    assert_int_equal(rows, 20000);
    peer_close(peer);
}

/* The peer is gone in the middle of a long list: no more pages are asked for. */
static void test_gone_within_a_list(void **state)
{
    struct fixture *f = *state;

    start(f);
    f->fake.winners = UINT64_MAX;
    struct peer *peer = peer_connect(f);
    peer_send(peer, LIST_WINNERS);
    (void)peer_take(f, peer);
    peer_close(peer);
    (void)run_until_full(f);
}

/* The server stops while a command runs: its peer is told, the backend may end it later. */
static void test_stop_while_running(void **state)
{
    struct fixture *f = *state;

    start(f);
    f->fake.waits = true;
    struct peer *first = peer_connect(f);
    struct peer *second = peer_connect(f);
    struct peer *idle = peer_connect(f);
    peer_send(first, CLOSE);
    loop_until_count(&f->loop, &f->fake.calls, 1, "the command");
    peer_send(second, LIST_WINNERS);
    loop_until_count(&f->loop, &f->fake.calls, 2, "the command");
    control_close(f->control);
    assert_int_equal(access(f->path, F_OK), -1);
    peer_takes_result(f, first, CONTROL_FAILED, "the server stops");
    peer_takes_result(f, second, CONTROL_FAILED, "the server stops");
    fake_control_end(&f->fake); /* the other one is never ended */
    peer_is_closed(f, first);
    peer_is_closed(f, second);
    peer_is_closed(f, idle);
}

/* What was answered just before the stop arrives: `next` ends so. */
static void test_stop_after_answer(void **state)
{
    struct fixture *f = *state;

    start(f);
    f->fake.waits = true;
    struct peer *peer = peer_connect(f);
    peer_send(peer, LOTTERY__CONTROL__V1__OPCODE__OPCODE_RELOAD);
    loop_until(&f->loop, runs, f, "the command");
    f->fake.result = CONTROL_MOVING;
    fake_control_end(&f->fake);
    control_close(f->control);
    peer_takes_result(f, peer, CONTROL_MOVING, "");
    peer_is_closed(f, peer);
}

/* A peer that neither reads nor ends does not keep the server from stopping. */
static void test_stop_without_reader(void **state)
{
    struct fixture *f = *state;

    start(f);
    f->fake.winners = UINT64_MAX;
    struct peer *peer = peer_connect(f);
    peer_send(peer, LIST_WINNERS);
    (void)run_until_full(f);
    stop(f);
    peer_close(peer);
}

/* Without a descriptor for it a connection waits, and is taken when there is one. */
static void test_no_descriptors(void **state)
{
    struct fixture *f = *state;
    struct rlimit before;

    start(f);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    struct peer *peer = peer_connect(f);
    peer_send(peer, GET_STATUS);
    struct rlimit none = {.rlim_cur = 3, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    run_turns(f, 5);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_false(peer_has_frame(peer));
    assert_int_equal(peer_take(f, peer).opcode, LOTTERY__CONTROL__V1__OPCODE__OPCODE_STATUS);
    peer_takes_result(f, peer, CONTROL_DONE, "");
    peer_close(peer);
    stop(f);
    assert_logged(f, "reason: Too many open files");
}

/* Without memory there is no control, or no connection; what is there works on. */
static void test_no_memory(void **state)
{
    struct fixture *f = *state;
    const struct control_config config = {
        .loop = &f->loop, .path = f->path, .backend = &fake_control_backend, .owner = &f->fake};
    enum status status = STATUS_NOMEM;

    for (unsigned after = 0; status != STATUS_OK; after++) {
        alloc_fault_after(after);
        status = control_create(&config, &f->control);
        bool has_failed = alloc_fault_end();
        assert_int_equal(status, has_failed ? STATUS_NOMEM : STATUS_OK);
    }
    capture_begin(&f->log);
    struct peer *other = peer_connect(f);
    run_turns(f, 5);
    /* Of a connection: itself, its stream, then a piece of a frame, and the answer, if there was
     * none before: the memory of answers is used again. */
    for (unsigned after = 0; after < 4; after++) {
        struct peer *peer = peer_connect(f);
        if (after >= 2) {
            loop_turn(&f->loop);
            loop_turn(&f->loop);
            sockets_write(peer->fd, "\x01\0\0\0\0", after == 2 ? 1 : 5);
        }
        alloc_fault_after(after == 1 ? 1 : 0);
        run_turns(f, 5);
        assert_true(alloc_fault_end());
        loop_until(&f->loop, peer_is_hung_up, peer, "the end of the connection");
        peer_close(peer);
    }
    peer_asks_status(f, other);
    peer_close(other);
    stop(f);
    assert_logged(f, "reason: out of memory");
}

/* The first loop of a process opens files that stay open. */
static int begin_all(void **state)
{
    uv_loop_t loop;

    (void)state;
    loop_begin(&loop);
    loop_end(&loop);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_name, begin, end),
        cmocka_unit_test_setup_teardown(test_replaced, begin, end),
        cmocka_unit_test_setup_teardown(test_not_a_socket, begin, end),
        cmocka_unit_test_setup_teardown(test_long_path, begin, end),
        cmocka_unit_test_setup_teardown(test_no_folder, begin, end),
        cmocka_unit_test_setup_teardown(test_commands, begin, end),
        cmocka_unit_test_setup_teardown(test_two_peers, begin, end),
        cmocka_unit_test_setup_teardown(test_other_user, begin, end),
        cmocka_unit_test_setup_teardown(test_many, begin, end),
        cmocka_unit_test_setup_teardown(test_deserted, begin, end),
        cmocka_unit_test_setup_teardown(test_half_closed, begin, end),
        cmocka_unit_test_setup_teardown(test_bytes, begin, end),
        cmocka_unit_test_setup_teardown(test_garbage, begin, end),
        cmocka_unit_test_setup_teardown(test_silence, begin, end),
        cmocka_unit_test_setup_teardown(test_half_a_frame, begin, end),
        cmocka_unit_test_setup_teardown(test_no_reader, begin, end),
        cmocka_unit_test_setup_teardown(test_slow_reader, begin, end),
        cmocka_unit_test_setup_teardown(test_gone_within_a_list, begin, end),
        cmocka_unit_test_setup_teardown(test_stop_while_running, begin, end),
        cmocka_unit_test_setup_teardown(test_stop_after_answer, begin, end),
        cmocka_unit_test_setup_teardown(test_stop_without_reader, begin, end),
        cmocka_unit_test_setup_teardown(test_no_descriptors, begin, end),
        cmocka_unit_test_setup_teardown(test_no_memory, begin, end),
    };

    (void)signal(SIGPIPE, SIG_IGN); /* as log_output_open() does in a server */
    return cmocka_run_group_tests(tests, begin_all, NULL);
}
