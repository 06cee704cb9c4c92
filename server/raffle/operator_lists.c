/* What the operator is shown.
 *
 * Happy path: the news has most of it; how many bets each agency has is asked of the ledger, a page
 * of agencies at a time. Winners come from winners.csv, a page at a time.
 *
 * Failure modes: the ledger is away: the request waits. winners.csv cannot be read: the answer says
 * so.
 */
#include "operator_lists.h"

#include "control_news.h"
#include "operator.h"
#include "winner_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WINNER_LINE_MAX 32 /* bytes of a line of winners.csv, with its end */

/* One agency that is asked for. */
struct walk_step {
    struct ledger_op op; /* first */
    struct walk *walk;
};

/* Asks the ledger for one agency after the other, a page at a time. */
struct walk {
    struct ledger_client *client;
    struct control_request *request;
    const char *vkey;
    bool is_status; /* wants only the sum, of all agencies */
    uint64_t bets;  /* the sum so far */
    enum status status;
    uint32_t from;  /* agencies before the page */
    uint32_t count; /* in the page */
    uint32_t ended; /* of these */
    struct walk_step steps[CONTROL_PAGE_MAX];
};

static void walk_next(struct walk *walk);

static const struct ledger_news *walk_news(const struct walk *walk)
{
    return ledger_news(ledger_client_base(walk->client));
}

static void walk_end_status(const struct walk *walk, struct control_request *request)
{
    struct control_status status;

    control_news_status(walk_news(walk), walk->bets, walk->vkey, &status);
    control_end_status(request, &status);
}

static void walk_end_page(struct walk *walk)
{
    struct control_agency rows[CONTROL_PAGE_MAX];

    for (uint32_t i = 0; i < walk->count; i++)
        rows[i] = (struct control_agency){.id = walk->from + i + 1,
                                          .bets = walk->steps[i].op.received,
                                          .has_finished = walk->steps[i].op.has_finished};
    control_end_agencies(walk->request, rows, walk->count,
                         walk->from + walk->count < walk_news(walk)->agencies);
}

static void walk_on_done(struct ledger_op *op)
{
    struct walk *walk = ((struct walk_step *)(void *)op)->walk;

    if (op->status != STATUS_OK)
        walk->status = op->status;
    walk->bets += op->received;
    if (++walk->ended < walk->count)
        return;
    if (walk->status == STATUS_OK && walk->is_status &&
        walk->from + walk->count < walk_news(walk)->agencies) {
        walk->from += walk->count;
        walk_next(walk);
        return;
    }
    if (walk->status != STATUS_OK)
        control_end(walk->request, CONTROL_FAILED, status_text(walk->status));
    else if (walk->is_status)
        walk_end_status(walk, walk->request);
    else
        walk_end_page(walk);
    free(walk);
}

/* Asks for the page that begins after walk->from agencies, of which there is at least one. */
static void walk_next(struct walk *walk)
{
    uint32_t left = walk_news(walk)->agencies - walk->from;
    uint32_t i = 0;

    walk->count = left < CONTROL_PAGE_MAX ? left : CONTROL_PAGE_MAX;
    walk->ended = 0;
    do { /* at least once: the last one to end frees the walk */
        walk->steps[i] = (struct walk_step){.op.done = walk_on_done, .walk = walk};
        ledger_ask(ledger_client_base(walk->client), &walk->steps[i].op, walk->from + i + 1, 0);
    } while (++i < walk->count);
}

static struct walk *walk_begin(struct ledger_client *client, struct control_request *request)
{
    struct walk *walk = calloc(1, sizeof(*walk));

    if (walk == NULL) {
        control_end(request, CONTROL_FAILED, status_text(STATUS_NOMEM));
        return NULL;
    }
    walk->client = client;
    walk->request = request;
    return walk;
}

/* The news is known, or cannot be. */
static void walk_begin_status(struct walk *walk)
{
    const struct ledger_news *news = walk_news(walk);

    if (news->phase == DRAW_OPEN && news->agencies > 0) {
        walk_next(walk);
        return;
    }
    walk_end_status(walk, walk->request);
    free(walk);
}

static void walk_on_known(struct ledger_op *op)
{
    walk_begin_status(((struct walk_step *)(void *)op)->walk);
}

void operator_list_status(struct ledger_client *client, struct control_request *request,
                          const char *vkey)
{
    struct walk *walk = walk_begin(client, request);

    if (walk == NULL)
        return;
    walk->vkey = vkey;
    walk->is_status = true;
    if (walk_news(walk)->phase != DRAW_NEW) {
        walk_begin_status(walk);
        return;
    }
    /* The first news on a link comes before the first outcome. */
    walk->steps[0] = (struct walk_step){.op.done = walk_on_known, .walk = walk};
    ledger_ask(ledger_client_base(client), &walk->steps[0].op, 1, 0);
}

void operator_list_agencies(struct ledger_client *client, struct control_request *request)
{
    const struct ledger_news *news = ledger_news(ledger_client_base(client));
    struct walk *walk;

    if (request->from >= news->agencies) {
        control_end_agencies(request, NULL, 0, false);
        return;
    }
    walk = walk_begin(client, request);
    if (walk == NULL)
        return;
    walk->from = (uint32_t)request->from;
    walk_next(walk);
}

/* ------------------------------------------------------------------ winners */

/* Reads `agency,document` and CRLF at `line`, of which `size` bytes are there. Returns its size; 0:
 * it is not one. */
static size_t read_winner(const char *line, size_t size, struct control_winner *out)
{
    const char *end = memchr(line, '\n', size);
    uint32_t agency = 0;
    size_t at = 0;

    if (end == NULL)
        return 0;
    size_t length = (size_t)(end - line);
    while (at < length && at < 9 && text_is_digit(line[at]))
        agency = agency * 10 + (uint32_t)(line[at++] - '0');
    if (at == 0 || length < at + 3 || line[at] != ',' || line[length - 1] != '\r')
        return 0;
    *out = (struct control_winner){agency, {line + at + 1, length - at - 2}};
    return length + 1;
}

/* Moves *place over `rows` lines. */
static enum status skip_winners(const struct file_ops *ops, int fd, struct operator_place *place,
                                uint64_t rows)
{
    static char piece[64 * 1024];
    size_t got = sizeof(piece);

    while (rows > 0 && got == sizeof(piece)) {
        enum status status = file_read(ops, fd, piece, sizeof(piece), place->offset, &got);
        if (status != STATUS_OK)
            return status;
        for (size_t i = 0; i < got && rows > 0; i++) {
            place->offset++;
            rows -= piece[i] == '\n';
            place->row += piece[i] == '\n';
        }
    }
    return rows == 0 ? STATUS_OK : STATUS_DAMAGED;
}

/* Reads a page at *place and ends the request with it. */
static enum status give_winners(const struct file_ops *ops, int fd, struct operator_place *place,
                                struct control_request *request)
{
    char lines[CONTROL_PAGE_MAX * WINNER_LINE_MAX];
    struct control_winner rows[CONTROL_PAGE_MAX];
    size_t count = 0;
    size_t at = 0;
    size_t got;

    enum status status = file_read(ops, fd, lines, sizeof(lines), place->offset, &got);
    if (status != STATUS_OK)
        return status;
    while (count < CONTROL_PAGE_MAX && at < got) {
        size_t size = read_winner(lines + at, got - at, &rows[count]);
        if (size == 0)
            break;
        at += size;
        count++;
    }
    if (at < got && count == 0)
        return STATUS_DAMAGED;
    place->offset += at;
    place->row += count;
    control_end_winners(request, rows, count, at < got || got == sizeof(lines));
    return STATUS_OK;
}

void operator_list_winners(const struct data_dir *data_dir, struct operator_place *place,
                           struct control_request *request)
{
    int fd = data_dir_open_file(data_dir, WINNERS_NAME, O_RDONLY);
    enum status status;
    struct errbuf err;

    if (fd < 0) {
        (void)file_fail(&err, WINNERS_NAME, status_from_errno(errno));
        control_end(request, CONTROL_FAILED, err.text);
        return;
    }
    if (place->row > request->from)
        *place = (struct operator_place){0, 0};
    status = skip_winners(data_dir->ops, fd, place, request->from - place->row);
    if (status == STATUS_OK)
        status = give_winners(data_dir->ops, fd, place, request);
    (void)close(fd);
    if (status == STATUS_OK)
        return;
    *place = (struct operator_place){0, 0};
    (void)file_fail(&err, WINNERS_NAME, status);
    control_end(request, CONTROL_FAILED, err.text);
}
