#include "fake_control.h"

#include "assertion.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct control_agency fake_control_agency(uint64_t row)
{
    return (struct control_agency){
        .id = (uint32_t)row + 1, .has_finished = row % 2 == 1, .bets = row * 3};
}

void fake_control_document(uint64_t row, char out[17])
{
    (void)snprintf(out, 17, "%" PRIu64, row);
}

/* How many rows of a list of `all` rows belong in the page from `from` on. */
static size_t rows_from(const struct fake_control *fake, uint64_t from, uint64_t all)
{
    uint64_t left = from < all ? all - from : 0;

    return left < fake->page ? (size_t)left : fake->page;
}

static void end_agencies(const struct fake_control *fake, struct control_request *request)
{
    struct control_agency rows[CONTROL_PAGE_MAX];
    size_t count = rows_from(fake, request->from, fake->agencies);

    for (size_t i = 0; i < count; i++)
        rows[i] = fake_control_agency(request->from + i);
    control_end_agencies(request, rows, count, request->from + count < fake->agencies);
}

static void end_winners(const struct fake_control *fake, struct control_request *request)
{
    struct control_winner rows[CONTROL_PAGE_MAX];
    char documents[CONTROL_PAGE_MAX][17];
    size_t count = rows_from(fake, request->from, fake->winners);

    for (size_t i = 0; i < count; i++) {
        fake_control_document(request->from + i, documents[i]);
        rows[i] =
            (struct control_winner){(uint32_t)((request->from + i) % 5) + 1, text_of(documents[i])};
    }
    control_end_winners(request, rows, count, request->from + count < fake->winners);
}

const struct control_file fake_control_files[3] = {
    {.name = "x/bets.csv",
     .source = CONTROL_BEGINNING,
     .size = 1000,
     .device = UINT64_MAX,
     .inode = UINT64_MAX - 1},
    {.name = "x/bets.journal", .source = CONTROL_CONTENT},
    {.name = "key", .source = CONTROL_IF_ANY},
};

static void end_backup(const struct fake_control *fake, struct control_request *request)
{
    struct control_file files[3];
    char *content = malloc(fake->content + 1);

    ASSERT(content != NULL);
    for (size_t i = 0; i < fake->content; i++)
        content[i] = (char)(i % 251);
    memcpy(files, fake_control_files, sizeof(files));
    files[1].content = (struct text){content, fake->content};
    control_end_backup(request,
                       &(struct control_snapshot){.draw = "x",
                                                  .phase = DRAW_CLOSED,
                                                  .is_sealed = true,
                                                  .bets = UINT64_MAX,
                                                  .files = files,
                                                  .count = 3},
                       fake->text);
    free(content);
}

static void end_one(const struct fake_control *fake, struct control_request *request,
                    const char *name)
{
    bool is_good = fake->result == CONTROL_DONE || fake->result == CONTROL_MOVING;

    if (is_good && strcmp(name, "status") == 0)
        control_end_status(request, &fake->status);
    else if (is_good && strcmp(name, "agencies") == 0)
        end_agencies(fake, request);
    else if (is_good && strcmp(name, "winners") == 0)
        end_winners(fake, request);
    else if (is_good && strcmp(name, "backup") == 0)
        end_backup(fake, request);
    else
        control_end(request, fake->result, fake->text);
}

static void take(void *owner, struct control_request *request, const char *name)
{
    struct fake_control *fake = owner;

    fake->calls++;
    fake->last = name;
    fake->uid = request->uid;
    fake->number = request->number;
    if (request->source.size > 0)
        memcpy(fake->source, request->source.data, request->source.size);
    fake->source[request->source.size] = '\0';
    (void)snprintf(fake->draw, sizeof(fake->draw), "%s",
                   request->draw != NULL ? request->draw : "");
    fake->close_at_s = request->close_at_s;
    if (!fake->waits) {
        end_one(fake, request, name);
        return;
    }
    ASSERT(fake->running_count < FAKE_CONTROL_MAX);
    fake->running[fake->running_count].request = request;
    fake->running[fake->running_count++].name = name;
}

void fake_control_end(struct fake_control *fake)
{
    struct control_request *request = fake->running[0].request;
    const char *name = fake->running[0].name;

    ASSERT(fake->running_count > 0);
    fake->running_count--;
    memmove(&fake->running[0], &fake->running[1], fake->running_count * sizeof(fake->running[0]));
    end_one(fake, request, name);
}

#define OPERATION(name)                                                                            \
    static void take_##name(void *owner, struct control_request *request)                          \
    {                                                                                              \
        take(owner, request, #name);                                                               \
    }
OPERATION(status)
OPERATION(agencies)
OPERATION(winners)
OPERATION(close)
OPERATION(draw)
OPERATION(next)
OPERATION(reload)
OPERATION(backup)
#undef OPERATION

const struct control_backend fake_control_backend = {
    .status = take_status,
    .agencies = take_agencies,
    .winners = take_winners,
    .close = take_close,
    .draw = take_draw,
    .next = take_next,
    .reload = take_reload,
    .backup = take_backup,
};

void fake_control_init(struct fake_control *fake)
{
    *fake = (struct fake_control){
        .status = {.phase = DRAW_OPEN,
                   .terms = {.mode = DRAW_MANUAL, .has_seal = true, .id = "2026-11-25-nocturna"},
                   .agencies = 5,
                   .finished = 2,
                   .has_bets = true,
                   .bets = 1000},
        .agencies = 3,
        .page = CONTROL_PAGE_MAX,
        .result = CONTROL_DONE,
    };
}
