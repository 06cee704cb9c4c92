/* A worker process with an agency's socket, and a fake ledger client in it that does what the test
 * says. The index of the winners and the encoding of bets are fake ones as well.
 */
#include "clock.h"
#include "cmocka_all.h"
#include "ledger_client.h"
#include "log.h"
#include "lottery.pb-c.h"
#include "stop_signals.h"
#include "store_encoding.h"
#include "test_certs.h"
#include "test_sockets.h"
#include "winner_files.h"
#include "wire.h"
#include "worker.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define WAIT_MS 20000
#define OPS 4

/* What the test tells the fake client: one byte each, to which it answers with a report. */
enum command {
    REPORT = 'r',  /* nothing */
    NEWS = 'n',    /* there are agencies, and no winners */
    WINNERS = 'w', /* there are winners as well */
    END_OP = 'o'   /* the oldest operation ends with OK */
};

struct report {
    unsigned ops;    /* submitted to the ledger */
    unsigned opened; /* attempts to open the index of the winners */
    unsigned lost;   /* how often the ledger was told that they are lost */
};

struct ledger_client {
    struct ledger ledger; /* first */
    struct ledger_client_config config;
    struct ledger_news news;
    struct ledger_op *ops[OPS];
    unsigned submitted;
    unsigned ended;
    unsigned lost;
    uv_poll_t control;
};

/* In the worker: */
static int control_fd;                      /* where the fake client gets its commands */
static unsigned open_failures;              /* so often, the index cannot be opened */
static enum status open_status = STATUS_IO; /* then */
static unsigned opened;
static unsigned read_failures; /* so often, it is found damaged when it is read */
static unsigned read_count;

struct fixture {
    struct server_settings settings;
    struct data_dir data_dir;
    struct scoreboard *scoreboard;
    struct worker_config config;
    struct sockaddr_in address; /* where the worker is to listen */
    pid_t pid;                  /* of the worker; 0: it has ended */
    int control;                /* the other end of control_fd */
    int agency;                 /* the agency's socket */
};

static void submit(struct ledger *ledger, struct ledger_op *op)
{
    struct ledger_client *client = (struct ledger_client *)ledger;

    if (client->submitted == OPS)
        abort();
    client->ops[client->submitted++] = op;
}

static void fake_ask(struct ledger *ledger, struct ledger_op *op, uint32_t agency, uint64_t offset)
{
    (void)agency;
    (void)offset;
    submit(ledger, op);
}

static void fake_finish(struct ledger *ledger, struct ledger_op *op, uint32_t agency,
                        uint64_t total)
{
    (void)agency;
    (void)total;
    submit(ledger, op);
}

static size_t fake_backlog(const struct ledger *ledger)
{
    (void)ledger;
    return 0;
}

static const struct ledger_news *fake_news(const struct ledger *ledger)
{
    return &((const struct ledger_client *)ledger)->news;
}

static const struct ledger_backend backend = {
    .ask = fake_ask, .finish = fake_finish, .backlog = fake_backlog, .news = fake_news};

static void end_op(struct ledger_client *client, enum status status)
{
    struct ledger_op *op = client->ops[client->ended++];

    op->status = status;
    op->done(op);
}

static void on_command(uv_poll_t *poll, int status, int events)
{
    struct ledger_client *client = poll->data;
    char command;

    (void)events;
    if (status < 0 || read(control_fd, &command, 1) != 1)
        abort();
    switch (command) {
    case WINNERS:
    case NEWS:
        client->news.has_winners = command == WINNERS;
        client->news.agencies = 5;
        client->config.on_news(client->config.owner);
        break;
    case END_OP:
        client->config.on_batch(client->config.owner, true);
        end_op(client, STATUS_OK);
        client->config.on_batch(client->config.owner, false);
        break;
    default:
        break;
    }
    const struct report report = {client->submitted, opened, client->lost};
    if (write(control_fd, &report, sizeof(report)) != (ssize_t)sizeof(report))
        abort();
}

enum status ledger_client_create(const struct ledger_client_config *config,
                                 struct ledger_client **out, struct errbuf *err)
{
    struct ledger_client *client = calloc(1, sizeof(*client));

    (void)err;
    if (client == NULL)
        return STATUS_NOMEM;
    client->ledger.backend = &backend;
    client->config = *config;
    if (uv_poll_init(config->loop, &client->control, control_fd) < 0)
        abort();
    client->control.data = client;
    (void)uv_poll_start(&client->control, UV_READABLE, on_command);
    *out = client;
    return STATUS_OK;
}

struct ledger *ledger_client_base(struct ledger_client *client)
{
    return &client->ledger;
}

void ledger_client_files_lost(struct ledger_client *client, struct ledger_op *op,
                              enum store_files files)
{
    assert_int_equal(files, STORE_WINNERS);
    client->lost++;
    submit(&client->ledger, op);
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void ledger_client_close(struct ledger_client *client)
{
    while (client->ended < client->submitted)
        end_op(client, STATUS_STOPPED);
    uv_close((uv_handle_t *)&client->control, on_closed);
}

/* In place of store_csv.h's. */
extern const struct store_encoding store_csv_encoding;
const struct store_encoding store_csv_encoding = {0};

enum status winner_index_open(const struct file_ops *ops, int dir_fd, uint32_t agencies,
                              const struct draw_drawn *drawn, struct winner_index **out,
                              struct errbuf *err)
{
    static char index;

    (void)ops;
    (void)dir_fd;
    (void)agencies;
    (void)drawn;
    errbuf_set(err, "cannot be read");
    if (opened++ < open_failures)
        return open_status;
    *out = (struct winner_index *)(void *)&index;
    return STATUS_OK;
}

void winner_index_close(struct winner_index *index)
{
    (void)index;
}

struct winner_documents winner_index_of(const struct winner_index *index, uint32_t agency)
{
    (void)index;
    (void)agency;
    return (struct winner_documents){2, 1};
}

enum status winner_index_read(const struct winner_index *index, uint32_t agency, uint64_t from,
                              char *out, size_t size)
{
    (void)index;
    (void)agency;
    if (from != 0 || size != 2)
        abort();
    memcpy(out, "7\n", 2);
    return read_count++ < read_failures ? STATUS_DAMAGED : STATUS_OK;
}

/* Starts the worker. Until it has sent a report, no signal may be sent to it. */
static void start(struct fixture *f)
{
    int control[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control), 0);
    f->pid = fork();
    assert_true(f->pid >= 0);
    if (f->pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        stop_signals_block();
        control_fd = control[0];
        _exit(worker_run(&f->config));
    }
    assert_int_equal(close(control[0]), 0);
    f->control = control[1];
}

static int begin(void **state)
{
    static const uint32_t many = 10;
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    log_set_level(LOG_CRITICAL);
    open_failures = 0;
    open_status = STATUS_IO;
    read_failures = 0;
    f->control = -1;
    f->settings = (struct server_settings){.max_connections = many,
                                           .max_connections_per_ip = many,
                                           .max_buffered = 1024 * 1024,
                                           .handshake_timeout = 60 * NS_PER_S,
                                           .frame_timeout = 60 * NS_PER_S,
                                           .idle_timeout = 60 * NS_PER_S};
    f->data_dir = (struct data_dir){.ops = &file_ops_system, .path = "unused", .fd = -1};
    assert_int_equal(scoreboard_create(1, &f->scoreboard), STATUS_OK);
    f->config = (struct worker_config){.settings = &f->settings,
                                       .scoreboard = f->scoreboard,
                                       .data_dir = &f->data_dir,
                                       .listen_fd = sockets_listen(&f->address)};
    assert_int_equal(fcntl(f->config.listen_fd, F_SETFL, O_NONBLOCK), 0);
    f->agency = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(f->agency >= 0);
    assert_int_equal(connect(f->agency, (struct sockaddr *)&f->address, sizeof(f->address)), 0);
    *state = f;
    return 0;
}

static int end(void **state)
{
    struct fixture *f = *state;

    if (f->pid > 0) {
        (void)kill(f->pid, SIGKILL);
        (void)waitpid(f->pid, NULL, 0);
    }
    (void)close(f->control);
    (void)close(f->agency);
    (void)close(f->config.listen_fd);
    scoreboard_destroy(f->scoreboard);
    free(f);
    log_set_level(LOG_INFO);
    return 0;
}

static void wait_readable(int fd, const char *what)
{
    struct pollfd poll_fd = {fd, POLLIN, 0};

    if (poll(&poll_fd, 1, WAIT_MS) != 1)
        fail_msg("%s did not come", what);
}

static struct report tell(struct fixture *f, enum command command)
{
    const char byte = (char)command;
    struct report report;

    assert_int_equal(write(f->control, &byte, 1), 1);
    wait_readable(f->control, "the report");
    assert_int_equal(read(f->control, &report, sizeof(report)), sizeof(report));
    return report;
}

/* Waits until the ledger has `ops` operations. */
static void await_ops(struct fixture *f, unsigned ops)
{
    uint64_t until = clock_monotonic_ms() + WAIT_MS;

    while (tell(f, REPORT).ops < ops)
        assert_true(clock_monotonic_ms() < until);
}

/* Asks the worker to stop and returns the exit status of its process. */
static int stop(struct fixture *f)
{
    int status;

    (void)kill(f->pid, SIGTERM);
    assert_int_equal(waitpid(f->pid, &status, 0), f->pid);
    f->pid = 0;
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void send_question(struct fixture *f)
{
    Lottery__V1__NewBets question;
    lottery__v1__new_bets__init(&question);
    uint8_t frame[FRAME_MAX_SIZE];

    question.agency_id = 5;
    size_t size = wire_pack(LOTTERY__V1__OPCODE__OPCODE_NEW_BETS, &question.base, frame);
    sockets_write(f->agency, frame, size);
}

/* Reads the next answer and returns its opcode; 0 at the end of the connection. */
static uint8_t read_answer(struct fixture *f)
{
    uint8_t bytes[FRAME_MAX_SIZE];
    struct frame frame;

    wait_readable(f->agency, "the answer");
    ssize_t size = recv(f->agency, bytes, sizeof(bytes), 0);
    if (size == 0 || (size < 0 && errno == ECONNRESET))
        return 0;
    assert_true(size > 0);
    assert_int_equal(frame_decode(bytes, (size_t)size, &frame), FRAME_OK);
    assert_int_equal(frame_size(&frame), size);
    if (frame.opcode == LOTTERY__V1__OPCODE__OPCODE_ACK) {
        Lottery__V1__Ack *ack = lottery__v1__ack__unpack(NULL, frame.body_size, frame.body);
        assert_non_null(ack);
        assert_int_equal(ack->code, LOTTERY__V1__ACK_CODE__ACK_CODE_OK);
        lottery__v1__ack__free_unpacked(ack, NULL);
    }
    return frame.opcode;
}

/* Before the first news no agency is known, so connections wait; then they are served. */
static void test_waits_for_news(void **state)
{
    struct fixture *f = *state;

    start(f);
    send_question(f);
    for (int i = 0; i < 100; i++)
        assert_int_equal(tell(f, REPORT).ops, 0);
    assert_int_equal(scoreboard_connections(f->scoreboard), 0);
    (void)tell(f, NEWS);
    await_ops(f, 1);
    (void)tell(f, NEWS); /* again: it goes on listening */
    (void)tell(f, END_OP);
    assert_int_equal(read_answer(f), LOTTERY__V1__OPCODE__OPCODE_ACK);
    assert_int_equal(stop(f), 0);
}

/* A worker that was never told anything stops as cleanly. */
static void test_stops_before_news(void **state)
{
    struct fixture *f = *state;

    start(f);
    (void)tell(f, REPORT);
    assert_int_equal(stop(f), 0);
}

/* It cannot listen: it ends with status 1, as at any failed start. */
static void test_cannot_listen(void **state)
{
    struct fixture *f = *state;
    char byte = NEWS;
    int status;

    assert_int_equal(close(f->config.listen_fd), 0);
    f->config.listen_fd = open("/dev/null", O_RDONLY | O_CLOEXEC); /* which epoll refuses */
    start(f);
    (void)tell(f, REPORT);
    assert_int_equal(write(f->control, &byte, 1), 1);
    assert_int_equal(waitpid(f->pid, &status, 0), f->pid);
    f->pid = 0;
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
}

/* What comes to the agency's socket next must begin with this byte; -1: it is the end. */
static void assert_receives(const struct fixture *f, int first)
{
    uint8_t bytes[FRAME_MAX_SIZE];

    wait_readable(f->agency, "an answer or the end");
    ssize_t size = recv(f->agency, bytes, sizeof(bytes), 0);
    assert_int_equal(size > 0 ? bytes[0] : -1, first);
}

/* With a context of TLS, in both modes, a plain question is answered with an alert; who says
 * nothing is closed in the time of the handshake. */
static void test_tls(void **state)
{
    struct fixture *f = *state;
    struct test_certs *certs = test_certs_create();
    const struct tls_files files = test_certs_files(certs, "server");
    struct tls_context *tls = NULL;
    struct errbuf err;

    assert_int_equal(tls_context_create(TLS_SERVER, &files, &tls, &err), STATUS_OK);
    f->config.tls = tls;
    f->settings.handshake_timeout = NS_PER_S;
    for (unsigned i = 0; i < 2; i++) {
        if (i == 1)
            f->config.data_dir = NULL; /* mode echo */
        start(f);
        if (i == 0)
            (void)tell(f, NEWS);
        send_question(f);
        assert_receives(f, 0x15);
        assert_receives(f, -1);
        assert_int_equal(close(f->agency), 0);
        f->agency = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(connect(f->agency, (struct sockaddr *)&f->address, sizeof(f->address)), 0);
        assert_receives(f, -1);
        assert_int_equal(stop(f), 0);
        assert_int_equal(close(f->control), 0);
        assert_int_equal(close(f->agency), 0);
        f->agency = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(connect(f->agency, (struct sockaddr *)&f->address, sizeof(f->address)), 0);
    }
    f->control = -1;
    tls_context_destroy(tls);
    test_certs_destroy(certs);
}

/* Who waits gets the winners when there are some, also if they cannot be read at first. */
static void test_winners(void **state)
{
    struct fixture *f = *state;
    uint8_t frame[FRAME_MAX_SIZE];

    for (open_failures = 0; open_failures < 2; open_failures++) {
        size_t size = wire_pack_finished(&(struct wire_finished){.agency = 1}, frame);
        start(f);
        (void)tell(f, NEWS);
        sockets_write(f->agency, frame, size);
        await_ops(f, 1);
        assert_int_equal(tell(f, END_OP).opened, 0);
        assert_int_equal(tell(f, WINNERS).opened, 1);
        assert_int_equal(read_answer(f), LOTTERY__V1__OPCODE__OPCODE_WINNERS);
        assert_int_equal(tell(f, WINNERS).opened, 1 + open_failures); /* once is enough */
        assert_int_equal(stop(f), 0);
        (void)close(f->agency);
        (void)close(f->control);
        f->agency = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(connect(f->agency, (struct sockaddr *)&f->address, sizeof(f->address)), 0);
        scoreboard_clear(f->scoreboard, 0);
    }
}

/* The file of the winners is lost: the ledger is told, once; its news leads to the next try. */
static void test_winners_are_lost(void **state)
{
    static const enum status statuses[] = {STATUS_NOTFOUND, STATUS_DAMAGED, STATUS_IO};
    struct fixture *f = *state;
    uint8_t frame[FRAME_MAX_SIZE];

    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        unsigned lost = statuses[i] != STATUS_IO;
        size_t size = wire_pack_finished(&(struct wire_finished){.agency = 1}, frame);
        open_failures = 3;
        open_status = statuses[i];
        start(f);
        struct report report = tell(f, WINNERS);
        assert_int_equal(report.opened, 1);
        assert_int_equal(report.lost, lost);
        assert_int_equal(report.ops, lost);
        if (lost > 0)
            (void)tell(f, END_OP);
        report = tell(f, WINNERS);
        assert_int_equal(report.opened, 2);
        assert_int_equal(report.lost, lost);
        sockets_write(f->agency, frame, size);
        await_ops(f, lost + 1);
        report = tell(f, END_OP); /* the agency looks, too */
        assert_int_equal(report.opened, 3);
        assert_int_equal(report.lost, lost);
        assert_int_equal(tell(f, WINNERS).opened, 4);
        assert_int_equal(read_answer(f), LOTTERY__V1__OPCODE__OPCODE_WINNERS);
        assert_int_equal(stop(f), 0);
        (void)close(f->agency);
        (void)close(f->control);
        f->agency = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(connect(f->agency, (struct sockaddr *)&f->address, sizeof(f->address)), 0);
        scoreboard_clear(f->scoreboard, 0);
    }
}

/* It is damaged under a worker that has opened it: the ledger is told, and what is made again is
 * opened. */
static void test_winners_are_damaged_later(void **state)
{
    struct fixture *f = *state;
    uint8_t frame[FRAME_MAX_SIZE];
    size_t size = wire_pack_finished(&(struct wire_finished){.agency = 1}, frame);

    read_failures = 1;
    start(f);
    assert_int_equal(tell(f, WINNERS).opened, 1);
    sockets_write(f->agency, frame, size);
    await_ops(f, 1);
    assert_int_equal(tell(f, END_OP).lost, 1);
    assert_int_equal(read_answer(f), 0); /* the connection ends */
    assert_int_equal(tell(f, END_OP).ops, 2);
    assert_int_equal(tell(f, NEWS).opened, 1);
    (void)close(f->agency);
    f->agency = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(f->agency, (struct sockaddr *)&f->address, sizeof(f->address)), 0);
    sockets_write(f->agency, frame, size);
    await_ops(f, 3);
    assert_int_equal(tell(f, END_OP).opened, 1); /* waits */
    assert_int_equal(tell(f, WINNERS).opened, 2);
    assert_int_equal(read_answer(f), LOTTERY__V1__OPCODE__OPCODE_WINNERS);
    assert_int_equal(tell(f, REPORT).lost, 1);
    assert_int_equal(stop(f), 0);
}

/* As long as it is lost, the ledger is told again later. */
static void test_winners_stay_lost(void **state)
{
    struct fixture *f = *state;
    uint64_t until = clock_monotonic_ms() + WAIT_MS;

    open_failures = UINT32_MAX;
    open_status = STATUS_NOTFOUND;
    start(f);
    assert_int_equal(tell(f, WINNERS).lost, 1);
    (void)tell(f, END_OP);
    while (tell(f, REPORT).lost < 2)
        assert_true(clock_monotonic_ms() < until);
    assert_int_equal(tell(f, REPORT).opened, 2);
    assert_int_equal(stop(f), 0);
}

/* An operation that the ledger does not end in time gets no answer when the worker stops. */
static void test_lost_at_the_stop(void **state)
{
    struct fixture *f = *state;

    start(f);
    (void)tell(f, NEWS);
    send_question(f);
    await_ops(f, 1);
    assert_int_equal(stop(f), 0);
    assert_int_equal(read_answer(f), 0);
}

/* One that ends while the worker stops is answered. */
static void test_answers_at_the_stop(void **state)
{
    struct fixture *f = *state;

    start(f);
    (void)tell(f, NEWS);
    send_question(f);
    await_ops(f, 1);
    (void)kill(f->pid, SIGTERM);
    (void)tell(f, END_OP);
    assert_int_equal(read_answer(f), LOTTERY__V1__OPCODE__OPCODE_ACK);
    assert_int_equal(stop(f), 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_waits_for_news),
        CASE(test_stops_before_news),
        CASE(test_cannot_listen),
        CASE(test_tls),
        CASE(test_winners),
        CASE(test_winners_are_lost),
        CASE(test_winners_stay_lost),
        CASE(test_lost_at_the_stop),
        CASE(test_answers_at_the_stop),
        CASE(test_winners_are_damaged_later),
    };

    return cmocka_run_group_tests_name("worker", tests, NULL, NULL);
}
