#include "service.h"

#include "assertion.h"
#include "draw_seal.h"
#include "note_file.h"
#include "request.h"
#include "seal_files.h"
#include "seal_sender.h"
#include "service_internal.h"
#include "session.h"

#include <stdlib.h>
#include <string.h>

/* Enough to unpack the worst message that fits a frame: thousands of empty bets, each of which
 * takes a struct, a pointer and the notes of protobuf-c's scanner. */
#define ARENA_CAPACITY ((size_t)2 * 1024 * 1024)

enum status service_create(const struct service_config *config, struct service **out)
{
    struct service *service = calloc(1, sizeof(*service));

    if (service == NULL)
        return STATUS_NOMEM;
    if (!arena_init(&service->arena, ARENA_CAPACITY)) {
        free(service);
        return STATUS_NOMEM;
    }
    list_init(&service->waiting);
    list_init(&service->unsealed);
    list_init(&service->spares);
    service->config = *config;
    past_draws_init(&service->past, config->load_past, config->owner);
    *out = service;
    return STATUS_OK;
}

void service_destroy(struct service *service)
{
    if (service == NULL)
        return;
    ASSERT(service->outstanding == 0);
    ASSERT(list_is_empty(&service->waiting) && list_is_empty(&service->unsealed));
    LIST_FOR_EACH (node, &service->spares)
        free(LIST_ITEM(node, struct request, node));
    past_draws_fini(&service->past);
    draw_files_close(&service->files);
    arena_fini(&service->arena);
    free(service);
}

const char *service_draw_id(struct service *service)
{
    if (service->draw_id[0] == '\0')
        memcpy(service->draw_id, ledger_news(service->config.ledger)->terms.id,
               sizeof(service->draw_id));
    return service->draw_id;
}

size_t service_outstanding(const struct service *service)
{
    return service->outstanding;
}

enum status service_send_seals(struct service *service, struct errbuf *err)
{
    const struct service_config *config = &service->config;
    const struct ledger_news *news = ledger_news(config->ledger);

    if (service->files.seal == NULL) {
        if (!news->has_seal)
            return STATUS_OK;
        const struct draw_seal_facts facts = {news->terms.id, news->agencies, news->sealed.root};
        enum status status =
            draw_seal_open(config->ops, config->dir_fd, &facts, &service->files.seal, err);
        if (status != STATUS_OK)
            return status;
    }
    for (struct list_node *node; (node = list_pop(&service->unsealed)) != NULL;) {
        struct session *session = LIST_ITEM(node, struct session, waiting);
        bool is_sent = seal_send(session);
        ASSERT(is_sent);
        list_append(&service->waiting, node);
    }
    return STATUS_OK;
}

enum status service_read_result(struct service *service, struct errbuf *err)
{
    const struct service_config *config = &service->config;
    const struct ledger_news *news = ledger_news(config->ledger);

    if (service->files.result != NULL || !news->is_sealed || !news->has_winners)
        return STATUS_OK;
    return note_file_read(config->ops, config->dir_fd, RESULT_NAME, &service->files.result, err);
}

enum status service_send_winners(struct service *service, struct errbuf *err)
{
    const struct service_config *config = &service->config;
    const struct ledger_news *news = ledger_news(config->ledger);

    if (news->is_sealed && service->files.result == NULL)
        return STATUS_OK; /* the first frame says what it says */
    if (service->files.winners == NULL || service->are_winners_damaged) {
        struct winner_index *winners;
        if (!news->has_winners)
            return STATUS_OK;
        enum status status = winner_index_open(config->ops, config->dir_fd, news->agencies,
                                               &news->drawn, &winners, err);
        if (status != STATUS_OK)
            return status;
        winner_index_close(service->files.winners);
        service->files.winners = winners;
        service->are_winners_damaged = false;
    }
    for (struct list_node *node; (node = list_pop(&service->waiting)) != NULL;)
        session_send_winners(LIST_ITEM(node, struct session, waiting));
    return STATUS_OK;
}
