#include "winner_list.h"

#include "log.h"

#include <stdio.h>

void winner_list_init(struct winner_list *list)
{
    list->file.fd = -1;
}

enum status winner_list_open(struct winner_list *list, const char *path,
                             const struct bets_file *bets, struct errbuf *err)
{
    if (!bets_file_is_at(bets, path))
        return winners_file_init(&list->file, path, err);
    errbuf_set(err, "%s: is the file of bets: set winners.file to another name", path);
    return STATUS_INVALID;
}

void winner_list_close(struct winner_list *list)
{
    winners_file_fini(&list->file);
}

void winner_list_restart(struct winner_list *list)
{
    list->count = 0;
    list->has_begun = false;
}

/* Logs the winners of a message, except those that were logged before a connection broke: the list
 * has come again from its beginning. */
static void winner_list_tell(const struct winner_list *list, const Lottery__V1__Winners *winners)
{
    for (size_t i = 0; i < winners->n_documents; i++) {
        if (list->count + i >= list->most)
            LOG(DEBUG, "ganador", SUCCESS, LOG_TEXT("dni", winners->documents[i]));
    }
}

/* Writes the winners of a message to the file; the first of a connection's begins it again, and the
 * last completes it. */
static enum status winner_list_write(struct winner_list *list, const Lottery__V1__Winners *winners,
                                     struct errbuf *err)
{
    enum status status = STATUS_OK;

    if (list->count == 0)
        status = winners_file_restart(&list->file, err);
    for (size_t i = 0; status == STATUS_OK && i < winners->n_documents; i++)
        status = winners_file_add(&list->file, text_of(winners->documents[i]), err);
    if (status == STATUS_OK && !winners->more) {
        status = winners_file_commit(&list->file, err);
        list->is_written = status == STATUS_OK;
    }
    return status;
}

void winner_list_sum_up(const struct winner_list *list)
{
    if (list->has_number)
        LOG(INFO, "consulta_ganadores", SUCCESS, LOG_UINT("cant_ganadores", list->count),
            LOG_UINT("numero", list->number), LOG_TEXT("fuente", list->source));
    else
        LOG(INFO, "consulta_ganadores", SUCCESS, LOG_UINT("cant_ganadores", list->count));
}

static void winner_list_note_number(struct winner_list *list, const Lottery__V1__Drawn *drawn)
{
    list->has_number = true;
    list->number = drawn->number;
    (void)snprintf(list->source, sizeof(list->source), "%s", drawn->source);
}

enum status winner_list_take(struct winner_list *list, const Lottery__V1__Winners *winners,
                             bool *out_is_new, struct errbuf *err)
{
    enum status status = STATUS_OK;

    if (winners->drawn != NULL)
        winner_list_note_number(list, winners->drawn);
    winner_list_tell(list, winners);
    if (list->file.fd >= 0)
        status = winner_list_write(list, winners, err);
    list->count += winners->n_documents;
    list->has_begun = true;
    *out_is_new = list->count > list->most;
    if (*out_is_new)
        list->most = list->count;
    return status;
}
