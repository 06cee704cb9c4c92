#include "service.h"

#include "assertion.h"
#include "request.h"
#include "service_internal.h"
#include "session.h"

#include <stdlib.h>

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
    list_init(&service->spares);
    service->config = *config;
    *out = service;
    return STATUS_OK;
}

void service_destroy(struct service *service)
{
    if (service == NULL)
        return;
    ASSERT(service->outstanding == 0);
    ASSERT(list_is_empty(&service->waiting));
    LIST_FOR_EACH (node, &service->spares)
        free(LIST_ITEM(node, struct request, node));
    winner_index_close(service->winners);
    arena_fini(&service->arena);
    free(service);
}

size_t service_outstanding(const struct service *service)
{
    return service->outstanding;
}

enum status service_send_winners(struct service *service, struct errbuf *err)
{
    const struct service_config *config = &service->config;
    const struct ledger_news *news = ledger_news(config->ledger);

    if (service->winners == NULL || service->are_winners_damaged) {
        struct winner_index *winners;
        if (!news->has_winners)
            return STATUS_OK;
        enum status status = winner_index_open(config->ops, config->dir_fd, news->agencies,
                                               &news->drawn, &winners, err);
        if (status != STATUS_OK)
            return status;
        winner_index_close(service->winners);
        service->winners = winners;
        service->are_winners_damaged = false;
    }
    for (struct list_node *node; (node = list_pop(&service->waiting)) != NULL;)
        session_send_winners(LIST_ITEM(node, struct session, waiting));
    return STATUS_OK;
}
