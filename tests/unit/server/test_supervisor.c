/* The supervisor, with a ledger, a coordinator and workers of the test's own: real processes, which
 * do what a script in shared memory says; the contexts of TLS are fake ones, too. The supervisor
 * runs in a process of its own, too, and its log goes to a pipe, which the test reads to know how
 * far it is.
 */
#include "cmocka_all.h"
#include "coordinator.h"
#include "draw.h"
#include "draws.h"
#include "ledger_process.h"
#include "log.h"
#include "server_tls.h"
#include "settings.h"
#include "signals.h"
#include "store_csv.h"
#include "supervisor.h"
#include "supervisor_link.h"
#include "tls_context.h"
#include "tmpdir.h"
#include "worker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LIVES_MAX 8
#define ASKS_MAX 4
#define WAIT_S 30 /* for anything, on a busy machine */

/* What one life of the ledger is like. */
enum life {
    LIFE_GOOD,      /* recovers, waits for SIGTERM, ends with 0 */
    LIFE_RECOVERS,  /* never gets that far; ends with 0 at SIGTERM */
    LIFE_NO_START,  /* the recovery ends in an error */
    LIFE_GONE,      /* recovers, then finds that the folder is gone */
    LIFE_UNCERTAIN, /* recovers, then a sync fails */
    LIFE_KILLED,    /* recovers, then is killed */
    LIFE_DRAWS,     /* recovers, holds the draw, waits for the acknowledgement, then as LIFE_GOOD */
    LIFE_DRAWN,     /* recovers a draw that was held, the same */
    LIFE_BAD_END    /* recovers, and a sync fails when it is told to end */
};

/* What a coordinator does besides waiting for SIGTERM. */
enum asks {
    ASKS_NOTHING,
    ASKS_COMMIT,     /* asks for a movement, and commits it when it is prepared */
    ASKS_AFTER,      /* the same after it was told what became of another one */
    ASKS_CANCEL,     /* takes it back when it is prepared, then asks again and commits */
    ASKS_TWICE,      /* asks for a second one before it commits the first */
    ASKS_DIE,        /* is killed when it is prepared */
    ASKS_DIE_DEAF,   /* is killed before it reads the answer */
    ASKS_COMMIT_DIE, /* commits it and is killed */
    ASKS_WAIT,       /* neither commits nor ends before SIGTERM */
    ASKS_WHAT        /* waits to be told what became of a movement */
};

/* One life of the coordinator. */
struct asking {
    enum asks asks;
    enum draw_phase phase; /* that it tells first; DRAW_NEW: nothing */
    struct movement movement;
};

/* Shared with all processes of the server. */
struct script {
    enum life lives[LIVES_MAX]; /* of the ledger, in their order; then the last one again */
    atomic_uint ledgers;        /* lives begun */
    atomic_uint stops;          /* processes that have ended at SIGTERM */
    unsigned ledger_stop;       /* which of these they were, from 1 */
    unsigned coordinator_stop;
    unsigned last_worker_stop;
    pid_t last_worker;              /* the one that was started last */
    atomic_uint workers;            /* lives begun, and their descriptors looked at */
    atomic_uint acks;               /* of the draw, that ledgers have got */
    atomic_bool hangs;              /* workers do not end at SIGTERM */
    atomic_uint scanners;           /* that the coordinator was given */
    struct asking asking[ASKS_MAX]; /* of the coordinators, in their order; then nothing */
    atomic_uint coordinators;       /* lives begun */
    atomic_uint prepared;           /* movements */
    atomic_uint refused;
    atomic_uint moved;        /* movements that it was told about */
    char moved_reason[512];   /* of the last one */
    struct movement movement; /* the last one */
    char reason[512];         /* of the last one that was refused */
    atomic_uint given;        /* ledgers that have noted what they were given: */
    uint32_t agencies;        /* the last one, like the next ones */
    struct draw_terms terms;
    uint32_t number;
    char base[300];           /* the data directory that the last coordinator was given */
    char draw_dir[400];       /* and the draw's */
    char seal_key[64];        /* and the key */
    enum status check_status; /* what store_csv_check() finds, like the next one */
    struct draw_opened check_opened;
    uint64_t check_bets;
    enum status tls_status; /* of making a context of TLS, and of its dates */
    enum status dates_status;
    char cert[64];           /* of the last worker's context; "" = it has none */
    atomic_bool is_key_open; /* a process has got a context that is not for it */
    atomic_bool is_fd_open;  /* a process has got descriptors that are not for it */
};

static struct script *script;

struct fixture {
    struct server_settings settings;
    char *folder;     /* the data directory */
    char config[300]; /* path of the settings' file, beside it */
    pid_t pid;        /* of the supervisor; 0 = reaped */
    int log;          /* the reading end of its stdout */
    char text[65536];
    size_t size;
};

static void wait_for_sigterm(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    while (sigwaitinfo(&set, NULL) < 0)
        continue;
}

static void ledger_tell(const struct ledger_config *config, const struct ledger_tells *told)
{
    if (send(config->control_fd, told, sizeof(*told), 0) != (ssize_t)sizeof(*told))
        _exit(90);
}

static int ledger_fail(const struct ledger_config *config, const char *reason, int status)
{
    struct ledger_tells told = {.kind = LEDGER_TELLS_REASON};

    errbuf_set(&told.text, "%s", reason);
    ledger_tell(config, &told);
    return status;
}

static void ledger_wait_ack(const struct ledger_config *config)
{
    struct pollfd poll_fd = {.fd = config->control_fd, .events = POLLIN};
    struct ledger_tells told;

    if (poll(&poll_fd, 1, WAIT_S * 1000) != 1 ||
        recv(config->control_fd, &told, sizeof(told), 0) != (ssize_t)sizeof(told))
        _exit(91);
    atomic_fetch_add(&script->acks, 1);
}

struct tls_context {
    char cert[64];
};

static unsigned contexts; /* that this process has */

enum status tls_context_create(enum tls_side side, const struct tls_files *files,
                               struct tls_context **out, struct errbuf *err)
{
    struct tls_context *context;

    assert_int_equal(side, TLS_SERVER);
    assert_string_equal(files->key, "the.key");
    assert_string_equal(files->ca, "the.ca");
    if (script->tls_status != STATUS_OK) {
        errbuf_set(err, "%s: not the key of the certificate", files->key);
        return script->tls_status;
    }
    context = calloc(1, sizeof(*context));
    assert_non_null(context);
    (void)snprintf(context->cert, sizeof(context->cert), "%s", files->cert);
    contexts++;
    *out = context;
    return STATUS_OK;
}

void tls_context_destroy(struct tls_context *context)
{
    contexts -= context != NULL;
    free(context);
}

enum status tls_context_check_dates(const struct tls_context *context, int64_t now_s,
                                    struct errbuf *err)
{
    assert_true(now_s > 1700000000);
    if (script->dates_status != STATUS_OK)
        errbuf_set(err, "%s has expired", context->cert);
    return script->dates_status;
}

int64_t tls_context_end_s(const struct tls_context *context)
{
    return context->cert[0] == 'a' ? 1795651200 : 1795651201;
}

static unsigned count_seqpackets(void);
static bool has_listener(void);

int ledger_run(const struct ledger_config *config)
{
    unsigned number = atomic_fetch_add(&script->ledgers, 1);
    enum life life = script->lives[number < LIVES_MAX ? number : LIVES_MAX - 1];
    struct ledger_tells ready = {
        .kind = LEDGER_TELLS_READY,
        .phase = life == LIFE_DRAWN ? DRAW_DRAWN : DRAW_OPEN,
        .winners = 12,
    };

    script->agencies = config->agencies;
    script->number = config->winner_number;
    script->terms = config->terms;
    atomic_fetch_add(&script->given, 1);
    if (count_seqpackets() != 1 || has_listener())
        script->is_fd_open = true;
    if (contexts > 0)
        script->is_key_open = true;
    if (life == LIFE_NO_START)
        return ledger_fail(config, "it is damaged", LEDGER_EXIT_NO_START);
    if (life != LIFE_RECOVERS)
        ledger_tell(config, &ready);
    if (life == LIFE_GONE)
        return ledger_fail(config, "it is gone", LEDGER_EXIT_GONE);
    if (life == LIFE_UNCERTAIN)
        return ledger_fail(config, "a sync failed", LEDGER_EXIT_UNCERTAIN);
    if (life == LIFE_KILLED)
        (void)raise(SIGKILL);
    if (life == LIFE_DRAWS)
        ledger_tell(config, &(struct ledger_tells){.kind = LEDGER_TELLS_DRAWN, .winners = 12});
    if (life == LIFE_DRAWS || life == LIFE_DRAWN)
        ledger_wait_ack(config);
    wait_for_sigterm();
    if (life == LIFE_BAD_END)
        return ledger_fail(config, "a sync failed", LEDGER_EXIT_UNCERTAIN);
    script->ledger_stop = atomic_fetch_add(&script->stops, 1) + 1;
    return 0;
}

/* The ledger and the coordinator have one such socket each, to the supervisor; no process has
 * another's, be it of another generation. */
static unsigned count_seqpackets(void)
{
    unsigned count = 0;

    for (int fd = 3; fd < 64; fd++) {
        int type;
        socklen_t size = sizeof(type);
        if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_SEQPACKET)
            count++;
    }
    return count;
}

/* Is the socket open where agencies connect? Only workers have it. */
static bool has_listener(void)
{
    for (int fd = 3; fd < 64; fd++) {
        struct sockaddr address = {0};
        socklen_t size = sizeof(address);
        if (getsockname(fd, &address, &size) == 0 && address.sa_family != AF_UNIX)
            return true;
    }
    return false;
}

static void coordinator_send(int fd, const struct supervisor_message *message)
{
    if (send(fd, message, sizeof(*message), 0) != (ssize_t)sizeof(*message))
        _exit(92);
}

static void coordinator_ask(int fd, uint32_t number, const struct movement *movement)
{
    coordinator_send(fd, &(struct supervisor_message){
                             .kind = SUPERVISOR_PREPARE, .number = number, .movement = *movement});
}

/* Waits for the answer to a PREPARE or COMMIT. */
static bool coordinator_is_prepared(int fd, uint32_t number)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    struct supervisor_message message;

    if (poll(&poll_fd, 1, WAIT_S * 1000) != 1 ||
        !supervisor_message_is_valid(&message,
                                     (size_t)recv(fd, &message, sizeof(message), MSG_TRUNC)) ||
        message.number != number)
        _exit(93);
    if (message.kind == SUPERVISOR_REFUSED) {
        memcpy(script->reason, message.reason.text, sizeof(script->reason));
        atomic_fetch_add(&script->refused, 1);
    } else {
        atomic_fetch_add(&script->prepared, 1);
    }
    return message.kind == SUPERVISOR_PREPARED;
}

static void coordinator_hear_moved(int fd)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    struct supervisor_message message;

    if (poll(&poll_fd, 1, WAIT_S * 1000) != 1 ||
        !supervisor_message_is_valid(&message,
                                     (size_t)recv(fd, &message, sizeof(message), MSG_TRUNC)) ||
        message.kind != SUPERVISOR_MOVED)
        _exit(94);
    script->movement = message.movement;
    memcpy(script->moved_reason, message.reason.text, sizeof(script->moved_reason));
    atomic_fetch_add(&script->moved, 1);
}

static void coordinator_act(int fd, const struct asking *asking)
{
    uint32_t number = 7;

    if (asking->phase != DRAW_NEW)
        coordinator_send(
            fd, &(struct supervisor_message){.kind = SUPERVISOR_PHASE, .phase = asking->phase});
    if (asking->asks == ASKS_WHAT || asking->asks == ASKS_AFTER)
        coordinator_hear_moved(fd);
    if (asking->asks == ASKS_NOTHING || asking->asks == ASKS_WHAT)
        return;
    coordinator_ask(fd, number, &asking->movement);
    if (asking->asks == ASKS_DIE_DEAF)
        (void)raise(SIGKILL);
    if (!coordinator_is_prepared(fd, number) || asking->asks == ASKS_WAIT)
        return;
    if (asking->asks == ASKS_DIE)
        (void)raise(SIGKILL);
    if (asking->asks == ASKS_CANCEL) {
        coordinator_send(fd,
                         &(struct supervisor_message){.kind = SUPERVISOR_CANCEL, .number = number});
        coordinator_send(fd,
                         &(struct supervisor_message){.kind = SUPERVISOR_COMMIT, .number = number});
        (void)coordinator_is_prepared(fd, number); /* the commit is refused: it was taken back */
        coordinator_ask(fd, ++number, &asking->movement);
        (void)coordinator_is_prepared(fd, number);
    }
    if (asking->asks == ASKS_TWICE) {
        coordinator_ask(fd, number + 1, &asking->movement);
        (void)coordinator_is_prepared(fd, number + 1);
    }
    coordinator_send(fd, &(struct supervisor_message){.kind = SUPERVISOR_COMMIT, .number = number});
    if (asking->asks == ASKS_COMMIT_DIE)
        (void)raise(SIGKILL);
}

int coordinator_run(const struct coordinator_config *config)
{
    unsigned number = atomic_fetch_add(&script->coordinators, 1);

    script->scanners = config->scanners;
    (void)snprintf(script->base, sizeof(script->base), "%s", config->base_dir->path);
    (void)snprintf(script->draw_dir, sizeof(script->draw_dir), "%s", config->data_dir->path);
    (void)snprintf(script->seal_key, sizeof(script->seal_key), "%s", config->seal_key);
    if (count_seqpackets() != 1 || has_listener())
        script->is_fd_open = true;
    if (contexts > 0)
        script->is_key_open = true;
    if (number < ASKS_MAX)
        coordinator_act(config->supervisor_fd, &script->asking[number]);
    wait_for_sigterm();
    script->coordinator_stop = atomic_fetch_add(&script->stops, 1) + 1;
    return 0;
}

int worker_run(const struct worker_config *config)
{
    if (count_seqpackets() > 0 || fcntl(config->listen_fd, F_GETFD) < 0)
        script->is_fd_open = true;
    if (contexts != (config->tls != NULL))
        script->is_key_open = true;
    (void)snprintf(script->cert, sizeof(script->cert), "%s",
                   config->tls != NULL ? config->tls->cert : "");
    script->last_worker = getpid();
    atomic_fetch_add(&script->workers, 1);
    do
        wait_for_sigterm();
    while (script->hangs);
    script->last_worker_stop = atomic_fetch_add(&script->stops, 1) + 1;
    return 0;
}

enum status store_csv_open(const struct store_csv_config *config, struct draw *draw,
                           struct store **out, struct store_csv_report *report, struct errbuf *err)
{
    (void)config;
    (void)draw;
    (void)out;
    (void)report;
    (void)err;
    return STATUS_IO; /* our ledger opens none */
}

enum status store_csv_check(const struct data_dir *data_dir, struct draw *draw,
                            struct store_csv_report *report, struct errbuf *err)
{
    struct draw_record record = {.type = DRAW_OPENED, .opened = script->check_opened};

    (void)data_dir;
    (void)report;
    if (script->check_status != STATUS_OK)
        errbuf_set(err, "it is damaged");
    else if (draw_apply(draw, &record).status != STATUS_OK)
        return STATUS_NOMEM;
    draw->bets = script->check_bets;
    return script->check_status;
}

/* Writes the settings' file: those of the fixture, and these lines. */
static void write_config(const struct fixture *f, const char *lines)
{
    FILE *file = fopen(f->config, "we");

    assert_non_null(file);
    assert_true(fprintf(file,
                        "[DEFAULT]\nSERVER_PORT = 0\nSERVER_IP = 127.0.0.1\n"
                        "SERVER_WORKERS = 2\nLOGGING_LEVEL = DEBUG\nLOTTERY_DATA_DIR = %s\n%s",
                        f->folder, lines) > 0);
    assert_int_equal(fclose(file), 0);
}

/* The same, and takes them for the next server. */
static void set(struct fixture *f, const char *lines)
{
    const struct settings_sources sources = {.path = f->config, .must_file_exist = true};
    struct errbuf err = {{0}};

    write_config(f, lines);
    if (server_settings_load(&sources, &f->settings, &err) != STATUS_OK)
        fail_msg("%s", err.text);
}

static int begin(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    f->folder = tmpdir_make();
    (void)snprintf(f->config, sizeof(f->config), "%s.ini", f->folder);
    set(f, "");
    script = mmap(NULL, sizeof(*script), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(script != MAP_FAILED);
    *state = f;
    return 0;
}

/* Whatever has happened: kills the supervisor, and so its children, of which the pipe's end tells.
 */
static int end(void **state)
{
    struct fixture *f = *state;
    char rest[4096];

    if (f->pid > 0) {
        (void)kill(f->pid, SIGKILL);
        (void)waitpid(f->pid, NULL, 0);
    }
    while (read(f->log, rest, sizeof(rest)) > 0)
        continue;
    (void)close(f->log);
    (void)munmap(script, sizeof(*script));
    (void)unlink(f->config);
    tmpdir_remove(f->folder);
    free(f);
    return 0;
}

/* Starts the server; `lives` are the first ones of its ledger, the others are good. */
static void start(struct fixture *f, const enum life *lives, size_t count)
{
    int fds[2];

    if (count > 0)
        memcpy(script->lives, lives, count * sizeof(*lives));
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    f->pid = fork();
    assert_true(f->pid >= 0);
    if (f->pid == 0) {
        (void)dup2(fds[1], STDOUT_FILENO);
        (void)close(fds[0]);
        (void)close(fds[1]);
        (void)signal(SIGCHLD, SIG_IGN); /* as a careless parent would leave it */
        signals_init();
        log_set_level(f->settings.log_level);
        struct tls_context *tls = NULL;
        if (server_tls_load(&f->settings, &tls, &(struct errbuf){{0}}) != STATUS_OK)
            _exit(95);
        int status = supervisor_run(&(struct supervisor_config){
            .settings = &f->settings,
            .tls = tls,
            .listen_ip = f->settings.ip,
            .sources = &(struct settings_sources){.path = f->config},
        });
        _exit(contexts == 0 ? status : 96);
    }
    assert_int_equal(close(fds[1]), 0);
    f->log = fds[0];
}

/* Reads more of the log. False at its end. */
static bool read_more(struct fixture *f)
{
    struct pollfd poll_fd = {.fd = f->log, .events = POLLIN};

    if (poll(&poll_fd, 1, WAIT_S * 1000) != 1)
        fail_msg("nothing more within %d s after: %s", WAIT_S, f->text);
    ssize_t size = read(f->log, f->text + f->size, sizeof(f->text) - 1 - f->size);
    assert_true(size >= 0);
    f->size += (size_t)size;
    return size > 0;
}

static unsigned count_of(const struct fixture *f, const char *text)
{
    unsigned count = 0;

    for (const char *at = f->text; (at = strstr(at, text)) != NULL; at++)
        count++;
    return count;
}

static void wait_line(struct fixture *f, const char *text, unsigned count)
{
    while (count_of(f, text) < count) {
        if (!read_more(f))
            fail_msg("\"%s\" is not %u times in: %s", text, count, f->text);
    }
}

/* Waits for the end, with all of the log, and returns the exit status. */
static int finish(struct fixture *f)
{
    int status;

    while (read_more(f))
        continue;
    assert_int_equal(waitpid(f->pid, &status, 0), f->pid);
    f->pid = 0;
    assert_true(WIFEXITED(status));
    assert_false(script->is_fd_open);
    assert_false(script->is_key_open);
    return WEXITSTATUS(status);
}

static void wait_until(bool (*condition)(void))
{
    for (unsigned tries = 0; !condition(); tries++) {
        assert_true(tries < WAIT_S * 1000);
        (void)nanosleep(&(struct timespec){0, 1000000}, NULL);
    }
}

static int stop(struct fixture *f)
{
    assert_int_equal(kill(f->pid, SIGTERM), 0);
    return finish(f);
}

static void assert_before(const struct fixture *f, const char *first, const char *second)
{
    const char *one = strstr(f->text, first);
    const char *two = strstr(f->text, second);

    if (one == NULL || two == NULL || one > two)
        fail_msg("\"%s\" is not before \"%s\" in: %s", first, second, f->text);
}

/* The ledger comes first and goes last; nobody can connect before it has recovered. */
static void test_order(void **state)
{
    struct fixture *f = *state;

    start(f, NULL, 0);
    wait_line(f, "action: start_process", 4);
    assert_int_equal(stop(f), 0);
    assert_before(f, "start_process | result: success | process: ledger", "action: listen");
    assert_before(f, "action: listen", "process: coordinator");
    assert_before(f, "action: listen", "process: worker");
    assert_int_equal(count_of(f, "action: close_process | result: success"), 4);
    assert_int_equal(script->last_worker_stop, 2);
    assert_int_equal(script->coordinator_stop, 3);
    assert_int_equal(script->ledger_stop, 4);
    assert_int_equal(count_of(f, "result: fail"), 0);
    assert_non_null(strstr(f->text, "action: exit | result: success\n"));
    assert_true(script->scanners >= 1);
}

static bool has_ledger(void)
{
    return script->ledgers > 0;
}

/* A stop that is asked for while the ledger recovers is a stop like any other. */
static void test_stop_while_it_recovers(void **state)
{
    static const enum life lives[] = {LIFE_RECOVERS};
    struct fixture *f = *state;

    start(f, lives, 1);
    wait_until(has_ledger);
    assert_int_equal(stop(f), 0);
    assert_int_equal(count_of(f, "action: listen"), 0);
    assert_int_equal(count_of(f, "start_process"), 1);
    assert_int_equal(count_of(f, "result: fail"), 0);
    assert_non_null(strstr(f->text, "action: exit | result: success\n"));
}

/* A stop while the ledger waits for its restart: no other one is started. */
static void test_stop_while_it_is_away(void **state)
{
    static const enum life lives[] = {LIFE_KILLED, LIFE_KILLED, LIFE_KILLED, LIFE_KILLED,
                                      LIFE_KILLED, LIFE_KILLED, LIFE_KILLED, LIFE_KILLED};
    struct fixture *f = *state;

    start(f, lives, LIVES_MAX);
    wait_line(f, "action: restart_process", 5); /* the wait is at least 400 ms long now */
    unsigned ledgers = script->ledgers;
    assert_int_equal(stop(f), 0);
    assert_int_equal(script->ledgers, ledgers);
    assert_int_equal(script->coordinator_stop, 3);
    assert_int_equal(count_of(f, "action: close_process | result: success"), 3);
}

/* The first recovery ends in an error: the server does not start. */
static void test_no_start(void **state)
{
    static const enum life lives[] = {LIFE_NO_START};
    char expected[600];
    struct fixture *f = *state;

    start(f, lives, 1);
    assert_int_equal(finish(f), 1);
    (void)snprintf(
        expected, sizeof(expected),
        "CRITICAL action: start | result: fail | reason: data directory %s: it is damaged\n",
        f->folder);
    assert_non_null(strstr(f->text, expected));
    assert_int_equal(script->ledgers, 1);
    assert_int_equal(count_of(f, "action: listen"), 0);
    assert_int_equal(count_of(f, "action: exit"), 0);
}

/* A port that is taken is found after the recovery; the ledger ends cleanly. */
static void test_port_taken(void **state)
{
    struct fixture *f = *state;

    (void)strcpy(f->settings.ip, "192.0.2.1"); /* not of this machine */
    start(f, NULL, 0);
    assert_int_equal(finish(f), 1);
    assert_non_null(strstr(f->text, "CRITICAL action: start | result: fail | reason: bind: "));
    assert_int_equal(script->ledger_stop, 1);
    assert_int_equal(count_of(f, "action: start_process"), 1);
}

/* A folder that is not there, or that another server works on. */
static void test_folder(void **state)
{
    struct fixture *f = *state;

    (void)strcat(f->settings.data_dir, "/nowhere");
    start(f, NULL, 0);
    assert_int_equal(finish(f), 1);
    assert_non_null(strstr(f->text, "action: start | result: fail | reason: data directory "));
    assert_int_equal(script->ledgers, 0);
    assert_int_equal(close(f->log), 0);
    f->size = 0;
    memset(f->text, 0, sizeof(f->text));

    *strrchr(f->settings.data_dir, '/') = '\0';
    start(f, NULL, 0);
    wait_line(f, "action: start_process", 4);
    struct fixture second = *f;
    second.size = 0;
    memset(second.text, 0, sizeof(second.text));
    start(&second, NULL, 0);
    assert_int_equal(finish(&second), 1);
    assert_non_null(strstr(second.text, "another server works on this folder\n"));
    assert_int_equal(close(second.log), 0);
    assert_int_equal(stop(f), 0);
}

/* Kills and failed syncs: the others live on, and the ledger comes back. */
static void test_restarts(void **state)
{
    static const enum life lives[] = {LIFE_KILLED, LIFE_UNCERTAIN, LIFE_NO_START, LIFE_NO_START,
                                      LIFE_KILLED};
    struct fixture *f = *state;

    start(f, lives, 5);
    wait_line(f, "start_process | result: success | process: ledger", 6);
    wait_line(f, "process: worker | index: 1", 1);
    assert_int_equal(stop(f), 0);
    assert_int_equal(count_of(f, "start_process | result: success | process: worker"), 2);
    assert_int_equal(count_of(f, "action: listen"), 1);
    assert_int_equal(count_of(f, "action: ledger | result: fail | reason: it is damaged\n"), 2);
    assert_int_equal(count_of(f, "action: ledger | result: fail | reason: a sync failed\n"), 1);
}

/* Three recoveries in a row that end in an error end the server, and the others in good order. */
static void test_three_failures(void **state)
{
    static const enum life lives[] = {LIFE_KILLED, LIFE_NO_START, LIFE_NO_START, LIFE_NO_START};
    struct fixture *f = *state;

    start(f, lives, 4);
    assert_int_equal(finish(f), 1);
    assert_int_equal(script->ledgers, 4);
    assert_non_null(
        strstr(f->text, "CRITICAL action: store | result: fail | reason: data directory "));
    assert_non_null(strstr(f->text, ": it is damaged\n"));
    assert_int_equal(count_of(f, "action: close_process | result: success"), 3);
    assert_int_equal(script->coordinator_stop, 3);
    assert_int_equal(count_of(f, "action: exit"), 0);
}

/* So does a folder that is gone. */
static void test_gone(void **state)
{
    static const enum life lives[] = {LIFE_GONE};
    struct fixture *f = *state;

    start(f, lives, 1);
    assert_int_equal(finish(f), 1);
    assert_int_equal(script->ledgers, 1);
    assert_non_null(strstr(f->text, ": it is gone\n"));
    assert_int_equal(count_of(f, "action: exit"), 0);
}

static bool has_ack(void)
{
    return script->acks == 1;
}

static bool has_two_acks(void)
{
    return script->acks == 2;
}

/* The draw is logged once and each ledger gets its acknowledgement, across lives. */
static void test_sorteo(void **state)
{
    static const enum life lives[] = {LIFE_DRAWS, LIFE_DRAWN};
    struct fixture *f = *state;

    start(f, lives, 2);
    wait_line(f, "INFO     action: sorteo | result: success | ganadores: 12\n", 1);
    wait_until(has_ack);
    const char *pid = strstr(f->text, "process: ledger");
    assert_int_equal(kill((pid_t)atoi(strstr(pid, "pid: ") + 5), SIGKILL), 0);
    wait_line(f, "start_process | result: success | process: ledger", 2);
    wait_until(has_two_acks);
    assert_int_equal(stop(f), 0);
    assert_int_equal(count_of(f, "sorteo"), 1);
}

/* A worker that does not end is killed in time for the others to end by themselves. */
static void test_hanging_workers(void **state)
{
    struct fixture *f = *state;

    script->hangs = true;
    start(f, NULL, 0);
    wait_line(f, "action: start_process", 4);
    assert_int_equal(stop(f), 0);
    assert_int_equal(count_of(f, "killed by signal 9"), 2);
    assert_int_equal(script->coordinator_stop, 1);
    assert_int_equal(script->ledger_stop, 2);
}

/* In mode echo there is neither ledger nor coordinator nor folder. */
static void test_echo(void **state)
{
    struct fixture *f = *state;

    f->settings.mode = SERVER_MODE_ECHO;
    (void)strcat(f->settings.data_dir, "/nowhere");
    start(f, NULL, 0);
    wait_line(f, "action: start_process", 2);
    assert_int_equal(stop(f), 0);
    assert_int_equal(script->ledgers, 0);
    assert_int_equal(count_of(f, "action: close_process | result: success"), 2);
    assert_int_equal(count_of(f, "coordinator"), 0);
}

static void assert_current(const struct fixture *f, const char *expected)
{
    char text[100] = "";
    char path[400];

    (void)snprintf(path, sizeof(path), "%s/current", f->folder);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        assert_true(read(fd, text, sizeof(text) - 1) >= 0);
        assert_int_equal(close(fd), 0);
    }
    assert_string_equal(text, expected);
}

static void write_file(const struct fixture *f, const char *name, const char *text)
{
    char path[400];

    (void)snprintf(path, sizeof(path), "%s/%s", f->folder, name);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void make_folder(const struct fixture *f, const char *name)
{
    char path[400];

    (void)snprintf(path, sizeof(path), "%s/%s", f->folder, name);
    assert_int_equal(mkdir(path, 0750), 0);
}

static bool has_folder(const struct fixture *f, const char *name)
{
    char path[400];

    (void)snprintf(path, sizeof(path), "%s/%s", f->folder, name);
    return access(path, F_OK) == 0;
}

/* Forgets what was written so far, to look for what comes. */
static void forget(struct fixture *f)
{
    f->size = 0;
    memset(f->text, 0, sizeof(f->text));
}

static struct asking next_to(const char *id, enum asks asks)
{
    struct asking asking = {.asks = asks, .movement = {.kind = MOVEMENT_NEXT, .uid = 1234}};

    (void)snprintf(asking.movement.id, sizeof(asking.movement.id), "%s", id);
    return asking;
}

#define ALL_STARTED 4 /* lines `start_process` of a generation */

/* A draw with an id has its own folder, and is in force from its beginning on. Without an id
 * nothing is written about it. */
static void test_draw_folder(void **state)
{
    struct fixture *f = *state;
    char path[400];

    start(f, NULL, 0);
    wait_line(f, "action: start_process", ALL_STARTED);
    wait_line(f, "process: coordinator", 1);
    assert_int_equal(stop(f), 0);
    assert_current(f, "");
    assert_string_equal(script->draw_dir, script->base);
    assert_string_equal(script->terms.id, "");
    assert_int_equal(close(f->log), 0);
    forget(f);

    set(f, "LOTTERY_DRAW_ID = a1\nLOTTERY_SEAL_KEY = the.key\n");
    start(f, NULL, 0);
    wait_line(f, "action: start_process", ALL_STARTED);
    assert_int_equal(stop(f), 0);
    assert_current(f, "a1\n");
    (void)snprintf(path, sizeof(path), "%s/a1", script->base);
    assert_string_equal(script->draw_dir, path);
    assert_string_equal(script->seal_key, "the.key");
    assert_string_equal(script->terms.id, "a1");
    assert_int_equal(count_of(f, "WARNING"), 0);
}

/* What `current` says goes before the setting, with a warning; the folder has to be there. */
static void test_current_wins(void **state)
{
    struct fixture *f = *state;

    set(f, "LOTTERY_DRAW_ID = a1\n");
    write_file(f, "current", "b2\n");
    start(f, NULL, 0);
    assert_int_equal(finish(f), 1);
    assert_non_null(strstr(f->text, "/b2: No such file or directory\n"));
    assert_int_equal(script->ledgers, 0);
    assert_int_equal(close(f->log), 0);
    forget(f);

    make_folder(f, "b2");
    start(f, NULL, 0);
    wait_line(f, "action: start_process", ALL_STARTED);
    assert_int_equal(stop(f), 0);
    assert_string_equal(script->terms.id, "b2");
    assert_non_null(strstr(f->text, "WARNING  action: config | result: success | reason: the file "
                                    "current goes before LOTTERY_DRAW_ID | setting: a1 | "
                                    "current: b2\n"));
    assert_current(f, "b2\n");
    assert_false(has_folder(f, "a1"));
}

/* A `current` that is not an id, or a link for a folder: no start. */
static void test_bad_current(void **state)
{
    struct fixture *f = *state;
    char path[400];

    write_file(f, "current", "../elsewhere\n");
    start(f, NULL, 0);
    assert_int_equal(finish(f), 1);
    assert_non_null(
        strstr(f->text, "CRITICAL action: start | result: fail | reason: data directory "));
    assert_non_null(strstr(f->text, ": current: it is not the id of a draw in one line: write the "
                                    "id of the draw in force into it\n"));
    assert_int_equal(close(f->log), 0);
    forget(f);

    write_file(f, "current", "a1\n");
    (void)snprintf(path, sizeof(path), "%s/a1", f->folder);
    assert_int_equal(symlink("/tmp", path), 0);
    start(f, NULL, 0);
    assert_int_equal(finish(f), 1);
    assert_non_null(strstr(f->text, "/a1: it is not a folder, or a symbolic link"));
    assert_int_equal(script->ledgers, 0);
}

/* What the settings say of a draw reaches the ledger; an operator's draw has no number before. */
static void test_manual_terms(void **state)
{
    struct fixture *f = *state;

    set(f, "LOTTERY_DRAW = manual\nLOTTERY_CLOSE_AT = 2026-11-25T21:00:00Z\n");
    start(f, NULL, 0);
    wait_line(f, "action: start_process", ALL_STARTED);
    assert_int_equal(stop(f), 0);
    assert_int_equal(script->terms.mode, DRAW_MANUAL);
    assert_true(script->terms.has_seal);
    assert_true(script->terms.close_at_s == 1795640400);
    assert_int_equal(script->number, 0);
    assert_int_equal(close(f->log), 0);
    forget(f);

    set(f, "LOTTERY_WINNER_NUMBER = 55\n");
    start(f, NULL, 0);
    wait_line(f, "action: start_process", ALL_STARTED);
    assert_int_equal(stop(f), 0);
    assert_int_equal(script->terms.mode, DRAW_AUTO);
    assert_false(script->terms.has_seal);
    assert_int_equal(script->number, 55);
}

static bool has_moved(void)
{
    return script->moved > 0;
}

/* SIGHUP: all children are replaced, in good order, and follow the new settings; the socket stays
 * open. */
static void test_hangup(void **state)
{
    struct fixture *f = *state;
    char expected[100];

    set(f, "LOTTERY_DRAW_ID = a1\n");
    start(f, NULL, 0);
    wait_line(f, "action: start_process", ALL_STARTED);
    assert_int_equal(script->agencies, 5);
    script->asking[1].asks = ASKS_WHAT;
    write_config(f, "LOTTERY_DRAW_ID = a1\nLOTTERY_AGENCIES = 7\n");
    assert_int_equal(kill(f->pid, SIGHUP), 0);
    wait_line(f, "action: start_process", 2 * ALL_STARTED);
    (void)snprintf(expected, sizeof(expected),
                   "INFO     action: recarga | result: success | uid: %u\n", (unsigned)getuid());
    assert_int_equal(count_of(f, expected), 1);
    assert_int_equal(script->agencies, 7);
    assert_int_equal(script->last_worker_stop, 2);
    assert_int_equal(script->coordinator_stop, 3);
    assert_int_equal(script->ledger_stop, 4);
    wait_until(has_moved);
    assert_int_equal(script->movement.kind, MOVEMENT_RELOAD);
    assert_int_equal(script->movement.uid, getuid());
    assert_string_equal(script->moved_reason, "");
    assert_int_equal(stop(f), 0);
    assert_int_equal(count_of(f, "action: listen"), 1);
    assert_int_equal(count_of(f, "close_listener"), 1);
    assert_int_equal(count_of(f, "action: close_process | result: success"), 2 * ALL_STARTED);
    assert_int_equal(count_of(f, "result: fail"), 0);
    assert_int_equal(count_of(f, "agencies: 7"), 1); /* the line `config` */
    assert_current(f, "a1\n");
}

static void hang_up(struct fixture *f, const char *lines, const char *reason)
{
    forget(f);
    write_config(f, lines);
    assert_int_equal(kill(f->pid, SIGHUP), 0);
    wait_line(f, "WARNING  action: recarga | result: fail | reason: ", 1);
    if (strstr(f->text, reason) == NULL)
        fail_msg("\"%s\" is not in: %s", reason, f->text);
}

/* Bad settings, and some that cannot change: nothing happens but a line. */
static void test_hangup_refused(void **state)
{
    struct fixture *f = *state;

    script->asking[0].asks = ASKS_WHAT;
    start(f, NULL, 0);
    wait_line(f, "action: start_process", ALL_STARTED);
    hang_up(f, "LOTTERY_AGENCIES = x\n", ".ini:7: LOTTERY_AGENCIES: \"x\" is not a number");
    wait_until(has_moved);
    assert_non_null(strstr(script->moved_reason, "LOTTERY_AGENCIES: \"x\" is not a number"));
    hang_up(f, "LOTTERY_AGENCIES = 4\n", "LOTTERY_AGENCIES is 4: this draw has 5");
    hang_up(f, "SERVER_LISTEN_BACKLOG = 6\n", "SERVER_LISTEN_BACKLOG cannot change while");
    hang_up(f, "LOTTERY_DRAW_ID = a1\n", "LOTTERY_DRAW_ID cannot change in a draw");
    assert_false(has_folder(f, "a1"));
    assert_int_equal(unlink(f->config), 0);
    assert_int_equal(mkfifo(f->config, 0600), 0);
    forget(f);
    assert_int_equal(kill(f->pid, SIGHUP), 0);
    wait_line(f, ".ini: only a regular file can be read again | uid: ", 1);
    assert_int_equal(script->ledgers, 1);
    assert_int_equal(script->stops, 0);
    assert_int_equal(stop(f), 0);
    assert_int_equal(script->stops, ALL_STARTED);
}

/* In mode echo there are workers to replace. */
static void test_hangup_echo(void **state)
{
    struct fixture *f = *state;

    set(f, "SERVER_MODE = echo\n");
    start(f, NULL, 0);
    wait_line(f, "action: start_process", 2);
    assert_int_equal(kill(f->pid, SIGHUP), 0);
    wait_line(f, "action: start_process", 4);
    assert_int_equal(stop(f), 0);
    assert_int_equal(count_of(f, "action: recarga | result: success"), 1);
    assert_int_equal(script->ledgers, 0);
}

/* The lines of the log get another form, from the stop of the old children on. Where the new ones
 * cannot start, the way back leads to the form that there was. */
static void test_hangup_log_format(void **state)
{
    static const enum life lives[] = {LIFE_GOOD, LIFE_GOOD, LIFE_NO_START, LIFE_GOOD};
    struct fixture *f = *state;

    start(f, lives, 4);
    wait_line(f, "action: start_process", ALL_STARTED);
    assert_null(strchr(f->text, '<'));
    write_config(f, "LOG_FORMAT = journal\n");
    assert_int_equal(kill(f->pid, SIGHUP), 0);
    wait_line(f, "\n<6>INFO     action: recarga | result: success | ", 1);
    wait_line(f, "\n<7>DEBUG    action: start_process | result: success | ", ALL_STARTED);
    assert_int_equal(count_of(f, " | log_format: journal | tls: off\n"), 1);

    write_config(f, "LOG_FORMAT = json\n");
    assert_int_equal(kill(f->pid, SIGHUP), 0);
    wait_line(f, "\n<3>ERROR    action: recarga | result: fail | reason: data directory ", 1);
    wait_line(f, "\n<7>DEBUG    action: start_process | result: success | ", 2 * ALL_STARTED);
    assert_int_equal(count_of(f, "\"action\":\"start_process\""), 1); /* of the one that cannot */
    assert_int_equal(stop(f), 0);
    assert_int_equal(count_of(f, "\n<6>INFO     action: exit | result: success\n"), 1);
}

#define TLS(cert) "TLS_CERT = " cert "\nTLS_KEY = the.key\nTLS_CA = the.ca\n"

/* Waits until so many workers have begun. */
static void wait_workers(unsigned count)
{
    for (unsigned tries = 0; script->workers < count; tries++) {
        assert_true(tries < WAIT_S * 1000);
        (void)nanosleep(&(struct timespec){0, 1000000}, NULL);
    }
}

static void hang_up_to(struct fixture *f, const char *lines, unsigned workers)
{
    forget(f);
    write_config(f, lines);
    assert_int_equal(kill(f->pid, SIGHUP), 0);
    wait_line(f, "action: recarga | result: success", 1);
    wait_workers(workers);
}

/* What is read at the start and at each reload is what the workers of that generation have, and
 * nobody else keeps it: TLS can be given another certificate, switched off, and on again. */
static void test_tls(void **state)
{
    static const char *const lines[] = {"", "SERVER_MODE = echo\n"};
    struct fixture *f = *state;
    char text[200];

    for (unsigned i = 0; i < 2; i++) {
        (void)snprintf(text, sizeof(text), "%s" TLS("a.crt"), lines[i]);
        set(f, text);
        script->workers = 0;
        start(f, NULL, 0);
        wait_workers(2);
        assert_string_equal(script->cert, "a.crt");
        (void)snprintf(text, sizeof(text), "%s" TLS("b.crt"), lines[i]);
        hang_up_to(f, text, 4);
        assert_string_equal(script->cert, "b.crt");
        assert_int_equal(count_of(f, "INFO     action: tls | result: success | certificate: b.crt "
                                     "| valid_until: 2026-11-26T00:00:01Z\n"),
                         1);
        assert_before(f, " | tls: on\n", "action: tls");
        assert_before(f, "action: tls", "action: recarga");
        hang_up_to(f, lines[i], 6);
        assert_string_equal(script->cert, "");
        assert_int_equal(count_of(f, "action: tls "), 0);
        assert_int_equal(count_of(f, " | tls: off\n"), 1);
        (void)snprintf(text, sizeof(text), "%s" TLS("a.crt"), lines[i]);
        hang_up_to(f, text, 8);
        assert_string_equal(script->cert, "a.crt");
        /* One that is started again inherits the same. */
        (void)memset(script->cert, 0, sizeof(script->cert));
        assert_int_equal(kill(script->last_worker, SIGKILL), 0);
        wait_workers(9);
        assert_string_equal(script->cert, "a.crt");
        assert_int_equal(stop(f), 0);
        assert_int_equal(close(f->log), 0);
        forget(f);
    }
    f->log = -1;
}

/* Bad files, and good ones that are out of their time, change nothing. */
static void test_tls_refused(void **state)
{
    static const char *const lines[] = {TLS("a.crt"), "SERVER_MODE = echo\n" TLS("a.crt")};
    struct fixture *f = *state;

    for (unsigned i = 0; i < 2; i++) {
        set(f, lines[i]);
        script->workers = script->stops = 0;
        start(f, NULL, 0);
        wait_workers(2);
        script->tls_status = STATUS_INVALID;
        hang_up(f, lines[i], "reason: the.key: not the key of the certificate | uid: ");
        script->tls_status = STATUS_OK;
        script->dates_status = STATUS_INVALID;
        hang_up(f, lines[i], "reason: a.crt has expired | uid: ");
        script->dates_status = STATUS_OK;
        assert_int_equal(script->stops, 0);
        hang_up_to(f, lines[i], 4);
        assert_int_equal(stop(f), 0);
        assert_int_equal(close(f->log), 0);
        forget(f);
    }
    f->log = -1;
}

static bool has_prepared(void)
{
    return script->prepared > 0;
}

/* A worker that is started while other settings are prepared has nothing of theirs. */
static void test_tls_is_prepared(void **state)
{
    struct fixture *f = *state;

    script->asking[0].asks = ASKS_WAIT;
    script->asking[0].movement.kind = MOVEMENT_RELOAD;
    set(f, TLS("a.crt"));
    write_config(f, TLS("b.crt"));
    start(f, NULL, 0);
    wait_workers(2);
    wait_until(has_prepared);
    (void)memset(script->cert, 0, sizeof(script->cert));
    assert_int_equal(kill(script->last_worker, SIGKILL), 0);
    wait_workers(3);
    assert_string_equal(script->cert, "a.crt");
    assert_int_equal(stop(f), 0);
}

/* The next draw gets what the files are then; if they are bad, there is no next draw. */
static void test_tls_of_the_next_draw(void **state)
{
    static const enum life lives[] = {LIFE_DRAWN, LIFE_GOOD};
    struct fixture *f = *state;

    script->asking[0] = next_to("b2", ASKS_COMMIT);
    set(f, "LOTTERY_DRAW_ID = a1\n" TLS("a.crt"));
    write_config(f, "LOTTERY_DRAW_ID = a1\n" TLS("b.crt"));
    start(f, lives, 2);
    wait_line(f, "action: siguiente_sorteo | result: success", 1);
    wait_workers(4);
    assert_string_equal(script->cert, "b.crt");
    assert_int_equal(stop(f), 0);
}

/* The way back leads to the certificate that there was. */
static void test_tls_comes_back(void **state)
{
    static const enum life lives[] = {LIFE_GOOD, LIFE_NO_START, LIFE_GOOD};
    struct fixture *f = *state;

    set(f, TLS("a.crt"));
    start(f, lives, 3);
    wait_workers(2);
    write_config(f, TLS("b.crt"));
    assert_int_equal(kill(f->pid, SIGHUP), 0);
    wait_line(f, "ERROR    action: recarga | result: fail | reason: data directory ", 1);
    wait_workers(4);
    assert_string_equal(script->cert, "a.crt");
    assert_int_equal(stop(f), 0);
}

/* A server that cannot even open its folder wipes the key, too. */
static void test_tls_without_folder(void **state)
{
    struct fixture *f = *state;

    set(f, TLS("a.crt"));
    (void)strcat(f->settings.data_dir, "/nowhere");
    start(f, NULL, 0);
    assert_int_equal(finish(f), 1);
}

static bool has_three_given(void)
{
    return script->given == 3;
}

/* The present ledger fails while it stops: it recovers, with the settings before, and the next
 * attempt is as good as any. */
static void test_hangup_while_it_fails(void **state)
{
    static const enum life lives[] = {LIFE_BAD_END, LIFE_GOOD};
    struct fixture *f = *state;

    start(f, lives, 2);
    wait_line(f, "action: start_process", ALL_STARTED);
    write_config(f, "LOTTERY_AGENCIES = 7\n");
    assert_int_equal(kill(f->pid, SIGHUP), 0);
    wait_line(f, "ERROR    action: recarga | result: fail | reason: data directory ", 1);
    wait_line(f, "action: start_process", 2 * ALL_STARTED);
    assert_non_null(strstr(f->text, ": a sync failed | uid: "));
    assert_int_equal(kill(f->pid, SIGHUP), 0);
    wait_line(f, "action: recarga | result: success", 1);
    wait_line(f, "action: start_process", 3 * ALL_STARTED);
    assert_int_equal(script->agencies, 7);
    assert_int_equal(script->given, 3);
    assert_int_equal(stop(f), 0);
}

/* The ledger does not begin with the new settings: the old ones come back. */
static void test_hangup_fails(void **state)
{
    static const enum life lives[] = {LIFE_GOOD, LIFE_NO_START, LIFE_GOOD};
    struct fixture *f = *state;

    start(f, lives, 3);
    wait_line(f, "action: start_process", ALL_STARTED);
    write_config(f, "LOTTERY_AGENCIES = 7\n");
    assert_int_equal(kill(f->pid, SIGHUP), 0);
    wait_line(f, "ERROR    action: recarga | result: fail | reason: data directory ", 1);
    wait_line(f, "action: start_process", 2 * ALL_STARTED + 1);
    assert_non_null(strstr(f->text, ": it is damaged | uid: "));
    wait_until(has_three_given);
    assert_int_equal(script->agencies, 5);
    assert_int_equal(script->ledgers, 3);
    /* and so it is with the next attempt */
    script->lives[3] = LIFE_GOOD;
    assert_int_equal(kill(f->pid, SIGHUP), 0);
    wait_line(f, "action: recarga | result: success", 1);
    wait_line(f, "action: start_process", 3 * ALL_STARTED + 1);
    assert_int_equal(script->agencies, 7);
    assert_int_equal(stop(f), 0);
}

/* The next draw: its own folder, terms and settings; `current` names it once it has begun. */
static void test_next(void **state)
{
    static const enum life lives[] = {LIFE_DRAWN, LIFE_GOOD};
    struct fixture *f = *state;
    char path[400];

    script->asking[0] = next_to("b2", ASKS_COMMIT);
    script->asking[0].movement.close_at_s = 4102444800;
    set(f, "LOTTERY_DRAW_ID = a1\nLOTTERY_DRAW = manual\n");
    write_config(f, "LOTTERY_DRAW_ID = a1\nLOTTERY_DRAW = manual\nLOTTERY_SEAL = no\n"
                    "LOTTERY_AGENCIES = 3\n");
    start(f, lives, 2);
    wait_line(f, "action: start_process", 2 * ALL_STARTED);
    wait_line(f, "INFO     action: siguiente_sorteo | result: success | sorteo: b2 | uid: 1234\n",
              1);
    assert_int_equal(stop(f), 0);
    assert_current(f, "b2\n");
    assert_true(has_folder(f, "a1"));
    (void)snprintf(path, sizeof(path), "%s/b2", script->base);
    assert_string_equal(script->draw_dir, path);
    assert_string_equal(script->terms.id, "b2");
    assert_true(script->terms.close_at_s == 4102444800);
    assert_false(script->terms.has_seal);
    assert_int_equal(script->agencies, 3);
    assert_int_equal(script->prepared, 1);
    assert_int_equal(count_of(f, "action: listen"), 1);
    assert_int_equal(count_of(f, "result: fail"), 0);
}

/* One coordinator that asks, is refused, and changes nothing. */
static void refuse(struct fixture *f, const struct asking *asking, enum life life,
                   const char *lines, const char *reason)
{
    script->asking[0] = *asking;
    script->coordinators = 0;
    script->lives[0] = life;
    script->ledgers = 0;
    script->refused = 0;
    set(f, lines);
    start(f, NULL, 0);
    wait_line(f, "WARNING  action: siguiente_sorteo | result: fail | sorteo: ", 1);
    wait_line(f, "action: start_process", ALL_STARTED);
    assert_int_equal(stop(f), 0);
    assert_int_equal(script->ledgers, 1);
    assert_int_equal(script->refused, 1);
    if (strstr(f->text, reason) == NULL || strstr(script->reason, reason) == NULL)
        fail_msg("\"%s\" is not in \"%s\" or in: %s", reason, script->reason, f->text);
    assert_int_equal(close(f->log), 0);
    f->log = -1;
    forget(f);
}

/* Bad files of TLS, for example. */
static void test_tls_without_next_draw(void **state)
{
    struct fixture *f = *state;
    const struct asking asking = next_to("b2", ASKS_COMMIT);

    script->dates_status = STATUS_INVALID;
    refuse(f, &asking, LIFE_DRAWN, "LOTTERY_DRAW_ID = a1\n" TLS("a.crt"), "a.crt has expired");
    assert_false(has_folder(f, "b2"));
}

/* What is wrong is found before anything is stopped. */
static void test_next_refused(void **state)
{
    struct fixture *f = *state;
    struct asking asking = next_to("b2", ASKS_COMMIT);

    refuse(f, &asking, LIFE_GOOD, "LOTTERY_DRAW_ID = a1\n",
           "the draw in force has not been held yet");
    assert_false(has_folder(f, "b2"));
    asking.movement.close_at_s = 4102444800;
    refuse(f, &asking, LIFE_DRAWN, "LOTTERY_DRAW_ID = a1\n",
           "only a draw that an operator runs has a closing time");
    asking.movement.close_at_s = 1;
    refuse(f, &asking, LIFE_DRAWN, "LOTTERY_DRAW_ID = a1\nLOTTERY_DRAW = manual\n",
           "the closing time has passed already");
    assert_false(has_folder(f, "b2"));
    asking = next_to("a1", ASKS_COMMIT);
    refuse(f, &asking, LIFE_DRAWN, "LOTTERY_DRAW_ID = a1\n",
           "a1 is the draw in force: choose another id");
    assert_current(f, "a1\n");
}

/* A name that is another draw's, or a file's. */
static void test_next_taken(void **state)
{
    struct fixture *f = *state;
    const struct asking asking = next_to("b2", ASKS_COMMIT);

    make_folder(f, "b2");
    write_file(f, "b2/bets.csv", "1,Ana,Paz,1,1999-03-17,7574\r\n");
    refuse(f, &asking, LIFE_DRAWN, "", "/b2: it has a draw already: choose another id");
    write_file(f, "b2/bets.csv", "");
    write_file(f, "b2/bets.journal", "x");
    script->check_status = STATUS_DAMAGED;
    refuse(f, &asking, LIFE_DRAWN, "", "/b2: it is damaged");
    script->check_status = STATUS_OK;
    script->check_opened = (struct draw_opened){.agencies = 5, .winner_number = 7574};
    strcpy(script->check_opened.terms.id, "b2");
    script->check_bets = 1;
    refuse(f, &asking, LIFE_DRAWN, "", "/b2: it has a draw already: choose another id");
    script->check_bets = 0;
    refuse(f, &asking, LIFE_DRAWN, "LOTTERY_AGENCIES = 4\n", "/b2: it has a draw already");
    write_file(f, "c3", "");
    const struct asking other = next_to("c3", ASKS_COMMIT);
    refuse(f, &other, LIFE_DRAWN, "", "/c3: it is not a folder, or a symbolic link");
    assert_current(f, "");
}

/* What an attempt has left that ended before `current` was replaced is the next draw all the same.
 */
static void test_next_leftover(void **state)
{
    static const enum life lives[] = {LIFE_DRAWN, LIFE_GOOD};
    struct fixture *f = *state;

    make_folder(f, "b2");
    write_file(f, "b2/bets.journal", "x");
    script->check_opened = (struct draw_opened){.agencies = 5, .winner_number = 7574};
    strcpy(script->check_opened.terms.id, "b2");
    script->asking[0] = next_to("b2", ASKS_COMMIT);
    start(f, lives, 2);
    wait_line(f, "action: siguiente_sorteo | result: success | sorteo: b2", 1);
    assert_int_equal(stop(f), 0);
    assert_current(f, "b2\n");
}

/* The next ledger cannot begin: the draw before comes back, and stays in force; also after a stop
 * and a start. */
static void test_next_fails(void **state)
{
    static const enum life lives[] = {LIFE_DRAWN, LIFE_NO_START, LIFE_DRAWN};
    struct fixture *f = *state;

    script->asking[0] = next_to("b2", ASKS_COMMIT);
    script->asking[1].asks = ASKS_WHAT;
    set(f, "LOTTERY_DRAW_ID = a1\n");
    start(f, lives, 3);
    wait_line(f,
              "ERROR    action: siguiente_sorteo | result: fail | sorteo: b2 | reason: data "
              "directory ",
              1);
    wait_line(f, "action: start_process", 2 * ALL_STARTED + 1);
    assert_non_null(strstr(f->text, "/b2: it is damaged | uid: 1234\n"));
    wait_until(has_moved);
    assert_string_equal(script->movement.id, "b2");
    assert_non_null(strstr(script->moved_reason, "/b2: it is damaged"));
    wait_until(has_three_given);
    assert_current(f, "a1\n");
    assert_string_equal(script->terms.id, "a1");
    assert_int_equal(stop(f), 0);
    assert_int_equal(count_of(f, "sorteo | result: success"), 0);
}

/* What is taken back is undone, cannot be committed, and can be asked for again. */
static void test_cancel(void **state)
{
    static const enum life lives[] = {LIFE_DRAWN, LIFE_GOOD};
    struct fixture *f = *state;

    script->asking[0] = next_to("b2", ASKS_CANCEL);
    start(f, lives, 2);
    wait_line(f, "action: siguiente_sorteo | result: success | sorteo: b2", 1);
    assert_int_equal(stop(f), 0);
    assert_int_equal(script->prepared, 2);
    assert_int_equal(script->refused, 1);
    assert_string_equal(script->reason, "it is not prepared any more");
}

static bool has_four_workers(void)
{
    return script->workers == 4;
}

static bool has_five_workers(void)
{
    return script->workers == 5;
}

static bool has_two_prepared(void)
{
    return script->prepared == 2;
}

/* While one is prepared, another one is refused, also one that a signal asks for. */
static void test_two_movements(void **state)
{
    static const enum life lives[] = {LIFE_DRAWN, LIFE_DRAWN, LIFE_GOOD};
    struct fixture *f = *state;

    script->asking[0] = next_to("b2", ASKS_TWICE);
    script->asking[1] = next_to("c3", ASKS_WAIT);
    start(f, lives, 3);
    wait_line(f, "action: siguiente_sorteo | result: success | sorteo: b2", 1);
    assert_string_equal(script->reason, "another movement is under way");
    wait_until(has_two_prepared);
    wait_until(has_four_workers);
    assert_true(has_folder(f, "c3"));
    /* A worker that is started meanwhile has nothing of the generation that is prepared. */
    forget(f);
    assert_int_equal(kill(script->last_worker, SIGKILL), 0);
    wait_line(f, "action: start_process | result: success | process: worker", 1);
    wait_until(has_five_workers);
    assert_int_equal(kill(f->pid, SIGHUP), 0);
    wait_line(f,
              "action: recarga | result: fail | reason: another movement is under way | uid: ", 1);
    assert_int_equal(stop(f), 0);
    assert_false(has_folder(f, "c3"));
    assert_current(f, "b2\n");
}

/* The coordinator is told that nothing came of the movement to b2. */
static void assert_heard_end(void)
{
    assert_int_equal(script->moved, 1);
    assert_int_equal(script->movement.kind, MOVEMENT_NEXT);
    assert_string_equal(script->movement.id, "b2");
    assert_int_equal(script->movement.uid, 1234);
    assert_string_equal(script->moved_reason,
                        "the coordinator has ended before the movement began");
}

/* It dies before it commits: undone, and the next coordinator is told, and can ask. */
static void test_coordinator_dies(void **state)
{
    static const enum life lives[] = {LIFE_DRAWN, LIFE_GOOD};
    struct fixture *f = *state;

    script->asking[0] = next_to("b2", ASKS_DIE);
    script->asking[1] = next_to("c3", ASKS_AFTER);
    start(f, lives, 2);
    wait_line(f, "action: siguiente_sorteo | result: success | sorteo: c3", 1);
    assert_int_equal(stop(f), 0);
    assert_non_null(strstr(f->text, "ERROR    action: siguiente_sorteo | result: fail | sorteo: b2 "
                                    "| reason: the coordinator has ended before the movement "
                                    "began | uid: 1234\n"));
    assert_heard_end();
    assert_false(has_folder(f, "b2"));
    assert_current(f, "c3\n");
}

/* The answer to one that is dead is not for the next one. */
static void test_coordinator_dies_deaf(void **state)
{
    static const enum life lives[] = {LIFE_DRAWN};
    struct fixture *f = *state;

    script->asking[0] = next_to("b2", ASKS_DIE_DEAF);
    script->asking[1] = next_to("a1", ASKS_AFTER);
    set(f, "LOTTERY_DRAW_ID = a1\n");
    start(f, lives, 1);
    wait_line(f, "WARNING  action: siguiente_sorteo | result: fail | sorteo: a1", 1);
    assert_int_equal(stop(f), 0);
    assert_heard_end();
    assert_int_equal(script->prepared, 0);
    assert_false(has_folder(f, "b2"));
    assert_current(f, "a1\n");
}

/* What it has committed takes place, whatever becomes of it. */
static void test_coordinator_commits_and_dies(void **state)
{
    static const enum life lives[] = {LIFE_DRAWN, LIFE_GOOD};
    struct fixture *f = *state;

    script->asking[0] = next_to("b2", ASKS_COMMIT_DIE);
    start(f, lives, 2);
    wait_line(f, "action: siguiente_sorteo | result: success | sorteo: b2", 1);
    assert_int_equal(stop(f), 0);
    assert_current(f, "b2\n");
}

static bool has_second_ledger(void)
{
    return script->ledgers > 1;
}

/* A stop while the next ledger begins: the server stops, and the draw before is in force. */
static void test_stop_in_a_movement(void **state)
{
    static const enum life lives[] = {LIFE_DRAWN, LIFE_RECOVERS};
    struct fixture *f = *state;

    script->asking[0] = next_to("b2", ASKS_COMMIT);
    set(f, "LOTTERY_DRAW_ID = a1\n");
    start(f, lives, 2);
    wait_until(has_second_ledger);
    assert_int_equal(stop(f), 0);
    assert_current(f, "a1\n");
    assert_int_equal(count_of(f, "siguiente_sorteo"), 0);
    assert_int_equal(count_of(f, "result: fail"), 0);
}

/* The supervisor is killed while the next ledger begins: the draw before is in force, and a server
 * that starts on it can go to the next one. */
static void test_killed_in_a_movement(void **state)
{
    static const enum life lives[] = {LIFE_DRAWN, LIFE_RECOVERS, LIFE_DRAWN, LIFE_GOOD};
    struct fixture *f = *state;
    int status;

    script->asking[0] = script->asking[1] = next_to("b2", ASKS_COMMIT);
    set(f, "LOTTERY_DRAW_ID = a1\n");
    start(f, lives, 4);
    wait_until(has_second_ledger);
    assert_int_equal(kill(f->pid, SIGKILL), 0);
    while (read_more(f))
        continue;
    assert_int_equal(waitpid(f->pid, &status, 0), f->pid);
    f->pid = 0;
    assert_int_equal(close(f->log), 0);
    forget(f);
    assert_current(f, "a1\n");
    assert_true(has_folder(f, "b2"));
    start(f, NULL, 0);
    wait_line(f, "action: siguiente_sorteo | result: success | sorteo: b2", 1);
    assert_int_equal(stop(f), 0);
    assert_current(f, "b2\n");
}

/* `current` cannot be written: back to the draw before, although the next ledger has begun. */
static void test_current_cannot_be_written(void **state)
{
    static const enum life lives[] = {LIFE_DRAWN, LIFE_GOOD, LIFE_DRAWN};
    struct fixture *f = *state;

    make_folder(f, "current.new"); /* in the way of the new file */
    script->asking[0] = next_to("b2", ASKS_COMMIT);
    start(f, lives, 3);
    wait_line(
        f, "ERROR    action: siguiente_sorteo | result: fail | sorteo: b2 | reason: current: ", 1);
    wait_line(f, "action: start_process", 2 * ALL_STARTED + 1);
    assert_int_equal(stop(f), 0);
    assert_current(f, "");
    assert_string_equal(script->draw_dir, script->base);
    assert_int_equal(count_of(f, "siguiente_sorteo | result: success"), 0);
}

/* Once it is told that the draw is closed, no more agencies are taken. */
static void test_phase(void **state)
{
    struct fixture *f = *state;

    script->asking[0].phase = DRAW_CLOSED;
    script->asking[0].asks = ASKS_WAIT; /* an answer shows that the phase has arrived */
    script->asking[0].movement.kind = MOVEMENT_RELOAD;
    set(f, "");
    write_config(f, "LOTTERY_AGENCIES = 6\n");
    start(f, NULL, 0);
    wait_line(f,
              "WARNING  action: recarga | result: fail | reason: LOTTERY_AGENCIES is 6: this draw "
              "has 5, and takes no more since it was closed: set it back | uid: 0\n",
              1);
    assert_int_equal(stop(f), 0);
    assert_int_equal(script->refused, 1);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_order),
        CASE(test_stop_while_it_recovers),
        CASE(test_stop_while_it_is_away),
        CASE(test_no_start),
        CASE(test_port_taken),
        CASE(test_folder),
        CASE(test_restarts),
        CASE(test_three_failures),
        CASE(test_gone),
        CASE(test_sorteo),
        CASE(test_hanging_workers),
        CASE(test_echo),
        CASE(test_draw_folder),
        CASE(test_current_wins),
        CASE(test_bad_current),
        CASE(test_manual_terms),
        CASE(test_hangup),
        CASE(test_hangup_refused),
        CASE(test_hangup_echo),
        CASE(test_hangup_log_format),
        CASE(test_tls),
        CASE(test_tls_refused),
        CASE(test_tls_is_prepared),
        CASE(test_tls_of_the_next_draw),
        CASE(test_tls_without_next_draw),
        CASE(test_tls_comes_back),
        CASE(test_tls_without_folder),
        CASE(test_hangup_fails),
        CASE(test_hangup_while_it_fails),
        CASE(test_next),
        CASE(test_next_refused),
        CASE(test_next_taken),
        CASE(test_next_leftover),
        CASE(test_next_fails),
        CASE(test_cancel),
        CASE(test_two_movements),
        CASE(test_coordinator_dies),
        CASE(test_coordinator_dies_deaf),
        CASE(test_coordinator_commits_and_dies),
        CASE(test_stop_in_a_movement),
        CASE(test_killed_in_a_movement),
        CASE(test_current_cannot_be_written),
        CASE(test_phase),
    };

    return cmocka_run_group_tests_name("supervisor", tests, NULL, NULL);
}
