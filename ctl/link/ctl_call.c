#include "ctl_call.h"

#include "buffer.h"

#include <stdlib.h>
#include <string.h>

void ctl_answer_fini(struct ctl_answer *answer)
{
    if (answer->result != NULL)
        lottery__control__v1__result__free_unpacked(answer->result, NULL);
    if (answer->status != NULL)
        lottery__control__v1__status__free_unpacked(answer->status, NULL);
    free(answer->agencies);
    free(answer->winners);
    if (answer->snapshot != NULL)
        lottery__control__v1__snapshot__free_unpacked(answer->snapshot, NULL);
    for (size_t i = 0; i < answer->files_count; i++)
        lottery__control__v1__snapshot_file__free_unpacked(answer->files[i].message, NULL);
    free(answer->files);
    *answer = (struct ctl_answer){.result = NULL};
}

static enum status ctl_answer_add_agencies(struct ctl_answer *answer, const struct frame *frame)
{
    Lottery__Control__V1__Agencies *page =
        lottery__control__v1__agencies__unpack(NULL, frame->body_size, frame->body);
    enum status status = STATUS_OK;

    if (page == NULL)
        return STATUS_MALFORMED;
    struct ctl_agency *rows = array_grow(answer->agencies, &answer->agencies_capacity,
                                         answer->agencies_count + page->n_agencies, sizeof(*rows));
    if (rows != NULL)
        answer->agencies = rows;
    else
        status = STATUS_NOMEM;
    for (size_t i = 0; rows != NULL && i < page->n_agencies; i++) {
        const Lottery__Control__V1__Agency *row = page->agencies[i];
        rows[answer->agencies_count++] =
            (struct ctl_agency){row->id, row->bets, row->has_finished != 0};
    }
    lottery__control__v1__agencies__free_unpacked(page, NULL);
    return status;
}

static enum status ctl_answer_add_winners(struct ctl_answer *answer, const struct frame *frame)
{
    Lottery__Control__V1__Winners *page =
        lottery__control__v1__winners__unpack(NULL, frame->body_size, frame->body);
    enum status status = STATUS_OK;

    if (page == NULL)
        return STATUS_MALFORMED;
    struct ctl_winner *rows = array_grow(answer->winners, &answer->winners_capacity,
                                         answer->winners_count + page->n_winners, sizeof(*rows));
    if (rows != NULL)
        answer->winners = rows;
    else
        status = STATUS_NOMEM;
    for (size_t i = 0; status == STATUS_OK && i < page->n_winners; i++) {
        const Lottery__Control__V1__Winner *row = page->winners[i];
        struct ctl_winner *out = &rows[answer->winners_count];
        size_t size = strlen(row->document);
        if (size > CTL_DOCUMENT_MAX) {
            status = STATUS_MALFORMED;
            break;
        }
        out->agency = row->agency;
        memcpy(out->document, row->document, size + 1);
        answer->winners_count++;
    }
    lottery__control__v1__winners__free_unpacked(page, NULL);
    return status;
}

static enum status ctl_answer_add_file(struct ctl_answer *answer, const struct frame *frame)
{
    struct ctl_file *files =
        array_grow(answer->files, &answer->files_capacity, answer->files_count + 1, sizeof(*files));

    if (files == NULL)
        return STATUS_NOMEM;
    answer->files = files;
    files += answer->files_count;
    files->message =
        lottery__control__v1__snapshot_file__unpack(NULL, frame->body_size, frame->body);
    if (files->message == NULL)
        return STATUS_MALFORMED;
    answer->files_count++;
    return STATUS_OK;
}

/* Takes one frame of the answer. What this release does not know is left out. */
static enum status ctl_answer_take(struct ctl_answer *answer, const struct frame *frame)
{
    switch (frame->opcode) {
    case LOTTERY__CONTROL__V1__OPCODE__OPCODE_RESULT:
        answer->result = lottery__control__v1__result__unpack(NULL, frame->body_size, frame->body);
        return answer->result != NULL ? STATUS_OK : STATUS_MALFORMED;
    case LOTTERY__CONTROL__V1__OPCODE__OPCODE_STATUS:
        if (answer->status != NULL)
            return STATUS_MALFORMED;
        answer->status = lottery__control__v1__status__unpack(NULL, frame->body_size, frame->body);
        return answer->status != NULL ? STATUS_OK : STATUS_MALFORMED;
    case LOTTERY__CONTROL__V1__OPCODE__OPCODE_AGENCIES:
        return ctl_answer_add_agencies(answer, frame);
    case LOTTERY__CONTROL__V1__OPCODE__OPCODE_WINNERS:
        return ctl_answer_add_winners(answer, frame);
    case LOTTERY__CONTROL__V1__OPCODE__OPCODE_SNAPSHOT:
        if (answer->snapshot != NULL)
            return STATUS_MALFORMED;
        answer->snapshot =
            lottery__control__v1__snapshot__unpack(NULL, frame->body_size, frame->body);
        return answer->snapshot != NULL ? STATUS_OK : STATUS_MALFORMED;
    case LOTTERY__CONTROL__V1__OPCODE__OPCODE_SNAPSHOT_FILE:
        return ctl_answer_add_file(answer, frame);
    default:
        return STATUS_OK;
    }
}

static enum status ctl_call_read(struct ctl_link *link, uint64_t limit_ms, struct ctl_answer *out,
                                 struct errbuf *err)
{
    while (out->result == NULL) {
        struct frame frame;
        enum status status = ctl_link_read(link, &frame, limit_ms, err);
        if (status != STATUS_OK)
            return status;
        status = ctl_answer_take(out, &frame);
        if (status != STATUS_OK) {
            errbuf_set(err, "%s: %s", link->path, status_text(status));
            return status;
        }
    }
    return STATUS_OK;
}

enum status ctl_call(struct ctl_link *link, Lottery__Control__V1__Opcode command,
                     const ProtobufCMessage *message, uint64_t limit_ms, struct ctl_answer *out,
                     struct errbuf *err)
{
    *out = (struct ctl_answer){.result = NULL};
    enum status status = ctl_link_open(link, err);
    if (status != STATUS_OK)
        return status;
    status = ctl_link_send(link, (uint8_t)command, message, err);
    /* A server that does not take the connection says why before it closes. */
    if (status == STATUS_OK || status == STATUS_GONE)
        status = ctl_call_read(link, limit_ms, out, err);
    if (status != STATUS_OK) {
        ctl_answer_fini(out);
        ctl_link_close(link);
    }
    return status;
}
