#include "seal_note.h"

#include "assertion.h"
#include "base64.h"
#include "hex.h"
#include "rfc3339.h"
#include "text_reader.h"

#include <inttypes.h>
#include <stdio.h>

#define ROOT_SIZE BASE64_SIZE(SHA256_SIZE)

static void seal_note_show_root(const struct merkle_hash *root, char out[ROOT_SIZE + 1])
{
    *base64_encode(root->bytes, sizeof(root->bytes), out) = '\0';
}

size_t seal_note_put(const struct seal_note *note, char out[SEAL_NOTE_MAX])
{
    char root[ROOT_SIZE + 1];

    seal_note_show_root(&note->root, root);
    int size = snprintf(out, SEAL_NOTE_MAX, "lottery/%s\n%" PRIu64 "\n%s\n",
                        draw_id_shown(note->id), note->leaves, root);
    ASSERT(size > 0 && size < SEAL_NOTE_MAX);
    return (size_t)size;
}

size_t result_note_put(const struct result_note *note, char out[RESULT_NOTE_MAX])
{
    struct text source = note->source.size > 0 ? note->source : text_of("-");
    char digest[2 * SHA256_SIZE + 1];
    char root[ROOT_SIZE + 1];
    char time[RFC3339_SIZE];

    seal_note_show_root(&note->root, root);
    rfc3339_format(note->time_s, time);
    *hex_encode(note->winners_digest, SHA256_SIZE, digest) = '\0';
    int size = snprintf(out, RESULT_NOTE_MAX,
                        "lottery/%s/result\n"
                        "root %s\n"
                        "number %" PRIu32 "\n"
                        "source %.*s\n"
                        "time %s\n"
                        "winners %" PRIu64 " %s\n",
                        draw_id_shown(note->id), root, note->number, (int)source.size, source.data,
                        time, note->winners, digest);
    ASSERT(size > 0 && size < RESULT_NOTE_MAX);
    return (size_t)size;
}

enum status seal_note_read(struct text text, struct seal_note *out)
{
    struct text_reader reader = {text, false};

    text_reader_literal(&reader, "lottery/");
    text_reader_id(&reader, '\n', out->id);
    out->leaves = text_reader_number(&reader, UINT64_MAX);
    text_reader_literal(&reader, "\n");
    text_reader_base64(&reader, out->root.bytes, sizeof(out->root.bytes));
    text_reader_literal(&reader, "\n");
    return text_reader_is_done(&reader) ? STATUS_OK : STATUS_MALFORMED;
}

/* The id before "/result". */
static void result_note_read_id(struct text_reader *reader, char *id)
{
    text_reader_literal(reader, "lottery/");
    text_reader_id(reader, '/', id);
    text_reader_literal(reader, "result\n");
}

static struct text result_note_read_source(struct text_reader *reader)
{
    struct text source = text_reader_until(reader, '\n');

    reader->is_bad = reader->is_bad || source.size == 0 || source.size > SEAL_SOURCE_MAX;
    return source.size == 1 && source.data[0] == '-' ? (struct text){source.data, 0} : source;
}

enum status result_note_read(struct text text, struct result_note *out)
{
    struct text_reader reader = {text, false};

    result_note_read_id(&reader, out->id);
    text_reader_literal(&reader, "root ");
    text_reader_base64(&reader, out->root.bytes, sizeof(out->root.bytes));
    text_reader_literal(&reader, "\nnumber ");
    out->number = (uint32_t)text_reader_number(&reader, UINT32_MAX);
    text_reader_literal(&reader, "\nsource ");
    out->source = result_note_read_source(&reader);
    text_reader_literal(&reader, "time ");
    out->time_s = text_reader_time(&reader);
    text_reader_literal(&reader, "\nwinners ");
    out->winners = text_reader_number(&reader, UINT64_MAX);
    text_reader_literal(&reader, " ");
    text_reader_hex(&reader, out->winners_digest, sizeof(out->winners_digest));
    text_reader_literal(&reader, "\n");
    return text_reader_is_done(&reader) ? STATUS_OK : STATUS_MALFORMED;
}
