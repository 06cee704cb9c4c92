#include "worker_sender.h"

#include "ledger_client.h"
#include "log.h"
#include "service.h"

#define FIRST_RETRY_MS 1000
#define MAX_RETRY_MS 30000

void worker_sender_init(struct worker_sender *sender, uv_loop_t *loop,
                        const struct worker_sender_config *config)
{
    *sender =
        (struct worker_sender){.config = *config, .backoff = {FIRST_RETRY_MS, MAX_RETRY_MS, 0}};
    (void)uv_timer_init(loop, &sender->timer);
    sender->timer.data = sender;
}

static void worker_sender_on_told(struct ledger_op *op)
{
    LIST_ITEM(op, struct worker_sender, lost_op)->is_telling = false;
}

void worker_sender_tell_lost(struct worker_sender *sender, struct ledger_client *ledger)
{
    if (sender->is_telling)
        return;
    sender->is_telling = true;
    sender->lost_op = (struct ledger_op){.done = worker_sender_on_told};
    ledger_client_files_lost(ledger, &sender->lost_op, sender->config.files);
}

static bool worker_sender_has_files(const struct worker_sender *sender,
                                    const struct ledger_news *news)
{
    return sender->config.files == STORE_SEAL ? news->has_seal : news->has_winners;
}

static void worker_sender_on_timer(uv_timer_t *timer)
{
    const struct worker_sender *sender = timer->data;

    sender->config.on_retry(sender->config.owner);
}

void worker_sender_run(struct worker_sender *sender, struct service *service,
                       struct ledger_client *ledger)
{
    struct errbuf err = {{0}};

    enum status status = sender->config.send(service, &err);
    if (status == STATUS_OK) {
        if (worker_sender_has_files(sender, ledger_news(ledger_client_base(ledger))))
            backoff_reset(&sender->backoff);
        return;
    }
    /* What failed a moment ago is logged and told. */
    if (uv_is_active((uv_handle_t *)&sender->timer))
        return;
    LOG(ERROR, sender->config.action, FAIL, LOG_TEXT("reason", err.text));
    if (status == STATUS_NOTFOUND || status == STATUS_DAMAGED)
        worker_sender_tell_lost(sender, ledger);
    (void)uv_timer_start(&sender->timer, worker_sender_on_timer, backoff_next_ms(&sender->backoff),
                         0);
}

void worker_sender_close(struct worker_sender *sender)
{
    uv_close((uv_handle_t *)&sender->timer, NULL);
}
