#include "sim_worker.h"

#include "dispatch.h"
#include "service.h"
#include "sim_agency.h"
#include "sim_disk.h"
#include "sim_random.h"
#include "sim_trace.h"
#include "sim_world.h"

#include <stdlib.h>
#include <string.h>

#define PIECES_MAX ((size_t)3 * FRAME_MAX_SIZE) /* bytes that are read at once */

struct sim_worker sim_workers[SIM_WORKERS_MAX];
struct sim_conn sim_conns[SIM_CONNS_MAX];
static size_t conns_end; /* after the last one that was used in this history */

static bool is_used(const struct sim_conn *conn)
{
    return conn->agency != NULL || conn->worker != NULL;
}

void sim_conns_reset(void)
{
    for (size_t i = 0; i < SIM_CONNS_MAX; i++) {
        sim_conns[i].agency = NULL;
        sim_conns[i].worker = NULL;
    }
    conns_end = 0;
}

struct sim_conn *sim_conn_open(struct sim_agency *agency, struct sim_worker *worker)
{
    for (size_t i = 0; i < SIM_CONNS_MAX; i++) {
        struct sim_conn *conn = &sim_conns[i];
        if (is_used(conn))
            continue;
        sim_queue_cut(&conn->to_worker, 0);
        sim_queue_cut(&conn->to_agency, 0);
        conn->agency = agency;
        conn->worker = worker;
        conn->has_session = conn->is_finishing = conn->is_refused = false;
        frame_reader_init(&conn->reader);
        if (i >= conns_end)
            conns_end = i + 1;
        return conn;
    }
    abort();
}

void sim_conn_send(struct sim_conn *conn, const uint8_t *frame, size_t size)
{
    struct prng *prng = &sim_world.prng;

    while (size > 1 && sim_chance(prng, sim_world.cuts)) {
        size_t piece = 1 + prng_below(prng, (uint32_t)size - 1);
        sim_queue_push(&conn->to_worker, frame, piece);
        frame += piece;
        size -= piece;
    }
    sim_queue_push(&conn->to_worker, frame, size);
}

void sim_conn_hang_up(struct sim_conn *conn)
{
    conn->agency->conn = NULL;
    conn->agency = NULL;
    sim_queue_cut(&conn->to_agency, 0);
}

void sim_conn_break(struct sim_conn *conn, struct prng *prng)
{
    sim_queue_cut(&conn->to_worker, prng_below(prng, (uint32_t)conn->to_worker.count + 1));
    if (conn->agency != NULL)
        sim_conn_hang_up(conn);
}

static void on_send(void *owner, const uint8_t *frame, size_t size)
{
    struct sim_conn *conn = owner;

    if (conn->agency != NULL)
        sim_queue_push(&conn->to_agency, frame, size);
}

static size_t on_backlog(void *owner)
{
    (void)owner;
    return 0;
}

static void on_progress(void *owner)
{
    (void)owner;
}

static void on_finish(void *owner)
{
    struct sim_conn *conn = owner;

    conn->is_finishing = true;
}

static const struct session_events events = {on_send, on_backlog, on_progress, on_finish};

static void close_conn(struct sim_conn *conn)
{
    if (conn->has_session)
        session_fini(&conn->session);
    conn->has_session = false;
    conn->worker = NULL;
    frame_reader_fini(&conn->reader);
    sim_queue_cut(&conn->to_worker, 0);
}

static bool on_frame(void *context, const struct frame *frame)
{
    struct sim_conn *conn = context;

    return dispatch_message(&conn->session, frame->opcode, frame->body, frame->body_size);
}

/* Some of the pieces that have come, in one. */
static size_t take_pieces(struct sim_conn *conn, uint8_t bytes[PIECES_MAX])
{
    const uint8_t *piece;
    size_t taken = 0;
    size_t size;

    do {
        piece = sim_queue_pop(&conn->to_worker, &size);
        memcpy(bytes + taken, piece, size);
        taken += size;
    } while (conn->to_worker.count > 0 && PIECES_MAX - taken >= FRAME_MAX_SIZE &&
             sim_chance(&sim_world.prng, sim_world.cuts));
    return taken;
}

/* Reads from one connection. */
static bool step_conn(struct sim_worker *worker, struct sim_conn *conn)
{
    static uint8_t bytes[PIECES_MAX];
    enum status status;

    if (conn->is_finishing) {
        close_conn(conn);
        return true;
    }
    if (!conn->has_session) {
        session_init(&conn->session, worker->service, &events, conn);
        conn->has_session = true;
    }
    if (conn->to_worker.count == 0 || conn->is_refused) {
        if (conn->agency == NULL)
            close_conn(conn);
        return conn->worker == NULL;
    }
    status = frame_reader_feed(&conn->reader, bytes, take_pieces(conn, bytes), on_frame, conn);
    if (status == STATUS_MALFORMED)
        sim_fail("a frame of agency %u was taken for something else", conn->session.agency);
    if (status == STATUS_NOMEM)
        close_conn(conn);
    conn->is_refused = status == STATUS_STOPPED;
    return true;
}

static bool step_conns(struct sim_worker *worker)
{
    size_t count = conns_end;
    size_t first = count > 0 ? prng_below(&sim_world.prng, (uint32_t)count) : 0;

    for (size_t i = 0; i < count; i++) {
        struct sim_conn *conn = &sim_conns[(first + i) % count];
        if (conn->worker == worker && step_conn(worker, conn))
            return true;
    }
    return false;
}

static void create_service(struct sim_worker *worker)
{
    struct service_config config = {
        .ledger = &worker->client.base, .ops = &sim_disk_ops, .dir_fd = worker->dir_fd};

    if (service_create(&config, &worker->service) != STATUS_OK)
        sim_process_exit();
}

static void on_told(struct ledger_op *op)
{
    LIST_ITEM(op, struct sim_worker, lost_op)->is_telling = false;
}

static void tell_lost(struct sim_worker *worker, enum store_files files)
{
    if (worker->is_telling)
        return;
    worker->is_telling = true;
    worker->lost_op = (struct ledger_op){.done = on_told};
    sim_client_files_lost(&worker->client, &worker->lost_op, files);
}

/* Sends the winners once there are some; if they cannot be read, again later. */
static bool send_winners(struct sim_worker *worker)
{
    enum store_files files = STORE_RESULT;
    struct errbuf err = {{0}};
    enum status status;

    if (worker->has_winners || !worker->client.news.has_winners)
        return false;
    status = service_read_result(worker->service, &err);
    if (status == STATUS_OK) {
        files = STORE_WINNERS;
        status = service_send_winners(worker->service, &err);
    }
    worker->has_winners = status == STATUS_OK;
    if (status == STATUS_NOTFOUND || status == STATUS_DAMAGED)
        tell_lost(worker, files);
    return true;
}

struct step {
    struct sim_worker *worker;
    bool has_worked;
};

static void run_step(void *context)
{
    struct step *step = context;
    struct sim_worker *worker = step->worker;

    step->has_worked = true;
    if (worker->service != NULL && sim_chance(&sim_world.prng, 500) && step_conns(worker))
        return;
    if (sim_client_step(&worker->client)) {
        if (worker->client.has_news && worker->service == NULL)
            create_service(worker);
        return;
    }
    step->has_worked = send_winners(worker) || (worker->service != NULL && step_conns(worker));
}

static void after_death(struct sim_worker *worker)
{
    SIM_TRACE("%s is dead", worker->process.name);
    sim_client_fini(&worker->client);
    worker->service = NULL;
    for (size_t i = 0; i < SIM_CONNS_MAX; i++) {
        struct sim_conn *conn = &sim_conns[i];
        if (conn->worker != worker)
            continue;
        conn->worker = NULL; /* its session is gone with the process */
        conn->has_session = false;
        sim_queue_cut(&conn->to_worker, 0);
    }
}

bool sim_worker_step(struct sim_worker *worker)
{
    struct step step = {worker, false};

    if (!sim_process_turn(&worker->process, run_step, &step))
        after_death(worker);
    return step.has_worked;
}

static void run_start(void *context)
{
    struct sim_worker *worker = context;

    worker->dir_fd = sim_disk_open_dir();
}

void sim_worker_start(struct sim_worker *worker)
{
    static const char *const names[SIM_WORKERS_MAX] = {"worker 1", "worker 2", "worker 3"};

    sim_process_start(&worker->process, names[worker - sim_workers]);
    SIM_TRACE("%s starts", worker->process.name);
    worker->service = NULL;
    worker->has_winners = worker->is_telling = false;
    sim_client_init(&worker->client, &worker->process, NULL);
    (void)sim_process_turn(&worker->process, run_start, worker);
}

void sim_worker_kill(struct sim_worker *worker)
{
    if (!worker->process.is_alive)
        return;
    sim_process_kill(&worker->process);
    if (!worker->process.is_alive)
        after_death(worker);
}
