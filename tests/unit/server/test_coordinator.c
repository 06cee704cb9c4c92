/* The coordinator's process: what it asks the ledger and the scan for, and what it logs.
 *
 * The ledger's client and the scan are replaced here by ones that follow a script: each call of the
 * coordinator has to be the next one of the script, which says how it ends and what the news is
 * then. After the last one the process gets SIGTERM. It runs in a child whose output is compared.
 */
#include "cmocka_all.h"
#include "coordinator.h"
#include "ledger_client.h"
#include "operator.h"
#include "scan_job.h"
#include "stop_signals.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define AGENCIES 5
#define NUMBER 7574
#define UNDER_WAY 77 /* the private `kind` of an operation that was submitted */
#define WRONG_CALL 9 /* exit status of a process that did not follow the script */

/* A call and what comes of it. */
struct answer {
    const char *call;
    enum status status;
    enum draw_phase phase; /* of the news afterwards */
    bool has_winners;
    bool is_hanging; /* it does not end: SIGTERM comes instead */
};

static const struct draw_drawn outcome = {.time_s = 1000,
                                          .winner_number = NUMBER,
                                          .winners = 5,
                                          .winners_size = 40,
                                          .winners_crc = 0xabcd};

static struct {
    const struct answer *answer;
    struct ledger ledger; /* what ledger_client_base() returns */
    struct ledger_client_config client;
    struct scan_job_config scan;
    struct ledger_news news;
    struct ledger_op *op; /* that is under way; NULL: it is a job */
    bool is_first;        /* the link is being opened */
    bool is_cancelled;    /* the job */
    uv_timer_t turn;      /* to answer in a later turn of the loop */
} fake;

static const struct ledger_news *fake_news(const struct ledger *ledger)
{
    (void)ledger;
    return &fake.news;
}

static const struct ledger_backend fake_backend = {.news = fake_news};

static void fake_tell(enum draw_phase phase, bool has_winners)
{
    fake.news.phase = phase;
    fake.news.has_winners = has_winners;
    if (phase == DRAW_DRAWN)
        fake.news.drawn = outcome;
    fake.client.on_news(fake.client.owner);
}

static void fake_on_turn(uv_timer_t *timer)
{
    const struct answer *answer = fake.answer;
    struct ledger_op *op = fake.op;
    struct errbuf err;

    (void)timer;
    if (fake.is_first) {
        fake.is_first = false;
        fake.answer++;
        fake_tell(answer->phase, answer->has_winners);
        return;
    }
    fake.client.on_news(fake.client.owner); /* nothing new: it must leave the operation alone */
    if (op != NULL && op->kind != UNDER_WAY)
        _exit(WRONG_CALL);
    fake.answer++;
    fake.op = NULL;
    if (answer->is_hanging) {
        fake.op = op;
        (void)kill(getpid(), SIGTERM);
        return;
    }
    if (op != NULL) {
        op->status = answer->status;
        op->done(op);
    } else {
        errbuf_set(&err, "%s has failed", answer->call);
        const struct scan_outcome found = {.drawn = outcome};
        fake.scan.on_done(fake.scan.owner, answer->status, &found, &err);
    }
    fake_tell(answer->phase, answer->has_winners);
    if (fake.answer->call == NULL)
        (void)kill(getpid(), SIGTERM);
}

static void fake_call(const char *call, struct ledger_op *op)
{
    if (fake.answer->call == NULL || strcmp(fake.answer->call, call) != 0) {
        printf("%s instead of %s\n", call,
               fake.answer->call == NULL ? "the end" : fake.answer->call);
        (void)fflush(stdout);
        _exit(WRONG_CALL);
    }
    fake.op = op;
    if (op != NULL)
        op->kind = UNDER_WAY;
    (void)uv_timer_start(&fake.turn, fake_on_turn, 0, 0);
}

enum status ledger_client_create(const struct ledger_client_config *config,
                                 struct ledger_client **out, struct errbuf *err)
{
    (void)err;
    fake.client = *config;
    fake.ledger.backend = &fake_backend;
    fake.is_first = true;
    (void)uv_timer_init(config->loop, &fake.turn);
    (void)uv_timer_start(&fake.turn, fake_on_turn, 0, 0);
    *out = (struct ledger_client *)&fake;
    return STATUS_OK;
}

struct ledger *ledger_client_base(struct ledger_client *client)
{
    (void)client;
    return &fake.ledger;
}

void ledger_client_close_draw(struct ledger_client *client, struct ledger_op *op,
                              enum draw_closed_by by, uint32_t uid)
{
    (void)client;
    (void)by;
    (void)uid;
    fake_call("close", op);
}

enum status ledger_client_draw(struct ledger_client *client, struct ledger_op *op,
                               const struct draw_drawn *drawn, bool is_new)
{
    (void)client;
    if (memcmp(drawn, &outcome, sizeof(outcome)) != 0)
        _exit(WRONG_CALL);
    fake_call(is_new ? "submit" : "confirm", op);
    return STATUS_OK;
}

void ledger_client_open_files(struct ledger_client *client, struct ledger_op *op,
                              enum store_files files, size_t count)
{
    (void)files;
    (void)client;
    (void)op;
    (void)count;
    _exit(WRONG_CALL); /* the scan is replaced */
}

void ledger_client_take_fds(struct ledger_client *client, int *fds, size_t count)
{
    (void)client;
    (void)fds;
    (void)count;
    _exit(WRONG_CALL);
}

void ledger_client_close(struct ledger_client *client)
{
    struct ledger_op *op = fake.op;

    (void)client;
    if (!fake.is_cancelled)
        _exit(WRONG_CALL); /* the job first: it may wait for files */
    uv_close((uv_handle_t *)&fake.turn, NULL);
    if (op == NULL)
        return;
    op->status = STATUS_STOPPED;
    op->done(op);
}

enum status ledger_client_seal(struct ledger_client *client, struct ledger_op *op,
                               const struct draw_sealed *sealed, bool is_new)
{
    (void)client;
    (void)op;
    (void)sealed;
    (void)is_new;
    _exit(WRONG_CALL); /* this draw is not sealed */
}

enum status ledger_client_result(struct ledger_client *client, struct ledger_op *op, bool is_new)
{
    (void)client;
    (void)op;
    (void)is_new;
    _exit(WRONG_CALL);
}

enum status operator_start(struct operator* self, const struct operator_config *config)
{
    (void)self;
    (void)config;
    return STATUS_OK;
}

void operator_on_news(struct operator* self)
{
    (void)self;
}

void operator_on_order(struct operator* self, enum coordinator_order order, const char *reason)
{
    (void)self;
    (void)reason;
    if (order != COORDINATOR_ORDER_NONE)
        _exit(WRONG_CALL); /* nobody has given a number */
}

void operator_close(struct operator* self)
{
    (void)self;
}

void operator_fini(struct operator* self)
{
    (void)self;
}

void scan_job_init(struct scan_job *job, const struct scan_job_config *config)
{
    (void)job;
    fake.scan = *config;
}

void scan_job_start(struct scan_job *job, enum store_files files, const struct ledger_news *news,
                    const struct draw_drawn *drawn)
{
    (void)job;
    (void)files;
    (void)news;
    if (drawn->winner_number != NUMBER)
        _exit(WRONG_CALL);
    fake_call("scan", NULL);
}

enum status scan_job_check(struct scan_job *job, enum store_files files,
                           const struct ledger_news *news, struct errbuf *err)
{
    (void)job;
    (void)files;
    (void)news;
    if (fake.answer->call != NULL && strcmp(fake.answer->call, "no check") == 0) {
        fake.answer++;
        (void)kill(getpid(), SIGTERM);
        errbuf_set(err, "no process");
        return STATUS_NOMEM;
    }
    fake_call("check", NULL);
    return STATUS_OK;
}

void scan_job_cancel(struct scan_job *job)
{
    (void)job;
    fake.is_cancelled = true;
}

/* In the child. */
static void run_child(const struct answer *answers, int out)
{
    const struct data_dir dir = {.path = ".", .fd = -1};
    const struct coordinator_config config = {.base_dir = &dir, .scanners = 2};

    if (dup2(out, STDOUT_FILENO) < 0)
        _exit(WRONG_CALL);
    fake.answer = answers;
    fake.news =
        (struct ledger_news){.agencies = AGENCIES, .finished = AGENCIES, .winner_number = NUMBER};
    stop_signals_block();
    int status = coordinator_run(&config);
    if (status == 0 && fake.answer->call != NULL)
        status = WRONG_CALL;
    _exit(status);
}

/* Runs the coordinator by a script, whose first answer is the first news. It has to end well, with
 * these lines, without their times. */
static void follow(const struct answer *answers, const char *expected)
{
    char output[8192];
    char lines[8192];
    size_t size = 0;
    size_t used = 0;
    ssize_t count;
    int ends[2];
    int status;

    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        run_child(answers, ends[1]);
    assert_int_equal(close(ends[1]), 0);
    while ((count = read(ends[0], output + size, sizeof(output) - 1 - size)) > 0)
        size += (size_t)count;
    output[size] = '\0';
    assert_int_equal(close(ends[0]), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    lines[0] = '\0';
    for (char *line = strtok(output, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        size_t skip = strlen(line) > 20 ? 20 : 0; /* the time */
        used += (size_t)snprintf(lines + used, sizeof(lines) - used, "%s\n", line + skip);
    }
    assert_string_equal(lines, expected);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

#define SCAN_LINE                                                                                  \
    "INFO     action: escrutinio | result: in_progress | agencias: 5 | ganador: 7574\n"

/* The draw is closed, scanned and submitted; `sorteo | result: success` is the supervisor's. */
static void test_held(void **state)
{
    const struct answer answers[] = {{"news", STATUS_OK, DRAW_OPEN, false, false},
                                     {"close", STATUS_OK, DRAW_CLOSED, false, false},
                                     {"scan", STATUS_OK, DRAW_CLOSED, false, false},
                                     {"submit", STATUS_OK, DRAW_DRAWN, true, false},
                                     {NULL, STATUS_OK, DRAW_DRAWN, false, false}};

    (void)state;
    follow(answers, SCAN_LINE);
}

/* The draw was held, but the news that the winners can be read does not come: check and confirm. */
static void test_no_news(void **state)
{
    const struct answer answers[] = {{"news", STATUS_OK, DRAW_CLOSED, false, false},
                                     {"scan", STATUS_OK, DRAW_CLOSED, false, false},
                                     {"submit", STATUS_OK, DRAW_DRAWN, false, false},
                                     {"check", STATUS_OK, DRAW_DRAWN, false, false},
                                     {"confirm", STATUS_OK, DRAW_DRAWN, true, false},
                                     {NULL, STATUS_OK, DRAW_DRAWN, false, false}};

    (void)state;
    follow(answers, SCAN_LINE);
}

/* A failed attempt is logged with its reason and made again after a pause. */
static void test_fails(void **state)
{
    const struct answer answers[] = {{"news", STATUS_OK, DRAW_OPEN, false, false},
                                     {"close", STATUS_NOSPACE, DRAW_OPEN, false, false},
                                     {"close", STATUS_OK, DRAW_CLOSED, false, false},
                                     {"scan", STATUS_DAMAGED, DRAW_CLOSED, false, false},
                                     {"scan", STATUS_OK, DRAW_CLOSED, false, false},
                                     {"submit", STATUS_OK, DRAW_DRAWN, true, false},
                                     {NULL, STATUS_OK, DRAW_DRAWN, false, false}};

    (void)state;
    follow(answers,
           "ERROR    action: sorteo | result: fail | reason: the draw cannot be closed: no "
           "space left\n" SCAN_LINE
           "ERROR    action: sorteo | result: fail | reason: scan has failed\n" SCAN_LINE);
}

/* The files of a draw that was held are lost: a warning, and they are made again. */
static void test_lost(void **state)
{
    const struct answer answers[] = {{"news", STATUS_OK, DRAW_DRAWN, false, false},
                                     {"check", STATUS_NOTFOUND, DRAW_DRAWN, false, false},
                                     {"scan", STATUS_OK, DRAW_DRAWN, false, false},
                                     {"submit", STATUS_OK, DRAW_DRAWN, true, false},
                                     {NULL, STATUS_OK, DRAW_DRAWN, false, false}};

    (void)state;
    follow(answers, "WARNING  action: recover_winners | result: in_progress | reason: check has "
                    "failed\n" SCAN_LINE);
}

/* The check cannot be begun: not a failed draw. */
static void test_no_check(void **state)
{
    const struct answer answers[] = {{"news", STATUS_OK, DRAW_DRAWN, false, false},
                                     {"no check", STATUS_OK, DRAW_DRAWN, false, false},
                                     {NULL, STATUS_OK, DRAW_DRAWN, false, false}};

    (void)state;
    follow(answers, "ERROR    action: recover_winners | result: fail | reason: no process\n");
}

/* SIGTERM while something is under way: it ends at once, and nothing is logged about that. */
static void test_stopped(void **state)
{
    static const char *const calls[] = {"close", "scan", "check"};
    static const enum draw_phase phases[] = {DRAW_OPEN, DRAW_CLOSED, DRAW_DRAWN};

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        const struct answer answers[] = {{"news", STATUS_OK, phases[i], false, false},
                                         {calls[i], STATUS_OK, phases[i], false, true},
                                         {NULL, STATUS_OK, DRAW_DRAWN, false, false}};
        follow(answers, i == 1 ? SCAN_LINE : "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_held),     cmocka_unit_test(test_no_news),
        cmocka_unit_test(test_fails),    cmocka_unit_test(test_lost),
        cmocka_unit_test(test_no_check), cmocka_unit_test(test_stopped),
    };

    return cmocka_run_group_tests_name("coordinator", tests, NULL, NULL);
}
