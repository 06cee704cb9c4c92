#include "sim_ledger.h"

#include "clock.h"
#include "ledger_core.h"
#include "sim_check.h"
#include "sim_disk.h"
#include "sim_link.h"
#include "sim_operator.h"
#include "sim_random.h"
#include "sim_trace.h"
#include "sim_world.h"
#include "store_csv.h"

#include <fcntl.h>
#include <unistd.h>

#define FDS_MAX 16

static const struct store_backend *store_backend; /* of the store under test */
struct sim_ledger sim_ledger = {.process = {.may_write = true}};

static void on_send(void *owner, void *context, const struct message *message, const int *fds,
                    size_t count)
{
    struct {
        struct message message;
        int fds[FDS_MAX];
    } item = {.message = *message};
    struct sim_link *link = context;

    (void)owner;
    if (message->kind == MESSAGE_NEWS && message->news.has_winners && !sim_ledger.has_acknowledged)
        sim_fail("the ledger announces winners before the supervisor knows");
    sim_operator_check_sent(message);
    for (size_t i = 0; i < count; i++) {
        item.fds[i] = sim_fd_send(fds[i], link);
        (void)close(fds[i]);
    }
    sim_queue_push(&link->to_client, &item, sizeof(*message) + count * sizeof(int));
}

static void on_release(void *owner, void *context)
{
    (void)owner;
    sim_link_close_ledger(context);
}

static void on_tell(void *owner, const struct ledger_tells *tells)
{
    struct sim_ledger *ledger = owner;
    bool was_drawn = tells->phase == DRAW_DRAWN;

    if (tells->kind == LEDGER_TELLS_READY && !was_drawn)
        return;
    ledger->owes_acknowledgement = true;
    if (tells->kind == LEDGER_TELLS_DRAWN && !ledger->has_told) {
        ledger->has_told = true;
        ledger->told++;
    }
    sim_check_drawn(tells->winners);
}

static void on_fail(void *owner, int exit_status, const struct errbuf *err)
{
    struct sim_ledger *ledger = owner;

    SIM_TRACE("ledger ends with status %d: %s", exit_status, err->text);
    if (exit_status == LEDGER_EXIT_UNCERTAIN && !sim_world.has_disk_faults)
        sim_fail("the ledger says that it does not know what is on disk: %s", err->text);
    if (exit_status == LEDGER_EXIT_GONE && !sim_operator.has_meddled)
        sim_fail("the ledger says that its directory is gone: %s", err->text);
    ledger->exit_status = exit_status;
    sim_process_exit();
}

static void fill_random(void *owner, void *bytes, size_t size)
{
    (void)owner;
    for (size_t i = 0; i < size; i++)
        ((uint8_t *)bytes)[i] = (uint8_t)prng_next(&sim_world.prng);
}

static uint64_t on_now_s(void *owner)
{
    (void)owner;
    return (uint64_t)clock_wall_s();
}

/* Its memory is a file without a name. */
static int on_make_file(void *owner, const void *bytes, size_t size)
{
    struct sim_ledger *ledger = owner;
    int file = sim_disk_new_file();

    sim_file_write(sim_disk_file(file), bytes, size, 0);
    return sim_fd_new(&(struct sim_fd){.file = file, .flags = O_RDWR, .owner = &ledger->process});
}

static const struct ledger_core_events events = {
    .send = on_send,
    .release = on_release,
    .tell = on_tell,
    .fail = on_fail,
    .fill_random = fill_random,
    .now_s = on_now_s,
    .make_file = on_make_file,
};

void sim_ledger_new_server(uint32_t agencies, uint32_t winner_number)
{
    sim_ledger.agencies = agencies;
    sim_ledger.winner_number = winner_number;
    sim_ledger.was_ready = false;
    sim_ledger.owes_acknowledgement = false;
    sim_ledger.has_told = false;
    sim_ledger.exit_status = 0;
    sim_ledger.start_status = STATUS_OK;
    sim_disk_enter();
}

static void note_committed(struct sim_ledger *ledger)
{
    sim_check_committed(&ledger->draw);
    ledger->committed_finished = ledger->draw.finished;
    ledger->committed_phase = ledger->draw.phase;
}

static enum status on_commit(struct store *store, struct errbuf *err)
{
    enum status status = store_backend->commit(store, err);

    if (status == STATUS_OK)
        note_committed(&sim_ledger);
    return status;
}

static void watch_commits(struct sim_ledger *ledger)
{
    static struct store_backend watched;

    store_backend = ledger->store->backend;
    watched = *store_backend;
    watched.commit = on_commit;
    ledger->store->backend = &watched;
    note_committed(ledger);
}

/* The ledger's beginning, within its turn. */
static void run_start(void *context)
{
    struct sim_ledger *ledger = context;
    struct store_csv_config store_config = {
        .data_dir = &ledger->data_dir,
        .opened = {.agencies = ledger->agencies, .winner_number = ledger->winner_number},
        .must_exist = ledger->was_ready,
        .limits = &sim_world.limits};
    struct store_csv_report report;
    struct ledger_core_config config = {.draw = &ledger->draw,
                                        .agencies = ledger->agencies,
                                        .winner_number = ledger->winner_number,
                                        .terms = sim_world.terms,
                                        .group_operations = sim_world.group_max,
                                        .events = &events,
                                        .owner = ledger};
    struct ledger_core *core;

    ledger->data_dir = (struct data_dir){
        .ops = &sim_disk_ops, .path = SIM_DIR_PATH, .fd = sim_disk_open_dir(), .old_lock_fd = -1};
    draw_init(&ledger->draw);
    if (file_identify(&sim_disk_ops, ledger->data_dir.fd, &ledger->data_dir.id) != STATUS_OK)
        sim_fail("the folder cannot be identified");
    if (ledger->was_ready && !data_dir_is_in_place(&ledger->data_dir, &ledger->err)) {
        ledger->start_status = STATUS_GONE; /* as the supervisor's part of the ledger does it */
        sim_process_exit();
    }
    ledger->start_status =
        store_csv_open(&store_config, &ledger->draw, &ledger->store, &report, &ledger->err);
    if (ledger->start_status != STATUS_OK)
        sim_process_exit();
    watch_commits(ledger);
    config.store = ledger->store;
    ledger->start_status = ledger_core_create(&config, &core, &ledger->err);
    if (ledger->start_status != STATUS_OK)
        sim_process_exit();
    ledger->core = core;
    ledger->was_ready = true;
    sim_operator_note_start();
}

bool sim_ledger_start(void)
{
    struct sim_ledger *ledger = &sim_ledger;

    SIM_TRACE("ledger starts: %u agencies, number %u", ledger->agencies, ledger->winner_number);
    sim_process_start(&ledger->process, "ledger");
    sim_world_plan_death(&ledger->process);
    ledger->core = NULL;
    ledger->has_acknowledged = ledger->owes_acknowledgement = false;
    ledger->exit_status = 0;
    ledger->start_status = STATUS_OK;
    if (sim_process_turn(&ledger->process, run_start, ledger)) {
        sim_check_recovered(&ledger->draw);
        return true;
    }
    if (ledger->start_status != STATUS_OK) {
        SIM_TRACE("ledger cannot start: %s: %s", status_text(ledger->start_status),
                  ledger->err.text);
        sim_check_start_failed(ledger->start_status, ledger->err.text);
    } else {
        SIM_TRACE("ledger dies during its start");
        sim_world_note_death();
    }
    return false;
}

static void after_turn(bool has_survived)
{
    if (has_survived)
        return;
    SIM_TRACE("ledger is dead");
    sim_counts.deaths++;
    sim_world_note_death();
    sim_ledger.core = NULL;
    sim_links_ledger_died();
}

/* A link from which the ledger could read, chosen at random. */
static struct sim_link *readable_link(void)
{
    struct sim_link *found = NULL;
    uint32_t count = 0;

    for (size_t i = 0; i < sim_links_end; i++) {
        struct sim_link *link = &sim_links[i];
        if (!sim_link_is_readable(link))
            continue;
        if (prng_below(&sim_world.prng, ++count) == 0)
            found = link;
    }
    return found;
}

static void close_link(struct sim_link *link)
{
    struct ledger_peer *peer = link->peer;

    if (peer == NULL) {
        sim_link_close_ledger(link);
        return;
    }
    link->peer = NULL;
    link->is_closing = true; /* until on_release */
    ledger_core_close(sim_ledger.core, peer);
}

static void read_link(struct sim_link *link)
{
    struct ledger_core *core = sim_ledger.core;
    const struct message *message;
    size_t size;

    message = sim_queue_pop(&link->to_ledger, &size);
    if (message == NULL) {
        close_link(link); /* the client is gone */
        return;
    }
    if (message->kind == MESSAGE_HELLO) {
        link->peer = ledger_core_open(core, link, link->region->bytes, SIM_REGION_SIZE);
        if (link->peer == NULL)
            close_link(link);
        return;
    }
    if (!ledger_core_message(core, link->peer, message))
        sim_fail("the ledger refused a message of kind %u", message->kind);
}

static void run_step(void *context)
{
    unsigned *count = context;
    struct sim_link *link;

    for (; *count > 0 && (link = readable_link()) != NULL; (*count)--) {
        read_link(link);
        sim_world_let_others_go_on(sim_world.haste);
        sim_process_point();
    }
    ledger_core_commit(sim_ledger.core);
}

bool sim_ledger_step(unsigned count)
{
    if (readable_link() == NULL && !ledger_core_has_work(sim_ledger.core))
        return false;
    after_turn(sim_process_turn(&sim_ledger.process, run_step, &count));
    return true;
}

static void run_tick(void *context)
{
    (void)context;
    if (!ledger_core_has_deadline(sim_ledger.core))
        return;
    ledger_core_tick(sim_ledger.core);
    ledger_core_commit(sim_ledger.core);
}

void sim_ledger_tick(void)
{
    if (sim_ledger.core != NULL)
        after_turn(sim_process_turn(&sim_ledger.process, run_tick, NULL));
}

static void run_idle(void *context)
{
    (void)context;
    ledger_core_idle(sim_ledger.core);
}

void sim_ledger_idle(void)
{
    after_turn(sim_process_turn(&sim_ledger.process, run_idle, NULL));
}

static void run_drop_link(void *context)
{
    struct sim_link *link = &sim_links[prng_below(&sim_world.prng, SIM_LINKS_MAX)];

    (void)context;
    if (!link->is_used || link->peer == NULL)
        return;
    SIM_TRACE("ledger closes a link");
    sim_link_break(link, &sim_world.prng);
    close_link(link);
    ledger_core_commit(sim_ledger.core);
}

void sim_ledger_drop_link(void)
{
    after_turn(sim_process_turn(&sim_ledger.process, run_drop_link, NULL));
}

static void run_acknowledge(void *context)
{
    (void)context;
    ledger_core_acknowledged(sim_ledger.core);
    ledger_core_commit(sim_ledger.core);
}

void sim_ledger_acknowledge(void)
{
    sim_ledger.owes_acknowledgement = false;
    sim_ledger.has_acknowledged = true;
    after_turn(sim_process_turn(&sim_ledger.process, run_acknowledge, NULL));
}

static void run_stop(void *context)
{
    struct sim_ledger *ledger = context;

    ledger_core_destroy(ledger->core);
    store_close(ledger->store);
    draw_fini(&ledger->draw);
    sim_process_exit();
}

void sim_ledger_stop(void)
{
    SIM_TRACE("ledger stops");
    after_turn(sim_process_turn(&sim_ledger.process, run_stop, &sim_ledger));
}

void sim_ledger_kill(void)
{
    SIM_TRACE("ledger is killed");
    sim_process_kill(&sim_ledger.process);
    if (!sim_ledger.process.is_alive)
        after_turn(false);
}
