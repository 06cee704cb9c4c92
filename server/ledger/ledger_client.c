/* A process's end of its link to the ledger.
 *
 * Happy path: an operation joins the list of those without an outcome, a batch's bets are encoded
 * straight into the region, and before the loop waits for events again all new operations leave in
 * one write. Outcomes come in the same order: each ends the first operation of the list and frees
 * its place in the region.
 *
 * Failure modes: the region is full: batches are encoded to the heap and move to the region, in
 * order, as outcomes make room. The link is lost: connect again, with backoff, and hand in again
 * all that has no outcome, from a new region; what was recorded before is known to the ledger,
 * which changes nothing then. The request for files cannot be repeated, since the first ones may be
 * in use: a question takes its place in the order, and its status is STOPPED. The ledger sends
 * nonsense, or another user's process listens: the link is closed and made again.
 */
#include "ledger_client.h"

#include "assertion.h"
#include "ledger_client_connect.h"
#include "ledger_client_flight.h"
#include "ledger_client_ops.h"
#include "ledger_client_outcomes.h"
#include "ledger_client_state.h"

#include <stdlib.h>

_Static_assert(LEDGER_REGION_SIZE <= MESSAGE_REGION_MAX, "the ledger maps it");

#define FIRST_RETRY_MS 5
#define MAX_RETRY_MS 1000

static void client_on_prepare(uv_prepare_t *prepare)
{
    struct ledger_client *client = prepare->data;

    if (client->unsent > 0)
        client_flush(client);
}

/* Creates a region. A limit on the size of files (ulimit -f) counts for it, too: then it is
 * smaller. */
static enum status client_create_region(struct region *region, struct errbuf *err)
{
    size_t size = LEDGER_REGION_SIZE;
    enum status status = region_create(size, region, err);

    while (status == STATUS_NOSPACE && size > LEDGER_REGION_MIN) {
        size /= 2;
        status = region_create(size, region, err);
    }
    if (status == STATUS_OK)
        errbuf_set(err, "%s", "");
    return status;
}

enum status ledger_client_create(const struct ledger_client_config *config,
                                 struct ledger_client **out, struct errbuf *err)
{
    struct ledger_client *client = calloc(1, sizeof(*client));

    ASSERT(config->loop != NULL && config->address != NULL && config->on_news != NULL);
    if (client == NULL) {
        errbuf_set(err, "%s", status_text(STATUS_NOMEM));
        return STATUS_NOMEM;
    }
    client->base.backend = &client_backend;
    client->config = *config;
    client->backoff = (struct backoff){FIRST_RETRY_MS, MAX_RETRY_MS, 0};
    list_init(&client->ops);
    if (config->encoding != NULL) {
        enum status status = client_create_region(&client->region, err);
        if (status != STATUS_OK) {
            free(client);
            return status;
        }
    }
    (void)uv_prepare_init(config->loop, &client->prepare);
    client->prepare.data = client;
    (void)uv_prepare_start(&client->prepare, client_on_prepare);
    (void)uv_timer_init(config->loop, &client->retry);
    client->retry.data = client;
    client->open_handles = 2;
    client_attempt(client);
    *out = client;
    return STATUS_OK;
}

bool ledger_client_is_linked(const struct ledger_client *client)
{
    return client->link != NULL && client->is_told;
}

struct ledger *ledger_client_base(struct ledger_client *client)
{
    return &client->base;
}

static void client_on_handle_closed(uv_handle_t *handle)
{
    client_release(handle->data);
}

void ledger_client_close(struct ledger_client *client)
{
    bool is_within_batch = client->is_in_batch;

    if (client->is_closed)
        return;
    client->is_closed = true;
    if (client->link != NULL)
        link_close(client->link);
    client->link = NULL;
    while (!list_is_empty(&client->ops)) {
        struct ledger_op *op = client_pop(client);
        free(op->bytes);
        op->status = STATUS_STOPPED;
        op->received = 0;
        op->stored = 0;
        client_begin_batch(client);
        op->done(op);
    }
    if (!is_within_batch)
        client_end_batch(client);
    client->is_over = true;
    uv_close((uv_handle_t *)&client->prepare, client_on_handle_closed);
    uv_close((uv_handle_t *)&client->retry, client_on_handle_closed);
}
