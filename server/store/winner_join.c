/* Joins the parts to winners.csv and its index.
 *
 * Happy path: the counts of the parts say where each agency's documents begin in the index. The
 * items of the parts are read in order, once: each one becomes a line of winners.csv and a line in
 * the buffer of its agency, which goes to its place in the index when it is full. The head of the
 * index, with the checksums, is written last; then both files are synced. All buffers together have
 * a fixed size, however many winners there are.
 *
 * Failure modes: a part is not what its counts say (DAMAGED); a file operation fails. The files are
 * then of no use; they have no name yet.
 */
#include "winner_files.h"

#include "crc32c.h"
#include "winner_layout.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PART "a part of the winners"          /* as errors call it */
#define BLOCK_ITEMS 2048                      /* that are read at a time */
#define LINES_SIZE ((size_t)64 * 1024)        /* bytes of winners.csv written at a time */
#define GROUPS_SIZE ((size_t)4 * 1024 * 1024) /* bytes of the agencies' buffers together */
#define GROUP_SIZE ((size_t)64 * 1024)        /* and of one of them at most */

/* The documents of one agency on their way to the index. */
struct group {
    struct winner_group place; /* what the counts say; its crc is of what was written */
    uint64_t written;          /* bytes that are in the file */
    uint64_t count;            /* documents that came */
    char *buffer;              /* `room` bytes of the common memory */
    size_t room;               /* 0 for an agency without winners */
    size_t used;               /* bytes in the buffer */
};

struct joining {
    const struct winner_join *join;
    struct group *groups;             /* owned; [1..agencies] */
    char *buffers;                    /* owned: what the groups' buffers are cut from */
    uint64_t winners;                 /* how many, by the counts */
    uint64_t lines_written;           /* bytes of winners.csv in the file */
    uint32_t lines_crc;               /* of them */
    size_t lines_used;                /* bytes in `lines` */
    char lines[LINES_SIZE];           /* the next lines of winners.csv */
    struct winner items[BLOCK_ITEMS]; /* of a part */
};

static enum status winner_join_damaged(struct errbuf *err)
{
    return file_fail(err, PART, STATUS_DAMAGED);
}

/* Where each group goes, and how much of the buffers it gets. */
static void winner_join_place(struct joining *joining)
{
    const struct winner_join *join = joining->join;
    uint64_t at = winner_layout_head_size(join->agencies);
    size_t share = GROUPS_SIZE / (join->agencies + (size_t)1);

    if (share > GROUP_SIZE)
        share = GROUP_SIZE;
    if (share < WINNER_TEXT_MAX)
        share = WINNER_TEXT_MAX;
    for (uint32_t i = 1; i <= join->agencies; i++) {
        struct group *group = &joining->groups[i];
        for (size_t part = 0; part < join->parts; part++) {
            group->place.count += join->counts[part][i].winners;
            group->place.bytes += join->counts[part][i].bytes;
        }
        group->place.at = at;
        group->room = group->place.bytes < share ? (size_t)group->place.bytes : share;
        at += group->place.bytes;
        joining->winners += group->place.count;
    }
}

static enum status winner_join_prepare(struct joining *joining)
{
    size_t size = 0;

    joining->groups = calloc(joining->join->agencies + (size_t)1, sizeof(*joining->groups));
    if (joining->groups == NULL)
        return STATUS_NOMEM;
    winner_join_place(joining);
    for (uint32_t i = 1; i <= joining->join->agencies; i++)
        size += joining->groups[i].room;
    joining->buffers = malloc(size + 1);
    if (joining->buffers == NULL)
        return STATUS_NOMEM;
    size = 0;
    for (uint32_t i = 1; i <= joining->join->agencies; i++) {
        joining->groups[i].buffer = joining->buffers + size;
        size += joining->groups[i].room;
    }
    return STATUS_OK;
}

static enum status winner_join_flush_lines(struct joining *joining, struct errbuf *err)
{
    struct iovec bytes = {joining->lines, joining->lines_used};

    if (joining->lines_used == 0)
        return STATUS_OK;
    joining->lines_crc = crc32c(joining->lines_crc, joining->lines, joining->lines_used);
    enum status status = file_write(joining->join->ops, joining->join->winners_fd, &bytes, 1,
                                    joining->lines_written);
    if (status != STATUS_OK)
        return file_fail(err, WINNERS_NAME, status);
    joining->lines_written += joining->lines_used;
    joining->lines_used = 0;
    return STATUS_OK;
}

static enum status winner_join_add_line(struct joining *joining, const struct winner *winner,
                                        struct errbuf *err)
{
    if (joining->lines_used + WINNER_LINE_MAX > LINES_SIZE) {
        enum status status = winner_join_flush_lines(joining, err);
        if (status != STATUS_OK)
            return status;
    }
    char *at = joining->lines + joining->lines_used;
    char digits[16];
    int size = snprintf(digits, sizeof(digits), "%u,", winner->agency);
    memcpy(at, digits, (size_t)size);
    at += size;
    memcpy(at, winner->document, winner->document_size);
    at += winner->document_size;
    *at++ = '\r';
    *at++ = '\n';
    joining->lines_used = (size_t)(at - joining->lines);
    return STATUS_OK;
}

static enum status winner_join_flush_group(struct joining *joining, struct group *group,
                                           struct errbuf *err)
{
    struct iovec bytes = {group->buffer, group->used};

    if (group->used == 0)
        return STATUS_OK;
    group->place.crc = crc32c(group->place.crc, group->buffer, group->used);
    enum status status = file_write(joining->join->ops, joining->join->index_fd, &bytes, 1,
                                    group->place.at + group->written);
    if (status != STATUS_OK)
        return file_fail(err, WINNERS_INDEX_NAME, status);
    group->written += group->used;
    group->used = 0;
    return STATUS_OK;
}

/* Takes an item of a part, which another process has written: it is not trusted to be what the
 * counts say. */
static enum status winner_join_add(struct joining *joining, const struct winner *winner,
                                   struct errbuf *err)
{
    enum status status = STATUS_OK;

    if (!winner_layout_takes(joining->join->agencies, winner))
        return winner_join_damaged(err);
    struct group *group = &joining->groups[winner->agency];
    size_t size = winner->document_size + (size_t)1;
    if (size > group->place.bytes - group->written - group->used)
        return winner_join_damaged(err);
    if (size > group->room - group->used)
        status = winner_join_flush_group(joining, group, err);
    if (status != STATUS_OK)
        return status;
    memcpy(group->buffer + group->used, winner->document, winner->document_size);
    group->buffer[group->used + winner->document_size] = '\n';
    group->used += size;
    group->count++;
    return winner_join_add_line(joining, winner, err);
}

static enum status winner_join_take_part(struct joining *joining, int fd, struct errbuf *err)
{
    uint64_t at = 0;

    for (;;) {
        size_t size;
        enum status status =
            file_read(joining->join->ops, fd, joining->items, sizeof(joining->items), at, &size);
        if (status != STATUS_OK)
            return file_fail(err, PART, status);
        if (size % WINNER_PART_ITEM_SIZE != 0)
            return winner_join_damaged(err);
        for (size_t i = 0; i < size / WINNER_PART_ITEM_SIZE; i++) {
            status = winner_join_add(joining, &joining->items[i], err);
            if (status != STATUS_OK)
                return status;
        }
        if (size < sizeof(joining->items))
            return STATUS_OK;
        at += size;
    }
}

/* Writes what is left in the groups' buffers, then the head of the index. */
static enum status winner_join_end_index(struct joining *joining, const struct draw_drawn *drawn,
                                         struct errbuf *err)
{
    const struct winner_join *join = joining->join;
    size_t size = winner_layout_head_size(join->agencies);
    enum status status = STATUS_OK;

    for (uint32_t i = 1; status == STATUS_OK && i <= join->agencies; i++) {
        struct group *group = &joining->groups[i];
        status = winner_join_flush_group(joining, group, err);
        if (status == STATUS_OK &&
            (group->written != group->place.bytes || group->count != group->place.count))
            status = winner_join_damaged(err);
    }
    if (status != STATUS_OK)
        return status;
    uint8_t *head = malloc(size);
    struct winner_group *places = calloc(join->agencies + (size_t)1, sizeof(*places));
    if (head == NULL || places == NULL) {
        status = file_fail(err, WINNERS_INDEX_NAME, STATUS_NOMEM);
    } else {
        struct iovec bytes = {head, size};
        for (uint32_t i = 1; i <= join->agencies; i++)
            places[i] = joining->groups[i].place;
        winner_layout_encode(join->agencies, drawn, places, head);
        status = file_write(join->ops, join->index_fd, &bytes, 1, 0);
        if (status != STATUS_OK)
            (void)file_fail(err, WINNERS_INDEX_NAME, status);
    }
    free(places);
    free(head);
    return status;
}

static enum status winner_join_run(struct joining *joining, struct draw_drawn *drawn,
                                   struct errbuf *err)
{
    const struct winner_join *join = joining->join;
    struct draw_drawn ended = *drawn;

    enum status status = winner_join_prepare(joining);
    if (status != STATUS_OK)
        return file_fail(err, WINNERS_NAME, status);
    for (size_t part = 0; status == STATUS_OK && part < join->parts; part++)
        status = winner_join_take_part(joining, join->part_fds[part], err);
    if (status == STATUS_OK)
        status = winner_join_flush_lines(joining, err);
    if (status != STATUS_OK)
        return status;
    ended.winners = joining->winners;
    ended.winners_size = joining->lines_written;
    ended.winners_crc = joining->lines_crc;
    status = winner_join_end_index(joining, &ended, err);
    if (status != STATUS_OK)
        return status;
    if (join->ops->fdatasync(join->winners_fd) < 0)
        return file_fail(err, WINNERS_NAME, STATUS_IO);
    if (join->ops->fdatasync(join->index_fd) < 0)
        return file_fail(err, WINNERS_INDEX_NAME, STATUS_IO);
    *drawn = ended;
    return STATUS_OK;
}

enum status winner_files_join(const struct winner_join *join, struct draw_drawn *drawn,
                              struct errbuf *err)
{
    struct joining *joining = calloc(1, sizeof(*joining));

    if (joining == NULL)
        return file_fail(err, WINNERS_NAME, STATUS_NOMEM);
    joining->join = join;
    enum status status = winner_join_run(joining, drawn, err);
    free(joining->buffers);
    free(joining->groups);
    free(joining);
    return status;
}
